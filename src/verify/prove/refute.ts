/** Looks for a state on which an unproved superblock differs from the original: both forms are run on candidate states. */
import { type Difference, differenceOn } from './concrete.ts';
import { OriginalRun } from './original.ts';
import { explore, type Leaf } from './paths.ts';
import { type Budget, randomStart, searchStart } from './search.ts';
import type { Start } from './start.ts';
import { type State, stackName, Unproved } from './step.ts';
import type { Entry, EntryProof, Sides } from './superblock.ts';
import { ProofTerms } from './terms.ts';

export interface Counterexample {
  /** Registers, and all of memory that either form accesses. */
  readonly start: Start;
  /** The difference at the exit that the state leads to. */
  readonly difference: string;
  /** The code that both forms have run, and the superblock. */
  readonly found: Difference;
  readonly sides: Sides;
  readonly entry: Entry;
}

/** States tried for one path. */
export const EFFORT = 12;
/** Terms that the searches for one superblock look at, by default. */
const MOST_TERMS = 8_000_000;

/**
 * @param effort states tried for the path that could not be matched; fewer for other paths
 * @param budget bound on the searches: a strange superblock has thousands of paths, a strange file many such superblocks
 */
export function refute(
  sides: Sides,
  entry: Entry,
  proof: Pick<EntryProof, 'failed' | 'followed' | 'leaves'>,
  effort = EFFORT,
  budget: Budget = { left: MOST_TERMS },
): Counterexample | undefined {
  const on = (start: Start | undefined): Counterexample | undefined => {
    const found = start && differenceOn(sides, entry, start);
    return found && { start: found.start, difference: found.text, found, sides, entry };
  };
  const along = (leaf: Leaf, tries: number, original?: State): Counterexample | undefined => {
    for (let seed = 1; seed <= tries; seed++) {
      const found = on(searchStart(leaf.facts, [leaf.state.accesses, original?.accesses], seed, budget));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const first = proof.failed && along(proof.failed, effort, proof.followed);
  if (first !== undefined) return first;
  for (let seed = 1; seed <= effort; seed++) {
    const found = on(randomStart(seed));
    if (found !== undefined) return found;
  }
  for (const leaf of proof.leaves) {
    if (budget.left <= 0) break;
    const found = along(leaf, Math.ceil(effort / 4));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The paths through a superblock's code, for states that take each path; none where the code cannot be followed. */
export function waysThrough(sides: Sides, entry: Entry): readonly Leaf[] {
  try {
    const terms = new ProofTerms(sides.relocatable, stackName);
    const { optimized: code, returns, original, saves, deadFrames } = sides;
    const run = new OriginalRun({ terms, code: original, head: entry.head, saves, deadFrames });
    const explored = { code, returns, standsFor: sides.standsFor, inside: sides.inside };
    return explore(terms, explored, entry.start, entry.first, run.first, () => undefined);
  } catch (error) {
    if (error instanceof Unproved) return [];
    throw error;
  }
}
