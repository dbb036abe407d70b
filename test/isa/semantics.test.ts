/** Meanings of rows against the manual's words, on the values where they are easily got wrong. Random agreement with qemu is elsewhere. */
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../src/domain/concrete.ts';
import { decode } from '../../src/isa/decode.ts';
import { compress, encode, makeInsn } from '../../src/isa/encode.ts';
import { COMPRESSED, ROWS } from '../../src/isa/table.ts';
import { parse, print } from '../../src/isa/text.ts';
import { objdumpKnows, qemuKnows } from '../support/peers.ts';

const u = (value: bigint): bigint => BigInt.asUintN(64, value);
const MIN64 = -(1n << 63n);
const MIN32 = -(1n << 31n);
const BOX = 0xffffffff00000000n;

/** What an instruction gives for its two (or fewer) operands, as an unsigned 64-bit number. */
const result = (text: string, rs1 = 0n, rs2 = 0n): bigint | undefined =>
  evaluate(parse(text), { rs1: u(rs1), rs2: u(rs2), pc: 0x1000n });

const integer: [text: string, rs1: bigint, rs2: bigint, expected: bigint][] = [
  ['addw a0,a1,a2', 0x7fffffffn, 1n, MIN32],
  ['subw a0,a1,a2', MIN32, 1n, 0x7fffffffn],
  ['addiw a0,a1,0', 0x1_8000_0000n, 0n, MIN32],
  ['sll a0,a1,a2', 1n, 63n, MIN64],
  ['sll a0,a1,a2', 1n, 64n, 1n],
  ['sllw a0,a1,a2', 1n, 31n, MIN32],
  ['sllw a0,a1,a2', 1n, 32n, 1n],
  ['srlw a0,a1,a2', -1n, 0n, -1n],
  ['srlw a0,a1,a2', -1n, 1n, 0x7fffffffn],
  ['sraw a0,a1,a2', 0x80000000n, 31n, -1n],
  ['sraw a0,a1,a2', 0xff_7fff_ffffn, 33n, 0x3fffffffn],
  ['srliw a0,a1,0x1f', 0xff_8000_0000n, 0n, 1n],
  ['srai a0,a1,0x3f', MIN64, 0n, -1n],
  ['sltiu a0,a1,-1', 5n, 0n, 1n],
  ['slt a0,a1,a2', -1n, 0n, 1n],
  ['sltu a0,a1,a2', -1n, 0n, 0n],
  ['lui a0,0x80000', 0n, 0n, MIN32],
  ['auipc a0,0xfffff', 0n, 0n, 0n],
  ['mulh a0,a1,a2', MIN64, MIN64, 1n << 62n],
  ['mulhu a0,a1,a2', -1n, -1n, -2n],
  ['mulhsu a0,a1,a2', -1n, -1n, -1n],
  ['mulw a0,a1,a2', 0x10000n, 0x8000n, MIN32],
  ['div a0,a1,a2', 7n, 0n, -1n],
  ['div a0,a1,a2', MIN64, -1n, MIN64],
  ['div a0,a1,a2', -7n, 2n, -3n],
  ['rem a0,a1,a2', -7n, 2n, -1n],
  ['rem a0,a1,a2', MIN64, -1n, 0n],
  ['rem a0,a1,a2', 7n, 0n, 7n],
  ['divw a0,a1,a2', MIN32, -1n, MIN32],
  ['divw a0,a1,a2', 7n, 1n << 32n, -1n],
  ['divuw a0,a1,a2', -1n, 1n, -1n],
  ['divuw a0,a1,a2', 7n, 0n, -1n],
  ['remuw a0,a1,a2', 0x80000000n, 0n, MIN32],
  ['remw a0,a1,a2', 0x1_0000_0007n, 4n, 3n],
  ['add.uw a0,a1,a2', -1n, 1n, 1n << 32n],
  ['sh3add a0,a1,a2', 1n << 61n, 7n, 7n],
  ['sh2add.uw a0,a1,a2', -1n, 5n, 0x4_0000_0001n],
  ['slli.uw a0,a1,0x24', -1n, 0n, 0xffff_fff0_0000_0000n],
  ['andn a0,a1,a2', 0b1100n, 0b1010n, 0b0100n],
  ['orn a0,a1,a2', 0n, -2n, 1n],
  ['xnor a0,a1,a2', 5n, 5n, -1n],
  ['clz a0,a1', 0n, 0n, 64n],
  ['clz a0,a1', 1n, 0n, 63n],
  ['ctz a0,a1', 0n, 0n, 64n],
  ['ctz a0,a1', MIN64, 0n, 63n],
  ['cpop a0,a1', -1n, 0n, 64n],
  ['clzw a0,a1', 1n << 32n, 0n, 32n],
  ['clzw a0,a1', -1n, 0n, 0n],
  ['ctzw a0,a1', 1n << 40n, 0n, 32n],
  ['ctzw a0,a1', 0xb0_6034n, 0n, 2n],
  ['ctzw a0,a1', 0n, 0n, 32n],
  ['cpopw a0,a1', -1n, 0n, 32n],
  ['sext.b a0,a1', 0x180n, 0n, -128n],
  ['zext.h a0,a1', -1n, 0n, 0xffffn],
  ['orc.b a0,a1', 0x0100_0080_ff00_0010n, 0n, 0xff00_00ff_ff00_00ffn],
  ['rev8 a0,a1', 0x0102030405060708n, 0n, 0x0807060504030201n],
  ['min a0,a1,a2', -1n, 1n, -1n],
  ['minu a0,a1,a2', -1n, 1n, 1n],
  ['max a0,a1,a2', -1n, 1n, 1n],
  ['maxu a0,a1,a2', -1n, 1n, -1n],
  ['rol a0,a1,a2', 0x8000_0000_0000_0001n, 65n, 3n],
  ['ror a0,a1,a2', 1n, 0n, 1n],
  ['rori a0,a1,0x1', 1n, 0n, MIN64],
  ['rolw a0,a1,a2', 0xff_8000_0001n, 1n, 3n],
  ['rorw a0,a1,a2', 1n, 33n, MIN32],
  ['rorw a0,a1,a2', 0x1_8000_0000n, 0n, MIN32],
  ['roriw a0,a1,0x1f', 1n, 0n, 2n],
  ['bclr a0,a1,a2', -1n, 127n, (1n << 63n) - 1n],
  ['bext a0,a1,a2', MIN64, -1n, 1n],
  ['bexti a0,a1,0x2', 4n, 0n, 1n],
  ['binvi a0,a1,0x3f', 0n, 0n, MIN64],
  ['bset a0,a1,a2', 0n, 64n, 1n],
  ['czero.eqz a0,a1,a2', 7n, 0n, 0n],
  ['czero.eqz a0,a1,a2', 7n, MIN64, 7n],
  ['czero.nez a0,a1,a2', 7n, 0n, 7n],
  ['czero.nez a0,a1,a2', 7n, 1n << 32n, 0n],
];

