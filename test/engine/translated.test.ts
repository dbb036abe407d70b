/**
 * Translated code against the interpreter: the same program on `dispatch` and on `translate`, which is made to translate early, must stop
 * alike, leave the same registers and memory, and count the same. Each test looks that code was translated at all.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PAGE } from '../../src/base/units.ts';
import { Code } from '../../src/base/wasm-code.ts';
import { makeDispatch } from '../../src/engine/dispatch.ts';
import type { Stop } from '../../src/engine/engine.ts';
import type { EngineOptions } from '../../src/engine/engines.ts';
import { makeLockstep } from '../../src/engine/lockstep.ts';
import { decodeKept, encodeKept, type Kept } from '../../src/engine/translate/kept.ts';
import { makeTranslate } from '../../src/engine/translate.ts';
import { encode, makeInsn } from '../../src/isa/encode.ts';
import type { Insn, Row } from '../../src/isa/row.ts';
import { ROWS } from '../../src/isa/table.ts';
import { parse } from '../../src/isa/text.ts';
import { CSR } from '../../src/isa/zicsr.ts';
import { HART, type Hart } from '../../src/machine/hart.ts';
import { type Memory, PERMISSION } from '../../src/machine/memory.ts';
import { makeRandom } from '../support/random.ts';
import { type Bare, bare, CODE, CODE_SIZE, contents, DATA, DATA_SIZE, state, words } from './bare.ts';

const { READ, WRITE, EXECUTE } = PERMISSION;
const [RA, SP, S0, A0, A1, A2, A3, T6] = [1, 2, 8, 10, 11, 12, 13, 31];

/** Translates as soon as it can, one region at a time. */
const soon = (memory: Memory, kept?: EngineOptions['kept']) =>
  makeTranslate(memory, { threshold: 2, batch: 1, pace: 0, perInsn: 0, perInsnAgain: 0 }, kept);

/** Assembles lines; `name:` before one labels it, `@name` is that address. */
function assemble(lines: readonly string[], at = CODE): Uint8Array {
  const labels = new Map<string, number>();
  const texts = lines.map((line, i) => {
    const [, label, text] = /^(?:(\w+): *)?(.*)$/.exec(line)!;
    if (label !== undefined) labels.set(label, at + 4 * i);
    return text!;
  });
  const resolved = (text: string) => text.replace(/@(\w+)/, (_, label) => `0x${labels.get(label)!.toString(16)}`);
  return words(...texts.map((text, i) => encode(parse(resolved(text), at + 4 * i))));
}
const labelled = (lines: readonly string[], label: string): number =>
  CODE + 4 * lines.findIndex((line) => line.startsWith(`${label}:`));

interface Pair {
  readonly interpreted: Bare;
  readonly translated: Bare;
}

function pairOf(
  code: Uint8Array,
  prepare: (machine: Bare) => void = () => {},
  permissions = READ | EXECUTE,
  kept?: EngineOptions['kept'],
): Pair {
  const makers = [makeDispatch, (memory: Memory) => soon(memory, kept)];
  const [interpreted, translated] = makers.map((make) => bare(make, code, permissions)) as [Bare, Bare];
  prepare(interpreted);
  prepare(translated);
  return { interpreted, translated };
}

/** Runs both for a budget; everything must be the same. @returns how they stopped */
function step({ interpreted, translated }: Pair, budget: number, what = ''): Stop {
  const expected = interpreted.engine.run(interpreted.hart, budget);
  const got = translated.engine.run(translated.hart, budget);
  expect(got, what).toEqual(expected);
  expect(state(translated), what).toBe(state(interpreted));
  for (const { hart } of [interpreted, translated]) hart.retired += expected.retired;
  return expected.stop;
}

/** What is kept, written down and read again. */
const read = (kept: Kept): Kept => decodeKept(encodeKept(kept, 'test'), 'test')!;

const regionsOf = ({ translated }: Pair): number => translated.engine.statistics!().regions!;

/** Memory and counts are the same at the end, and at least so many regions were made. */
function finish(pair: Pair, regions = 1): void {
  expect(contents(pair.translated)).toEqual(contents(pair.interpreted));
  expect(pair.translated.engine.transfers()).toEqual(pair.interpreted.engine.transfers());
  expect(regionsOf(pair)).toBeGreaterThanOrEqual(regions);
}

