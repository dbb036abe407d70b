/** Looks for a state on which an unproved superblock differs from the original: both forms are run on candidate states. */
import { type Difference, differenceOn } from './concrete.ts';
import { Decisions } from './facts.ts';
import { OriginalRun } from './original.ts';
import { explore, type Leaf, Unproved } from './paths.ts';
import { type Budget, randomStart, searchStart } from './search.ts';
import type { Entry, Sides } from './sides.ts';
import { Spaces } from './spaces.ts';
import type { Start } from './start.ts';
import { type State, stackName } from './state.ts';
import type { EntryProof } from './superblock.ts';
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
  const kept: Sides = { ...sides, spaces: sides.spaces ?? new Spaces() };
  const on = (start: Start | undefined): Counterexample | undefined => {
    const found = start && differenceOn(kept, entry, start);
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
    const { original, saves, deadFrames } = sides;
    const { head, start, first } = entry;
    const run = new OriginalRun({ terms, code: original, head, saves, deadFrames });
    const code = { ...sides, effort: undefined };
    return explore({ terms, code, start, first, decisions: new Decisions(terms), follow: () => undefined }, run.first);
  } catch (error) {
    if (error instanceof Unproved) return [];
    throw error;
  }
}