test.each(integer)('%s of %d, %d', (text, rs1, rs2, expected) => {
  expect(result(text, rs1, rs2)).toBe(u(expected));
});

describe('floating point in integers', () => {
  // One value of each class, in the order of fclass's bits.
  const doubles = [
    0xfff0000000000000n,
    0xbff0000000000000n,
    0x800fffffffffffffn,
    0x8000000000000000n,
    0x0000000000000000n,
    0x0000000000000001n,
    0x7fefffffffffffffn,
    0x7ff0000000000000n,
    0x7ff0000000000001n,
    0x7ff8000000000000n,
  ];
  const singles = [
    0xff800000n,
    0xbf800000n,
    0x807fffffn,
    0x80000000n,
    0x00000000n,
    0x00000001n,
    0x7f7fffffn,
    0x7f800000n,
    0x7f800001n,
    0x7fc00000n,
  ];
  test.each(doubles.map((value, bit) => [value, bit] as const))('fclass.d of %d is bit %i', (value, bit) => {
    expect(result('fclass.d a0,fa1', value)).toBe(1n << BigInt(bit));
  });
  test.each(singles.map((value, bit) => [value, bit] as const))('fclass.s of %d is bit %i', (value, bit) => {
    expect(result('fclass.s a0,fa1', BOX | value)).toBe(1n << BigInt(bit));
  });

  const ONE = 0x3f800000n;
  test('a single that is not boxed reads as the canonical NaN', () => {
    expect(result('fclass.s a0,fa1', ONE)).toBe(1n << 9n);
    expect(result('fclass.s a0,fa1', 0xfffffffe00000000n | ONE)).toBe(1n << 9n);
    expect(result('fsgnj.s fa0,fa1,fa2', ONE, BOX | 0x80000000n)).toBe(BOX | 0xffc00000n);
    expect(result('fsgnj.s fa0,fa1,fa2', BOX | ONE, 0x80000000n)).toBe(BOX | ONE);
  });
  test('moves take the bits as they are', () => {
    expect(result('fmv.x.w a0,fa1', 0x80000000n)).toBe(u(MIN32));
    expect(result('fmv.w.x fa0,a1', 0x1234567880000000n)).toBe(BOX | 0x80000000n);
    expect(result('fmv.x.d a0,fa1', MIN64)).toBe(u(MIN64));
    expect(result('fmv.d.x fa0,a1', -1n)).toBe(u(-1n));
  });
  test('sign injection', () => {
    expect(result('fsgnjn.s fa0,fa1,fa2', BOX | ONE, BOX | ONE)).toBe(BOX | 0xbf800000n);
    expect(result('fsgnjx.s fa0,fa1,fa2', BOX | 0xbf800000n, BOX | 0xbf800000n)).toBe(BOX | ONE);
    expect(result('fsgnjn.d fa0,fa1,fa2', 1n, 2n)).toBe(u(MIN64 | 1n));
    expect(result('fsgnjx.d fa0,fa1,fa2', MIN64, MIN64 | 5n)).toBe(0n);
  });
});

