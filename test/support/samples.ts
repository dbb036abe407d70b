/** The committed samples, profiled once a process: images, inputs and profiles for tests. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../../src/elf/image.ts';
import { readImage } from '../../src/elf/read.ts';
import { type AssumptionId, AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { type Prepared, prepare } from '../../src/pipeline/prepare.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import type { ImageProfile } from '../../src/profile/profile.ts';
import { profileOf } from '../../src/profile/store.ts';
import { ROOT } from './tools.ts';

const FOLDER = join(ROOT, 'samples');
export const SAMPLES: readonly string[] = (
  JSON.parse(readFileSync(join(FOLDER, 'samples.json'), 'utf8')) as { name: string }[]
).map(({ name }) => name);

export interface Sample {
  readonly image: Image;
  readonly input: { readonly stdin: Uint8Array };
  readonly profile: ImageProfile;
}

const known = new Map<string, Sample>();

/** A sample with its profile on its training input. */
export function sample(name: string): Sample {
  let found = known.get(name);
  if (found === undefined) {
    const image = readImage(join(FOLDER, name, `${name}.elf`));
    const input = { stdin: readFileSync(join(FOLDER, name, 'input')) };
    const { profile } = profileRun({ image, input });
    found = { image, input, profile: profileOf(profile, image) };
    known.set(name, found);
  }
  return found;
}

/** Flow and superblocks of a sample before any pass. */
export function sampleSuperblocks(name: string, without: readonly AssumptionId[] = []): Prepared {
  const { image, profile } = sample(name);
  return prepare(image, profile, new Set(AVOIDABLE_ASSUMPTIONS.filter((id) => !without.includes(id))));
}
