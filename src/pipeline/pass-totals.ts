/** What each pass has changed in the superblocks that ship. */
import type { Pass } from '../superblock/pass.ts';
import { runCost } from '../superblock/run-cost.ts';
import type { Candidate } from './forms.ts';

export interface PassTotal {
  readonly name: string;
  readonly description: string;
  /** Superblocks that the pass changed. */
  readonly superblocks: number;
  /** Instructions, taken branches and modelled cycles that the pass removed, estimated from the superblocks' counts. */
  readonly saved: number;
  readonly taken: number;
  readonly cycles: number;
}

type Counted = { -readonly [K in keyof PassTotal]: PassTotal[K] };

/** Sums of all superblocks, by pass. */
export class PassTotals {
  readonly #totals: readonly Counted[];

  constructor(passes: readonly Pass[]) {
    this.#totals = passes.map(({ name, description }) => ({
      name,
      description,
      superblocks: 0,
      saved: 0,
      taken: 0,
      cycles: 0,
    }));
  }

  get list(): readonly PassTotal[] {
    return this.#totals;
  }

  /** Adds the changes that the first `passed` passes made to one superblock. */
  count({ before, stages }: Candidate, passed: number): void {
    for (let index = 0; index < passed; index++) {
      const [from, to] = [stages[index - 1] ?? before, stages[index]!];
      if (from === to) continue;
      const total = this.#totals[index]!;
      total.superblocks++;
      const [cost, less] = [runCost(from), runCost(to)];
      total.saved += cost.instructions - less.instructions;
      total.taken += cost.taken - less.taken;
      total.cycles += cost.cycles - less.cycles;
    }
  }
}