test('the operands of a compressed instruction are the full ones', () => {
  // c.addi4spn a0,sp,16; c.lui a5,0xfffe1; c.srai s0,63
  expect(evaluate(decode(0x0808)!, { rs1: 0x100n })).toBe(0x110n);
  expect(evaluate(decode(0x7785)!, {})).toBe(u(-0x1f000n));
  expect(evaluate(decode(0x947d)!, { rs1: u(MIN64) })).toBe(u(-1n));
});

/** Encodings from the manual, of rows (words) and of compressed forms (halfwords). */
const encodings: [word: number, text: string][] = [
  [0x0ec5d533, 'czero.eqz a0,a1,a2'],
  [0x0f3a5ab3, 'czero.eqz s5,s4,s3'],
  [0x0ec5f533, 'czero.nez a0,a1,a2'],
  [0x0f3a7ab3, 'czero.nez s5,s4,s3'],
  [0x9d1d, 'subw a0,a0,a5'],
];
test.each(encodings.map(([word, text]) => [word.toString(16), text, word] as const))('%s is %s', (_, text, word) => {
  const insn = decode(word);
  expect(insn && print(insn, 0), insn ? 'its layout, row, or fixed operands' : 'is its file in src/isa/table.ts?').toBe(
    text,
  );
  if ((word & 3) === 3) expect(encode(parse(text))).toBe(word);
  else expect(compress(parse(text))).toBe(word);
});

describe('by hand is tried', () => {
  /** What is left of a form's own bits that are 0 in one sample and 1 in another. */
  const untried = ({ mask, match }: { mask: number; match: number }, bits: number): number => {
    const samples = encodings.map(([word]) => word).filter((word) => (word & mask) >>> 0 === match >>> 0);
    const varied = samples.reduce((all, word) => all | (word ^ samples[0]!), 0);
    return (~mask & ~varied & (2 ** bits - 1)) >>> 0;
  };
  const all = [
    ...ROWS.map((row) => ({ ...row, bits: 32 })),
    ...COMPRESSED.map(({ name, extension, mask, match }) => ({ name, extension, mask, match, bits: 16 })),
  ].filter((form) => !objdumpKnows(form));
  test.each(all.map((form) => [form.name, form] as const))(
    'each operand bit of %s, which objdump does not know',
    (name, form) => {
      const samples = encodings.map(([word]) => word).filter((word) => (word & form.mask) >>> 0 === form.match >>> 0);
      const immediates = samples.map((word) => decode(word)?.imm ?? 0);
      const changes = Array.from({ length: 32 }, (_, bit) => immediates.map((imm) => (imm >>> bit) & 1).join(''));
      const changing = changes.filter((each) => each.includes('0') && each.includes('1'));
      expect(new Set(changing).size, `${name} needs samples in which no two bits of the immediate are alike`).toBe(
        changing.length,
      );
      const bits = untried(form, form.bits).toString(2);
      expect(bits, `${name} needs samples in 'encodings' with other operands: these bits never change`).toBe('0');
    },
  );
  test('the meaning of each row that qemu does not know', () => {
    const written = new Set(integer.map(([text]) => text.split(' ')[0]));
    const unwritten = ROWS.filter((row) => !qemuKnows(row) && !written.has(row.name));
    expect(unwritten.map(({ name }) => name)).toEqual([]);
  });
});

test('what is not pure has no value', () => {
  for (const text of ['lw a0,0(a1)', 'jal ra,.+8', 'fadd.d fa0,fa1,fa2', 'csrrs a0,frm,zero', 'ecall']) {
    expect(result(text, 1n, 1n)).toBeUndefined();
  }
  expect(evaluate(makeInsn('add', { rd: 10, rs1: 11 }), {})).toBeUndefined();
});
