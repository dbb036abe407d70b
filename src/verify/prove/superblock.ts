/**
 * The proof of one piece of optimized code: for all states at its start, at each of its exits, the original comes to the same address, with
 * the same registers (as far as they are live), memory, floating-point flags and events, and the original has accessed all that the
 * optimized code has accessed.
 *
 * Each path through the optimized code is matched with the original's run from the head along the same decisions. Every branch of the
 * original must be decided by the decisions of the optimized path: so the original does all that the optimized path does on that very
 * path, and no load can move above the guard that makes it safe.
 */
import type { Term } from '../../domain/term.ts';
import { type AssumptionId, byNumber } from '../../emit/assumptions.ts';
import { Knowledge } from './knowledge.ts';
import { listed } from './list.ts';
import { match, nextSegment } from './match.ts';
import { OriginalRun, type Segment } from './original.ts';
import { type Exploration, explore, type Follow, type Leaf, Unproved } from './paths.ts';
import { Proving } from './proving.ts';
import type { Mismatch, Reason } from './reasons.ts';
import type { Entry, Sides } from './sides.ts';
import type { Solver } from './solver.ts';
import type { State } from './state.ts';
import type { ProofTerms } from './terms.ts';

export interface EntryProof {
  readonly verdict: 'proved' | 'unproved';
  /** Why the piece is not proved. */
  readonly reason: Reason | undefined;
  /** The assumptions the proof rests on, by id. */
  readonly assumptions: readonly AssumptionId[];
  /** Number of paths through the piece that were compared. */
  readonly ways: number;
  /** Goals that the solver closed. */
  readonly solved: number;
  /** A measure of the work done, and of nothing else. */
  readonly work: number;
  /** Terms were compared, or decided by, that are not the same: a solver may show that they are equal. */
  readonly unequal: boolean;
  /** The ends of all paths. */
  readonly leaves: readonly Leaf[];
  /** The path that could not be matched, and the last state of the original that was followed along it. */
  readonly failed: Leaf | undefined;
  readonly followed: State | undefined;
}

/** Repeated runs along a path: each may show more facts. */
const MOST_RERUNS = 3;

/** @param solver asked where rewriting does not make terms the same */
export function proveEntry(sides: Sides, entry: Entry, solver?: Solver): EntryProof {
  const plain = new Attempt(sides, entry).prove();
  // Overwritten stores are kept for a frame whose place another frame has taken since: the latter's overwriting stores may be left out.
  const kept = plain.verdict === 'proved' ? plain : new Attempt(sides, entry, { keeping: true }).prove();
  const proof = kept.verdict === 'proved' ? kept : plain;
  return solver === undefined ? proof : askSolver(sides, entry, proof, solver);
}

/** Asks a solver where rewriting did not make terms the same. @param before the result of `proveEntry` without a solver */
export function askSolver(sides: Sides, entry: Entry, before: EntryProof, solver: Solver): EntryProof {
  const { verdict, reason, unequal } = before;
  // A solver compares values only.
  const values = reason?.kind !== 'exit' || !VALUELESS_KINDS.has(reason.what.kind);
  if (verdict === 'proved' || !unequal || !values) return before;
  const proof = new Attempt(sides, entry, { solver }).prove();
  return proof.verdict === 'proved' ? proof : before;
}
const VALUELESS_KINDS: ReadonlySet<Mismatch['kind']> = new Set(['events', 'flags', 'extensions', 'left-out', 'seen']);

interface AttemptOptions {
  readonly solver?: Solver;
  /** Overwritten stores are kept, as far as optimized code makes them (`ProofTerms.keep`). */
  readonly keeping?: boolean;
}

/** One attempt to match every path through a piece of code. */
class Attempt {
  readonly #sides: Sides;
  readonly #entry: Entry;
  readonly #keeping: boolean;
  readonly #proving: Proving;
  readonly #exploration: Exploration;
  #leaves: readonly Leaf[] = [];
  /** Number of paths that have been matched. */
  #ways = 0;

