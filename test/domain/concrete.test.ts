import { describe, expect, it } from 'vitest';
import { concrete, evaluate } from '../../src/domain/concrete.ts';
import { facts } from '../../src/domain/record.ts';
import { decode } from '../../src/isa/decode.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import { ROWS } from '../../src/isa/table.ts';
import { parse } from '../../src/isa/text.ts';
import { BINARY } from '../support/operations.ts';
import { INTEGER_EDGES, makeRandom } from '../support/random.ts';

const MIN = 1n << 63n;
const ALL = (1n << 64n) - 1n;

describe('the concrete domain', () => {
  it('divides as the M extension says', () => {
    expect(concrete.divs(MIN, ALL)).toBe(MIN);
    expect(concrete.rems(MIN, ALL)).toBe(0n);
    expect([concrete.divs(5n, 0n), concrete.divu(5n, 0n)]).toEqual([ALL, ALL]);
    expect([concrete.rems(MIN, 0n), concrete.remu(5n, 0n)]).toEqual([MIN, 5n]);
    // Toward zero; the remainder has the dividend's sign.
    expect(concrete.divs(ALL - 6n, 2n)).toBe(ALL - 2n);
    expect(concrete.rems(ALL - 6n, 2n)).toBe(ALL);
  });
  it('gives upper halves of products', () => {
    expect(concrete.mulhu(ALL, ALL)).toBe(ALL - 1n);
    expect(concrete.mulhs(ALL, ALL)).toBe(0n);
    expect(concrete.mulhsu(ALL, ALL)).toBe(ALL);
  });
  it('keeps values unsigned and 64 bits wide', () => {
    const random = makeRandom(3);
    for (const operation of BINARY) {
      for (let i = 0; i < 300; i++) {
        const value = concrete[operation](random.choose(INTEGER_EDGES), random.choose(INTEGER_EDGES));
        expect(value >= 0n && value <= ALL, operation).toBe(true);
      }
    }
    expect(concrete.const(-1n)).toBe(ALL);
    expect(concrete.sar(MIN, 127n)).toBe(ALL);
    expect(concrete.shl(1n, 64n)).toBe(1n);
    expect([concrete.sext(0x80n, 8), concrete.zext(ALL, 16)]).toEqual([ALL - 127n, 0xffffn]);
  });
});

describe('evaluate', () => {
  const cases: [string, Parameters<typeof evaluate>[1], bigint | undefined][] = [
    ['addi a0,a1,-1', { rs1: 0n }, ALL],
    ['addi a0,zero,7', {}, 7n],
    ['addw a0,a1,a2', { rs1: 0x7fffffffn, rs2: 1n }, 0xffffffff80000000n],
    ['lui a0,0x80000', {}, 0xffffffff80000000n],
    ['auipc a0,0x1', { pc: 0x10000n }, 0x11000n],
    ['auipc a0,0x1', {}, undefined],
    ['sltu a0,zero,a1', { rs2: 5n }, 1n],
    ['fmv.x.w a0,fa1', { rs1: 0x80000000n }, 0xffffffff80000000n],
    ['fsgnjn.d fa0,fa1,fa1', { rs1: 0n, rs2: 0n }, MIN],
    ['fcvt.d.w fa0,a1', { rs1: ALL }, 0xbff0000000000000n],
    ['add a0,a1,a2', { rs1: 1n }, undefined],
    ['ld a0,0(a1)', { rs1: 0n }, undefined],
    ['fadd.d fa0,fa1,fa2', { rs1: 0n, rs2: 0n }, undefined],
    ['jal ra,0x10', { pc: 0n }, undefined],
    ['csrrs a0,fcsr,zero', {}, undefined],
  ];
  for (const [text, operands, value] of cases) {
    it(`${text} with ${Object.keys(operands).join(' ') || 'nothing'}`, () => {
      expect(evaluate(parse(text, 0), operands)).toBe(value);
    });
  }

  it('has a value for exactly the instructions that are pure', () => {
    const operands = { rs1: 3n, rs2: 4n, rs3: 5n, pc: 0x1000n };
    for (const row of ROWS) {
      // By way of its bits, so that the register fields are ones the row can have.
      const insn = decode(row.match | (row.operands.includes('rd') ? 5 << 7 : 0)) ?? makeInsn(row, {});
      expect(insn.row).toBe(row);
      expect(evaluate(insn, operands) !== undefined, row.name).toBe(facts(insn).pure);
    }
  });
});
