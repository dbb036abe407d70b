import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, decodeAt } from '../../src/isa/decode.ts';
import { compress, encode, encodeBytes, makeInsn } from '../../src/isa/encode.ts';
import type { Insn } from '../../src/isa/row.ts';
import { COMPRESSED, ROWS, rowNamed } from '../../src/isa/table.ts';
import { insnOf, plain } from '../support/insns.ts';

describe('rows', () => {
  test('there are all of RV64GC, of the parts of B, and of Zicond', () => {
    // Rows and compressed forms by extension, from the listings of the unprivileged manual. A new extension is one line here.
    const listed: Readonly<Record<string, readonly [rows: number, forms: number]>> = {
      I: [52, 0],
      M: [13, 0],
      A: [22, 0],
      F: [30, 0],
      D: [32, 0],
      C: [0, 37],
      Zicsr: [6, 0],
      Zifencei: [1, 0],
      Zba: [8, 0],
      Zbb: [24, 0],
      Zbs: [8, 0],
      Zicond: [2, 0],
    };
    const found: Record<string, [number, number]> = {};
    for (const { extension } of ROWS) (found[extension] ??= [0, 0])[0]++;
    for (const { extension } of COMPRESSED) (found[extension] ??= [0, 0])[1]++;
    const both = [...new Set([...Object.keys(listed), ...Object.keys(found)])];
    const wrong = both.filter((name) => `${found[name]}` !== `${listed[name]}`);
    expect(
      wrong.map((name) => `${name}: ${found[name]} (rows,forms) in src/isa/table.ts, ${listed[name]} listed here`),
    ).toEqual([]);
  });

  test('no word matches two rows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (word) => {
        expect(ROWS.filter((row) => (word & row.mask) >>> 0 === row.match).length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 2000 },
    );
    for (const [i, a] of ROWS.entries()) {
      for (const b of ROWS.slice(i + 1)) {
        expect((a.match ^ b.match) & a.mask & b.mask, `${a.name} ${b.name}`).not.toBe(0);
      }
    }
  });

  test.each(ROWS.map((row) => [row.name, row] as const))('%s decodes to what was encoded', (_, row) => {
    fc.assert(
      fc.property(insnOf(row), (insn) => {
        const word = encode(insn);
        expect(plain(decode(word))).toEqual(plain(insn));
        expect(decode(word | 0)).toBe(decode(word));
        expect(plain(decodeAt(encodeBytes(insn, false), 0))).toEqual(plain(insn));
      }),
      { numRuns: 50 },
    );
  });

  test('what decodes encodes to the same word, ignored fields apart', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROWS), fc.integer({ min: 0, max: 0xffffffff }), (row, noise) => {
        const word = (row.match | (noise & ~row.mask)) >>> 0;
        const insn = decode(word);
        if (insn && !insn.row.name.startsWith('fence')) expect(encode(insn)).toBe(word);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('reserved encodings', () => {
  test.each([
    ['zero', 0],
    ['all ones', 0xffffffff],
    ['rounding mode 5', encode(makeInsn('fadd.d', { rd: 32, rs1: 32, rs2: 32 })) | (5 << 12)],
    ['rounding mode 6', encode(makeInsn('fmadd.s', { rd: 32, rs1: 32, rs2: 32, rs3: 32 })) | (6 << 12)],
    ['word shift by 32', encode(makeInsn('slliw', {})) | (1 << 25)],
    ['lr with rs2', encode(makeInsn('lr.w', {})) | (1 << 20)],
    ['fsqrt with rs2', encode(makeInsn('fsqrt.d', { rd: 32, rs1: 32 })) | (1 << 20)],
    ['quad precision', encode(makeInsn('fadd.d', { rd: 32, rs1: 32, rs2: 32 })) | (3 << 25)],
    ['mret', 0x30200073],
    ['c.addi4spn 0', 0x0004],
    ['c.addiw x0', 0x2005],
    ['c.addi16sp 0', 0x6101],
    ['c.lui 0', 0x6281],
    ['c.lwsp x0', 0x4002],
    ['c.ldsp x0', 0x6002],
    ['c.jr x0', 0x8002],
    ['a halfword of zeros in quadrant 0', 0x0000],
  ])('%s is no instruction', (_, word) => {
    expect(decode(word)).toBeUndefined();
  });

  test('ignored fields of fences are ignored', () => {
    expect(plain(decode(0x0ff00f8f | (31 << 15)))).toEqual(plain(makeInsn('fence', { imm: 0xff })));
    expect(plain(decode(0xfff5100f))).toEqual(plain(makeInsn('fence.i', {})));
  });

  test('bytes that run out are no instruction', () => {
    const full = encodeBytes(makeInsn('addi', { rd: 10, rs1: 10, imm: 100 }), false);
    expect(decodeAt(full, 0)?.imm).toBe(100);
    expect(decodeAt(full.subarray(0, 3), 0)).toBeUndefined();
    expect(decodeAt(full, 4)).toBeUndefined();
    expect(decodeAt(full, -1)).toBeUndefined();
    expect(decodeAt(Uint8Array.of(0x01, 0x00), 0)?.size).toBe(2);
    expect(decodeAt(Uint8Array.of(0x01), 0)).toBeUndefined();
  });
});

describe('compressed instructions', () => {
  const same = (a: Insn | undefined, b: Insn): boolean =>
    a !== undefined && (Object.keys(b) as (keyof Insn)[]).every((key) => a[key] === b[key]);
  const halves = Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 3) !== 3);

  test('a halfword is at most one alias, and expands to a full instruction that can be encoded', () => {
    const wrong = halves.flatMap((half) => {
      const names = COMPRESSED.filter((alias) => alias.expand(half)).map(({ name }) => name);
      const insn = decode(half);
      if (names.length !== (insn ? 1 : 0)) return [`${half.toString(16)}: ${names.join(' and ')}`];
      const encodes = !insn || (insn.size === 2 && same(decode(encode(insn)), { ...insn, size: 4 }));
      return encodes ? [] : [`${half.toString(16)}: ${names[0]} expands to what cannot be encoded`];
    });
    expect(wrong.slice(0, 8)).toEqual([]);
  });

  test('every halfword comes back from its full instruction, or a preferred one with the same meaning', () => {
    const twins: Record<string, number> = {};
    for (const half of halves) {
      const insn = decode(half);
      if (!insn) continue;
      const again = compress({ ...insn, size: 4 });
      if (again === undefined || !same(decode(again), insn)) expect.fail(`${half.toString(16)} does not come back`);
      if (again !== half) {
        const name = COMPRESSED.find((alias) => alias.expand(half))!.name;
        twins[name] = (twins[name] ?? 0) + 1;
      }
    }
    // c.li x0 = c.nop; c.addi16sp by -32, -16, 16 = c.addi; c.add x0 = c.mv x0.
    expect(twins).toEqual({ 'c.li': 64, 'c.addi16sp': 3, 'c.add': 31 });
  });

  test('a compressed form is given only where it decodes to the very instruction', () => {
    const rows = [...new Set(COMPRESSED.map((alias) => alias.row))];
    fc.assert(
      fc.property(fc.constantFrom(...rows).chain(insnOf), (insn) => {
        const half = compress(insn);
        if (half !== undefined) expect(decode(half)).toEqual({ ...insn, size: 2 });
      }),
      { numRuns: 5000 },
    );
  });

  test('known encodings', () => {
    const half = (name: string, fields: Parameters<typeof makeInsn>[1]) => compress(makeInsn(name, fields));
    expect(half('addi', { rd: 2, rs1: 2, imm: -16 })).toBe(0x1141);
    expect(half('jalr', { rs1: 1 })).toBe(0x8082);
    expect(half('sd', { rs1: 2, rs2: 1, imm: 8 })).toBe(0xe406);
    expect(half('addi', { rd: 10, imm: 0 })).toBe(0x4501);
    expect(half('addi', { rd: 10, rs1: 11, imm: 0 })).toBeUndefined();
    expect(half('jalr', { rs1: 1, imm: 4 })).toBeUndefined();
    expect(half('lw', { rd: 10, rs1: 11, imm: 2 })).toBeUndefined();
    expect(half('fld', { rd: 42, rs1: 11, imm: 8 })).toBe(0x2588);
  });
});

