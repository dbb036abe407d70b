/** Gathers what the report is built from: two counted runs, the address map of the optimized file, and what was verified. */
import { unsupported } from '../base/errors.ts';
import { type Addr, hex } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { readNote } from '../elf/write.ts';
import { ASSUMPTIONS } from '../emit/assumptions.ts';
import { type AddressMap, decodeMap } from '../emit/map.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { buildReport } from '../report/build.ts';
import type { AssumptionReport, PassReport, ReportModel } from '../report/model.ts';
import { summariesOf } from '../report/summaries.ts';
import type { Verified } from './verify-run.ts';

export interface ReportRequest {
  readonly original: { readonly image: Image; readonly profile: ImageProfile };
  /** The same run of the optimized form. */
  readonly optimized: { readonly image: Image; readonly profile: ImageProfile };
  readonly arguments: readonly string[];
  /** Names of what the program read. */
  readonly inputs: readonly string[];
  readonly verified: readonly Verified[];
  /** What the passes did; empty where that is not known. */
  readonly passes: readonly PassReport[];
  readonly commands: readonly string[];
}

export function reportModel(request: ReportRequest): ReportModel {
  const { original, optimized, verified } = request;
  const map = mapOf(optimized.image);
  const differences = verified.flatMap((each) => each.differences);
  return buildReport({
    arguments: request.arguments,
    inputs: request.inputs,
    original,
    optimized,
    superblocks: summariesOf(original, optimized.image, map.data, { verdict: verdicts(map, differences) }),
    passes: request.passes,
    assumptions: assumptionReports(map, differences.length === 0),
    verify: { inputs: verified.map(({ input }) => input), differences },
    commands: request.commands,
  });
}

/** The address map in an optimized file. Throws unsupported if it has none. */
export function mapOf(optimized: Image): AddressMap {
  const note = readNote(optimized);
  if (note === undefined)
    throw unsupported(`${optimized.file}: has no address map`, 'give a file that isoform has optimized');
  return decodeMap(note, optimized.file);
}

function verdicts(map: AddressMap, differences: readonly { readonly superblock?: string; readonly what: string }[]) {
  // What never ran is in its identity form because there is nothing to gain, not because something was wrong.
  const identity = new Set(
    map.data.superblocks.filter((each) => each.identity && each.count > 0).map(({ head }) => head),
  );
  const guilty = new Map(differences.map(({ superblock, what }) => [superblock, what]));
  return (head: Addr) => {
    const found = guilty.get(hex(head));
    if (found !== undefined) return { verdict: 'rejected', reason: `the rerun found a difference: ${found}` } as const;
    if (identity.has(head))
      return { verdict: 'rejected', reason: 'it did not fit in the registers; emitted in its identity form' } as const;
    return undefined;
  };
}

/** @param equivalent the rerun found no difference: what it would have found is checked by that, on these inputs */
const assumptionReports = (map: AddressMap, equivalent: boolean): AssumptionReport[] =>
  ASSUMPTIONS.map(({ id, name, text }) => {
    const used = map.data.assumptions.includes(id);
    return { id, name, text, used, checked: used && equivalent };
  });
