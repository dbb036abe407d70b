/** Summaries of proofs. */
import type { AssumptionId } from '../emit/assumptions.ts';
import type { Proof, SuperblockProof } from '../verify/prove/prove.ts';

export interface ProofSummary {
  readonly verdict: 'proved' | 'unproved' | 'refuted';
  readonly superblocks: number;
  readonly proved: number;
  readonly unproved: number;
  readonly refuted: number;
  /** Share of the expected execution in superblocks that is proved, 0 to 1. */
  readonly coverage: number;
  /** Execution paths through superblocks that were compared. */
  readonly ways: number;
}

/** The proofs that rest on one assumption. */
export interface Resting {
  readonly id: AssumptionId;
  /** Number of proved superblocks; checks of the file as a whole are not counted. */
  readonly superblocks: number;
  /** Share of the expected execution in superblocks, 0 to 1. */
  readonly share: number;
}

/** How many proved superblocks rest on each assumption, in the order of the proof's assumptions. */
export function restingOn({ superblocks, assumptions }: Proof): Resting[] {
  const proved = superblocks.filter(({ verdict }) => verdict === 'proved');
  const weight = (list: readonly SuperblockProof[]) => list.reduce((sum, superblock) => sum + superblock.weight, 0);
  const all = weight(superblocks);
  return assumptions.map((id) => {
    const resting = proved.filter((superblock) => superblock.assumptions.includes(id));
    return { id, superblocks: resting.length, share: all > 0 ? weight(resting) / all : 0 };
  });
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
