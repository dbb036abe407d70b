import { describe, expect, it, test } from 'vitest';
import { PAGE } from '../../src/base/units.ts';
import { ENGINES, makeEngine } from '../../src/engine/engines.ts';
import { Records } from '../../src/engine/records.ts';
import { encode, makeInsn } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import { CSR } from '../../src/isa/zicsr.ts';
import { PERMISSION } from '../../src/machine/memory.ts';
import { type Bare, bare, CODE, DATA, state, words } from './bare.ts';

const { READ, WRITE, EXECUTE, MAPPED } = PERMISSION;
const A0 = 10;

/** Assembles lines; branch targets are absolute addresses. */
const assemble = (lines: readonly string[], at = CODE): Uint8Array =>
  words(...lines.map((line, i) => encode(parse(line, at + 4 * i))));
const put = ({ memory }: Bare, at: number, lines: readonly string[]): void => memory.bytes.set(assemble(lines, at), at);

describe.each([...ENGINES, 'translate-soon'])('%s', (name) => {
  const machine = (lines: readonly string[], permissions?: number): Bare =>
    bare((memory) => makeEngine(name, memory), assemble(lines), permissions);

  it('stops exactly where the budget ends, wherever it is cut', () => {
    const loop = [
      'addi a0,a0,1',
      'add a1,a1,a0',
      'slli a2,a1,3',
      `bne a0,a3,${CODE}`,
      `jal ra,${CODE + 24}`,
      'ebreak',
      'addi a4,a4,7',
      'jalr zero,0(ra)',
    ];
    const whole = machine(loop);
    whole.hart.set(13, 5n);
    const total = whole.engine.run(whole.hart, 1000);
    expect(total).toEqual({ stop: { kind: 'ebreak' }, retired: 5 * 4 + 3 });
    for (let cut = 1; cut < total.retired; cut++) {
      const parts = machine(loop);
      parts.hart.set(13, 5n);
      expect(parts.engine.run(parts.hart, cut)).toEqual({ stop: { kind: 'budget' }, retired: cut });
      const stepped = machine(loop);
      stepped.hart.set(13, 5n);
      for (let i = 0; i < cut; i++) stepped.engine.run(stepped.hart, 1);
      expect(state(parts)).toBe(state(stepped));
      expect(parts.engine.run(parts.hart, 1000)).toEqual({ stop: { kind: 'ebreak' }, retired: total.retired - cut });
      expect(state(parts)).toBe(state(whole));
      expect(parts.engine.transfers()).toEqual(whole.engine.transfers());
    }
    expect(whole.engine.transfers()).toEqual([
      { from: CODE + 12, to: CODE, count: 4 },
      { from: CODE + 12, to: CODE + 16, count: 1 },
      { from: CODE + 16, to: CODE + 24, count: 1 },
      { from: CODE + 28, to: CODE + 20, count: 1 },
    ]);
  });

  it('a budget of 0 runs nothing', () => {
    const m = machine(['ebreak']);
    expect(m.engine.run(m.hart, 0)).toEqual({ stop: { kind: 'budget' }, retired: 0 });
  });

  it('sees new code after fence.i, and keeps the counts of the old', () => {
    const m = machine(
      ['addi a0,a0,1', 'sw a5,0(a4)', 'fence.i', `bne a0,a3,${CODE}`, 'ebreak'],
      READ | WRITE | EXECUTE,
    );
    m.hart.set(13, 201n);
    m.hart.set(14, BigInt(CODE));
    m.hart.set(15, BigInt(encode(parse('addi a0,a0,100'))));
    expect(m.engine.run(m.hart, 1000).stop.kind).toBe('ebreak');
    expect(m.hart.get(A0)).toBe(201n);
    expect(m.engine.transfers()).toEqual([
      { from: CODE + 12, to: CODE, count: 2 },
      { from: CODE + 12, to: CODE + 16, count: 1 },
    ]);
  });

  it('sees after fence.i what was written by other stores, across pages, and by the host', () => {
    const [one, two] = [encode(parse('addi a0,a0,1')), encode(parse('addi a0,a0,100'))];
    const far = CODE + PAGE - 2;
    // An instruction that lies on two pages is changed by its second half alone, then by an atomic, then by who asks the memory.
    const m = machine(
      ['sh a5,0(a4)', 'fence.i', `jal ra,${far}`, 'amoswap.w zero,a6,(a3)', 'fence.i', 'jalr ra,0(a3)', 'ebreak'],
      READ | WRITE | EXECUTE,
    );
    const spare = CODE + 256;
    const half = (at: number, value: number) => m.memory.view.setUint16(at, value, true);
    const write = (at: number, word: number) => {
      half(at, word & 0xffff);
      half(at + 2, word >>> 16);
    };
    const back = encode(parse('jalr zero,0(ra)'));
    for (const at of [far, spare]) {
      write(at, one);
      write(at + 4, back);
    }
    m.hart.pc = far;
    m.hart.set(1, BigInt(CODE + 24));
    expect([m.engine.run(m.hart, 100).stop.kind, m.hart.get(A0)]).toEqual(['ebreak', 1n]);
    m.hart.pc = CODE;
    for (const [reg, value] of [
      [14, CODE + PAGE],
      [15, two >>> 16],
      [13, spare],
      [16, two],
    ] as const)
      m.hart.set(reg, BigInt(value));
    expect([m.engine.run(m.hart, 100).stop.kind, m.hart.get(A0)]).toEqual(['ebreak', 1n + 100n + 100n]);
    m.memory.slice(spare, 4, 'store').set(words(one));
    m.engine.flush();
    m.hart.pc = CODE + 20;
    expect([m.engine.run(m.hart, 100).stop.kind, m.hart.get(A0)]).toEqual(['ebreak', 202n]);
  });

  it('still faults where stores may not go, beside pages that are watched', () => {
    const m = machine(['sw a5,0(a4)', 'ebreak'], READ | WRITE | EXECUTE);
    m.memory.protect(CODE + PAGE, PAGE, READ | EXECUTE | MAPPED);
    m.hart.set(14, BigInt(CODE + PAGE - 2));
    const fault = { kind: 'fault', access: 'store', address: BigInt(CODE + PAGE - 2) };
    expect(m.engine.run(m.hart, 100)).toEqual({ stop: fault, retired: 0 });
  });

  it('sees new code after invalidate, also in the middle of a run', () => {
    const m = machine(['addi a0,a0,1', 'addi a0,a0,1', 'addi a0,a0,1', `jal zero,${CODE}`]);
    expect(m.engine.run(m.hart, 9).retired).toBe(9);
    put(m, CODE + 8, [`jal zero,${CODE + 32}`]);
    put(m, CODE + 32, ['ebreak']);
    m.engine.invalidate(CODE + 8, 4);
    expect(m.engine.run(m.hart, 100)).toEqual({ stop: { kind: 'ebreak' }, retired: 2 });
    expect(m.hart.pc).toBe(CODE + 32);
    expect(m.engine.transfers()).toEqual([
      { from: CODE + 8, to: CODE + 32, count: 1 },
      { from: CODE + 12, to: CODE, count: 2 },
    ]);
  });

  it('faults on the way out of code, and goes on when there is code', () => {
    const m = machine([]);
    const end = CODE + 2 * PAGE;
    put(m, end - 8, ['addi a0,a0,1', 'addi a0,a0,1']);
    m.hart.pc = end - 8;
    const fault = { kind: 'fault', access: 'fetch', address: BigInt(end) };
    expect(m.engine.run(m.hart, 2)).toEqual({ stop: { kind: 'budget' }, retired: 2 });
    expect(m.engine.run(m.hart, 5)).toEqual({ stop: fault, retired: 0 });
    m.hart.pc = end - 8;
    expect(m.engine.run(m.hart, 5)).toEqual({ stop: fault, retired: 2 });
    m.memory.protect(end, PAGE, READ | EXECUTE | MAPPED);
    put(m, end, ['addi a0,a0,1', `jal zero,${end - 8}`]);
    m.engine.invalidate(end, PAGE);
    m.hart.pc = end - 8;
    m.hart.set(A0, 0n);
    expect(m.engine.run(m.hart, 41)).toEqual({ stop: { kind: 'budget' }, retired: 41 });
    expect(m.hart.get(A0)).toBe(31n);
    m.memory.protect(end, PAGE, READ | MAPPED);
    m.engine.invalidate(end, PAGE);
    m.hart.pc = end - 8;
    expect(m.engine.run(m.hart, 5)).toEqual({ stop: fault, retired: 2 });
    expect(m.engine.transfers()).toEqual([{ from: end + 4, to: end - 8, count: 10 }]);
  });

  it('an instruction that reaches into a page without code faults at its first byte', () => {
    const m = machine([]);
    const at = CODE + 2 * PAGE - 2;
    m.memory.bytes.set([0x13, 0x05], at);
    m.hart.pc = at;
    const fault = { kind: 'fault', access: 'fetch', address: BigInt(at) };
    expect(m.engine.run(m.hart, 5)).toEqual({ stop: fault, retired: 0 });
    expect(m.hart.pc).toBe(at);
    m.memory.protect(at + 2, PAGE, READ | EXECUTE | MAPPED);
    m.memory.bytes.set([0x15, 0x00, 0x73, 0x00, 0x10, 0x00], at + 2);
    m.engine.invalidate(at + 2, PAGE);
    expect(m.engine.run(m.hart, 5)).toEqual({ stop: { kind: 'ebreak' }, retired: 1 });
    expect(m.hart.get(A0)).toBe(1n);
  });

  it('direct jumps to where no code is, and later is', () => {
    const m = machine([`jal zero,${CODE + 0x20000}`]);
    const goal = CODE + 0x20000;
    const fault = { kind: 'fault', access: 'fetch', address: BigInt(goal) };
    for (let i = 0; i < 2; i++) {
      m.hart.pc = CODE;
      expect(m.engine.run(m.hart, 5)).toEqual({ stop: fault, retired: 1 });
    }
    m.memory.protect(goal, PAGE, READ | EXECUTE | MAPPED);
    put(m, goal, ['addi a0,a0,1', `jal zero,${CODE}`]);
    m.hart.pc = CODE;
    expect(m.engine.run(m.hart, 30)).toEqual({ stop: { kind: 'budget' }, retired: 30 });
    expect(m.hart.get(A0)).toBe(10n);
    expect(m.engine.transfers()).toEqual([
      { from: CODE, to: goal, count: 12 },
      { from: goal + 4, to: CODE, count: 10 },
    ]);
  });

  it('code across a boundary of 1 MiB is one piece', () => {
    const m = machine([]);
    const border = 2 ** 20 * 3;
    m.memory.protect(border - PAGE, 2 * PAGE, READ | EXECUTE | MAPPED);
    put(m, border - 6, ['addi a0,a0,1', 'addi a0,a0,2', `jal zero,${border - 6}`]);
    m.hart.pc = border - 6;
    expect(m.engine.run(m.hart, 3001)).toEqual({ stop: { kind: 'budget' }, retired: 3001 });
    expect(m.hart.get(A0)).toBe(3001n);
    expect(m.engine.transfers()).toEqual([{ from: border + 2, to: border - 6, count: 1000 }]);
  });

  it('wild indirect jumps are counted and fault where they lead', () => {
    for (const target of [0n, 0xfffffffffffffffen, 0x1_0000_0000n + BigInt(CODE), BigInt(DATA)]) {
      const m = machine(['addi a1,a1,1', 'jalr ra,0(a0)']);
      m.hart.set(A0, target);
      const fault = { kind: 'fault', access: 'fetch', address: target };
      expect(m.engine.run(m.hart, 10)).toEqual({ stop: fault, retired: 2 });
      expect(m.hart.get(1)).toBe(BigInt(CODE + 8));
      expect(m.engine.transfers()).toEqual([{ from: CODE + 4, to: Number(target), count: 1 }]);
      expect(m.engine.run(m.hart, 10)).toEqual({ stop: fault, retired: 0 });
    }
  });

  it('counters read what has retired before', () => {
    const read = (csr: number) => encode(makeInsn('csrrs', { rd: A0, csr }));
    const m = machine([]);
    m.memory.bytes.set(words(0x13, 0x13, read(CSR.instret), 0x13, encode(parse(`jal zero,${CODE}`, CODE + 16))), CODE);
    for (const budget of [3, 1, 4, 5, 3000, 2]) {
      const at = m.hart.retired;
      const { retired } = m.engine.run(m.hart, budget);
      m.hart.retired += retired;
      expect(retired).toBe(budget);
      expect(m.hart.retired).toBe(at + budget);
      // The last read retired as number 5k + 3 (from 1), with 5k + 2 before it.
      expect(m.hart.get(A0)).toBe(BigInt(Math.floor((m.hart.retired - 3) / 5) * 5 + 2));
    }
  });

  it('many targets of one indirect jump are all counted', () => {
    const m = machine([]);
    const base = 0x100000;
    const TARGETS = 40_000;
    m.memory.protect(base, TARGETS * 4, READ | EXECUTE | MAPPED);
    const back = encode(makeInsn('jalr', { rs1: 1 }));
    for (let i = 0; i < TARGETS; i++) m.memory.view.setUint32(base + 4 * i, back, true);
    put(m, CODE, ['jalr ra,0(a0)', 'addi a0,a0,4', `bne a0,a1,${CODE}`, 'ebreak']);
    for (let round = 0; round < 2; round++) {
      m.hart.pc = CODE;
      m.hart.set(A0, BigInt(base));
      m.hart.set(11, BigInt(base + 4 * TARGETS));
      expect(m.engine.run(m.hart, 10 ** 9)).toEqual({ stop: { kind: 'ebreak' }, retired: 4 * TARGETS });
    }
    const transfers = m.engine.transfers();
    expect(transfers.length).toBe(2 * TARGETS + 2);
    expect(transfers.filter(({ count }) => count !== 2)).toEqual([
      { from: CODE + 8, to: CODE, count: 2 * TARGETS - 2 },
    ]);
  });
});

test('the lowest place in numbers that name more stubs than there are', () => {
  expect(Records.lowest(Uint32Array.of(2, 96, 0x1000, 64, 0x2000, 0x1000, 0x2000, 32))).toBe(32);
  expect(Records.lowest(Uint32Array.of(3, 96, 0x1000))).toBe(96);
  expect(Records.lowest(new Uint32Array(0))).toBe(2 ** 32);
});
