import { describe, expect, it } from 'vitest';
import { makeBasic } from '../../src/engine/basic.ts';
import { makeDispatch } from '../../src/engine/dispatch.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { makeThreaded } from '../../src/engine/threaded.ts';
import { makeTranslate } from '../../src/engine/translate.ts';
import { decode } from '../../src/isa/decode.ts';
import { encode, makeInsn } from '../../src/isa/encode.ts';
import type { Row } from '../../src/isa/row.ts';
import { ROWS } from '../../src/isa/table.ts';
import { CSR } from '../../src/isa/zicsr.ts';
import { slotOf } from '../../src/machine/hart.ts';
import type { Memory } from '../../src/machine/memory.ts';
import { type Bare, bare, CODE, CODE_SIZE, contents, DATA, DATA_SIZE, state } from './bare.ts';

/** Numbers from a seed (Marsaglia, "Xorshift RNGs", 2003). */
function random(seed: number) {
  let x = seed | 1;
  const next = (): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
  return { next, below: (n: number): number => next() % n };
}
type Random = ReturnType<typeof random>;

const CSRS = [...Object.values(CSR), 0x7c0];

/** An instruction of any row, mostly one that stays in the code. */
function anyWord(r: Random): number {
  const row = ROWS[r.below(ROWS.length)]!;
  const word = ((r.next() & ~row.mask) | row.match) >>> 0;
  const insn = decode(word);
  if (insn === undefined) return anyWord(r);
  if (row.format === 'B' || row.format === 'J') return encode(makeInsn(row, { ...insn, imm: (r.below(128) - 64) * 2 }));
  if (row.operands.includes('csr')) return encode(makeInsn(row, { ...insn, csr: CSRS[r.below(CSRS.length)]! }));
  if (row.operands.includes('mem')) return encode(makeInsn(row, { ...insn, imm: r.below(256) - 128 }));
  return word;
}

function anyCode(r: Random): Uint8Array {
  const bytes = new Uint8Array(CODE_SIZE);
  const view = new DataView(bytes.buffer);
  let at = 0;
  while (at + 4 <= CODE_SIZE) {
    if (r.below(3) === 0) {
      const half = r.next() & 0xffff;
      if (r.below(50) !== 0 && ((half & 3) === 3 || decode(half) === undefined)) continue;
      view.setUint16(at, half, true);
      at += 2;
    } else {
      view.setUint32(at, anyWord(r), true);
      at += 4;
    }
  }
  return bytes;
}

function anyValue(r: Random): bigint {
  const big = (BigInt(r.next()) << 32n) | BigInt(r.next());
  switch (r.below(6)) {
    case 0:
      return BigInt(CODE + r.below(CODE_SIZE));
    case 1:
    case 2:
      // Near the ends too, and across the pages' borders.
      return BigInt(DATA - 16 + r.below(DATA_SIZE + 32));
    case 3:
      return BigInt.asUintN(64, BigInt(r.below(9) - 4));
    case 4:
      return 0x3ff0000000000000n + (big >> 14n);
    default:
      return big;
  }
}

/** Everything that is different after the same slice on both. */
function compare(a: Bare, b: Bare, what: string, budget: number): string {
  const x = a.engine.run(a.hart, budget);
  const y = b.engine.run(b.hart, budget);
  expect(y, what).toEqual(x);
  expect(state(b), what).toBe(state(a));
  a.hart.retired += x.retired;
  b.hart.retired += y.retired;
  return x.stop.kind;
}

const others: readonly (readonly [string, (memory: Memory) => Engine])[] = [
  ['dispatch', makeDispatch],
  ['threaded', makeThreaded],
  ['translate', (memory) => makeTranslate(memory, { threshold: 1, batch: 1, pace: 0 })],
];