/** Runs a program to its ebreak: whole, cut into slices of any length, and both again with what the first run has left. */
function same(lines: readonly string[], prepare: (hart: Hart, memory: Memory) => void = () => {}, regions = 1): Pair {
  const make = (kept?: EngineOptions['kept']) =>
    pairOf(assemble(lines), ({ hart, memory }) => prepare(hart, memory), READ | EXECUTE, kept);
  const whole = make();
  expect(step(whole, 1e7)).toEqual({ kind: 'ebreak' });
  finish(whole, regions);
  const kept = read(whole.translated.engine.keep!()!);
  const again = make(kept);
  expect(step(again, 1e7)).toEqual({ kind: 'ebreak' });
  finish(again, 0);
  expect(again.translated.engine.statistics!().kept).toBe(kept.modules.flatMap((module) => module.regions).length);
  for (const [cut, least] of [
    [make(), 1],
    [make(kept), 0],
  ] as const) {
    const random = makeRandom(7);
    while (step(cut, 1 + random.below(300)).kind === 'budget');
    finish(cut, least);
    expect(state(cut.translated)).toBe(state(whole.translated));
  }
  return whole;
}

describe('translated code', () => {
  it('a loop that another way enters in the middle, and one with two headers', () => {
    const lines = [
      `addi s0,zero,400`,
      'outer: andi a2,s0,3',
      'beq a2,zero,@middle',
      'top: addi a0,a0,3',
      'slli a3,a0,1',
      'middle: xor a1,a1,a0',
      'addi a4,a4,1',
      'andi a5,a4,7',
      'bne a5,zero,@top',
      // Two headers: even rounds enter at `left`, odd ones at `right`, and each goes to the other.
      'andi a5,s0,1',
      'addi a6,zero,5',
      'bne a5,zero,@right',
      'left: addi a6,a6,-1',
      'add a0,a0,a6',
      'beq a6,zero,@done',
      'right: addi a7,a7,1',
      'addi a6,a6,-1',
      'blt zero,a6,@left',
      'done: addi s0,s0,-1',
      'bne s0,zero,@outer',
      'ebreak',
    ];
    same(lines);
  });

  it('an interpreter: a table of jumps in a loop', () => {
    const lines = [
      'addi s0,zero,1000',
      'next: andi a2,s0,7',
      'add a2,a2,a1',
      'andi a2,a2,3',
      'slli a2,a2,3',
      'add a2,a2,s1',
      'ld a2,0(a2)',
      'jalr zero,0(a2)',
      'case0: addi a0,a0,1',
      'jal zero,@behind',
      'case1: xori a0,a0,85',
      'case2: addi a1,a1,3',
      'jal zero,@behind',
      'case3: sub a0,a0,a1',
      'behind: addi s0,s0,-1',
      'bne s0,zero,@next',
      'ebreak',
    ];
    same(lines, (hart, memory) => {
      hart.set(9, BigInt(DATA));
      for (let i = 0; i < 4; i++) memory.view.setBigUint64(DATA + 8 * i, BigInt(labelled(lines, `case${i}`)), true);
    });
  });

  it('calls through registers, and returns to other places than behind the call', () => {
    const lines = [
      'addi s0,zero,600',
      'again: andi a2,s0,3',
      'slli a2,a2,3',
      'add a2,a2,s1',
      'ld a2,0(a2)',
      'jalr ra,0(a2)',
      'addi a0,a0,1',
      'skipped: addi a1,a1,1',
      'addi s0,s0,-1',
      'bne s0,zero,@again',
      'ebreak',
      'first: addi a3,a3,5',
      'jalr zero,0(ra)',
      // Every sixteenth time it skips an instruction of its caller.
      'second: andi a4,s0,15',
      'addi a4,a4,-1',
      'bne a4,zero,@plain',
      'addi ra,ra,4',
      'plain: jalr zero,0(ra)',
      'third: addi a5,a5,2',
      'jalr zero,0(ra)',
    ];
    same(
      lines,
      (hart, memory) => {
        hart.set(9, BigInt(DATA));
        for (const [i, name] of ['first', 'second', 'third', 'second'].entries())
          memory.view.setBigUint64(DATA + 8 * i, BigInt(labelled(lines, name)), true);
      },
      3,
    );
  });

  it('code that was not there when what leads to it was translated', () => {
    const FAR = CODE + 16 * PAGE;
    const lines = [
      'addi s0,zero,600',
      'loop: addi s0,s0,-1',
      'andi a2,s0,1',
      'bne a2,zero,@near',
      `jal ra,0x${FAR.toString(16)}`,
      'near: addi a0,a0,1',
      'bne s0,zero,@loop',
      'ebreak',
    ];
    // Has a loop, so its region has two entries.
    const far = assemble(
      ['addi a3,zero,9', 'inner: addi a3,a3,-1', 'addi a4,a4,1', 'bne a3,zero,@inner', 'jalr zero,0(ra)'],
      FAR,
    );
    const pair = pairOf(assemble(lines));
    // Each time control gets there, it is sent back.
    for (let stop = step(pair, 1e6); stop.kind !== 'ebreak'; stop = step(pair, 1e6)) {
      expect(stop).toEqual({ kind: 'fault', access: 'fetch', address: BigInt(FAR) });
      for (const { hart } of [pair.interpreted, pair.translated]) hart.pc = labelled(lines, 'near');
    }
    expect(regionsOf(pair)).toBeGreaterThan(0);
    for (const { hart, memory } of [pair.interpreted, pair.translated]) {
      memory.protect(FAR, PAGE, READ | EXECUTE | PERMISSION.MAPPED);
      memory.bytes.set(far, FAR);
      hart.pc = CODE;
    }
    expect(step(pair, 1e6)).toEqual({ kind: 'ebreak' });
    for (const { hart } of [pair.interpreted, pair.translated]) hart.pc = CODE;
    expect(step(pair, 1e6)).toEqual({ kind: 'ebreak' });
    finish(pair, 2);
  });

  it.each([1, 2, 4, 7])('a function with %i returns, called from two places', (returns) => {
    const lines = [
      'addi s0,zero,800',
      'again: jal ra,@pick',
      'add a1,a1,a0',
      'jal ra,@pick',
      'xor a3,a3,a0',
      'addi s0,s0,-1',
      'bne s0,zero,@again',
      'ebreak',
      'pick: andi a0,s0,7',
      ...Array.from({ length: returns - 1 }, (_, i) => [
        `addi a2,a0,${-i - 1}`,
        `bge a2,zero,@after${i}`,
        'jalr zero,0(ra)',
        `after${i}: addi a4,a4,1`,
      ]).flat(),
      'jalr zero,0(ra)',
    ];
    const { interpreted } = same(lines, () => {}, 2);
    // Where nothing is counted, returns are told by their targets alone.
    const uncounted = bare(
      (memory) => makeTranslate(memory, { threshold: 2, batch: 1, pace: 0, perInsn: 0, counting: false }),
      assemble(lines),
      READ | EXECUTE,
    );
    expect(uncounted.engine.run(uncounted.hart, 1e7).stop).toEqual({ kind: 'ebreak' });
    expect(state(uncounted)).toBe(state(interpreted));
    expect(uncounted.engine.statistics!().regions).toBeGreaterThanOrEqual(2);
  });

  it('100,000 frames of recursion, twice', () => {
    const lines = [
      'addi s0,zero,2',
      'again: lui a0,0x18',
      'addi a0,a0,1696',
      'jal ra,@deep',
      'add s1,s1,a0',
      'addi s0,s0,-1',
      'bne s0,zero,@again',
      'ebreak',
      'deep: beq a0,zero,@bottom',
      'addi sp,sp,-16',
      'sd ra,8(sp)',
      'sd a0,0(sp)',
      'addi a0,a0,-1',
      'jal ra,@deep',
      'ld a1,0(sp)',
      'ld ra,8(sp)',
      'addi sp,sp,16',
      'xor a0,a0,a1',
      'addi a0,a0,1',
      'bottom: jalr zero,0(ra)',
    ];
    const STACK = 0x200000;
    const pair = pairOf(assemble(lines), ({ hart, memory }) => {
      memory.protect(STACK, 100_000 * 16 + 65536 - ((100_000 * 16) % 65536), READ | WRITE | PERMISSION.MAPPED);
      hart.set(SP, BigInt(STACK + 100_000 * 16));
    });
    expect(step(pair, 1e8)).toEqual({ kind: 'ebreak' });
    expect(pair.translated.hart.get(SP)).toBe(BigInt(STACK + 100_000 * 16));
    // What is too deep for the host's stack comes back in a loop.
    expect(pair.translated.engine.statistics!().transfersInRegions).toBeGreaterThan(0.8);
    finish(pair);
  });

  it.each([
    ['a null pointer', 0n, 'lw a1,8(a0)', 'load', 8n],
    ['an address that is not mapped', 0x30000n, 'sd a1,-8(a0)', 'store', 0x30000n - 8n],
    ['beyond the address space', 1n << 40n, 'ld a1,16(a0)', 'load', (1n << 40n) + 16n],
    ['negative', -16n, 'lbu a1,0(a0)', 'load', BigInt.asUintN(64, -16n)],
    ['the page behind', BigInt(DATA + DATA_SIZE - 4), 'ld a1,0(a0)', 'load', BigInt(DATA + DATA_SIZE - 4)],
    ['a page that is read only', BigInt(DATA + DATA_SIZE - 64), 'sw a1,4(a0)', 'store', BigInt(DATA + DATA_SIZE - 60)],
  ] as const)('a fault: %s', (_, pointer, access, kind, address) => {
    // The pointer goes bad when the loop is long translated.
    const lines = [
      'addi s0,zero,500',
      'loop: addi s0,s0,-1',
      'addi a2,a2,1',
      'bne s0,zero,@good',
      'addi a0,s1,0',
      'good: addi a3,a3,7',
      `bad: ${access}`,
      'addi a4,a4,1',
      'jal zero,@loop',
    ];
    const pair = pairOf(assemble(lines), ({ hart }) => {
      hart.set(A0, BigInt(DATA + 64));
      hart.set(9, BigInt.asUintN(64, pointer));
    });
    expect(step(pair, 1e6)).toEqual({ kind: 'fault', access: kind, address });
    expect(pair.translated.hart.pc).toBe(labelled(lines, 'bad'));
    expect(pair.translated.hart.get(14)).toBe(499n);
    finish(pair);
    // A handler may mend the pointer and go on.
    for (const { hart } of [pair.interpreted, pair.translated]) {
      hart.set(A0, BigInt(DATA + 64));
      hart.set(S0, 100n);
    }
    expect(step(pair, 1e6)).toMatchObject({ kind: 'fault', address });
    finish(pair);
  });

  it('code that the guest writes over, with fence.i, while it is hot', () => {
    const patched = ['addi a0,a0,1', 'addi a0,a0,100', 'xori a0,a0,1', 'sub a0,a0,s0'].map(
      (text) => encode(parse(text)) >>> 0,
    );
    const lines = [
      'addi s2,zero,4',
      'round: addi s0,zero,300',
      'loop: addi a1,a1,1',
      'patched: addi a0,a0,1',
      'addi s0,s0,-1',
      'bne s0,zero,@loop',
      // Another instruction for the next round.
      'addi s2,s2,-1',
      'beq s2,zero,@end',
      'lw a2,0(s1)',
      'addi s1,s1,4',
      'sw a2,0(s3)',
      'fence.i',
      'jal zero,@round',
      'end: ebreak',
    ];
    const pair = pairOf(
      assemble(lines),
      ({ hart, memory }) => {
        hart.set(9, BigInt(DATA + 4));
        hart.set(19, BigInt(labelled(lines, 'patched')));
        for (const [i, word] of patched.entries()) memory.view.setUint32(DATA + 4 * i, word, true);
      },
      READ | WRITE | EXECUTE,
    );
    expect(step(pair, 1e6)).toEqual({ kind: 'ebreak' });
    // Each round was translated anew.
    finish(pair, 4);
  });

  it('code that the machine takes away and puts back', () => {
    const lines = ['loop: addi a0,a0,1', 'addi a1,a1,2', 'jal zero,@loop'];
    const pair = pairOf(assemble(lines));
    step(pair, 10_000);
    const before = regionsOf(pair);
    expect(before).toBeGreaterThan(0);
    for (const { memory, engine } of [pair.interpreted, pair.translated]) {
      memory.bytes.set(assemble(['addi a0,a0,-1']), CODE);
      engine.invalidate(CODE, 4);
    }
    step(pair, 10_000);
    expect(BigInt.asIntN(64, pair.translated.hart.get(A0))).toBe(3334n - 3333n);
    finish(pair, before + 1);
  });

  it('code that the machine takes away while it waits to be translated, and puts back', () => {
    const lines = [
      'addi s0,zero,100',
      'first: addi s0,s0,-1',
      'bne s0,zero,@first',
      'ecall',
      'addi s0,zero,100',
      'second: addi s0,s0,-1',
      'bne s0,zero,@second',
      'ecall',
    ];
    const two = { threshold: 2, batch: 2, pace: 0, perInsn: 0, perInsnAgain: 0 };
    const [interpreted, translated] = [makeDispatch, (memory: Memory) => makeTranslate(memory, two)].map((make) =>
      bare(make, assemble(lines)),
    ) as [Bare, Bare];
    const pair = { interpreted, translated };
    // The first loop waits for a second one to be translated with it, which gets hot after the first is gone.
    expect(step(pair, 1e6)).toEqual({ kind: 'ecall' });
    for (const { engine } of [interpreted, translated]) engine.invalidate(CODE, 16);
    expect(step(pair, 1e6)).toEqual({ kind: 'ecall' });
    expect(regionsOf(pair)).toBe(1);
    for (let round = 0; round < 2; round++) {
      for (const { hart } of [interpreted, translated]) hart.pc = CODE;
      for (let stop = 0; stop < 2; stop++) expect(step(pair, 1e6)).toEqual({ kind: 'ecall' });
      for (const { engine } of [interpreted, translated]) engine.invalidate(CODE + 16, 16);
    }
    finish(pair, 2);
  });

  describe('what a run has left', () => {
    const lines = ['loop: addi a0,a0,1', 'addi a1,a1,2', 'jal zero,@loop'];
    const left = () => {
      const pair = pairOf(assemble(lines));
      step(pair, 10_000);
      return read(pair.translated.engine.keep!()!);
    };
    const keptIn = ({ translated }: Pair) => translated.engine.statistics!().kept;

    it('is not taken where the code is another', () => {
      const pair = pairOf(assemble(lines.with(1, 'addi a1,a1,3')), undefined, undefined, left());
      step(pair, 10_000);
      expect(keptIn(pair)).toBe(0);
      finish(pair);
    });

    it('nor where the guest can write it', () => {
      const pair = pairOf(assemble(lines), undefined, READ | WRITE | EXECUTE, left());
      step(pair, 10_000);
      expect(keptIn(pair)).toBe(0);
      finish(pair);
    });

    it('is taken though more blocks than instructions are translated', () => {
      const branching = [
        'addi s0,zero,100',
        'top: beq a0,zero,@one',
        'ecall',
        'addi a0,zero,0',
        'jal zero,@next',
        'one: ecall',
        'addi a0,zero,1',
        'next: addi s0,s0,-1',
        'bne s0,zero,@top',
        'ebreak',
      ];
      const whole = (kept?: Kept) => {
        const pair = pairOf(assemble(branching), undefined, undefined, kept);
        while (step(pair, 1e6).kind === 'ecall');
        return pair;
      };
      const kept = read(whole().translated.engine.keep!()!);
      const regions = kept.modules.flatMap((module) => module.regions);
      expect(regions.some(({ pcs, counts }) => counts[0]! > pcs.length)).toBe(true);
      const again = whole(kept);
      expect(keptIn(again)).toBe(regions.length);
      finish(again, 0);
    });

    it('waits for the code to be there', () => {
      // The run begins on another page, and goes on where nothing is yet.
      const start = CODE + PAGE;
      const pair = pairOf(new Uint8Array(0), undefined, undefined, left());
      for (const { memory, hart } of [pair.interpreted, pair.translated]) {
        memory.bytes.set(words(encode(parse(`jal zero,0x${CODE.toString(16)}`, start))), start);
        memory.protect(CODE, PAGE, 0);
        hart.pc = start;
      }
      expect(step(pair, 10_000)).toMatchObject({ kind: 'fault', access: 'fetch', address: BigInt(CODE) });
      expect(keptIn(pair)).toBe(0);
      for (const { memory, engine } of [pair.interpreted, pair.translated]) {
        memory.bytes.set(assemble(lines), CODE);
        memory.protect(CODE, PAGE, READ | EXECUTE | PERMISSION.MAPPED);
        engine.invalidate(CODE, PAGE);
      }
      step(pair, 10_000);
      expect(keptIn(pair)).toBe(1);
      finish(pair, 0);
    });

    it('goes where the code changes', () => {
      const pair = pairOf(assemble(lines), undefined, undefined, left());
      step(pair, 1000);
      expect(keptIn(pair)).toBe(1);
      for (const { memory, engine } of [pair.interpreted, pair.translated]) {
        memory.bytes.set(assemble(['addi a0,a0,-1']), CODE);
        engine.invalidate(CODE, 4);
      }
      step(pair, 10_000);
      finish(pair);
    });

    it('faults as the interpreter does, with all registers, also where nothing has been decoded', () => {
      const accessing = ['loop: sd a0,0(s0)', 'ld a1,8(s0)', 'addi a0,a0,1', 'add a2,a2,a1', 'jal zero,@loop'];
      const setUp = ({ hart }: Bare) => hart.set(S0, BigInt(DATA));
      const first = pairOf(assemble(accessing), setUp);
      step(first, 10_000);
      const kept = read(first.translated.engine.keep!()!);
      const pair = pairOf(assemble(accessing), setUp, undefined, kept);
      step(pair, 5001);
      expect(keptIn(pair)).toBe(1);
      for (const { memory } of [pair.interpreted, pair.translated])
        memory.protect(DATA, PAGE, READ | PERMISSION.MAPPED);
      expect(step(pair, 1000)).toMatchObject({ kind: 'fault', access: 'store', address: BigInt(DATA) });
      finish(pair, 0);
    });
  });

  it('flags and rounding modes, read and set inside and outside of what is translated', () => {
    const lines = [
      'addi s0,zero,200',
      'loop: andi a2,s0,3',
      'csrrw zero,frm,a2',
      'fdiv.d ft0,fa0,fa1,dyn',
      'fadd.d fa2,fa2,ft0,dyn',
      'fsqrt.d ft1,fa2,dyn',
      'fmadd.d fa3,fa3,fa1,ft1,dyn',
      'fcvt.w.d a3,fa3,dyn',
      'fcvt.s.d ft2,fa3,rup',
      'csrrs a4,fflags,zero',
      'add a5,a5,a4',
      'andi a6,s0,31',
      'bne a6,zero,@on',
      'csrrwi zero,fflags,0',
      'on: addi s0,s0,-1',
      'bne s0,zero,@loop',
      'csrrs a6,fcsr,zero',
      'ebreak',
    ];
    const pair = same(lines, (hart, memory) => {
      const put = (register: number, value: number) => {
        memory.view.setFloat64(DATA, value, true);
        hart.set(32 + register, memory.view.getBigUint64(DATA, true));
      };
      put(10, 1);
      put(11, 3);
      put(12, 0.1);
      put(13, 1e-3);
    });
    expect(pair.translated.hart.get(16) & 1n).toBe(1n);
    // The guest looks at the flags for the first time long after they were raised in translated code.
    const late = [
      'addi s0,zero,300',
      'loop: fdiv.d ft0,fa0,fa1,dyn',
      'addi s0,s0,-1',
      'bne s0,zero,@loop',
      'csrrs a0,fflags,zero',
      'fdiv.d ft0,fa0,ft5,dyn',
      'csrrs a1,fflags,zero',
      'ebreak',
    ];
    const end = same(late, (hart) => {
      hart.set(42, 0x3ff0000000000000n);
      hart.set(43, 0x4008000000000000n);
    });
    expect([end.translated.hart.get(A0), end.translated.hart.get(A1)]).toEqual([1n, 9n]);
  });

  it('a store where only reading is permitted faults, also when a load through the same base came before', () => {
    const lines = ['loop: lw a2,0(s1)', 'addi a2,a2,1', 'sw a2,0(s1)', 'addi s1,s1,64', 'jal zero,@loop'];
    const pair = pairOf(assemble(lines), ({ hart }) => hart.set(9, BigInt(DATA)));
    const address = BigInt(DATA + 2 * PAGE);
    expect(step(pair, 1e6)).toEqual({ kind: 'fault', access: 'store', address });
    expect(pair.translated.hart.pc).toBe(CODE + 8);
    finish(pair);
  });

  it('memory that is taken away, and given back, under code that knew it', () => {
    const lines = [
      'loop: add a1,s1,a0',
      'ld a2,0(a1)',
      'ld a3,8(a1)',
      'sd a2,8(a1)',
      'add a4,a4,a3',
      'addi a0,a0,16',
      'blt a0,a5,@loop',
      'addi a0,zero,0',
      'ecall',
      'jal zero,@loop',
    ];
    const pair = pairOf(assemble(lines), ({ hart }) => {
      hart.set(9, BigInt(DATA));
      hart.set(15, BigInt(2 * PAGE));
    });
    const protect = (permissions: number) => {
      for (const { memory } of [pair.interpreted, pair.translated]) memory.protect(DATA + PAGE, PAGE, permissions);
    };
    for (let i = 0; i < 10; i++) expect(step(pair, 1e6)).toEqual({ kind: 'ecall' });
    for (const [permissions, access, offset] of [
      [READ | PERMISSION.MAPPED, 'store', 8],
      [0, 'load', 0],
    ] as const) {
      protect(permissions);
      expect(step(pair, 1e6)).toEqual({ kind: 'fault', access, address: BigInt(DATA + PAGE + offset) });
      protect(READ | WRITE | PERMISSION.MAPPED);
      expect(step(pair, 1e6)).toEqual({ kind: 'ecall' });
    }
    finish(pair);
  });

  it('what runs late comes into the region that leads to it', () => {
    const lines = [
      'lui s0,0x64',
      'loop: addi a0,a0,1',
      'blt a0,a5,@early',
      'late: addi a1,a1,3',
      'andi a2,a0,7',
      'bne a2,zero,@join',
      'addi a3,a3,1',
      'jal zero,@join',
      'early: addi a4,a4,1',
      'join: addi s0,s0,-1',
      'bne s0,zero,@loop',
      'ebreak',
    ];
    const { translated } = same(lines, (hart) => hart.set(15, 30_000n));
    expect(translated.engine.statistics!().transfersInRegions).toBeGreaterThan(0.95);
  });

  it('an instruction limit inside a long loop stops there', () => {
    const lines = ['loop: addi a0,a0,1', 'mul a1,a1,a0', 'addi a2,a2,3', 'beq zero,zero,@loop'];
    const pair = pairOf(assemble(lines));
    for (const budget of [1001, 1_000_003, 1, 2, 3, 999_998, 4]) expect(step(pair, budget).kind).toBe('budget');
    finish(pair);
  });

  it('leaves by ecall and comes back', () => {
    const lines = ['loop: addi a0,a0,1', 'andi a1,a0,63', 'bne a1,zero,@loop', 'ecall', 'jal zero,@loop'];
    const pair = pairOf(assemble(lines));
    for (let call = 1; call <= 40; call++) {
      expect(step(pair, 1e6)).toEqual({ kind: 'ecall' });
      expect(pair.translated.hart.get(A0)).toBe(BigInt(64 * call));
    }
    finish(pair);
  });
});

