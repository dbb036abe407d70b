/**
 * What optimizing is worth in cycles of the model (src/cost), by what they go to:
 *
 *     node test/run.mjs bench/model [--programs lua,sqlite] [--input train|other|small] [--passes LIST] [--prove]
 *
 * A model is not a machine: caches always hit, branches are always predicted. It prints no PASS or FAIL.
 */
import { parseArgs } from 'node:util';
import { type ModelledRun, modelledCycles } from '../../src/cost/run.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { countOptimized } from '../../src/pipeline/count.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { summarise } from '../../src/pipeline/verdicts.ts';
import { profileOf } from '../../src/profile/store.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { PROGRAMS, program } from '../support/programs.ts';
import { hashOfCode, hashOfRun, kept } from './kept.ts';
import { guestInput } from './measure.ts';

const { values } = parseArgs({
  options: {
    programs: { type: 'string' },
    input: { type: 'string', default: 'train' },
    passes: { type: 'string' },
    prove: { type: 'boolean', default: false },
  },
});
const input = values.input as 'train' | 'other' | 'small';
if (!['train', 'other', 'small'].includes(input)) throw new Error(`there is no input ${input}`);

const COUNTING = ['base', 'isa', 'domain', 'elf', 'machine', 'engine', 'profile'].map((floor) => `src/${floor}`);
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)}%`;
const ratios: number[] = [];

for (const name of values.programs?.split(',') ?? PROGRAMS) {
  const found = await program(name);
  const original = readImage(found.file);
  const count = (which: typeof input) =>
    kept(`${name}-profile-${which}`, [original.hash, hashOfRun(found[which]), hashOfCode(COUNTING)], false, () =>
      profileOf(profileRun({ image: original, input: guestInput(found[which]) }).profile, original),
    );
  const trained = await count('train');
  const counted = await count(input);
  const before = process.cpuUsage();
  const made = optimize(original, trained, { passes: values.passes });
  const optimized = parseImage(made.bytes, name);
  const { user, system } = process.cpuUsage(before);
  const identity = made.map.superblocks.filter((each) => each.identity).length;
  console.log(
    `${name}: ${made.map.superblocks.length} superblocks, ${identity} in identity form, ${made.bytesAdded} bytes added, ${((user + system) / 1e6).toFixed(1)} s`,
  );
  if (values.prove) {
    const proof = prove(original, optimized, mapOf(original, optimized));
    console.log(`  ${JSON.stringify(summarise(proof))}`);
    for (const { head, verdict, reason } of proof.superblocks)
      if (verdict !== 'proved') console.log(`  0x${head.toString(16)} ${verdict}: ${reason}`);
  }
  const after = countOptimized({ original, optimized, input: guestInput(found[input]) }, 1e9);
  const forms = [modelledCycles(original, counted), modelledCycles(optimized, after)] as const;
  ratios.push(forms[1].cycles / forms[0].cycles);
  console.log(
    `  ${(forms[0].cycles / 1e6).toFixed(1)} M cycles, now ${(forms[1].cycles / 1e6).toFixed(1)} M: ${ratios.at(-1)!.toFixed(4)}; ` +
      `lines ${forms.map((form) => `${form.lines} (hot ${form.hotLines})`).join(' -> ')}, hot bytes ${forms.map((form) => form.hotBytes).join(' -> ')}`,
  );
  const part = (form: ModelledRun, cause: keyof ModelledRun['causes']) => percent(form.causes[cause], forms[0].cycles);
  console.log(
    `  ${(Object.keys(forms[0].causes) as (keyof ModelledRun['causes'])[])
      .map((cause) => `${cause} ${part(forms[0], cause)} -> ${part(forms[1], cause)}`)
      .join(', ')}`,
  );
}
const mean = Math.exp(ratios.reduce((sum, each) => sum + Math.log(each), 0) / ratios.length);
console.log(`${input}: modelled cycles, geometric mean over ${ratios.length} programs: ${mean.toFixed(4)}`);
