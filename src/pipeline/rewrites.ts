/** Statistics of the passes: rewrites by the fuel that they took, instructions by the superblocks' difference. */
import { type Fuel, makeFuel } from '../base/fuel.ts';
import type { PassReport } from '../report/model.ts';
import type { PassTotal } from './pass-totals.ts';

export interface CountingFuel extends Fuel {
  /** Rewrites granted so far, by pass. */
  readonly rewrites: ReadonlyMap<string, number>;
}

/** @param limit as of makeFuel */
export function makeCountingFuel(limit?: number): CountingFuel {
  const fuel = makeFuel(limit);
  const rewrites = new Map<string, number>();
  return {
    rewrites,
    spend(pass, address) {
      const granted = fuel.spend(pass, address);
      if (granted) rewrites.set(pass, (rewrites.get(pass) ?? 0) + 1);
      return granted;
    },
    get spent() {
      return fuel.spent;
    },
    get last() {
      return fuel.last;
    },
  };
}

export const passReports = (passes: readonly PassTotal[], fuel: CountingFuel): PassReport[] =>
  passes.map(({ name, description, saved, taken, cycles }) => ({
    name,
    description,
    rewrites: fuel.rewrites.get(name) ?? 0,
    removed: Math.round(saved),
    taken: Math.round(taken),
    cycles: Math.round(cycles),
  }));