/** Rows that go on with the instruction behind. `reads` of time and instret are as exact as any. */
const PLAIN = ROWS.filter(({ name }) => !/^(b(eq|ne|lt|ge)u?|jal|jalr|ecall|ebreak|fence\.i)$/.test(name));

describe('every row, translated', () => {
  const CSRS = Object.values(CSR);
  const BASE = T6;
  /** Registers that instructions write: not the counter, nor the base. */
  const TARGETS = [RA, SP, 3, 4, 5, 6, 7, A0, A1, A2, A3, 14, 15, 16, 17];

  const anyInsn = (row: Row, random: ReturnType<typeof makeRandom>): Insn => {
    const register = () => TARGETS[random.below(TARGETS.length)]!;
    const uses = (name: string) => row.operands.some((operand) => operand === name);
    const memory = uses('mem') || uses('base');
    return makeInsn(row, {
      rd: uses('rd') ? register() : uses('fd') ? 32 + random.below(8) : 0,
      rs1: memory ? BASE : uses('rs1') ? register() : uses('fs1') ? 32 + random.below(8) : 0,
      rs2: uses('rs2') ? register() : uses('fs2') ? 32 + random.below(8) : 0,
      rs3: uses('fs3') ? 32 + random.below(8) : 0,
      rm: uses('rm') ? [0, 1, 2, 3, 4, 7][random.below(6)]! : 0,
      csr: uses('csr') ? CSRS[random.below(CSRS.length)]! : 0,
      imm: !uses('imm') && !uses('mem') ? 0 : row.format === 'U' ? random.below(2 ** 20) << 12 : random.below(32),
    });
  };

  it.each([1, 2, 3])(
    'in loops, seed %i',
    (seed) => {
      const random = makeRandom(seed);
      const order = [...PLAIN].sort(() => random.below(3) - 1);
      const list: number[] = [];
      const starts: number[] = [];
      // Loops of a few dozen rows each, thirty times around.
      for (let i = 0; i < order.length; i += 24) {
        starts.push(CODE + 4 * list.length);
        list.push(encode(parse('addi s0,zero,30')));
        const top = CODE + 4 * list.length;
        for (const row of order.slice(i, i + 24)) list.push(encode(anyInsn(row, random)));
        list.push(encode(parse('addi s0,s0,-1')));
        const at = CODE + 4 * list.length;
        list.push(encode(parse(`bne s0,zero,0x${top.toString(16)}`, at)));
      }
      list.push(encode(parse('ebreak')));
      expect(list.length * 4).toBeLessThan(CODE_SIZE);
      const pair = pairOf(words(...list), ({ hart, memory }) => {
        const values = makeRandom(seed + 100);
        const any = () => (BigInt(values.below(2 ** 31)) << 33n) ^ BigInt(values.below(2 ** 31));
        for (const register of TARGETS) hart.set(register, any());
        for (let i = 0; i < 8; i++) hart.set(32 + i, i % 2 === 0 ? 0x3ff0000000000000n + (any() >> 16n) : any());
        for (let i = 0; i < 64; i++) memory.view.setBigUint64(DATA + 8 * i, any(), true);
        hart.set(BASE, BigInt(DATA + 128));
      });
      // What stops a loop (a rounding mode that does not exist, an access that is not aligned) is stepped over.
      let stops = 0;
      for (;;) {
        const stop = step(pair, 1e6, `seed ${seed}, stop ${stops}`);
        if (stop.kind === 'ebreak') break;
        expect(['illegal', 'misaligned']).toContain(stop.kind);
        expect(++stops).toBeLessThan(2000);
        for (const { hart } of [pair.interpreted, pair.translated]) {
          if (stop.kind === 'illegal') hart.frm = 0;
          hart.pc += 4;
        }
      }
      finish(pair, starts.length);
    },
    120_000,
  );
});

