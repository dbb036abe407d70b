/**
 * Everything isoform assumes beyond its checks, by name. The report lists assumptions; `--strict` and `--without A1,...` switch them off.
 */
import { TARGETS_TEXT } from '../isa/targets.ts';

/** A part of isoform that may rest on an assumption: selection and passes; patches, tables and calls; the proof of the finished file. */
type User = 'optimizer' | 'emission' | 'prover';

interface Entry {
  readonly id: `A${number}`;
  readonly name: string;
  /** Can the assumption be switched off? Unavoidable ones come with patching, optimizing at all, calls or a target. */
  readonly avoidable: boolean;
  /** The only parts that may rest on the assumption. */
  readonly by: readonly User[];
  readonly text: string;
  /** The part of the assumption that is checked, and when. */
  readonly check: string;
}

/** Sorted by number. Optimized files name the assumptions that they rest on, so a number is not used again. */
const TABLE = [
  {
    id: 'A1',
    name: 'calling convention',
    avoidable: true,
    by: ['optimizer', 'emission', 'prover'],
    text: 'Functions reached by calls the analysis cannot follow, or by jumps to an address that is loaded, passed or returned, keep to the psABI (of jumps: where they are called by name somewhere, or have no symbol): they read argument registers and t2 (a static chain) only, preserve the callee-saved ones, and callers expect nothing of the others. Symbols of functions tell the truth of where these end. A function that stores a preserved register in its frame gives it back. What a directly called function returns beyond the psABI is read by its caller before an unknown jump, and not by the next call as an argument.',
    check:
      'Direct callees are analysed, not assumed: what they read, what they leave alone, and what their callers are seen to read behind them; the rerun compares the arguments of each syscall, memory and output.',
  },
  {
    id: 'A2',
    name: 'code is entered where it can be seen to be',
    avoidable: false,
    by: ['emission', 'prover'],
    text: 'Nothing comes into the middle of the bytes of a patch but what can be seen to. Seen are: targets of branches, jumps and calls of all code that is found, also in streams of instructions that overlap; what stands behind calls, ecall and ebreak; symbols; landing pads; code addresses in data, whole or as distances in tables (in the first 64 KiB of a table that no jump is seen to read); those that instructions make, as far as constants are followed; and every instruction of a function that has a jump which computes its target and does not show from what. (A table of distances from its own start, in memory that is not written to, begins there and has no holes: it shows from what.) That nothing else leads there (from another function, such as a part that lies apart where neither symbols nor jumps join it, by a pointer to a label within this one, or to a target that is computed from what is not constant, such as a label that was loaded, and kept in memory before the jump) is assumed.',
    check:
      'No patch is made over a place that is seen to be entered, or that the profile saw entered; the proof looks again, without the profile, at every patch.',
  },
  {
    id: 'A3',
    name: 'saved registers stay',
    avoidable: true,
    by: ['optimizer', 'prover'],
    text: 'A return address or a callee-saved register that a function saves in its frame is neither overwritten nor read through a pointer other than the stack pointer before the function gives the frame back.',
    check:
      'A save is what the function is seen to give back on every way out, from a slot that it uses for nothing else; stores through the stack pointer are followed exactly; once the frame is given back its slots are places like any other. The rerun would differ.',
  },
  {
    id: 'A4',
    name: 'jump tables only jump',
    avoidable: true,
    by: ['emission', 'prover'],
    text: 'A table of code addresses that holds every profiled target of an indirect jump is read for jumping only, so that its entries may lead into optimized code, and every jump that reads it adds the same base to an entry; nor is it read as a part of something larger that it lies in.',
    check:
      'The code shows a jump that goes by what it loads from this very table, and nothing else that loads, stores, makes, hands on or keeps an address in it, nor (where symbols tell) in the object that it is a part of; up to a changed entry all lead to code; entries never seen as targets stay as they are.',
  },
  {
    id: 'A5',
    name: 'code does not change',
    avoidable: false,
    by: ['emission', 'prover'],
    text: 'The program neither writes to its own text nor takes it away (by munmap or mprotect), nor reads it as data where it was patched, nor the headers of its file, nor of the file more than what was appended to it; it maps nothing at a fixed address over the pages right behind it, where the optimized code is; and it does not matter where its heap begins.',
    check:
      'All else that is loaded is as it was, in whole pages; headers say what they said, but for the new segment, and are where programs look for them. The rerun would differ.',
  },
  {
    id: 'A6',
    name: 'nobody looks in between',
    avoidable: false,
    by: ['optimizer', 'prover'],
    text: 'Signal handlers do not inspect the registers (floating-point flags are among them) or the pc of the code they interrupt, nor does code that they jump to, nor does an exception that a handler throws pass through it (of memory A11 speaks); of two faults it does not matter which comes first, and a load that nobody needs need not fault; an instruction that the machine lacks may be met somewhat earlier or later on its way, and one of an extension that the attributes of the file name need not be met at all; no one counts instructions (the cycle and instret counters).',
    check: 'Faults and signals of the rerun must be the same, with the same handlers run.',
  },
  {
    id: 'A7',
    name: 'return addresses are to return',
    avoidable: false,
    by: ['emission', 'prover'],
    text: "A return address that a call leaves in ra or t0 is only used to return to and to unwind: no code compares it, computes with it or shows it. (A call made from optimized code links to another address than the original call.) Who unwinds goes by the tables that the file names (.eh_frame, PT_GNU_EH_FRAME) or, where it names none, by the one chain of descriptions that is in it; a personality routine reads language-specific data in GCC's form, and of it what holds for the call.",
    check:
      'Only ra, t0 and slots where the original saves a return address may have the optimized one; whatever the original is seen to do with one besides, it does with its own number, and so must the optimized code. Where something is seen to return behind a return point (`jr 4(ra)`) no call is made from optimized code. Return points and frame descriptions at optimized return addresses are proved to do what the original ones do; the rerun compares return addresses under the address map.',
  },
  {
    id: 'A8',
    name: 'nothing below the stack pointer',
    avoidable: true,
    by: ['optimizer', 'prover'],
    text: 'What a function has stored in its frame is not looked at once the frame is given back, which is to raise the stack pointer above it: nothing reads there what it has not stored there since, neither below the stack pointer nor in a later frame. To set the stack pointer to a place above, as for a stack within one of its own arrays, gives back all below that place. (A store left out for that cannot fault, but for a stack that overflows.)',
    check:
      'A proof that rests on it leaves out only stores to slots of the stack at the head: those below the stack pointer of the exit, and where registers were saved in a frame that the original has given back on that way, as far as nothing has been stored there since; the rerun compares all live memory.',
  },
  {
    id: 'A9',
    name: 'the machine has what was asked for',
    avoidable: false,
    by: ['optimizer', 'prover'],
    text: `The output runs where the extensions of its target are: ${TARGETS_TEXT}. Made only when a target is given. (What the original itself has run by then needs no assumption, nor what of RV64GC its header or its code asks for.)`,
    check:
      'A proof names the extensions that some way through the optimized code needs and the original on that way does not, and there are none if this assumption is not made. The attributes of the file say what it needs, if the input has attributes.',
  },
  {
    id: 'A11',
    name: 'nobody else writes or looks',
    avoidable: true,
    by: ['optimizer', 'prover'],
    text: 'Between two accesses of a superblock nobody else writes to memory that it accesses, or looks at it: no signal handler, no other task or hart, no other process through a shared mapping; nor has the program the same memory at two addresses. So what was loaded may be used again, stores that are overwritten may go, and accesses that do not overlap may pass one another. Without it all accesses stay, in their order, with the syntactic dependencies that RVWMO orders them by.',
    check:
      'Made only where the profile saw no handler installed, no second task asked for in the same memory, and nothing mapped shared.',
  },
] as const satisfies readonly Entry[];

type EntryOf<E, U> = E extends { readonly by: readonly (infer By)[] } ? (U extends By ? E : never) : never;
/** The assumptions on which a part of isoform may rest, by id. */
export type AssumptionOf<U extends User> = EntryOf<(typeof TABLE)[number], U>['id'];
export type AssumptionId = (typeof TABLE)[number]['id'];

export interface Assumption extends Entry {
  readonly id: AssumptionId;
}

export const ASSUMPTIONS: readonly Assumption[] = TABLE;

/** The assumptions that can be switched off, by number. */
export const AVOIDABLE_ASSUMPTIONS: readonly AssumptionId[] = ASSUMPTIONS.filter(({ avoidable }) => avoidable).map(
  ({ id }) => id,
);

/** Orders ids of assumptions: A2 before A11. */
export const byNumber = (a: string, b: string): number => Number(a.slice(1)) - Number(b.slice(1));
