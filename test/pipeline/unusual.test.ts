/** Executables that are in order but unlike what linkers make; each was found by the campaign of damaged files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IsoformError } from '../../src/base/errors.ts';
import { parseImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { ROOT } from '../support/tools.ts';

const folder = join(ROOT, 'samples/queens');
const input = { stdin: Buffer.from('4\n'), grants: [] };

/** Optimizes an edited sample by its own run, and runs both. */
function theWay(edit: (view: DataView) => void) {
  const bytes = Uint8Array.from(readFileSync(join(folder, 'queens.elf')));
  edit(new DataView(bytes.buffer));
  const image = parseImage(bytes, 'unusual');
  const outputs: string[] = [];
  const run = (of: typeof image) => {
    let output = '';
    const sink = (_: number, part: Uint8Array) => {
      output += Buffer.from(part).toString();
    };
    const outcome = profileRun({ image: of, formOf: image, input, sink });
    outputs.push(output);
    return outcome;
  };
  const made = optimize(image, profileOf(run(image).profile, image));
  run(parseImage(made.bytes, 'form'));
  return outputs;
}

test('without names of sections', () => {
  // e_shstrndx = SHN_UNDEF: "If the file has no section name string table" (ELF gABI, chapter 4).
  const outputs = theWay((view) => view.setUint16(62, 0, true));
  expect(outputs[0]).not.toBe('');
  expect(outputs[1]).toBe(outputs[0]);
});

test('with a segment out of reach of any jump', () => {
  const bytes = Uint8Array.from(readFileSync(join(folder, 'queens.elf')));
  const sound = parseImage(bytes, 'sound');
  const profile = profileOf(profileRun({ image: sound, input }).profile, sound);
  const last = sound.segments.at(-1)!;
  const far = { ...last, address: 2 ** 33 };
  const programHeaders = sound.programHeaders.map((header) =>
    header.vaddr === last.address && header.memSize === last.size ? { ...header, vaddr: far.address } : header,
  );
  const image = {
    ...sound,
    programHeaders,
    segments: [...sound.segments.slice(0, -1), far],
    end: far.address + far.size,
  };
  expect(() => optimize(image, profile)).toThrow(IsoformError);
  expect(() => optimize(image, profile)).toThrow(/spans more memory than a jump can reach/);
});
