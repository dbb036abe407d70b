/**
 * Forged files: each is a real output that was changed so that it runs otherwise, or may, and that used to be called proved. The large form is
 * `node test/run.mjs campaign/forge`.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { alignUp } from '../../src/base/bits.ts';
import type { Addr } from '../../src/base/units.ts';
import { numberAt } from '../../src/cfg/accesses.ts';
import { PT } from '../../src/elf/constants.ts';
import { setU64, viewOf } from '../../src/elf/fields.ts';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import { findNote, NOTE_SIZE, noteBytes } from '../../src/elf/segment.ts';
import { coveringFde, readFrames, tableAt } from '../../src/elf/unwind/index.ts';
import { addSegment, nextSegmentAddress } from '../../src/elf/write.ts';
import { encodeMap } from '../../src/emit/map.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { jumpInsn } from '../../src/isa/idioms.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { byteProblems } from '../../src/verify/prove/bytes.ts';
import { mapOf, prove, sidesOf } from '../../src/verify/prove/prove.ts';
import { reasonText } from '../../src/verify/prove/reasons.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { doubts, type Field, Forgery } from '../support/forgery.ts';
import { compile, compileFile, needs } from '../support/tools.ts';

/** Numbers in the data that look like code's, a table of 4-byte distances, and one of 8-byte addresses. */
const PROGRAM = `
#include <stdio.h>
#include <stdlib.h>
volatile long zeros[4] = {0, 0, 0, 0};
volatile long fill = 1;
long odd;
__attribute__((noinline)) unsigned mix(unsigned x) { x ^= x << 13; x ^= x >> 17; x ^= x << 5; return x; }
__attribute__((noinline)) long walk(const unsigned char *code) {
  static const void *const ops[] = {&&add, &&twice, &&less, &&turn, &&stop};
  long a = 1;
  goto *ops[*code++];
add: a += 3; goto *ops[*code++];
twice: a *= 2; goto *ops[*code++];
less: a -= 7; goto *ops[*code++];
turn: a = -a; goto *ops[*code++];
stop: return a;
}
__attribute__((noinline)) unsigned choose(unsigned k, unsigned a) {
  switch (k) {
    case 0: return a + 13;
    case 1: return a * 7;
    case 2: return a ^ 0x5a5a;
    case 3: return a - (a >> 3);
    case 4: return ~a;
    case 5: return a << 1;
    case 6: return a / 3;
    default: return a;
  }
}
volatile long secrets[] = {(long)&mix, 0, (long)&walk, 0, (long)&choose, 0, (long)&vfprintf, 0, (long)&printf, 0, (long)&rand};
/* These are instructions, too: addi a0,a0,1 and the like. */
const unsigned looks[] = {0x00150513, 0x00250513, 0x00350513, 0x00450513};
int main(int n, char **v) {
  unsigned x = 12345 + n, state = 1;
  unsigned char code[64];
  long sum = 0;
  for (int i = 0; i < 3000; i++) {
    x = mix(x);
    state = choose(x % 8, state);
    for (int k = 0; k < 63; k++) code[k] = (x >> (k % 29)) & 3;
    code[63] = 4;
    sum += walk(code);
  }
  zeros[1] = 0;
  printf("%u %ld %ld %ld %x\\n", state, sum, secrets[4] - (long)&choose, zeros[0], looks[n]);
  return fill - 1;
}`;

interface Pair {
  readonly original: Image;
  readonly optimized: Image;
}

function optimized(file: string): Pair {
  const original = readImage(file);
  const { profile } = profileRun({ image: original, input: {} });
  return { original, optimized: parseImage(optimize(original, profileOf(profile, original)).bytes, 'optimized') };
}

const addressOf = ({ original }: Pair, name: string): Addr =>
  original.symbols.find((symbol) => symbol.name === name)!.address;

