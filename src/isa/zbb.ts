/** Zbb: basic bit manipulation (unprivileged manual, chapter "B", section "Zbb"). */
import { type Binary, fromImmediate, fromRegisters, OPCODE, rowsOf } from './build.ts';
import type { Domain, Row } from './row.ts';

const row = rowsOf('Zbb');
const { OP, OP_32, OP_IMM, OP_IMM_32 } = OPCODE;

type Unary = <V>(domain: Domain<V>, a: V) => V;

const register = (name: string, funct3: number, funct7: number, f: Binary, opcode: number = OP): Row =>
  row(name, 'R', 'rd rs1 rs2', { opcode, funct3, funct7 }, fromRegisters(f));
/** Rows of one operand; the bits of the rs2 field tell them apart. */
const unary = (name: string, funct3: number, funct7: number, rs2: number, f: Unary, opcode: number = OP_IMM): Row =>
  row(name, 'R', 'rd rs1', { opcode, funct3, funct7, rs2 }, (s, d) => s.rd(f(d, s.rs1())));

const inverted = <V>(d: Domain<V>, a: V): V => d.xor(a, d.const(-1n));
const choose =
  (less: Binary, smaller: boolean): Binary =>
  (d, a, b) =>
    d.select(less(d, a, b), smaller ? a : b, smaller ? b : a);
const ltS: Binary = (d, a, b) => d.ltS(a, b);
const ltU: Binary = (d, a, b) => d.ltU(a, b);

/** The domain takes shift amounts modulo 64, so a rotation's other half is a shift by the negated amount; for 0 both give the value. */
const ror: Binary = (d, a, b) => d.or(d.shr(a, b), d.shl(a, d.sub(d.const(0n), b)));
const rol: Binary = (d, a, b) => d.or(d.shl(a, b), d.shr(a, d.sub(d.const(0n), b)));
/** The rotation of words as compilers write it without Zbb. */
const rorWord: Binary = (d, a, b) => {
  const down = d.shr(d.zext(a, 32), d.and(b, d.const(31n)));
  const up = d.shl(a, d.and(d.sub(d.const(0n), b), d.const(31n)));
  return d.or(d.sext(up, 32), d.sext(down, 32));
};
const rolWord: Binary = (d, a, b) => rorWord(d, a, d.sub(d.const(0n), b));

/** Exchanges neighbouring groups of `by` bits; `mask` has the lower group of each pair. */
const swap = <V>(d: Domain<V>, a: V, by: bigint, mask: bigint): V =>
  d.or(d.and(d.shr(a, d.const(by)), d.const(mask)), d.shl(d.and(a, d.const(mask)), d.const(by)));
const reverseBytes: Unary = (d, a) => {
  const pairs = swap(d, a, 8n, 0x00ff00ff00ff00ffn);
  const words = swap(d, pairs, 16n, 0x0000ffff0000ffffn);
  return d.or(d.shr(words, d.const(32n)), d.shl(words, d.const(32n)));
};
/** Sets the top bit of each byte that is not 0, without carries between bytes, then spreads that bit over the byte. */
const orBytes: Unary = (d, a) => {
  const low = d.const(0x7f7f7f7f7f7f7f7fn);
  const top = d.or(d.add(d.and(a, low), low), a);
  const ones = d.and(d.shr(top, d.const(7n)), d.const(0x0101010101010101n));
  return d.mul(ones, d.const(0xffn));
};

export const ZBB: readonly Row[] = [
  register('andn', 7, 0x20, (d, a, b) => d.and(a, inverted(d, b))),
  register('orn', 6, 0x20, (d, a, b) => d.or(a, inverted(d, b))),
  register('xnor', 4, 0x20, (d, a, b) => inverted(d, d.xor(a, b))),

  unary('clz', 1, 0x30, 0, (d, a) => d.clz(a)),
  unary('ctz', 1, 0x30, 1, (d, a) => d.ctz(a)),
  unary('cpop', 1, 0x30, 2, (d, a) => d.cpop(a)),
  unary('clzw', 1, 0x30, 0, (d, a) => d.sub(d.clz(d.zext(a, 32)), d.const(32n)), OP_IMM_32),
  // The bit set above the word makes a word of zeros count 32.
  unary('ctzw', 1, 0x30, 1, (d, a) => d.ctz(d.or(a, d.const(1n << 32n))), OP_IMM_32),
  unary('cpopw', 1, 0x30, 2, (d, a) => d.cpop(d.zext(a, 32)), OP_IMM_32),
  unary('sext.b', 1, 0x30, 4, (d, a) => d.sext(a, 8)),
  unary('sext.h', 1, 0x30, 5, (d, a) => d.sext(a, 16)),
  unary('zext.h', 4, 0x04, 0, (d, a) => d.zext(a, 16), OP_32),
  unary('orc.b', 5, 0x14, 0x07, orBytes),
  unary('rev8', 5, 0x35, 0x18, reverseBytes),

  register('min', 4, 0x05, choose(ltS, true)),
  register('minu', 5, 0x05, choose(ltU, true)),
  register('max', 6, 0x05, choose(ltS, false)),
  register('maxu', 7, 0x05, choose(ltU, false)),

  register('rol', 1, 0x30, rol),
  register('ror', 5, 0x30, ror),
  row('rori', 'shift', 'rd rs1 imm', { opcode: OP_IMM, funct3: 5, funct6: 0x18 }, fromImmediate(ror)),
  register('rolw', 1, 0x30, rolWord, OP_32),
  register('rorw', 5, 0x30, rorWord, OP_32),
  row('roriw', 'shift', 'rd rs1 imm', { opcode: OP_IMM_32, funct3: 5, funct7: 0x30 }, fromImmediate(rorWord)),
];