describe('a translation error', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('is found in lockstep with dispatch, at its loop', () => {
    const lines = [
      'addi s0,zero,2000',
      'loop: addi a1,a1,5',
      'xor a0,a0,a1',
      'sd a0,0(s1)',
      'addi s0,s0,-1',
      'bne s0,zero,@loop',
      'ebreak',
    ];
    const run = (plant: boolean) => {
      const { memory, hart, engine } = bare(
        (own) =>
          makeLockstep(own, makeDispatch, (shadow) => makeTranslate(shadow, { threshold: 300, batch: 1, pace: 0 })),
        assemble(lines),
      );
      hart.set(9, BigInt(DATA));
      // Both interpreters are generated; what is emitted from now on is translated code.
      hart.retired += engine.run(hart, 200).retired;
      if (plant) {
        const { op } = Code.prototype;
        vi.spyOn(Code.prototype, 'op').mockImplementation(function (this: Code, ...names) {
          return op.apply(
            this,
            names.map((name) => (name === 'i64.xor' ? 'i64.or' : name)),
          );
        });
      }
      const end = engine.run(hart, 1e6);
      engine.transfers();
      return { end, a0: memory.view.getBigUint64(hart.base + HART.X + 8 * A0, true) };
    };
    expect(run(false).end.stop).toEqual({ kind: 'ebreak' });
    const places = ['loop', 'xor', 'bne'].map((what) => 4 * lines.findIndex((line) => line.includes(what)) + CODE);
    let found: unknown;
    try {
      run(true);
    } catch (error) {
      found = error;
    }
    expect(found).toMatchObject({
      message: expect.stringMatching(/engines dispatch and translate differ after .*a0 is 0x/),
    });
    const { address } = found as { address: number };
    expect(address).toBeGreaterThanOrEqual(places[0]!);
    expect(address).toBeLessThanOrEqual(places[2]!);
  });
});
