/**
 * The report as plain data: `--json` prints it, schema.json describes it, and the page is rendered from it. The data holds nothing
 * that changes from one run to the next with the same inputs: no times, no dates, no paths except those that the user gave.
 *
 * Addresses are hexadecimal text (`0x10432`), so that they can be searched for in dumps; counts are exact integers; shares are
 * fractions of one.
 */
import type { AssumptionId } from '../emit/assumptions.ts';

export const REPORT_FORMAT = 'isoform-report';
export const REPORT_VERSION = 1;

/** An address as text: `0x` and lower-case digits. */
export type HexAddress = string;

/** Exact counts of executed instructions and transfers. */
export interface Statistics {
  readonly instructions: number;
  /** Executed transfers that do not fall through: the sum of the six kinds below, without `branchesNotTaken`. */
  readonly takenBranches: number;
  /** Conditional branches. */
  readonly branchesTaken: number;
  readonly branchesNotTaken: number;
  /** Direct jumps that are not calls. */
  readonly jumps: number;
  /** Direct calls. */
  readonly calls: number;
  readonly indirectCalls: number;
  readonly returns: number;
  /** Indirect jumps that are neither calls nor returns (jump tables, indirect tail calls). */
  readonly indirectJumps: number;
  readonly loads: number;
  readonly stores: number;
  readonly syscalls: number;
}

export interface ProgramReport {
  readonly file: string;
  /** SHA-256 of the file, hex. */
  readonly hash: string;
  /** Size of the file. */
  readonly bytes: number;
  readonly instructions: number;
  readonly takenBranches: number;
  readonly statistics: Statistics;
}

export interface FunctionReport {
  readonly name: string;
  readonly address: HexAddress;
  /** Instructions executed in the function. Optimized instructions count for the function that holds their original instruction. */
  readonly before: number;
  readonly after: number;
}

/** The form in which one instruction of the original path is in the superblock. */
export type Fate =
  /** In the line, unchanged except for addresses. */
  | 'kept'
  /** In the line, in another form. */
  | 'changed'
  /** Only in exit stubs, so that it is executed only where an exit needs its result. */
  | 'sunk'
  | 'removed';

export interface OriginalLine {
  readonly address: HexAddress;
  readonly text: string;
  readonly count: number;
  readonly fate: Fate;
}

export interface PathBlock {
  readonly address: HexAddress;
  readonly symbol: string;
  readonly count: number;
  readonly lines: readonly OriginalLine[];
}

export interface OptimizedLine {
  readonly address: HexAddress;
  readonly text: string;
  readonly count: number;
  /** The original instruction that it stands for; absent for a new instruction. */
  readonly originalAddress?: HexAddress;
  readonly part: 'line' | 'stub';
}

export interface ExitReport {
  readonly kind: string;
  /** The optimized instruction that leaves. */
  readonly site: HexAddress;
  /** The exit's target, as an original address; absent for a computed target (a return, an indirect jump). */
  readonly target?: HexAddress;
  readonly count: number;
}

export interface SuperblockReport {
  readonly head: HexAddress;
  /** `function+0x10`. */
  readonly symbol: string;
  /** Instructions executed in it, its exit stubs included. */
  readonly weight: number;
  /** How often its head was executed; each iteration of its own loop counts. */
  readonly count: number;
  readonly verdict: 'proved' | 'tested' | 'rejected';
  /** Why it was rejected or is not proved, or another remark on it. */
  readonly reason?: string;
  /** Bytes of its line and its stubs. */
  readonly bytes: number;
  readonly instructions: {
    /** Instructions on the path, in the line, in the stubs. */
    readonly original: number;
    readonly line: number;
    readonly stubs: number;
    /** Executed instructions: those of the original for the same work, and those of the superblock. */
    readonly before: number;
    readonly after: number;
  };
  readonly exits: readonly ExitReport[];
  /** Code side by side, for the hottest superblocks only. */
  readonly original?: readonly PathBlock[];
  readonly optimized?: readonly OptimizedLine[];
}

export interface PassReport {
  readonly name: string;
  readonly description: string;
  readonly rewrites: number;
  /** Executed instructions, taken branches and modelled cycles that it removed (negative: added), by the profile. */
  readonly removed: number;
  readonly taken: number;
  readonly cycles: number;
}

export interface AssumptionReport {
  readonly id: AssumptionId;
  readonly name: string;
  readonly text: string;
  /** The file depends on the assumption. */
  readonly used: boolean;
  /** The assumption is in use and the rerun of this file found no difference. */
  readonly checked: boolean;
  /** How many superblocks' proofs rest on the assumption; absent if no proof was made. */
  readonly proofs?: number;
}

