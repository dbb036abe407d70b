/** Entries that an image shows: those of its code, and the landing pads that its unwind tables tell of. */
import { derived } from '../base/derived.ts';
import { type Entries, findEntries } from '../cfg/entries.ts';
import type { Image } from '../elf/image.ts';
import { landingPads } from '../elf/unwind/index.ts';

export const imageEntries = derived('entries', (image: Image): Entries => findEntries(image, landingPads(image)));