describe.runIf(needs('forged files', 'gcc', 'gxx'))('forged files', () => {
  let plain: Pair;
  let throwing: Pair;
  beforeAll(() => {
    plain = optimized(compile(PROGRAM, ['-O2', '-static']));
    throwing = optimized(compileFile('test/emit/exceptions.cpp', ['-O2', '-static', '-std=c++14', '-w']));
  });
  const forge = ({ original, optimized: image }: Pair) => new Forgery(original, image);
  const doubtsOf = (forged: Forgery) => doubts(forged.original, forged.file());
  const code = (pair: Pair) => {
    const { address, codeOffset, codeSize } = findNote(pair.optimized)!;
    return { start: address + codeOffset, end: address + codeOffset + codeSize };
  };

  test('as they are made they are proved, also when put together again', () => {
    for (const pair of [plain, throwing]) {
      expect(doubtsOf(forge(pair))).toEqual([]);
      expect(doubtsOf(forge(pair).setMap({}))).toEqual([]);
      expect(
        prove(pair.original, pair.optimized, mapOf(pair.original, pair.optimized)).superblocks.length,
      ).toBeGreaterThan(20);
    }
  });

  test('a call through a pointer made a jump, whose callee returns to an outer caller', () => {
    const isCall = (pair: Pair, [at]: readonly [Addr, Addr]) => {
      const [low, high] = forge(pair).read(at - 2, 2);
      return low! % 128 === 0x02 && high! >> 4 === 9;
    };
    const { original, optimized: image } = plain;
    const { returns } = mapOf(original, image).data;
    const found = returns.find((pair) => isCall(plain, pair))!;
    const [at] = found;
    const forged = forge(plain);
    const [low, high] = forged.read(at - 2, 2);
    // c.jalr and c.jr differ in one bit.
    forged
      .write(at - 2, Uint8Array.of(low!, high! & ~0x10))
      .setMap({ returns: returns.filter((pair) => pair !== found) });
    expect(doubtsOf(forged)).toEqual([expect.stringMatching(/by a computed jump: ra differs$/)]);
  });

  test('code whose paths are longer than the file accounts for', () => {
    const map = mapOf(plain.original, plain.optimized);
    const { sides } = sidesOf(plain.original, plain.optimized, map);
    const effort = { steps: 30 };
    const reasons = map.data.superblocks.map(({ head, start }) =>
      reasonText(proveEntry({ ...sides, effort }, { head, start, first: true, progress: true }).reason),
    );
    // The effort is that of all together: when it is spent nothing more is proved.
    expect(reasons[0]).toBe('');
    for (const reason of reasons.slice(-20)) expect(reason).toMatch(/longer than its code accounts for$/);
    expect(sides.effort!.steps).toBeGreaterThan(100_000);
  });

  test('bytes behind the program headers, where those have not grown', () => {
    const forged = forge(plain);
    expect(plain.optimized.programHeaders.length).toBe(plain.original.programHeaders.length);
    const end = forged.entryAt(plain.optimized.programHeaders.length);
    forged.bytes.fill(0xa5, end, end + 56);
    expect(doubtsOf(forged)[0]).toMatch(/has changed/);
  });

  test('a patch of bytes that are loaded twice', () => {
    const { original, optimized: image } = plain;
    const { patches } = mapOf(original, image).data;
    const text = original.programHeaders.find(({ type, flags }) => type === PT.LOAD && (flags & 1) === 1)!;
    const again = {
      ...original,
      programHeaders: [...original.programHeaders, { ...text, vaddr: text.vaddr + (1 << 24) }],
    };
    expect(byteProblems(original, image, patches).problems).toEqual([]);
    expect(byteProblems(again, image, patches).problems[0]).toMatch(/is loaded more than once/);
  });

  test('garbage in the data as an end of the frame descriptions', () => {
    const forged = forge(throwing);
    // Zeros, as at the end of such a table; what is written there leads to the new one.
    const { address, bytes } = throwing.original.segments.findLast(({ flags }) => flags.write)!;
    let at = alignUp(address, 8);
    while (bytes.subarray(at - address, at - address + 12).some((byte) => byte !== 0)) at += 8;
    forged.number(at, 4, code(throwing).end + 16 - at - 4);
    forged.setMap({ patches: [...forged.map.patches, [at, 8]] });
    expect(doubtsOf(forged).join()).toMatch(/the patch at/);
  });

  test('a new segment that begins in the page where bss ends', () => {
    const { original, optimized: image } = plain;
    const forged = forge(plain);
    const note = findNote(image)!;
    const index = forged.indexOf(({ vaddr, type }) => type === PT.LOAD && vaddr === note.address);
    const less = note.address - alignUp(original.end, 64);
    expect(less).toBeGreaterThan(0);
    const { offset, fileSize } = image.programHeaders[index]!;
    // The note moves down with the segment's start; everything else stays where it is.
    forged.bytes.set(
      noteBytes({
        mapOffset: note.mapOffset + less,
        mapSize: note.mapSize,
        codeOffset: NOTE_SIZE + less,
        codeSize: note.codeSize,
      }),
      offset - less,
    );
    for (const field of ['offset', 'vaddr', 'paddr'] as const)
      forged.setField(index, field, forged.fieldOf(index, field) - BigInt(less));
    for (const field of ['fileSize', 'memSize'] as const) forged.setField(index, field, BigInt(fileSize + less));
    expect(doubtsOf(forged).join()).toMatch(/page/);
  });

  test('frame descriptions of original code in the new table', () => {
    const { original, optimized: image } = throwing;
    const { last, fdes } = readFrames(original)!;
    const view = viewOf(image.bytes);
    const segment = image.segments.findLast(() => true)!;
    const offsetOf = (address: Addr) => new Forgery(original, image).offsetOf(address)!;
    const next = last!.address + 4 + view.getUint32(offsetOf(last!.address), true);
    const added = tableAt(image, next, segment.address + segment.bytes.length)!;
    const end = added.last!.end;
    const ours = added.fdes.find(({ start }) => start >= code(throwing).start)!;
    const victim = coveringFde({ fdes }, addressOf(throwing, 'main'))!;
    const start = code(throwing).end;
    const forged = forge(throwing);
    const tables = Array.from(forged.tables.subarray(0, end - start));
    const record = image.bytes.slice(offsetOf(ours.address), offsetOf(ours.address) + ours.size);
    for (let i = 0; i < 100; i++) {
      const at = start + tables.length;
      const copy = viewOf(record.slice());
      copy.setUint32(4, at + 4 - ours.cie.address, true);
      copy.setInt32(8, victim.start + 4 * i - (at + 8), true);
      copy.setUint32(12, 4, true);
      if (ours.lsda !== undefined) copy.setInt32(17, ours.lsda - (at + 17), true);
      tables.push(...new Uint8Array(copy.buffer));
    }
    forged.setTables(Uint8Array.from([...tables, 0, 0, 0, 0]));
    expect(doubtsOf(forged).join()).toMatch(/of original code/);
  });

  test('a number in the data that is no entry of a jump table', () => {
    const forged = forge(plain);
    const first = addressOf(plain, 'secrets');
    const startOf = new Map(forged.map.superblocks.map(({ head, start }) => [head, start]));
    const places = Array.from({ length: 11 }, (_, index) => first + 8 * index);
    const at = places.find((place) => startOf.has(numberAt(plain.original, place, 8)!))!;
    expect(at).toBeDefined();
    forged.number(at, 8, startOf.get(numberAt(plain.original, at, 8)!)!);
    forged.setMap({ patches: [...forged.map.patches, [at, 8]], assumptions: [...forged.map.assumptions, 'A4'] });
    expect(doubtsOf(forged).join()).toMatch(/the patch at/);
    // What a jump reads may lead to superblocks.
    const table = plain.original.segments.some(({ address, bytes }) =>
      forged.map.patches.some(([place, size]) => size === 8 && place >= address && place < address + bytes.length),
    );
    expect(table).toBe(true);
  });

  test('a patch over data that could be code', () => {
    const { original } = plain;
    const head = addressOf(plain, 'looks') + 4;
    const start = nextSegmentAddress(original);
    const jump = (from: Addr, to: Addr) => encodeBytes(jumpInsn(to - from), false);
    // A superblock that does what would be done there, and the jump to it.
    const data = original.segments.find((s) => head >= s.address && head < s.address + s.bytes.length)!;
    const insn = data.bytes.slice(head - data.address, head - data.address + 4);
    const map = {
      version: 1,
      original: original.hash,
      originalEnd: original.end,
      superblocks: [{ head, start, end: start + 8, stubs: [], path: [head], count: 1, identity: true }],
      returns: [],
      patches: [[head, 4]],
      assumptions: ['A5'],
    } as const;
    const bytes = addSegment(original, {
      address: start,
      code: Uint8Array.from([...insn, ...jump(start + 4, head + 4)]),
      patches: [{ address: head, bytes: jump(head, start) }],
      map: encodeMap(map),
    });
    expect(doubts(original, bytes)).toEqual([expect.stringContaining('it is not over code')]);
  });

  test('a second superblock for one head, at another place', () => {
    const forged = forge(plain);
    const [first, second] = forged.map.superblocks;
    forged.setMap({
      superblocks: [...forged.map.superblocks, { ...second!, head: first!.head, start: second!.start + 2 }],
    });
    const image = parseImage(forged.file(), 'forged');
    const proof = prove(plain.original, image, mapOf(plain.original, image));
    expect(proof.file[0]!.problems.join()).toMatch(/two superblocks of/);
    // No proof was begun.
    expect(proof.superblocks.map(({ verdict, ways }) => [verdict, ways])).toEqual(
      forged.map.superblocks.map(() => ['unproved', 0]),
    );
  });

  test.each([
    [
      'patches over one another',
      {
        patches: [
          [0x10200, 8],
          [0x10204, 4],
        ],
      },
    ],
    ['an assumption that there is not', { assumptions: ['A99'] }],
    ['another end of the original', { originalEnd: 4096 }],
  ] as const)('a map with %s', (_, change) => {
    const forged = forge(plain).setMap(change);
    const image = parseImage(forged.file(), 'forged');
    const proof = prove(plain.original, image, mapOf(plain.original, image));
    expect(proof.file[0]!.problems.length).toBeGreaterThan(0);
    expect(proof.superblocks.every(({ ways }) => ways === 0)).toBe(true);
  });

  test('a map that lists more bytes than there are is none', () => {
    const [first] = forge(plain).map.superblocks;
    for (const change of [
      { patches: [[0x10000, 2 ** 52] as const] },
      { superblocks: [{ ...first!, end: 0 }] },
      { superblocks: Array.from({ length: 9999 }, () => ({ ...first!, stubs: [[0, 4096] as const] })) },
    ])
      expect(doubtsOf(forge(plain).setMap(change)).join()).toMatch(/its address map is damaged/);
  });

  describe('program headers', () => {
    const header = (type: number, nth = 0) =>
      plain.optimized.programHeaders.flatMap((each, index) => (each.type === type ? [index] : []))[nth]!;
    const added = () =>
      plain.optimized.programHeaders.findIndex(({ vaddr }) => vaddr === findNote(plain.optimized)!.address);
    // Which header it is shows only once the file is made.
    const CHANGES: readonly (readonly [string, () => number, Field, bigint])[] = [
      ['a size near the end of addresses', added, 'memSize', 2n ** 46n],
      ['an alignment beyond all memory', added, 'align', 2n ** 40n],
      ['an alignment that is no power of two', added, 'align', 3n],
      ['a physical address', added, 'paddr', 4096n],
      ['a flag', added, 'flags', 0x105n],
      ['a flag of an old one', () => header(PT.LOAD), 'flags', 0x80000005n],
      ['a physical address of an old one', () => header(PT.LOAD), 'paddr', 64n],
      ['an alignment of an old one', () => header(PT.LOAD), 'align', 2n],
      ['the offset of thread-local data', () => header(PT.TLS), 'offset', 64n],
      ['what no number of 53 bits shows', () => header(PT.TLS), 'align', 2n ** 63n + 1n],
      ['the size of the stack', () => header(PT.GNU_STACK), 'memSize', 4096n],
    ];
    test.each(CHANGES)('%s', (_, find, field, value) => {
      const index = find();
      expect(index).toBeGreaterThanOrEqual(0);
      expect(doubtsOf(forge(plain).setField(index, field, value)).join()).not.toBe('');
    });

    test('their order', () => {
      const forged = forge(plain);
      const [a, b] = [header(PT.LOAD, 0), header(PT.LOAD, 1)].map((index) => forged.entryAt(index)) as [number, number];
      const [first, second] = [forged.bytes.slice(a, a + 56), forged.bytes.slice(b, b + 56)];
      forged.bytes.set(second, a);
      forged.bytes.set(first, b);
      expect(doubtsOf(forged).join()).not.toBe('');
    });

    test('what else the ELF header says', () => {
      for (const [at, value] of [
        [7, 3],
        [48, 0],
        [52, 1],
      ] as const) {
        const forged = forge(plain);
        forged.bytes[at]! ^= value + 1;
        expect(doubtsOf(forged).join(), `byte ${at}`).not.toBe('');
      }
    });
  });

  test('what is in the new segment besides', () => {
    const { address, mapOffset, mapSize } = findNote(plain.optimized)!;
    const forged = forge(plain);
    const index = forged.indexOf(({ vaddr }) => vaddr === address);
    // Behind the map the segment goes on with whatever is there in the file.
    for (const field of ['fileSize', 'memSize'] as const)
      forged.setField(index, field, forged.fieldOf(index, field) + 64n);
    expect(doubtsOf(forged).join()).toMatch(/something else/);
    const noted = forge(plain);
    setU64(viewOf(noted.bytes), noted.offsetOf(address)! + 40, NOTE_SIZE + 8);
    expect(doubtsOf(noted).join()).not.toBe('');
    expect(mapOffset + mapSize).toBe(plain.optimized.segments.findLast(() => true)!.bytes.length);
  });

  test('what lies behind a segment in its last page', () => {
    // A program whose last segment is all in the file: what follows there in the page comes into memory with it.
    const source = `
      .globl _start
      _start: lla a5, end
      li a3, 3000
      1: addi a3, a3, -1
      bnez a3, 1b
      ld a0, 0(a5)
      andi a0, a0, 127
      li a7, 93
      ecall
      .data
      .dword 1
      end:`;
    const pair = optimized(compile(source, ['-nostdlib', '-static'], 's'));
    expect(doubtsOf(forge(pair))).toEqual([]);
    const data = pair.original.segments.at(-1)!;
    expect(data.size).toBe(data.bytes.length);
    const at = data.offset + data.bytes.length;
    const before = pair.original.bytes.slice(at, at + 8);
    expect(pair.optimized.bytes.slice(at, at + 8)).toEqual(before);
    const forged = forge(pair);
    forged.bytes[at]! ^= 1;
    expect(doubtsOf(forged)[0]).toMatch(/has changed/);
  });
});
