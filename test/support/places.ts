/** Images at places of a test's choice. */
import type { RunAddr } from '../../src/base/units.ts';
import type { Image } from '../../src/elf/image.ts';
import { LinkMap } from '../../src/place/link-map.ts';
import { Place } from '../../src/place/place.ts';

/** A number as an address in guest memory. */
export const runtime = (at: number): RunAddr => at as RunAddr;

export const linksOf = (image: Image, bias = 0): LinkMap => new LinkMap([new Place(image, bias)]);
