/**
 * The profile file (.isoprof) and sums of profiles.
 *
 * Layout: magic "ISOPROF\0", version byte, body, SHA-256 of all before it. The body is unsigned LEB128 numbers (up to 2^53-1) but for
 * hashes (32 bytes) and names (length, UTF-8): runs, instructions, images; each image: hash, name, others (a bit each), starts, stops,
 * transfers. Lists begin with their length. Addresses are differences from the entry before; a transfer's target is its distance from
 * the site, zigzag-coded. Images are sorted by hash and lists strictly by address, so equal profiles are equal bytes.
 *
 * Reading checks every byte it reads; each defect becomes a bad-profile error and nothing else.
 */
import { createHash } from 'node:crypto';
import { badProfile, overLimit, profileMismatch } from '../base/errors.ts';
import { readRegular } from '../base/read.ts';
import type { Image } from '../elf/image.ts';
import { OTHERS, type Other } from '../machine/others.ts';
import { type Counted, sumCounted, sumTransfers } from './collect.ts';
import { type ImageProfile, OUTSIDE, type Profile, type TransferCount } from './profile.ts';

const MAGIC = [...new TextEncoder().encode('ISOPROF\0')];
const VERSION = 2;
/** Stands for OUTSIDE in the file. No image reaches so far up. */
const OUTSIDE_ADDRESS = 2 ** 48;
const CHECKSUM_BYTES = 32;
const HASH_BYTES = 32;

const checksum = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** Twice the number, or twice its size less one if it is negative. Bit operations would lose the bits above 2^32. */
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

/** The file's bytes; equal profiles give equal bytes. */
export function encodeProfile(profile: Profile): Uint8Array {
  const out: number[] = [...MAGIC, VERSION];
  const number = (value: number) => {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
    out.push(rest);
  };
  const counted = (list: readonly Counted[]) => {
    number(list.length);
    let last = 0;
    for (const { at, count } of list) {
      number(at - last);
      number(count);
      last = at;
    }
  };
  number(profile.runs);
  number(profile.instructions);
  number(profile.images.length);
  for (const image of [...profile.images].sort((a, b) => (a.hash < b.hash ? -1 : 1))) {
    out.push(...Buffer.from(image.hash, 'hex'));
    const name = new TextEncoder().encode(image.name);
    number(name.length);
    out.push(...name);
    number(image.others.reduce((bits, other) => bits | (1 << OTHERS.indexOf(other)), 0));
    counted(image.starts);
    counted(image.stops);
    number(image.transfers.length);
    let last = 0;
    for (const { from, to, count } of image.transfers) {
      number(from - last);
      number(zigzag((to === OUTSIDE ? OUTSIDE_ADDRESS : to) - from));
      number(count);
      last = from;
    }
  }
  const body = Uint8Array.from(out);
  return Buffer.concat([body, checksum(body)]);
}

/**
 * @param file its name, for messages
 * @throws bad-profile
 */
