/**
 * Optimization that ships only what is proved. The file that was made is proved against the original; what is not proved is emitted
 * again in its identity form, and what is not proved then is left out; until all is proved that ships.
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
import { emitWithout, type Failure, type Rejection } from './failures.ts';
import { type Formed, formSuperblocks, type Optimized, type OptimizeOptions } from './optimize.ts';

export interface ProvedOptions extends OptimizeOptions {
  /** tested: a superblock that is neither proved nor refuted ships as well; it is for a rerun to test it. */
  readonly allow?: 'tested' | undefined;
  /** Prove after each pass, to name the one that broke a superblock. */
  readonly proveEach?: boolean | undefined;
  /** What the optimized file will be called, for messages. */
  readonly output?: string | undefined;
  /** Each proof is made within this: for saying so, and for taking the time. */
  readonly proving?: (<T>(work: () => T) => T) | undefined;
}

export interface Rejected extends Rejection {
  readonly head: Addr;
  /** Of what the passes made; `failed`: nothing, by a fault of the optimizer's own, or of the prover's. */
  readonly verdict: 'unproved' | 'refuted' | 'failed';
  readonly counterexample: Counterexample | undefined;
  /** With `proveEach`: the pass that broke it; undefined: it was not proved before any pass either. */
  readonly pass?: string | undefined;
}

/** What was proved after one more pass. */
export interface PassProof {
  /** Undefined: before the first one. */
  readonly pass: string | undefined;
  readonly superblocks: number;
  readonly proved: number;
  /** Not proved after this pass, and not for want of proof before it. */
  readonly broken: readonly { readonly head: Addr; readonly reason: string }[];
}

export interface ProvedForm extends Optimized {
  /** The optimized file, as it was read back and proved. */
  readonly image: Image;
  readonly proof: Proof;
  /** What may not ship as the passes made it, in the order of addresses. */
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
  // Each round at least one superblock goes to the next lower form, of which there are two, or one patch less is made: so this ends.
  for (;;) {
    const made = emitWithout(formed, formed.heads, rejected, untouched, onFailure);
    const { form, proof } = proofOf(made);
    const outside = proof.outside;
    if (outside !== undefined && options.allow !== 'tested') throw notProved(form.file, outside);
    const bad = proof.superblocks.filter(
      ({ verdict }) => verdict === 'refuted' || (verdict === 'unproved' && options.allow !== 'tested'),
    );
    for (const superblock of bad)
      rejected.set(superblock.head, lower(superblock, rejected.get(superblock.head), stages));
    if (bad.length > 0) continue;
    const wrong = placesToLeave(made, proof, untouched);
    for (const place of wrong.patches) untouched.add(place);
    for (const one of wrong.calls) rejected.set(one.head, one);
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

/** One form lower than it was: what was emitted in its identity form already is left out. */
function lower(superblock: SuperblockProof, before: Rejected | undefined, stages: Stages | undefined): Rejected {
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

/** Patches that are not proved, to be left out, and superblocks whose calls have return points that are not. */
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

function stageProofs(formed: Formed, proofOf: Prover): Stages {
  const names = [undefined, ...formed.passes.map(({ name }) => name)];
  /** What is not proved, and why, before the first pass and after each. */
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
    /** The first pass since which it has not been proved any more. */
    guilty(head) {
      let passes = unproved.length;
      while (passes > 0 && unproved[passes - 1]!.has(head)) passes--;
      return names[passes];
    },
  };
}