describe.each(others)('%s', (_, make) => {
  it('agrees with basic on random code, in slices of any length', () => {
    const SEED = 77;
    const r = random(SEED);
    const kinds = new Map<string, number>();
    for (let program = 0; program < 3; program++) {
      const code = anyCode(r);
      const a = bare(makeBasic, code);
      const b = bare(make, code);
      for (let slice = 0; slice < 500; slice++) {
        const what = `seed ${SEED} program ${program} slice ${slice}`;
        const kind = compare(a, b, what, 1 + r.below(r.below(4) === 0 ? 1000 : 8));
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        if (kind === 'budget' && r.below(8) !== 0) continue;
        const pc = CODE + 2 * r.below(CODE_SIZE / 2);
        const fcsr = r.below(4) === 0 ? r.next() & 0xff : r.next() & 0x1f;
        for (const { hart } of [a, b]) {
          hart.pc = pc;
          hart.fflags = fcsr;
          hart.frm = fcsr >> 5;
        }
        for (let reg = 1; reg < 64; reg++) {
          const value = anyValue(r);
          for (const { hart } of [a, b]) hart.set(reg, value);
        }
      }
      expect(contents(b), `seed ${SEED} program ${program}`).toEqual(contents(a));
      expect(b.engine.transfers()).toEqual(a.engine.transfers());
    }
    // The test tests something: all ways to stop, and most runs go on.
    expect([...kinds.keys()].sort()).toEqual(['budget', 'ebreak', 'ecall', 'fault', 'illegal', 'misaligned']);
    expect(kinds.get('budget')).toBeGreaterThan(300);
  }, 60_000);

  it('agrees with basic on floating point, with flags set and clear', () => {
    const SEED = 4711;
    const r = random(SEED);
    const rows = ROWS.filter((row) => row.extension === 'F' || row.extension === 'D').filter(
      (row) => !row.operands.includes('mem'),
    );
    // Registers 1, 2, 3 of both kinds are operands.
    const list = rows.flatMap((row) =>
      (row.operands.includes('rm') ? [7, 0, 1, 2, 3, 4] : [0]).map((rm) => {
        const operand = (number: number, ...names: string[]) =>
          row.operands.some((name) => names.includes(name))
            ? number + (row.operands.some((name) => name === names[1]) ? 32 : 0)
            : 0;
        return makeInsn(row, {
          rm,
          rd: operand(4, 'rd', 'fd'),
          rs1: operand(1, 'rs1', 'fs1'),
          rs2: operand(2, 'rs2', 'fs2'),
          rs3: operand(3, 'fs3', 'fs3'),
        });
      }),
    );
    const code = new Uint8Array(CODE_SIZE);
    const view = new DataView(code.buffer);
    for (const [i, insn] of list.entries()) view.setUint32(i * 4, encode(insn), true);
    const a = bare(makeBasic, code);
    const b = bare(make, code);
    const special = new DataView(new ArrayBuffer(8));
    const numbers = [
      0,
      -0,
      1,
      -1,
      0.5,
      3,
      1e16,
      2 ** 31,
      2 ** 32,
      2 ** 63,
      2 ** 64,
      2 ** 53,
      1 / 3,
      1e-310,
      5e-324,
      2 ** -1022,
      2 ** -1021,
    ];
    numbers.push(
      Number.MAX_VALUE,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      1e308,
      2 ** -537,
      2 ** -511,
      2 ** 511,
      2 ** -126,
      2 ** -149,
    );
    const anyFloat = (): bigint => {
      const whole = (BigInt(r.next()) << 32n) | BigInt(r.next());
      const single = r.below(3) === 0;
      let bits: bigint;
      switch (r.below(5)) {
        case 0:
          bits = whole;
          break;
        case 1: {
          const number = numbers[r.below(numbers.length)]! * (r.below(2) ? 1 : -1);
          if (single) special.setFloat32(0, number);
          else special.setFloat64(0, number);
          bits = single ? BigInt(special.getUint32(0)) : special.getBigUint64(0);
          break;
        }
        case 2:
          // Few bits: results are often exact.
          if (single) special.setFloat32(0, (r.below(256) - 128) * 2 ** (r.below(20) - 10));
          else special.setFloat64(0, (r.below(4096) - 2048) * 2 ** (r.below(40) - 20));
          bits = single ? BigInt(special.getUint32(0)) : special.getBigUint64(0);
          break;
        default:
          // Near one: results are often inexact, or cancel.
          bits = single ? 0x3f000000n + (whole & 0x80ffffffn) : 0x3fe0000000000000n + (whole & 0x803fffffffffffffn);
      }
      return single ? bits | 0xffffffff00000000n : bits;
    };
    let fast = 0;
    for (let trial = 0; trial < 30_000; trial++) {
      const index = r.below(list.length);
      const pc = CODE + 4 * index;
      const fflags = r.below(3) === 0 ? r.below(32) : r.below(2);
      const frm = r.below(4) === 0 ? r.below(8) : 0;
      const x: [bigint, bigint, bigint] = [anyFloat(), anyFloat(), anyFloat()];
      // Sums that cancel to the last bits are what fused multiply-add is hard for.
      if (r.below(4) === 0) {
        special.setBigUint64(0, x[0]);
        const p = special.getFloat64(0);
        special.setBigUint64(0, x[1]);
        special.setFloat64(0, -p * special.getFloat64(0) * (r.below(3) === 0 ? 1 + 2 ** -52 : 1));
        x[2] = special.getBigUint64(0);
      }
      for (const { hart, memory } of [a, b]) {
        hart.pc = pc;
        hart.fflags = fflags;
        hart.frm = frm;
        for (const [i, value] of x.entries()) {
          hart.set(33 + i, value);
          memory.view.setBigUint64(hart.base + slotOf(1 + i), r.below(2) === 0 ? value : value >> 31n, true);
        }
      }
      // Integer operands must be the same on both.
      for (let i = 1; i < 4; i++) b.hart.set(i, a.hart.get(i));
      if (fflags & 1 && frm === 0) fast++;
      const what = `seed ${SEED} trial ${trial}: ${list[index]!.row.name} rm ${list[index]!.rm} fcsr ${frm}:${fflags} ${x.map((v) => v.toString(16))}`;
      expect(b.engine.run(b.hart, 1), what).toEqual(a.engine.run(a.hart, 1));
      if (state(a) !== state(b)) expect(state(b), what).toBe(state(a));
    }
    expect(fast).toBeGreaterThan(5000);
  }, 60_000);
});

