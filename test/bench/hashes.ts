/**
 * Hashes of all that isoform makes of known programs: profiles, optimized files, reports. A change that is to move walls and nothing else
 * must leave every one of them as it was.
 *
 *     node test/run.mjs bench/hashes > before          then the change, then
 *     node test/run.mjs bench/hashes --against before   [--programs lua,sqlite]
 *
 * Made of the samples (with their reports), of the programs of test/verify/corners and of the real programs of bench/code, in
 * the default form, with every assumption that can be avoided left out (samples and corners) and for rva22u64 (real programs). One line a hash: `NAME
 * KIND SHA256`. With `--against` only what differs is printed; exits 1 if anything does.
 */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Image } from '../../src/elf/image.ts';
import { readImage } from '../../src/elf/read.ts';
import { AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { pgo } from '../../src/pipeline/pgo.ts';
import { type GuestInput, profileRun } from '../../src/pipeline/profile-run.ts';
import { optimizeProved, type ProvedOptions } from '../../src/pipeline/proved.ts';
import { encodeProfile, profileOf } from '../../src/profile/store.ts';
import { renderHtml } from '../../src/report/html.ts';
import { buildCorner, CORNERS } from '../support/corners.ts';
import { BENCH_PROGRAMS, program } from '../support/programs.ts';
import { SAMPLES, sample } from '../support/samples.ts';
import { findTool, leaveOut, scratch } from '../support/tools.ts';
import { guestInput } from './measure.ts';

const { values } = parseArgs({
  options: { against: { type: 'string' }, programs: { type: 'string', default: BENCH_PROGRAMS.join() } },
});

const before =
  values.against === undefined
    ? undefined
    : new Map(
        readFileSync(values.against, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => [line.slice(0, line.lastIndexOf(' ')), line]),
      );
let [made, different] = [0, 0];

function tell(name: string, kind: string, content: string | Uint8Array): void {
  const key = `${name} ${kind}`;
  const line = `${key} ${createHash('sha256').update(content).digest('hex')}`;
  made++;
  const known = before?.get(key);
  if (before === undefined) console.log(line);
  if (before === undefined || known === line) return;
  different++;
  console.log(known === undefined ? `${line} (was not there)` : `${line} (was ${known.slice(key.length + 1)})`);
}

const STRICT = { without: AVOIDABLE_ASSUMPTIONS, narrow: true };

function tellForms(
  name: string,
  image: Image,
  input: GuestInput,
  forms: Readonly<Record<string, ProvedOptions>>,
): void {
  const { profile } = profileRun({ image, input });
  tell(name, 'profile', encodeProfile(profile));
  for (const [form, options] of Object.entries(forms))
    tell(name, form, optimizeProved(image, profileOf(profile, image), options).bytes);
}

for (const name of SAMPLES) {
  const { image, input } = sample(name);
  const original = { ...image, file: name };
  tellForms(name, original, input, { optimized: {}, strict: STRICT });
  const { model } = pgo({ original, training: { name: 'input', input }, optimize: {} });
  tell(name, 'report', JSON.stringify(model));
  tell(name, 'page', renderHtml(model));
}

if (findTool('gcc') === undefined || findTool('clang') === undefined)
  leaveOut('corners and real programs', 'they need the cross compiler and clang');
else {
  const folder = scratch('hashes');
  try {
    for (const corner of CORNERS) {
      const image = { ...readImage(buildCorner(corner, folder)), file: corner.file };
      const how = (corner.flags ?? []).filter((flag) => !flag.includes('/')).join('');
      tellForms(
        `${[corner.file, ...(corner.with ?? [])].join()}${how}`,
        image,
        { args: corner.inputs[0]! },
        { optimized: {}, strict: STRICT },
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  for (const name of values.programs.split(',').filter((each) => each !== '')) {
    const found = await program(name).catch(() => undefined);
    // The reason is on standard error already.
    if (found === undefined) continue;
    const { file, train } = found;
    tellForms(name, { ...readImage(file), file: name }, guestInput(train), {
      optimized: {},
      rva22u64: { target: 'rva22u64' },
    });
  }
}
console.error(before === undefined ? `${made} hashes` : `${made} hashes, ${different} different`);
process.exitCode = different === 0 ? 0 : 1;
