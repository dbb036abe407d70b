/** The optimizer's pipeline, from a profile to an optimized executable. */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { Pass } from '../superblock/pass.ts';
import { weightOf } from '../superblock/weight.ts';
import { withinGrowth } from './budget.ts';
import { type ChosenForm, FormEmitter, type Optimized } from './emit-forms.ts';
import type { Rejection } from './failures.ts';
import { type Candidate, FormMaker, makeContinuations } from './forms.ts';
import { prepare } from './prepare.ts';
import { type OptimizeOptions, settingOf } from './setting.ts';

/** All superblocks after all passes, to be emitted in one form or another. */
export interface SuperblockForms {
  readonly passes: readonly Pass[];
  /** Heads of all superblocks. */
  readonly heads: readonly Addr[];
  /**
   * @param rejected by head; a superblock that is not rejected ships as the passes made it, if it has such a form
   * @param untouched addresses that may not be patched
   */
  emit(rejected?: ReadonlyMap<Addr, Rejection>, untouched?: ReadonlySet<Addr>): Optimized;
  /** The output after the first so many passes; for inspection, not for shipping. */
  emitAfter(passes: number): Optimized;
}

export const optimize = (image: Image, profile: ImageProfile, options: OptimizeOptions = {}): Optimized =>
  formSuperblocks(image, profile, options).emit();

export function formSuperblocks(image: Image, profile: ImageProfile, options: OptimizeOptions = {}): SuperblockForms {
  const setting = settingOf(image, profile, options);
  const prepared = prepare(image, profile, setting.allowed, options);
  const maker = new FormMaker(setting);
  const candidates = prepared.superblocks.map((superblock) => maker.candidate(superblock, prepared.unguarded));
  const continueAt = makeContinuations(image, setting, prepared, maker);
  const emitter = new FormEmitter({ image, profile, setting, prepared, continueAt });
  const weights = new Map(prepared.superblocks.map((superblock) => [superblock.head, weightOf(superblock)]));
  return {
    passes: setting.passes,
    heads: candidates.map(({ before }) => before.head),
    emit: (rejected = new Map(), untouched = new Set()) =>
      withinGrowth(
        setting.maxGrowth,
        emitter.dropped,
        (head) => weights.get(head),
        () => {
          const chosen = candidates.map((candidate) => bestForm(candidate, rejected));
          return emitter.emit(chosen, { rejected, untouched });
        },
      ),
    emitAfter: (passes) =>
      emitter.emit(
        candidates.map((candidate) => formAfter(candidate, passes, maker)),
        { rejected: new Map() },
      ),
  };
}

/** The form that the passes made, or else the identity form, as far as these are not rejected. */
function bestForm(candidate: Candidate, rejected: ReadonlyMap<Addr, Rejection>): ChosenForm {
  const { before, formed, identity } = candidate;
  const instead = rejected.get(before.head)?.form;
  if (instead === 'none') return { candidate, form: undefined };
  return instead === undefined && formed !== undefined
    ? { candidate, form: formed, passed: formed.passed }
    : { candidate, form: identity() };
}

/** The form after the first so many passes, or else the identity form. */
function formAfter(candidate: Candidate, passes: number, maker: FormMaker): ChosenForm {
  const { before, stages, identity } = candidate;
  const form = maker.emittable(passes === 0 ? before : stages[passes - 1]!);
  return form === undefined ? { candidate, form: identity() } : { candidate, form, passed: passes };
}
