/**
 * The forms in which a superblock may be emitted: after all passes; after fewer, if the later stages cost more than the original or do not
 * fit in the registers; and the identity form, in which only control transfers are changed.
 */
import { once } from '../base/once.ts';
import type { Addr } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import type { Image } from '../elf/image.ts';
import type { LoweredSuperblock } from '../lower/item.ts';
import { lowerSuperblock } from '../lower/lower.ts';
import { buildSuperblock } from '../superblock/build.ts';
import type { Superblock } from '../superblock/form.ts';
import { type Pass, runPasses } from '../superblock/pass.ts';
import { traceUnrun } from '../superblock/trace.ts';
import { weightOf } from '../superblock/weight.ts';
import { attempt } from './failures.ts';
import type { Prepared } from './prepare.ts';
import type { Setting } from './setting.ts';

/** A superblock with its lowered code. */
export interface Emittable {
  readonly superblock: Superblock;
  readonly lowered: LoweredSuperblock;
}

/** One superblock with the forms in which it may be emitted. */
export interface Candidate {
  readonly before: Superblock;
  /** The superblock after each pass. */
  readonly stages: readonly Superblock[];
  /** Undefined if the superblock costs more than the original did, or does not fit in the registers. */
  readonly formed: (Emittable & { readonly passed: number }) | undefined;
  /** The form in which only control transfers are changed; undefined if that form does not fit in the registers either. */
  readonly identity: () => Emittable | undefined;
}

/** Makes the forms of superblocks. Every form spends fuel, so the order of the calls is part of the result. */
export class FormMaker {
  readonly #setting: Setting;
  readonly #identityPasses: readonly Pass[];

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#identityPasses = setting.passes.filter(({ transfersOnly }) => transfersOnly);
  }

  /** Undefined if the superblock does not fit in the registers. */
  emittable(superblock: Superblock): Emittable | undefined {
    const lowered = lowerSuperblock(superblock, this.#setting.machine);
    return lowered && { superblock, lowered };
  }

  identityForm(superblock: Superblock): Emittable | undefined {
    const { fuel, options } = this.#setting;
    return this.emittable(runPasses(superblock, this.#identityPasses, { fuel }, options.observe));
  }

  /**
   * The forms of a superblock. Failures in one form leave the other.
   * @param unguarded makes the superblock that is tried if this one has guards and no form of it fits in the registers
   */
  candidate(superblock: Superblock, unguarded: (head: Addr) => Superblock | undefined): Candidate {
    const first = this.#formsOf(superblock);
    const guarded = superblock.ops.some(({ expect }) => expect !== undefined);
    if (!guarded || first.formed !== undefined || first.identity() !== undefined) return first;
    const other = unguarded(superblock.head);
    return other === undefined ? first : this.#formsOf(other);
  }

  #formsOf(before: Superblock): Candidate {
    const { passes, options } = this.#setting;
    const stages: Superblock[] = [];
    const identity = once(() =>
      attempt(
        options.onFailure,
        before.head,
        'none',
        () => 'in its identity form',
        () => this.identityForm(before),
      ),
    );
    const where = () => {
      const pass = passes[stages.length];
      return pass === undefined ? 'in lowering' : `in the pass ${pass.name}`;
    };
    const formed = attempt(options.onFailure, before.head, 'identity', where, () => {
      this.#runPasses(before, stages);
      return this.#cheapest(before, stages);
    });
    while (stages.length < passes.length) stages.push(before);
    if (formed === undefined) identity();
    return { before, stages, formed, identity };
  }

  /** @param stages receives the superblock after each pass */
  #runPasses(before: Superblock, stages: Superblock[]): void {
    const { passes, passOptions, options } = this.#setting;
    runPasses(before, passes, passOptions, (pass, from, to) => {
      options.observe?.(pass, from, to);
      stages.push(to);
    });
  }

  /**
   * The last stage that ships: a stage that costs more than the original is not worth it, and if a stage does not fit in the registers, an
   * earlier one may.
   */
  #cheapest(before: Superblock, stages: readonly Superblock[]): Candidate['formed'] {
    const originalWeight = weightOf(before);
    // After fewer passes a superblock is no more than its identity form.
    const fewest = Math.min(stages.length, this.#identityPasses.length + 1);
    for (let passed = stages.length; passed >= fewest; passed--) {
      const stage = stages[passed - 1] ?? before;
      if (stage === stages[passed] || weightOf(stage) > originalWeight) continue;
      const form = this.emittable(stage);
      if (form !== undefined) return { ...form, passed };
    }
    return undefined;
  }
}

/** Gives the identity form of code that did not run, by its address: an exit that cannot jump far enough goes on there. */
export function makeContinuations(
  image: Image,
  { options }: Setting,
  { flow, context }: Prepared,
  maker: FormMaker,
): (address: Addr) => Emittable | undefined {
  const known = new Map<Addr, Emittable | undefined>();
  const make = (address: Addr): Emittable | undefined => {
    const trace = traceUnrun(codeOf(image), address);
    return trace && maker.identityForm(buildSuperblock(trace, flow, 0, context));
  };
  return (address) => {
    if (!known.has(address)) {
      const form = attempt(
        options.onFailure,
        address,
        'none',
        () => 'in what goes on behind others',
        () => make(address),
      );
      known.set(address, form);
    }
    return known.get(address);
  };
}
