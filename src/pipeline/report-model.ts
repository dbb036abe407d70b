/** Gathers the report's sources: two counted runs, the address map of the optimized file, the verified runs and the proof. */
import { type Addr, hex } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { ASSUMPTIONS } from '../emit/assumptions.ts';
import type { AddressMap } from '../emit/map.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { buildReport } from '../report/build.ts';
import type { AssumptionReport, PassReport, ReportModel } from '../report/model.ts';
import { summariesOf } from '../report/summaries.ts';
import type { SuperblockSummary } from '../report/superblocks.ts';
import { mapOf, type Proof } from '../verify/prove/prove.ts';
import { reasonText } from '../verify/prove/reasons.ts';
import { summarise } from './verdicts.ts';
import type { Verified } from './verify-run.ts';

export interface ReportRequest {
  readonly original: { readonly image: Image; readonly profile: ImageProfile };
  /** The same run of the optimized form. */
  readonly optimized: { readonly image: Image; readonly profile: ImageProfile };
  readonly arguments: readonly string[];
  /** Names of the program's inputs. */
  readonly inputs: readonly string[];
  readonly verified: readonly Verified[];
  /** Proof of the optimized form; without a proof superblocks are tested only. */
  readonly proof?: Proof | undefined;
  /** Statistics of the passes; undefined if they are not known. */
  readonly passes: readonly PassReport[] | undefined;
  readonly commands: readonly string[];
}

export function reportModel(request: ReportRequest): ReportModel {
  const { original, optimized, verified, proof } = request;
  const map = mapOf(original.image, optimized.image);
  const differences = verified.flatMap((each) => each.differences);
  return buildReport({
    arguments: request.arguments,
    inputs: request.inputs,
    original,
    optimized,
    superblocks: summariesOf(original.image, optimized.image, map.data, { verdict: verdicts(map, differences, proof) }),
    passes: request.passes,
    assumptions: assumptionReports(map, differences.length === 0, proof),
    proof: proof && {
      ways: summarise(proof).ways,
      open: new Map(unproved(proof).map(({ head, reason }) => [head, reasonText(reason)])),
      file: proof.file,
    },
    verify: { inputs: verified.map(({ input }) => input), differences },
    commands: request.commands,
  });
}

const unproved = (proof: Proof) => proof.superblocks.filter(({ verdict }) => verdict !== 'proved');

type Found = Pick<SuperblockSummary, 'verdict' | 'reason'>;

/** proved: for all inputs. tested: the rerun agreed. rejected: the superblock is wrong, or the passes' form of it was not proved. */
function verdicts(
  { data }: AddressMap,
  differences: readonly { readonly superblock?: string; readonly what: string }[],
  proof: Proof | undefined,
): (head: Addr) => Found | undefined {
  const mapped = new Map(data.superblocks.map((superblock) => [superblock.head, superblock]));
  const guilty = new Map(differences.map(({ superblock, what }) => [superblock, what]));
  const proofs = new Map(proof?.superblocks.map((superblock) => [superblock.head, superblock]));
  return (head) => {
    const difference = guilty.get(hex(head));
    if (difference !== undefined) return { verdict: 'rejected', reason: `the rerun found a difference: ${difference}` };
    const { rejected, identity = false, count = 0 } = mapped.get(head) ?? {};
    if (rejected !== undefined)
      return {
        verdict: 'rejected',
        reason: `what the passes made of it is not proved (${rejected}); emitted in its identity form`,
      };
    const found = proofs.get(head);
    const reason = reasonText(found?.reason);
    if (found?.verdict === 'refuted') return { verdict: 'rejected', reason };
    if (found?.verdict === 'unproved') return { verdict: 'tested', reason: `not proved: ${reason}` };
    const verdict = found === undefined ? 'tested' : 'proved';
    // A superblock that was not expected to run is in its identity form because it has nothing to gain.
    return identity && count > 0
      ? { verdict, reason: 'in its identity form: the passes could not make it cheaper' }
      : { verdict };
  };
}

/** @param equivalent no rerun found a difference; every assumption in use then counts as checked, on these inputs */
function assumptionReports(map: AddressMap, equivalent: boolean, proof: Proof | undefined): AssumptionReport[] {
  return ASSUMPTIONS.map(({ id, name, text }) => {
    const used = map.data.assumptions.includes(id);
    const proofs = proof?.superblocks.filter(({ assumptions }) => assumptions.includes(id)).length;
    return { id, name, text, used, checked: used && equivalent, ...(proofs !== undefined && { proofs }) };
  });
}
