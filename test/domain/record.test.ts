import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { regByName } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import { OPCODE, rowsOf } from '../../src/isa/build.ts';
import { decode } from '../../src/isa/decode.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import type { Domain, Facts, Step } from '../../src/isa/row.ts';
import { ROWS } from '../../src/isa/table.ts';
import { parse } from '../../src/isa/text.ts';
import { insnOf } from '../support/insns.ts';

const none = {
  load: undefined,
  store: undefined,
  control: 'none',
  accrues: false,
  readsRounding: false,
  ordered: false,
  pure: false,
  readsPc: false,
  work: 'simple',
  width: 64,
} as const;
const regs = (names: string) =>
  names
    .split(' ')
    .filter(Boolean)
    .map((name) => regByName(name)!);

const cases: [text: string, reads: string, writes: string, rest: Partial<Facts>][] = [
  ['add a0,a1,a2', 'a1 a2', 'a0', { pure: true }],
  ['add a0,a1,a1', 'a1', 'a0', { pure: true }],
  ['add a0,zero,a2', 'a2', 'a0', { pure: true }],
  ['addi zero,a0,0', 'a0', '', { pure: true }],
  ['lui a0,0x1', '', 'a0', { pure: true }],
  ['auipc a0,0x1', '', 'a0', { pure: true, readsPc: true }],
  ['div a0,a1,a2', 'a1 a2', 'a0', { pure: true, work: 'divide' }],
  ['mulw a0,a1,a2', 'a1 a2', 'a0', { pure: true, work: 'multiply', width: 32 }],
  ['remuw a0,a1,a2', 'a1 a2', 'a0', { pure: true, work: 'divide', width: 32 }],
  ['fsqrt.s fa0,fa1', 'fa1', 'fa0', { accrues: true, readsRounding: true, work: 'float-divide', width: 32 }],
  ['lbu a0,0(a1)', 'a1', 'a0', { load: { bytes: 1, signed: false } }],
  ['ld a0,0(sp)', 'sp', 'a0', { load: { bytes: 8, signed: true } }],
  ['sd a0,0(sp)', 'sp a0', '', { store: { bytes: 8 } }],
  ['flw fa0,0(a1)', 'a1', 'fa0', { load: { bytes: 4, signed: false } }],
  ['fsw fa0,0(a1)', 'a1 fa0', '', { store: { bytes: 4 } }],
  ['beq a0,zero,.+8', 'a0', '', { control: 'branch' }],
  ['jal zero,.+8', '', '', { control: 'jump', readsPc: true }],
  ['jal ra,.+8', '', 'ra', { control: 'jump', readsPc: true }],
  ['jalr ra,0(ra)', 'ra', 'ra', { control: 'indirect', readsPc: true }],
  ['ecall', '', '', { control: 'syscall', ordered: true }],
  ['ebreak', '', '', { control: 'trap', ordered: true }],
  ['fence rw,rw', '', '', { ordered: true }],
  ['fence.i', '', '', { ordered: true }],
  ['csrrs a0,fcsr,zero', '', 'a0', { ordered: true }],
  ['csrrw zero,fcsr,a1', 'a1', '', { ordered: true }],
  ['lr.w a0,(a1)', 'a1', 'a0', { ordered: true, load: { bytes: 4, signed: true } }],
  ['sc.d a0,a2,(a1)', 'a1 a2', 'a0', { ordered: true, store: { bytes: 8 } }],
  ['amoadd.w a0,a2,(a1)', 'a1 a2', 'a0', { ordered: true, load: { bytes: 4, signed: true }, store: { bytes: 4 } }],
  ['fadd.d fa0,fa1,fa2', 'fa1 fa2', 'fa0', { accrues: true, readsRounding: true, work: 'float' }],
  ['fadd.d fa0,fa1,fa2,rne', 'fa1 fa2', 'fa0', { accrues: true, work: 'float' }],
  ['fmadd.d fa0,fa1,fa2,fa3', 'fa1 fa2 fa3', 'fa0', { accrues: true, readsRounding: true, work: 'float' }],
  ['fmin.s fa0,fa1,fa2', 'fa1 fa2', 'fa0', { accrues: true, work: 'float-simple', width: 32 }],
  ['feq.d a0,fa1,fa2', 'fa1 fa2', 'a0', { accrues: true, work: 'float-simple' }],
  ['fsgnj.d fa0,fa1,fa1', 'fa1', 'fa0', { pure: true }],
  ['fclass.d a0,fa1', 'fa1', 'a0', { pure: true }],
  ['fmv.x.w a0,fa1', 'fa1', 'a0', { pure: true }],
  ['fmv.d.x ft0,zero', '', 'ft0', { pure: true }],
  ['fcvt.d.w fa0,a0', 'a0', 'fa0', { pure: true, work: 'float-simple' }],
  // No rounding mode changes its result, but one that is none makes it illegal.
  ['fcvt.d.w fa0,a0,dyn', 'a0', 'fa0', { accrues: true, readsRounding: true, work: 'float-simple' }],
  ['fcvt.d.wu fa0,a0,dyn', 'a0', 'fa0', { accrues: true, readsRounding: true, work: 'float-simple' }],
  ['fcvt.d.l fa0,a0', 'a0', 'fa0', { accrues: true, readsRounding: true, work: 'float-simple' }],
  ['fcvt.d.s fa0,fa1', 'fa1', 'fa0', { accrues: true, work: 'float-simple' }],
];

describe('facts', () => {
  test.each(cases)('%s', (text, reads, writes, rest) => {
    const insn = parse(text);
    expect(facts(insn)).toEqual({ reads: regs(reads), writes: regs(writes)[0], ...none, ...rest });
    expect(facts(insn)).toBe(facts(insn));
  });

  test('equal words share their facts', () => {
    expect(facts(decode(0x00c58533)!)).toBe(facts(decode(0x00c58533)!));
  });

  test('a row says the work that its semantics does not show', () => {
    const shifts = rowsOf('X')('x', 'R', 'rd rs1 rs2', { opcode: OPCODE.OP }, (s, d) => s.rd(d.shl(s.rs1(), s.rs2())));
    expect(facts(makeInsn(shifts, { rd: 5, rs1: 6, rs2: 7 })).work).toBe('simple');
    const said = { ...shifts, work: 'multiply', facts: new Map() } as const;
    expect(facts(makeInsn(said, { rd: 5, rs1: 6, rs2: 7 })).work).toBe('multiply');
  });

  test('a row of very many operations says what work it is', () => {
    const silent = ROWS.filter((row) => {
      let operations = 0;
      const domain = new Proxy({} as Domain<unknown>, { get: () => () => void operations++ });
      row.semantics(new Proxy({} as Step<unknown>, { get: () => () => null }), domain);
      return operations > 64 && row.work === undefined;
    });
    expect(
      silent.map(({ name }) => `${name}: one instruction that counts as a simple one; its row says no work`),
    ).toEqual([]);
  });

  test('x0 is never read or written, and what is read and written is an operand', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROWS).chain(insnOf), (insn) => {
        const { reads, writes } = facts(insn);
        expect(reads).not.toContain(0);
        expect(writes).not.toBe(0);
        for (const reg of reads) expect([insn.rs1, insn.rs2, insn.rs3]).toContain(reg);
        if (writes !== undefined) expect(writes).toBe(insn.rd);
      }),
      { numRuns: 3000 },
    );
  });
});
