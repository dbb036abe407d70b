import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IsoformError } from '../../src/base/errors.ts';
import { OTHERS } from '../../src/machine/others.ts';
import { sumCounted, sumTransfers } from '../../src/profile/collect.ts';
import { OUTSIDE, type Profile } from '../../src/profile/profile.ts';
import { decodeProfile, encodeProfile, merge, profileOf, readProfile } from '../../src/profile/store.ts';
import { assemble } from '../cfg/assembly.ts';

const address = fc.oneof(fc.nat(40), fc.nat(), fc.constant(OUTSIDE));
const count = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 48 }));
const counted = fc.array(fc.record({ at: fc.nat(), count }), { maxLength: 5 }).map(sumCounted);
const imageProfile = fc.record({
  hash: fc.constantFrom('11'.repeat(32), '2f'.repeat(32), 'ff'.repeat(32)),
  name: fc.constantFrom('a', 'naïve', ''),
  starts: counted,
  stops: counted,
  others: fc.subarray([...OTHERS]),
  transfers: fc.array(fc.record({ from: fc.nat(), to: address, count }), { maxLength: 8 }).map(sumTransfers),
});
const profiles: fc.Arbitrary<Profile> = fc
  .record({
    runs: fc.nat(100),
    instructions: count,
    images: fc.uniqueArray(imageProfile, { selector: ({ hash }) => hash, maxLength: 3 }),
  })
  .map((profile) => ({ ...profile, images: profile.images.sort((a, b) => (a.hash < b.hash ? -1 : 1)) }));

describe('files', () => {
  test('what is written is read', () => {
    fc.assert(
      fc.property(profiles, (profile) => {
        expect(decodeProfile(encodeProfile(profile), 'test')).toEqual(profile);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  test('any damage is a bad profile, nothing else', () => {
    fc.assert(
      fc.property(profiles, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (profile, where, flip, cut) => {
        const bytes = Uint8Array.from(encodeProfile(profile));
        const at = where % bytes.length;
        bytes[at]! ^= flip;
        const damaged = cut ? bytes.subarray(0, at) : bytes;
        expect(() => decodeProfile(damaged, 'test')).toThrow(expect.objectContaining({ code: 'bad-profile' }));
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test('a body that is nonsense under a good checksum is a bad profile or a well-formed one', async () => {
    const { createHash } = await import('node:crypto');
    const head = encodeProfile({ runs: 0, instructions: 0, images: [] }).subarray(0, 9);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (noise) => {
        const body = Buffer.concat([head, noise]);
        const bytes = Buffer.concat([body, createHash('sha256').update(body).digest()]);
        try {
          const profile = decodeProfile(bytes, 'test');
          expect(decodeProfile(encodeProfile(profile), 'test')).toEqual(profile);
        } catch (error) {
          expect(error).toBeInstanceOf(IsoformError);
          expect(error).toMatchObject({ code: 'bad-profile' });
        }
      }),
      { seed: 3, numRuns: 1000 },
    );
  });

  test('reading a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'isoform-profile-'));
    try {
      const profile: Profile = { runs: 1, instructions: 2, images: [] };
      const file = join(folder, 'a.isoprof');
      writeFileSync(file, encodeProfile(profile));
      expect(readProfile(file)).toEqual(profile);
      expect(() => readProfile(join(folder, 'c'))).toThrow(expect.objectContaining({ code: 'cannot-read' }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('sums', () => {
  const small = profiles.map((profile) => ({ ...profile, instructions: profile.instructions % 2 ** 40 }));
  test('are associative and commutative, to the byte', () => {
    fc.assert(
      fc.property(small, small, small, (a, b, c) => {
        const all = encodeProfile(merge(a, b, c));
        expect(encodeProfile(merge(merge(a, b), c))).toEqual(all);
        expect(encodeProfile(merge(a, merge(b, c)))).toEqual(all);
        expect(encodeProfile(merge(c, a, b))).toEqual(all);
        expect(encodeProfile(merge(b, merge(), a, c))).toEqual(all);
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  test('add counts', () => {
    const one = (n: number): Profile => ({
      runs: 1,
      instructions: n,
      images: [
        {
          hash: '00'.repeat(32),
          name: 'x',
          starts: [{ at: 4, count: n }],
          stops: [],
          transfers: [{ from: n, to: 8, count: 1 }],
          others: n === 3 ? ['shared mapping'] : [],
        },
      ],
    });
    expect(merge(one(2), one(2), one(3))).toEqual({
      runs: 3,
      instructions: 7,
      images: [
        {
          hash: '00'.repeat(32),
          name: 'x',
          starts: [{ at: 4, count: 7 }],
          stops: [],
          others: ['shared mapping'],
          transfers: [
            { from: 2, to: 8, count: 2 },
            { from: 3, to: 8, count: 1 },
          ],
        },
      ],
    });
  });

  test('that would not be exact are refused', () => {
    const big: Profile = { runs: 1, instructions: Number.MAX_SAFE_INTEGER, images: [] };
    expect(() => merge(big, big)).toThrow(expect.objectContaining({ code: 'limit' }));
  });
});

test('a profile of another binary is a mismatch', () => {
  const { image } = assemble('Main:\n  ebreak');
  const own = { hash: image.hash, name: 'x', starts: [], stops: [], transfers: [], others: [] };
  expect(profileOf({ runs: 1, instructions: 0, images: [own] }, image)).toBe(own);
  expect(() => profileOf({ runs: 1, instructions: 0, images: [] }, image, 'p')).toThrow(
    expect.objectContaining({ code: 'profile-mismatch' }),
  );
});
