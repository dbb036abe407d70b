/** Linked and run-time addresses: one image's place, and the map of a process. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hex } from '../../src/base/units.ts';
import type { Image, Segment } from '../../src/elf/image.ts';
import { readImage } from '../../src/elf/read.ts';
import { placeFor } from '../../src/machine/layout.ts';
import { LinkMap } from '../../src/place/link-map.ts';
import { Place } from '../../src/place/place.ts';
import { runtime } from '../support/places.ts';
import { ROOT } from '../support/tools.ts';

const queens = readImage(join(ROOT, 'samples/queens/queens.elf'));
const segment = (address: number, size: number, execute: boolean): Segment => ({
  address,
  size,
  bytes: new Uint8Array(size),
  offset: 0,
  flags: { read: true, write: !execute, execute },
});
const image = (...segments: readonly Segment[]): Image => ({ ...queens, segments });

test('a place turns one kind of address into the other, there and back', () => {
  const place = new Place(image(segment(0x1000, 0x100, true)), 0x40000);
  expect(hex(place.toRun(0x1010))).toBe('0x41010');
  expect(place.toLinked(place.toRun(0x1010))).toBe(0x1010);
});

test('an area is a segment where it lies: from its first byte, and not behind its last', () => {
  const place = new Place(image(segment(0x1000, 0x100, true), segment(0x3000, 0x80, false)), 0x40000);
  const at = (run: number) => place.areaAt(runtime(run))?.segment.address;
  const found = [0x40fff, 0x41000, 0x410ff, 0x41100, 0x43000, 0x4307f, 0x43080].map(at);
  expect(found).toEqual([undefined, 0x1000, 0x1000, undefined, 0x3000, 0x3000, undefined]);
  expect([0x41000, 0x43000].map((run) => place.holdsCode(runtime(run)))).toEqual([true, false]);
});

test('another form of an image lies at the same place', () => {
  const form = image(segment(0x1000, 0x200, true));
  const place = new Place(image(segment(0x1000, 0x100, true)), 0x40000).holding(form);
  expect([place.image, hex(place.toRun(0x1000)), hex(place.areas[0]!.end)]).toEqual([form, '0x41000', '0x41200']);
});

test('the map finds the image whose code an address is in', () => {
  const low = new Place(image(segment(0x1000, 0x100, true)), 0);
  const high = new Place(image(segment(0x1000, 0x100, true)), 0x40000);
  const links = new LinkMap([low, high]);
  expect([0x1000, 0x41000, 0x41100].map((at) => links.codeAt(runtime(at)))).toEqual([low, high, undefined]);
});

test('an image that cannot be relocated lies where it is linked; another one does not lie in page 0', () => {
  expect(placeFor(queens).toRun(queens.entry)).toBe(queens.entry);
  expect(placeFor({ ...queens, relocatable: true }).toRun(0)).toBeGreaterThanOrEqual(0x10000);
});