describe('encoding refuses what does not fit', () => {
  const refused: [string, Parameters<typeof makeInsn>[1]][] = [
    ['addi', { rd: 1, rs1: 1, imm: 2048 }],
    ['addi', { rd: 1, rs1: 1, imm: 0.5 }],
    ['addi', { rd: 33, rs1: 1 }],
    ['addi', { rd: 1, rs1: 1, rs2: 3 }],
    ['fadd.d', { rd: 1, rs1: 33, rs2: 33 }],
    ['fadd.d', { rd: 33, rs1: 33, rs2: 33, rm: 5 }],
    ['beq', { imm: 3 }],
    ['beq', { imm: 4096 }],
    ['jal', { imm: 2 ** 20 }],
    ['lui', { imm: 1 }],
    ['slliw', { imm: 32 }],
    ['slli', { imm: 64 }],
    ['slli', { imm: -1 }],
    ['csrrwi', { imm: 32 }],
    ['csrrw', { csr: 4096 }],
    ['add', { imm: 1 }],
  ];
  test.each(refused)('%s %o', (name, fields) => {
    expect(() => encode(makeInsn(name, fields))).toThrow(/internal error/);
  });
  test('an unknown name', () => {
    expect(() => rowNamed('c.addi')).toThrow(/no instruction/);
  });
  test('a compressed form that does not exist', () => {
    expect(() => encodeBytes(makeInsn('div', { rd: 8, rs1: 8, rs2: 8 }), true)).toThrow(/no compressed form/);
  });
});