describe('a rounding mode that is none', () => {
  const engines = { makeBasic, makeDispatch, makeThreaded, makeTranslate };
  const rounding = ROWS.filter((row) => row.operands.includes('rm'));
  it.each(Object.entries(engines))('%s: is illegal in the instruction and, where that says so, in frm', (_, make) => {
    const stops = (word: number, frm: number) => {
      const machine = bare(make, Uint8Array.of(word, word >>> 8, word >>> 16, word >>> 24));
      machine.hart.frm = frm;
      return machine.engine.run(machine.hart, 1).stop.kind;
    };
    expect(rounding.length).toBeGreaterThan(25);
    for (const row of rounding) {
      const word = (rm: number) =>
        encode(makeInsn(row, { rd: 32 * Number(row.operands[0] === 'fd') + 10, ...sources(row) })) | (rm << 12);
      for (const rm of [5, 6]) expect(stops(word(rm), 0), `${row.name} ${rm}`).toBe('illegal');
      for (const frm of [5, 6, 7]) {
        expect(stops(word(7), frm), `${row.name} frm ${frm}`).toBe('illegal');
        expect(stops(word(0), frm), `${row.name} rne`).toBe('budget');
      }
      expect(stops(word(7), 4), `${row.name} rmm`).toBe('budget');
    }
  });
});

const sources = ({ operands }: Row) => ({
  rs1: operands.includes('fs1') ? 42 : 10,
  rs2: operands.includes('fs2') ? 43 : 0,
  rs3: operands.includes('fs3') ? 44 : 0,
});