export interface GraphNode {
  readonly id: string;
  readonly address: HexAddress;
  readonly label: string;
  readonly count: number;
  /** Instructions in the block. */
  readonly instructions: number;
  /** The head of the superblock that the block is in, if any. */
  readonly superblock?: HexAddress;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
  readonly count: number;
}

/** The hottest blocks (at most 40), those at the hottest edges first, and the edges among them. */
export interface HotGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Share of executed instructions that the nodes hold. */
  readonly share: number;
}

export interface VerifiedInput {
  readonly name: string;
  readonly arguments: readonly string[];
  /** The profile was taken on this input. */
  readonly training: boolean;
  readonly verdict: 'equivalent' | 'different';
  /** Syscalls at which the two runs were compared. */
  readonly syscalls: number;
  /** How the program ended: `exit status 0`, `signal 6 (SIGABRT)`. */
  readonly end: string;
}

export interface Difference {
  readonly input: string;
  /** The thing that differs: a register, the output, a syscall's argument ... */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
  readonly pc?: HexAddress;
  readonly symbol?: string;
  readonly superblock?: HexAddress;
  /** If all of the code at fault is proved: its assumptions, of which at least one does not hold. */
  readonly assumptions?: readonly AssumptionId[];
  /** Why the program differs though no code is at fault, in words. */
  readonly cause?: string;
}

export interface VerifyReport {
  readonly inputs: readonly VerifiedInput[];
  readonly differences: readonly Difference[];
  /** Sum over the inputs. */
  readonly syscalls: number;
}

/** A proof's results, which hold for all inputs under the assumptions listed. */
export interface ProofReport {
  /** Superblocks in the file, and how many of them are proved in the form in which they ship. */
  readonly superblocks: number;
  readonly proved: number;
  /** Share of the execution in superblocks that is proved, by the optimized run's counts. */
  readonly share: number;
  /** Execution paths through superblocks that were compared. */
  readonly ways: number;
  /** Superblocks that are not proved. */
  readonly open: readonly { readonly head: HexAddress; readonly symbol: string; readonly reason: string }[];
  /** Checks of the file as a whole, and the problems that each found. */
  readonly file: readonly { readonly what: string; readonly checked: number; readonly problems: readonly string[] }[];
}

export interface CoverageReport {
  /** Share of the optimized run's instructions that were executed inside superblocks. */
  readonly inside: number;
  /** How many of the hottest superblocks hold 50, 90, 99 % of the optimized run; absent if all together hold less. */
  readonly superblocks50?: number;
  readonly superblocks90?: number;
  readonly superblocks99?: number;
  /** Share that the hottest 1, 2, 3, ... superblocks hold; at most 200 points, evenly thinned. */
  readonly curve: readonly { readonly superblocks: number; readonly share: number }[];
}

/** A run on the model of src/cost. */
export interface ModelledReport {
  readonly cycles: number;
  /** The cycles by cause. */
  readonly waits: Readonly<Record<string, number>>;
  /** 64-byte lines of code from which instructions were executed. */
  readonly lines: number;
  /** Lines and bytes of the hottest instructions that make up 99 % of the execution. */
  readonly hotLines: number;
  readonly hotBytes: number;
}

export interface ReportModel {
  readonly format: typeof REPORT_FORMAT;
  readonly version: typeof REPORT_VERSION;
  readonly program: {
    readonly name: string;
    readonly arguments: readonly string[];
    /** Names of the program's inputs: files, standard input. */
    readonly inputs: readonly string[];
  };
  readonly verdict: 'equivalent' | 'different';
  readonly original: ProgramReport;
  readonly optimized: ProgramReport;
  /** optimized.bytes - original.bytes. */
  readonly bytesAdded: number;
  /** optimized / original. */
  readonly ratio: { readonly instructions: number; readonly takenBranches: number };
  /** The training run on a model of a core. Absent in older reports. */
  readonly model?: { readonly original: ModelledReport; readonly optimized: ModelledReport };
  readonly coverage: CoverageReport;
  /** By falling `before`. */
  readonly functions: readonly FunctionReport[];
  /** By falling weight. */
  readonly superblocks: readonly SuperblockReport[];
  /** In the order in which they ran; absent if it is not known which ones did. */
  readonly passes?: readonly PassReport[];
  readonly assumptions: readonly AssumptionReport[];
  readonly cfg: { readonly original: HotGraph; readonly optimized: HotGraph };
  readonly verify: VerifyReport;
  /** Absent if no proof was made. */
  readonly proof?: ProofReport;
  /** Shell commands that make the report again. */
  readonly commands: readonly string[];
}
