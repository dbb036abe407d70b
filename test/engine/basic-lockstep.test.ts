import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { makeLockstep } from '../../src/engine/lockstep.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import { Hart } from '../../src/machine/hart.ts';
import { Memory, PERMISSION } from '../../src/machine/memory.ts';

const TEXT = 0x10000;
const DATA = 0x20000;

/** Counts a0 down from 1000, storing it each time; then an ecall, and the same again. */
const PROGRAM = [
  'addi a0,zero,1000',
  'sd a0,8(s0)',
  'addi a0,a0,-1',
  'bne a0,zero,0x10004',
  'ecall',
  'jal zero,0x10000',
];

const assemble = (lines: readonly string[]): Uint8Array =>
  Buffer.concat(lines.map((line, i) => encodeBytes(parse(line, TEXT + i * 4), false)));

const prepare = (memory: Memory): Hart => {
  const hart = new Hart(memory);
  memory.bytes.set(assemble(PROGRAM), TEXT);
  memory.protect(TEXT, 4096, PERMISSION.MAPPED | PERMISSION.READ | PERMISSION.EXECUTE);
  memory.protect(DATA, 4096, PERMISSION.MAPPED | PERMISSION.READ | PERMISSION.WRITE);
  hart.pc = TEXT;
  hart.set(8, BigInt(DATA));
  return hart;
};

/** The basic engine, except that after each instruction `spoil` may change something. */
const spoiled =
  (spoil: (hart: Hart, memory: Memory) => void) =>
  (memory: Memory): Engine => {
    const engine = makeEngine('basic', memory);
    return {
      name: 'spoiled',
      run(hart, budget) {
        let retired = 0;
        while (retired < budget) {
          const end = engine.run(hart, 1);
          retired += end.retired;
          spoil(hart, memory);
          if (end.stop.kind !== 'budget') return { stop: end.stop, retired };
        }
        return { stop: { kind: 'budget' }, retired };
      },
      transfers: () => engine.transfers(),
      invalidate: (address, length) => engine.invalidate(address, length),
      flush: () => engine.flush(),
    };
  };
const small = () => new Memory(2 ** 20, 2 ** 26);

describe('lockstep', () => {
  it('is an engine like the others, and follows what the machine changes between runs', () => {
    const memory = small();
    const hart = prepare(memory);
    const engine = makeEngine('lockstep:basic,threaded', memory);
    expect(engine.name).toBe('lockstep:basic,threaded');
    for (let round = 0; round < 3; round++) {
      const { stop, retired } = engine.run(hart, 10_000_000);
      expect(stop.kind).toBe('ecall');
      expect(retired).toBe(round === 0 ? 3002 : 3003);
      hart.retired += retired;
      // As a kernel would: memory, a register, and a mapping.
      memory.bytes[DATA + 100] = round + 1;
      hart.set(10, 77n);
      memory.protect(DATA + 4096 * (round + 1), 4096, PERMISSION.MAPPED | PERMISSION.READ);
      memory.bytes[DATA + 4096 * (round + 1)] = 9;
    }
    const transfers = engine.transfers();
    expect(transfers).toContainEqual({ from: TEXT + 12, to: TEXT + 4, count: 3 * 999 });
    expect(engine.run(hart, 10)).toEqual({ stop: { kind: 'budget' }, retired: 10 });
  });

  const broken: [string, (hart: Hart, memory: Memory) => void, RegExp][] = [
    [
      'a register',
      (hart) => {
        if (hart.get(10) === 500n && hart.pc === TEXT + 12) hart.set(11, 1n);
      },
      /differ after addi a0,a0,-1 \(instruction 1500\): a1 is 0x0 and 0x1/,
    ],
    [
      'memory',
      (hart, memory) => {
        if (hart.get(10) === 3n && hart.pc === TEXT + 8) memory.bytes[DATA + 25] = 5;
      },
      /differ after sd a0,8\(s0\) \(instruction 2993\): the byte at 0x20019 is 0x0 and 0x5/,
    ],
    [
      'control',
      (hart) => {
        if (hart.get(10) === 7n && hart.pc === TEXT + 4) hart.pc = TEXT + 16;
      },
      /differ after bne a0,zero,0x10004 \(instruction 2980\): pc is 0x10004 and 0x10010/,
    ],
    [
      'flags',
      (hart) => {
        if (hart.get(10) === 0n) hart.fflags = 1;
      },
      /differ after addi a0,a0,-1 \(instruction 3000\): fflags is 0x0 and 0x1/,
    ],
  ];
  for (const [what, spoil, report] of broken) {
    it(`finds the instruction where the engines differ: ${what}`, () => {
      const memory = small();
      const hart = prepare(memory);
      const engine = makeLockstep(memory, (m) => makeEngine('basic', m), spoiled(spoil));
      expect(() => engine.run(hart, 10_000_000)).toThrow(report);
    });
  }

  it('compares the counts too', () => {
    const memory = small();
    const hart = prepare(memory);
    const miscounting = (m: Memory): Engine => ({ ...spoiled(() => {})(m), transfers: () => [] });
    const engine = makeLockstep(memory, (m) => makeEngine('basic', m), miscounting);
    engine.run(hart, 100);
    expect(() => engine.transfers()).toThrow(/count differently: 0x1000c -> 0x10004 x 33 and none/);
  });
});
