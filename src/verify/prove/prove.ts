/**
 * Proves an optimized file against its original, for all inputs: every superblock, every return point, every patch. A proof is made from
 * the original image, the optimized file's bytes and the address map in it, and from nothing else. The trusted base: the files of this
 * folder, the instruction rows, the term domain, the analyses of src/cfg (liveness, saves, entries, tables), and the readers of ELF, map
 * and unwind tables.
 */
import { badElf, unsupported } from '../../base/errors.ts';
import type { Addr } from '../../base/units.ts';
import { declaredExtensions, imageExtensions } from '../../cfg/extensions.ts';
import { imageSaves } from '../../cfg/image-saves.ts';
import { imageLiveness, type Liveness } from '../../cfg/liveness.ts';
import { codeOf } from '../../code/code.ts';
import type { Image } from '../../elf/image.ts';
import { readNote, readOptimizedCode } from '../../elf/write.ts';
import { type AssumptionId, byNumber } from '../../emit/assumptions.ts';
import { type AddressMap, decodeMap, type MappedSuperblock } from '../../emit/map.ts';
import { returnsBehind } from './entered.ts';
import { Machine } from './extensions.ts';
import { checkInside, checkOutside, type FileCheck, type Places, placesOf } from './file.ts';
import { type Reason, reasonText } from './reasons.ts';
import { type Counterexample, EFFORT, refute } from './refute.ts';
import type { Budget } from './search.ts';
import type { Sides } from './sides.ts';
import type { Solver } from './solver.ts';
import { spacesOf } from './spaces.ts';
import { askSolver, type EntryProof, proveEntry } from './superblock.ts';

export interface SuperblockProof {
  readonly verdict: 'proved' | 'unproved' | 'refuted';
  /** Why the superblock is not proved. */
  readonly reason: Reason | undefined;
  /** refuted: a state on which the two forms differ, and how. */
  readonly counterexample: Counterexample | undefined;
  /** The assumptions the proof rests on, by id. */
  readonly assumptions: readonly AssumptionId[];
  /** Number of paths through the superblock that were compared. */
  readonly ways: number;
  /** Goals that the solver closed; goals closed by rewriting are not counted. */
  readonly solved: number;
  readonly head: Addr;
  readonly start: Addr;
  readonly identity: boolean;
  /** Expected number of entries. */
  readonly count: number;
  /** Instructions on its line, times count. */
  readonly weight: number;
}

export interface Proof {
  readonly superblocks: readonly SuperblockProof[];
  /** Checks of the file as a whole: a check without `problems` has passed. */
  readonly file: readonly FileCheck[];
  /** A fault of map, headers or bytes of the original, because of which nothing was proved. */
  readonly outside?: string | undefined;
  /** The assumptions that the proofs and the checks rest on. */
  readonly assumptions: readonly AssumptionId[];
  /** Extensions that the optimized code needs and the original does not (A9). */
  readonly extensions: readonly string[];
}

/** The address map of an optimized file. Throws unsupported where the file has none, or the map of another original; badElf. */
export function mapOf(original: Image, optimized: Image): AddressMap {
  const note = readNote(optimized);
  if (note === undefined)
    throw unsupported(`${optimized.file}: has no address map`, 'give a file that isoform has optimized');
  const map = decodeMap(note, optimized.file);
  if (map.data.original !== original.hash)
    throw unsupported(`${optimized.file}: is the optimized form of another file than ${original.file}`);
  if (!isWithin(original, optimized, map)) throw badElf(optimized.file, 'its address map is damaged');
  return map;
}

/**
 * Do the ranges of the map cover no more bytes than the files have? Loops over the bytes of the map's ranges then end. All else that must
 * be right is a matter of the proof.
 */
function isWithin(original: Image, optimized: Image, { data: { superblocks, patches } }: AddressMap): boolean {
  const ranges = superblocks.flatMap(({ start, end, stubs }) => [[start, end] as const, ...stubs]);
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
  const fits = ranges.every(([from, to]) => from <= to);
  const emitted = sum(ranges.map(([from, to]) => to - from));
  return fits && emitted <= optimized.bytes.length && sum(patches.map(([, size]) => size)) <= original.bytes.length;
}

