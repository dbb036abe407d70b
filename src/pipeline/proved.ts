/**
 * Optimization that ships proved code only. The output is proved against the original; a superblock that is not proved is emitted
 * again in its identity form, and is left out if that is not proved either, until everything that ships is proved.
 */
import { notProved } from '../base/errors.ts';
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { parseImage } from '../elf/read.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { mapOf, type Proof, prove, type SuperblockProof } from '../verify/prove/prove.ts';
import { reasonText } from '../verify/prove/reasons.ts';
import type { Counterexample } from '../verify/prove/refute.ts';
import { makeSolver } from '../verify/prove/solver.ts';
import type { Optimized } from './emit-forms.ts';
import { emitWithout, type Failure, type Rejection } from './failures.ts';
import { formSuperblocks, type SuperblockForms } from './optimize.ts';
import type { OptimizeOptions } from './setting.ts';

export interface ProvedOptions extends OptimizeOptions {
  /** tested: a superblock that is neither proved nor refuted ships as well; a rerun has to test it. */
  readonly allow?: 'tested' | undefined;
  /** Prove after each pass, to name the one that broke a superblock. */
  readonly proveEach?: boolean | undefined;
  /** Name of the optimized file, for messages. */
  readonly output?: string | undefined;
  /** Each proof is made within this call, which may announce and time it. */
  readonly proving?: (<T>(work: () => T) => T) | undefined;
}

export interface Rejected extends Rejection {
  readonly head: Addr;
  /** Verdict on the form that the passes made; `failed`: the optimizer or the prover itself failed. */
  readonly verdict: 'unproved' | 'refuted' | 'failed';
  readonly counterexample: Counterexample | undefined;
  /** With `proveEach`: the pass that broke the superblock; undefined if it was not proved before any pass either. */
  readonly pass?: string | undefined;
}

/** The proof's results after one more pass. */
export interface PassProof {
  /** Undefined: before the first pass. */
  readonly pass: string | undefined;
  readonly superblocks: number;
  readonly proved: number;
  /** Superblocks that are not proved after this pass but were before it. */
  readonly broken: readonly { readonly head: Addr; readonly reason: string }[];
}

export interface ProvedForm extends Optimized {
  /** The optimized file, as it was read back and proved. */
  readonly image: Image;
  readonly proof: Proof;
  /** Superblocks that may not ship as the passes made them, in the order of addresses. */
  readonly rejected: readonly Rejected[];
  /** With `proveEach`. */
  readonly each?: readonly PassProof[] | undefined;
}

/** @throws not-proved if the file as a whole cannot be proved (its headers, patches or return points) and `allow` is not given */
export function optimizeProved(image: Image, profile: ImageProfile, options: ProvedOptions = {}): ProvedForm {
  const rejected = new Map<Addr, Rejected>();
  const onFailure = (failure: Failure): void => {
    rejected.set(failure.head, { ...failure, verdict: 'failed', counterexample: undefined });
  };
  const formed = formSuperblocks(image, profile, { ...options, onFailure });
  const proofOf = prover(image, options);
  const stages = options.proveEach ? stageProofs(formed, proofOf) : undefined;
  const untouched = new Set<Addr>();
  // Each round lowers the form of at least one superblock (to identity, then to none) or makes one patch fewer, so the loop ends.
  for (;;) {
    const made = emitWithout(formed, formed.heads, rejected, untouched, onFailure);
    const { form, proof } = proofOf(made);
    const outside = proof.outside;
    if (outside !== undefined && options.allow !== 'tested') throw notProved(form.file, outside);
    const bad = proof.superblocks.filter(
      ({ verdict }) => verdict === 'refuted' || (verdict === 'unproved' && options.allow !== 'tested'),
    );
    for (const superblock of bad)
      rejected.set(superblock.head, lowerForm(superblock, rejected.get(superblock.head), stages));
    if (bad.length > 0) continue;
    const wrong = placesToLeave(made, proof, untouched);
    for (const place of wrong.patches) untouched.add(place);
    for (const call of wrong.calls) rejected.set(call.head, call);
    if (wrong.patches.length + wrong.calls.length > 0) continue;
    const problem = proof.file.flatMap(({ problems }) => problems)[0];
    if (problem !== undefined && options.allow !== 'tested') throw notProved(form.file, problem);
    return {
      ...made,
      image: form,
      proof,
      rejected: [...rejected.values()].sort((a, b) => a.head - b.head),
      each: stages?.list,
    };
  }
}

/** The next lower form: a superblock that was emitted in its identity form already is left out. */
function lowerForm(superblock: SuperblockProof, before: Rejected | undefined, stages: Stages | undefined): Rejected {
  const { head, identity, reason, verdict, counterexample } = superblock;
  if (before !== undefined) return { ...before, form: 'none' };
  return {
    head,
    form: identity ? 'none' : 'identity',
    reason: reasonText(reason),
    verdict: reason?.kind === 'failed' ? 'failed' : verdict === 'refuted' ? 'refuted' : 'unproved',
    counterexample,
    ...(stages !== undefined && { pass: stages.guilty(head) }),
  };
}

/** Patches that are not proved, to be left out, and superblocks that end in a call whose return point is not proved. */
function placesToLeave({ map }: Optimized, { file }: Proof, untouched: ReadonlySet<Addr>) {
  const places = file.flatMap((check) => check.places);
  const made = new Set(map.patches.map(([address]) => address));
  const calls = map.superblocks.filter(({ end }) => places.includes(end));
  return {
    patches: places.filter((place) => made.has(place) && !untouched.has(place)),
    calls: calls.map(
      ({ head }): Rejected => ({
        head,
        form: 'none',
        reason: 'where its call returns to is not proved',
        verdict: 'unproved',
        counterexample: undefined,
      }),
    ),
  };
}

type Prover = (made: Optimized) => { readonly form: Image; readonly proof: Proof };

function prover(original: Image, { output = original.file, proving = (work) => work() }: ProvedOptions): Prover {
  const solver = makeSolver();
  return (made) =>
    proving(() => {
      const form = parseImage(made.bytes, output);
      return { form, proof: prove(original, form, mapOf(original, form), { solver, thorough: true }) };
    });
}

interface Stages {
  readonly list: readonly PassProof[];
  guilty(head: Addr): string | undefined;
}

function stageProofs(formed: SuperblockForms, proofOf: Prover): Stages {
  const names = [undefined, ...formed.passes.map(({ name }) => name)];
  /** Superblocks that are not proved, with the reason, before the first pass and after each. */
  const unproved: ReadonlyMap<Addr, string>[] = [];
  const list = names.map((pass, passes): PassProof => {
    const { superblocks } = proofOf(formed.emitAfter(passes)).proof;
    const bad = superblocks.filter(({ verdict }) => verdict !== 'proved');
    unproved.push(new Map(bad.map(({ head, reason }) => [head, reasonText(reason)])));
    const broken = [...unproved[passes]!].filter(([head]) => passes > 0 && !unproved[passes - 1]!.has(head));
    return {
      pass,
      superblocks: superblocks.length,
      proved: superblocks.length - bad.length,
      broken: broken.map(([head, reason]) => ({ head, reason })),
    };
  });
  return {
    list,
    /** The first pass since which the superblock has not been proved any more. */
    guilty(head) {
      let passes = unproved.length;
      while (passes > 0 && unproved[passes - 1]!.has(head)) passes--;
      return names[passes];
    },
  };
}