export function decodeProfile(bytes: Uint8Array, file: string): Profile {
  const wrong = (what: string): never => {
    throw badProfile(file, what);
  };
  if (bytes.length < MAGIC.length + 1 + CHECKSUM_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte))
    return wrong('it does not begin as one');
  const version = bytes[MAGIC.length]!;
  if (version !== VERSION) return wrong(`version ${version}, this isoform reads version ${VERSION}`);
  const body = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  if (Buffer.compare(checksum(body), bytes.subarray(body.length)) !== 0) return wrong('it is damaged (checksum)');

  let at = MAGIC.length + 1;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = body[at++] ?? wrong('it ends too early');
      value += (byte % 128) * scale;
      if (value > Number.MAX_SAFE_INTEGER) wrong('a number is too large');
      if (byte < 128) return value;
      if (scale > 2 ** 49) wrong('a number is too long');
    }
  };
  const raw = (length: number): Uint8Array => {
    if (length > body.length - at) wrong('it ends too early');
    at += length;
    return body.subarray(at - length, at);
  };
  // Every entry takes at least this many bytes: a length beyond the file is refused before anything is built.
  const length = (entry: number): number => {
    const value = number();
    return value * entry > body.length - at ? wrong('a list is longer than the file') : value;
  };
  const safe = (value: number): number =>
    Number.isSafeInteger(value) && value >= 0 ? value : wrong('an address is out of range');
  const positive = (value: number): number => (value > 0 ? value : wrong('a count of zero'));
  const counted = (): Counted[] => {
    let last = 0;
    return Array.from({ length: length(2) }, (_, i) => {
      const step = number();
      if (i > 0 && step === 0) wrong('a list is not sorted');
      last = safe(last + step);
      return { at: last, count: positive(number()) };
    });
  };
  const transfers = (): TransferCount[] => {
    let from = 0;
    let lastTo = -1;
    return Array.from({ length: length(3) }, () => {
      const step = number();
      if (step > 0) lastTo = -1;
      from = safe(from + step);
      const to = safe(from + unzigzag(number()));
      if (to <= lastTo) wrong('a list is not sorted');
      lastTo = to;
      return { from, to: to === OUTSIDE_ADDRESS ? OUTSIDE : to, count: positive(number()) };
    });
  };
  const others = (bits: number): Other[] => {
    if (bits >= 1 << OTHERS.length) wrong('it names what is not known');
    return OTHERS.filter((_, bit) => (bits & (1 << bit)) !== 0);
  };
  const runs = number();
  const instructions = number();
  let lastHash = '';
  const images = Array.from({ length: length(HASH_BYTES + 5) }, (): ImageProfile => {
    const hash = Buffer.from(raw(HASH_BYTES)).toString('hex');
    if (hash <= lastHash) wrong('images are not sorted');
    lastHash = hash;
    return {
      hash,
      name: new TextDecoder().decode(raw(number())),
      others: others(number()),
      starts: counted(),
      stops: counted(),
      transfers: transfers(),
    };
  });
  if (at !== body.length) wrong('there is something behind its end');
  return { runs, instructions, images };
}

/** @throws cannot-read, bad-profile */
export const readProfile = (file: string): Profile => decodeProfile(readRegular(file), file);

/**
 * The sum of profiles. Associative and commutative; merging nothing gives the profile of no runs. Where one image was profiled under
 * several names, the first in code-unit order stays.
 * @throws limit if a count would not be exact any more (above 2^53-1)
 */
export function merge(...profiles: readonly Profile[]): Profile {
  const byHash = new Map<string, ImageProfile[]>();
  for (const { images } of profiles)
    for (const image of images) {
      const same = byHash.get(image.hash);
      if (same === undefined) byHash.set(image.hash, [image]);
      else same.push(image);
    }
  const images = [...byHash.values()].map((parts): ImageProfile => {
    const names = parts.map(({ name }) => name).sort();
    return {
      hash: parts[0]!.hash,
      name: names[0]!,
      others: OTHERS.filter((other) => parts.some(({ others }) => others.includes(other))),
      starts: exact(sumCounted(parts.flatMap(({ starts }) => starts))),
      stops: exact(sumCounted(parts.flatMap(({ stops }) => stops))),
      transfers: exact(sumTransfers(parts.flatMap(({ transfers }) => transfers))),
    };
  });
  const sum = exact([
    {
      runs: profiles.reduce((total, { runs }) => total + runs, 0),
      count: profiles.reduce((total, { instructions }) => total + instructions, 0),
    },
  ])[0]!;
  return {
    runs: sum.runs,
    instructions: sum.count,
    images: images.sort((a, b) => (a.hash < b.hash ? -1 : 1)),
  };
}

function exact<T extends { readonly count: number }>(counted: T[]): T[] {
  if (!counted.every(({ count }) => Number.isSafeInteger(count)))
    throw overLimit('the sum of these profiles does not fit', 'merge fewer of them');
  return counted;
}

/**
 * The part of a profile that is about this image.
 * @param file the profile's name, for the message
 * @throws profile-mismatch if the image is not in the profile
 */
export function profileOf(profile: Profile, image: Image, file = 'the profile'): ImageProfile {
  const found = profile.images.find(({ hash }) => hash === image.hash);
  if (found === undefined) throw profileMismatch(file, image.file);
  return found;
}