export interface ProveOptions {
  /** Only the superblocks of these heads. */
  readonly heads?: ReadonlySet<Addr> | undefined;
  /** The result of `imageLiveness(original)`, if at hand. */
  readonly liveness?: Liveness | undefined;
  /** For goals that rewriting does not close and no state refutes. */
  readonly solver?: Solver | undefined;
  /** Assumptions that are not accepted, by id: code whose proof rests on one of them is not proved. */
  readonly without?: readonly string[] | undefined;
  /** Search for states and ask the solver however many superblocks are not proved: for files of one's own making. */
  readonly thorough?: boolean | undefined;
}

/** Unproved superblocks for which states are searched: of a strange file perhaps no superblock can be proved. */
const MOST_SEARCHES = 64;
/** Terms that these searches may look at, all together. */
const MOST_TERMS = 30_000_000;
/** Superblocks that the solver may fail to close before it is no longer asked. */
const MOST_SOLVER_FAILURES = 6;

/**
 * Steps of all paths of a file, for all its superblocks, return points and patches. Files that the optimizer makes need less than one step a
 * byte; code that many entries share and none leaves would need the square of its length.
 */
const LEAST_STEPS = 500_000;
const STEPS_PER_BYTE = 20;

/** The effort spent on unproved superblocks. */
interface Doubts {
  searched: number;
  asked: number;
  readonly budget: Budget;
}

/** @param map the result of `mapOf`, or another map to be tried against the same file */
export function prove(original: Image, optimized: Image, map: AddressMap, options: ProveOptions = {}): Proof {
  const outside = checkOutside(original, optimized, map, codeRange(optimized));
  const listed = map.data.superblocks.filter(({ head }) => options.heads === undefined || options.heads.has(head));
  const wrong = outside.flatMap(({ problems }) => problems)[0];
  if (wrong !== undefined)
    return { superblocks: listed.map(uncheckedProof), file: outside, outside: wrong, assumptions: [], extensions: [] };
  const { sides, places } = sidesOf(original, optimized, map, options.liveness, options.without);
  const doubts: Doubts = options.thorough
    ? { searched: -Infinity, asked: -Infinity, budget: { left: Number.POSITIVE_INFINITY } }
    : { searched: 0, asked: 0, budget: { left: MOST_TERMS } };
  const refused = (ids: readonly AssumptionId[]) => ids.find((id) => options.without?.includes(id));
  const superblocks = listed.map((superblock) => {
    const proof = attempt(superblock, () => proveSuperblock(sides, superblock, options.solver, doubts));
    const id = refused(proof.assumptions);
    return id === undefined || proof.verdict !== 'proved'
      ? proof
      : { ...proof, verdict: 'unproved' as const, reason: { kind: 'assumption' as const, id } };
  });
  const file = [...outside, ...checkInside({ original, optimized, map, places, sides })].map((check) => {
    const id = refused(check.assumptions);
    return id === undefined
      ? check
      : { ...check, problems: [...check.problems, reasonText({ kind: 'assumption', id })] };
  });
  const used = new Set([...superblocks, ...file].flatMap((part) => [...part.assumptions]));
  return { superblocks, file, assumptions: [...used].sort(byNumber), extensions: sides.machine?.needed ?? [] };
}

/** The proofs of the superblocks of these heads, one by one; no state is searched for, and nothing else of the file is checked. */
export function entryProofs(
  original: Image,
  optimized: Image,
  map: AddressMap,
  heads: ReadonlySet<Addr>,
): ReadonlyMap<Addr, EntryProof> {
  const { sides } = sidesOf(original, optimized, map);
  return new Map(
    map.data.superblocks
      .filter(({ head }) => heads.has(head))
      .map(({ head, start }) => [head, proveEntry(sides, { head, start, first: true, progress: true })]),
  );
}

/** The heads whose proofs have failed. */
export const unproved = (proofs: ReadonlyMap<Addr, EntryProof>): ReadonlySet<Addr> =>
  new Set([...proofs].filter(([, { verdict }]) => verdict !== 'proved').map(([head]) => head));

