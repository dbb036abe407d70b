/** What a pass is, and the one loop that runs them. */
import type { Fuel } from '../base/fuel.ts';
import type { Addr } from '../base/units.ts';
import { checkSuperblock } from './check.ts';
import type { Superblock } from './form.ts';

export interface PassContext {
  readonly fuel: Fuel;
}

/** A pass works on one superblock and is pure. The same object back means unchanged. */
export interface Pass {
  readonly name: string;
  readonly description: string;
  run(superblock: Superblock, context: PassContext): Superblock;
}

export interface PassGain {
  readonly pass: string;
  readonly head: Addr;
  /** Instructions the line lost, times how often they ran (estimated by the exits' counts). */
  readonly saved: number;
}

/** Runs passes in order, checks after each, and calls `observe` with what each made of the superblock. */
export function runPasses(
  superblock: Superblock,
  passes: readonly Pass[],
  context: PassContext,
  observe?: (pass: Pass, before: Superblock, after: Superblock) => void,
): Superblock {
  let current = superblock;
  for (const pass of passes) {
    const next = pass.run(current, context);
    if (next !== current) checkSuperblock(next, pass.name, current);
    observe?.(pass, current, next);
    current = next;
  }
  return current;
}
