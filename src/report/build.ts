/** Builds the report's data from two profiled runs and the results of the pipeline. */
import { basename } from 'node:path';
import { internal } from '../base/errors.ts';
import { type Addr, hex } from '../base/units.ts';
import { modelledCycles } from '../cost/run.ts';
import { type Counts, makeCounts, type ProfiledRun } from './counts.ts';
import { reportFunctions } from './functions.ts';
import { hotGraph } from './graph.ts';
import {
  type AssumptionReport,
  type Difference,
  type ModelledReport,
  type PassReport,
  type ProgramReport,
  type ProofReport,
  REPORT_FORMAT,
  REPORT_VERSION,
  type ReportModel,
  type SuperblockReport,
  type VerifiedInput,
} from './model.ts';
import { makeNames, type Names } from './names.ts';
import { command } from './shell.ts';
import { statisticsOf } from './statistics.ts';
import { coverageOf, reportSuperblocks, type SuperblockSummary, share } from './superblocks.ts';

export interface ReportInput {
  /** The program's arguments and the names of the inputs that it read on the training run. */
  readonly arguments: readonly string[];
  readonly inputs: readonly string[];
  /** The training run of the original file, and the same run of the optimized one. */
  readonly original: ProfiledRun;
  readonly optimized: ProfiledRun;
  readonly superblocks: readonly SuperblockSummary[];
  /** In the order in which they ran; undefined if it is not known which ones did. */
  readonly passes: readonly PassReport[] | undefined;
  readonly assumptions: readonly AssumptionReport[];
  readonly proof?: ProofInput | undefined;
  readonly verify: { readonly inputs: readonly VerifiedInput[]; readonly differences: readonly Difference[] };
  /** Commands that make the report again; default: a plain `isoform pgo` with the program and its arguments. */
  readonly commands?: readonly string[];
  /** How many superblocks are shown with their code; default: 30. */
  readonly detailed?: number;
}

/** The results of a proof of the optimized file. */
export interface ProofInput {
  readonly ways: number;
  /** The reason of each superblock that is not proved, by head. */
  readonly open: ReadonlyMap<Addr, string>;
  readonly file: ProofReport['file'];
}

/** The whole report as data. Same inputs, same data. */
export function buildReport(input: ReportInput): ReportModel {
  if (input.verify.inputs.length === 0) throw internal('a report needs a verified run');
  const original = makeCounts(input.original);
  const optimized = makeCounts(input.optimized);
  const names = makeNames(original);
  const superblocks = reportSuperblocks(input.superblocks, original, optimized, names, input.detailed ?? 30);
  const before = programReport(original);
  const after = programReport(optimized);
  const equivalent =
    input.verify.differences.length === 0 && input.verify.inputs.every(({ verdict }) => verdict === 'equivalent');
  return {
    format: REPORT_FORMAT,
    version: REPORT_VERSION,
    program: {
      name: basename(input.original.image.file),
      arguments: input.arguments,
      inputs: input.inputs,
    },
    verdict: equivalent ? 'equivalent' : 'different',
    original: before,
    optimized: after,
    bytesAdded: after.bytes - before.bytes,
    ratio: {
      instructions: share(after.instructions, before.instructions),
      takenBranches: share(after.takenBranches, before.takenBranches),
    },
    model: { original: modelled(input.original), optimized: modelled(input.optimized) },
    coverage: coverageOf(superblocks, optimized.total),
    functions: reportFunctions(input.superblocks, original, optimized, names, 40),
    superblocks,
    ...(input.passes && { passes: input.passes }),
    assumptions: input.assumptions,
    cfg: pictures(
      input,
      original,
      optimized,
      names,
      superblocks.map(({ head }) => head),
    ),
    verify: {
      inputs: input.verify.inputs,
      differences: input.verify.differences,
      syscalls: input.verify.inputs.reduce((sum, { syscalls }) => sum + syscalls, 0),
    },
    ...(input.proof && { proof: proofReport(input.proof, superblocks, names) }),
    commands: input.commands ?? [command(['isoform', 'pgo', input.original.image.file, ...input.arguments])],
  };
}

function modelled({ image, profile }: ProfiledRun): ModelledReport {
  const { causes, ...rest } = modelledCycles(image, profile);
  return { ...rest, waits: causes };
}

function proofReport(
  { ways, open, file }: ProofInput,
  superblocks: readonly SuperblockReport[],
  names: Names,
): ProofReport {
  const heads = new Set([...open.keys()].map(hex));
  const weight = (list: readonly SuperblockReport[]) => list.reduce((sum, superblock) => sum + superblock.weight, 0);
  const proved = superblocks.filter(({ head }) => !heads.has(head));
  const all = weight(superblocks);
  return {
    superblocks: superblocks.length,
    proved: proved.length,
    share: all === 0 ? (proved.length === superblocks.length ? 1 : 0) : weight(proved) / all,
    ways,
    open: [...open].map(([head, reason]) => ({ head: hex(head), symbol: names.label(head), reason })),
    file: file.map(({ what, checked, problems }) => ({ what, checked, problems })),
  };
}

function programReport(counts: Counts): ProgramReport {
  const statistics = statisticsOf(counts);
  return {
    file: basename(counts.image.file),
    hash: counts.image.hash,
    bytes: counts.image.bytes.length,
    instructions: statistics.instructions,
    takenBranches: statistics.takenBranches,
    statistics,
  };
}

/** @param byWeight heads by falling weight: a block on several paths belongs to the heaviest */
function pictures(input: ReportInput, original: Counts, optimized: Counts, names: Names, byWeight: readonly string[]) {
  const rank = new Map(byWeight.map((head, index) => [head, index]));
  const summaries = [...input.superblocks].sort((a, b) => rank.get(hex(a.head))! - rank.get(hex(b.head))!);
  const onPath = (address: Addr) =>
    summaries.find(({ path }) => path.some(({ start, end }) => address >= start && address < end))?.head;
  const ranges = summaries.flatMap((summary) => summary.ranges.map((range) => ({ ...range, summary })));
  const inside = (address: Addr) => ranges.find(({ start, end }) => address >= start && address < end);
  return {
    original: hotGraph(original, names.label, onPath),
    optimized: hotGraph(
      optimized,
      (address) => {
        const found = inside(address);
        if (found === undefined) return names.label(address);
        const origin = found.summary.addresses.get(address);
        return names.label(origin ?? found.summary.head);
      },
      (address) => inside(address)?.summary.head,
    ),
  };
}