/** The first fault of map, headers or bytes of the original, if there is one. */
export const outsideProblem = (original: Image, optimized: Image, map: AddressMap): string | undefined =>
  checkOutside(original, optimized, map, codeRange(optimized)).flatMap(({ problems }) => problems)[0];

function codeRange(optimized: Image): Places['code'] {
  const code = readOptimizedCode(optimized);
  if (code === undefined) throw unsupported(`${optimized.file}: has no optimized code`);
  return { start: code.address, end: code.address + code.bytes.length };
}

/** The inputs of proofs of single pieces of code. */
export function sidesOf(
  original: Image,
  optimized: Image,
  map: AddressMap,
  liveness?: Liveness,
  without: readonly string[] = [],
): { readonly sides: Sides; readonly places: Places } {
  const assumed = new Set(map.data.assumptions.filter((id) => !without.includes(id)));
  const places = placesOf(original, map, codeRange(optimized));
  const sides: Sides = {
    original: codeOf(original),
    optimized: codeOf(optimized),
    returns: assumed.has('A7') && !returnsBehind(original) ? places.returns : new Map(),
    relocatable: original.relocatable,
    liveness: assumed.has('A1') ? (liveness ?? imageLiveness(original)) : undefined,
    saves: assumed.has('A3') ? imageSaves(original) : undefined,
    watched: !assumed.has('A11'),
    jumpTables: assumed.has('A4'),
    deadFrames: assumed.has('A8'),
    machine: new Machine(imageExtensions(original), declaredExtensions(original), assumed.has('A9')),
    standsFor: places.standsFor,
    inside: places.inside,
    spaces: spacesOf(original),
    effort: { steps: LEAST_STEPS + STEPS_PER_BYTE * (places.code.end - places.code.start) },
  };
  return { sides, places };
}

/** The result for a superblock where the file as a whole is wrong. */
const uncheckedProof = ({ head, start, count, identity }: MappedSuperblock): SuperblockProof => ({
  head,
  start,
  identity,
  count,
  weight: count,
  verdict: 'unproved',
  reason: { kind: 'file' },
  counterexample: undefined,
  assumptions: [],
  ways: 0,
  solved: 0,
});

/** A superblock on which the prover fails is not proved; the failure costs no other superblock its proof. */
function attempt(superblock: MappedSuperblock, work: () => SuperblockProof): SuperblockProof {
  try {
    return work();
  } catch (error) {
    const what = (error as Error)?.message ?? String(error);
    return { ...uncheckedProof(superblock), reason: { kind: 'failed', what } };
  }
}

function proveSuperblock(
  sides: Sides,
  superblock: MappedSuperblock,
  solver: Solver | undefined,
  doubts: Doubts,
): SuperblockProof {
  const { head, start, end, count, identity } = superblock;
  let line = 0;
  for (let at = start; at < end; line++) at += sides.optimized.insnAt(at)?.size ?? end;
  const entry = { head, start, first: true, progress: true };
  let proof = proveEntry(sides, entry);
  const searching = proof.verdict === 'unproved' && doubts.searched++ < MOST_SEARCHES;
  const counterexample = searching ? refute(sides, entry, proof, EFFORT, doubts.budget) : undefined;
  if (searching && counterexample === undefined && solver !== undefined && doubts.asked < MOST_SOLVER_FAILURES) {
    const solved = askSolver(sides, entry, proof, solver);
    if (solved.verdict === 'proved') proof = solved;
    else doubts.asked++;
  }
  return {
    head,
    start,
    identity,
    count,
    weight: count * line,
    verdict: counterexample === undefined ? proof.verdict : 'refuted',
    reason:
      counterexample === undefined || proof.reason === undefined
        ? proof.reason
        : { kind: 'refuted', reason: proof.reason, difference: counterexample.difference },
    counterexample,
    // States are compared where control leaves, not in between.
    assumptions: [...proof.assumptions, 'A6' as const].sort(byNumber),
    ways: proof.ways,
    solved: proof.solved,
  };
}