  constructor(sides: Sides, entry: Entry, { solver, keeping = false }: AttemptOptions = {}) {
    const proving = new Proving(sides, solver);
    const { terms, decisions } = proving;
    const { start, first } = entry;
    const follow: Follow = (segment, facts) => nextSegment(proving, segment, facts);
    this.#sides = sides;
    this.#entry = entry;
    this.#keeping = keeping;
    this.#proving = proving;
    this.#exploration = { terms, code: sides, start, first, decisions, follow };
  }

  prove(): EntryProof {
    try {
      return this.#matchAll();
    } catch (error) {
      if (!(error instanceof Unproved)) throw error;
      return this.#result('unproved', { kind: 'way', what: error.what });
    }
  }

  #matchAll(): EntryProof {
    const { terms, hasSolver } = this.#proving;
    terms.keep(this.#keeping ? () => true : undefined);
    let original = this.#runOriginal();
    this.#leaves = explore(this.#exploration, original.first);
    for (const leaf of this.#leaves) {
      if (this.#keeping) {
        terms.keep(storesOf(terms, leaf));
        original = this.#runOriginal();
      }
      // A segment followed earlier has memory without kept stores; and a solver may find targets equal that are not the same term.
      const anew = this.#keeping || (hasSolver && leaf.target !== undefined);
      const why = this.#match(leaf, original, anew ? original.first : leaf.front);
      if (why !== undefined && !this.#matchesOnRerun(leaf))
        return this.#result('unproved', { kind: 'exit', at: leaf.from, to: leaf.to, what: why }, leaf);
      this.#ways++;
    }
    return this.#result('proved');
  }

  /** @param known for a run along one path: the facts about that path */
  #runOriginal(known?: Knowledge): OriginalRun {
    const { original, saves, deadFrames } = this.#sides;
    const { terms } = this.#proving;
    const { head } = this.#entry;
    return new OriginalRun({ terms, code: original, head, saves, deadFrames, ...(known && { known }) });
  }

  #match(leaf: Leaf, run: OriginalRun, front: Segment): Mismatch | undefined {
    return match({ proving: this.#proving, run, least: this.#entry.progress ? 1 : 0 }, leaf, front);
  }

  /** Runs a path again with the facts known at its end, which were not yet known at its beginning. @returns whether it is matched then */
  #matchesOnRerun(leaf: Leaf): boolean {
    const known = new Knowledge(leaf.front.knowledge);
    for (let round = 0, size = -1; round < MOST_RERUNS && known.size !== size; round++) {
      size = known.size;
      const again = this.#runOriginal(known);
      const [found] = explore(this.#exploration, again.first, leaf);
      if (found === undefined || this.#match(found, again, found.front) === undefined) return true;
    }
    return false;
  }

  #result(verdict: EntryProof['verdict'], reason?: Reason, failed?: Leaf): EntryProof {
    const { terms, used, solved, unequal, followed } = this.#proving;
    if (terms.usedSaved) used.add('A3');
    if (terms.usedUnread) used.add('A8');
    if (terms.usedLinks) used.add('A7');
    return {
      verdict,
      reason,
      assumptions: [...used].sort(byNumber),
      ways: this.#ways,
      solved,
      work: terms.work,
      unequal,
      leaves: this.#leaves,
      failed,
      followed,
    };
  }
}

/** Tells the stores that a path makes. */
function storesOf(terms: ProofTerms, { state }: Leaf): (address: Term, bytes: number, value: Term) => boolean {
  const keyOf = (address: Term, bytes: number, value: Term) => `${bytes}:${address.id},${value.id}`;
  const stores = new Set<string>();
  for (const { kind, address, bytes, value } of listed(state.accesses))
    if (kind === 'store' && value !== undefined)
      stores.add(keyOf(address, bytes, terms.stored(value, bytes as 1 | 2 | 4 | 8)));
  return (address, bytes, value) => stores.has(keyOf(address, bytes, value));
}
