/**
 * Fuel bounds the number of rewrites: with `--fuel N` only the first N happen. Bisecting N finds the rewrite that broke a program
 * (Whalley, "Automatic isolation of compiler errors", 1994; Go's cmd/compile bisects the same way).
 */
import type { Addr } from './units.ts';

export interface Fuel {
  /** Asks for one rewrite by `pass` in the superblock at `address`. False: leave the code as it is. */
  spend(pass: string, address: Addr): boolean;
  /** Rewrites granted so far. */
  readonly spent: number;
  /** The last rewrite granted, as `pass@address`. */
  readonly last: string | undefined;
}

/** @param limit how many rewrites are granted; Infinity by default */
export function makeFuel(limit = Number.POSITIVE_INFINITY): Fuel {
  const state = {
    spent: 0,
    last: undefined as string | undefined,
    spend(pass: string, address: Addr): boolean {
      if (state.spent >= limit) return false;
      state.spent++;
      state.last = `${pass}@0x${address.toString(16)}`;
      return true;
    },
  };
  return state;
}
