/** Proofs summed up. */
import type { Proof, SuperblockProof } from '../verify/prove/prove.ts';

export interface ProofSummary {
  readonly verdict: 'proved' | 'unproved' | 'refuted';
  readonly superblocks: number;
  readonly proved: number;
  readonly unproved: number;
  readonly refuted: number;
  /** Share of the expected execution in superblocks that is proved, 0 to 1. */
  readonly coverage: number;
  /** Ways through superblocks that were compared. */
  readonly ways: number;
}

export function summarise({ superblocks, file }: Proof): ProofSummary {
  const of = (verdict: SuperblockProof['verdict']) =>
    superblocks.filter((superblock) => superblock.verdict === verdict);
  const weight = (list: readonly SuperblockProof[]) => list.reduce((sum, superblock) => sum + superblock.weight, 0);
  const [proved, unproved, refuted] = [of('proved'), of('unproved'), of('refuted')];
  const all = weight(superblocks);
  const fine = file.every((check) => check.problems.length === 0);
  return {
    verdict: refuted.length > 0 ? 'refuted' : proved.length === superblocks.length && fine ? 'proved' : 'unproved',
    superblocks: superblocks.length,
    proved: proved.length,
    unproved: unproved.length,
    refuted: refuted.length,
    coverage: all > 0 ? weight(proved) / all : superblocks.length === proved.length ? 1 : 0,
    ways: superblocks.reduce((sum, { ways }) => sum + ways, 0),
  };
}
