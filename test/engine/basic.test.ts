import { describe, expect, it } from 'vitest';
import type { Stop } from '../../src/engine/engine.ts';
import { ENGINES, makeEngine } from '../../src/engine/engines.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import { HART, Hart } from '../../src/machine/hart.ts';
import { Memory, PERMISSION } from '../../src/machine/memory.ts';

const TEXT = 0x10000;
const DATA = 0x20000;
const SIZE = 2 ** 20;
const { READ, WRITE, EXECUTE, MAPPED } = PERMISSION;

/** All engines stop alike, count alike, and change nothing where an instruction fails. */
describe.each([...ENGINES, 'translate-soon'])('%s', (name) => {
  const memory = new Memory(SIZE, 2 ** 27);
  const hart = new Hart(memory);
  const engine = makeEngine(name, memory);

  /** Places code at TEXT (or elsewhere), a read-write page at DATA and a read-only one behind it; s0 = DATA. */
  const prepare = (code: readonly (string | number)[], at = TEXT): void => {
    memory.protect(0, memory.size, 0);
    memory.protect(TEXT, 8192, MAPPED | READ | EXECUTE);
    memory.protect(DATA, 4096, MAPPED | READ | WRITE);
    memory.protect(DATA + 4096, 4096, MAPPED | READ);
    memory.bytes.fill(0, TEXT, DATA + 8192);
    let next = at;
    for (const item of code) {
      const bytes =
        typeof item === 'number'
          ? Uint8Array.of(item, item >> 8, item >> 16, item >>> 24)
          : encodeBytes(parse(item.replace(/^c /, ''), next), item.startsWith('c '));
      memory.bytes.set(bytes, next);
      next += bytes.length;
    }
    engine.invalidate(0, SIZE);
    for (let reg = 1; reg < 64; reg++) hart.set(reg, BigInt(reg));
    hart.set(8, BigInt(DATA));
    hart.fflags = 0;
    hart.frm = 0;
    hart.reservation = -1n;
    hart.retired = 0;
    hart.pc = at;
  };
  const state = () => memory.bytes.slice(hart.base, hart.base + HART.STOP_KIND);
  const exactPc = () => memory.view.getBigUint64(hart.base + HART.PC, true);

  /** Runs `code`, which fails at its last instruction: nothing but pc may have changed by that one. */
  const failing = (code: readonly (string | number)[], stop: Stop, at = TEXT) => {
    prepare(code, at);
    if (code.length > 1) engine.run(hart, code.length - 1);
    const before = state();
    const data = memory.bytes.slice(TEXT, DATA + 8192);
    const end = engine.run(hart, 100);
    expect(end).toEqual({ stop, retired: 0 });
    expect(state()).toEqual(before);
    expect(Buffer.compare(memory.bytes.subarray(TEXT, DATA + 8192), data)).toBe(0);
  };
  const fault = (access: 'load' | 'store' | 'fetch', address: bigint): Stop => ({ kind: 'fault', access, address });
  const data = (offset: number) => BigInt(DATA + offset);

  it('faults on loads and stores that are not allowed, at the first byte of the access', () => {
    failing(['lw a0,0(zero)'], fault('load', 0n));
    failing(['ld a0,-8(s0)'], fault('load', data(-8)));
    failing(['ld s0,-4(s0)'], fault('load', data(-4)));
    failing(['sd a0,-1(s0)'], fault('store', data(-1)));
    failing(['lui a1,0x1', 'add a1,a1,s0', 'sd a0,-4(a1)'], fault('store', data(4092)));
    failing(['lui a1,0x1', 'add a1,a1,s0', 'sb a0,0(a1)'], fault('store', data(4096)));
    failing(['lui a1,0x2', 'add a1,a1,s0', 'lhu a0,-1(a1)'], fault('load', data(8191)));
    failing(['lui a1,0x2', 'add a1,a1,s0', 'fld fa0,-1(a1)'], fault('load', data(8191)));
    failing(['lui a1,0x10', 'sw a1,0(a1)'], fault('store', BigInt(TEXT)));
  });
  it('faults beyond the address space with all 64 bits', () => {
    failing(['addi a1,zero,-8', 'ld a0,0(a1)'], fault('load', 2n ** 64n - 8n));
    failing(['addi a1,zero,1', 'slli a1,a1,32', 'add a1,a1,s0', 'lw a0,0(a1)'], fault('load', 2n ** 32n + data(0)));
    failing(['addi a1,zero,1', 'slli a1,a1,62', 'sb a0,3(a1)'], fault('store', 2n ** 62n + 3n));
    failing(['lui a1,0x100', 'lb a0,0(a1)'], fault('load', BigInt(SIZE)));
    failing(['lui a1,0x100', 'ld a0,-4(a1)'], fault('load', BigInt(SIZE) - 4n));
  });
  it('allows accesses over the boundary of two pages that both allow it', () => {
    prepare(['lui a1,0x1', 'add a1,a1,s0', 'ld a0,-4(a1)', 'ecall']);
    memory.view.setBigUint64(DATA + 4092, 0x1122334455667788n, true);
    expect(engine.run(hart, 100)).toEqual({ stop: { kind: 'ecall' }, retired: 4 });
    expect(hart.get(10)).toBe(0x1122334455667788n);
    expect(hart.pc).toBe(TEXT + 16);
  });
  it('stops at atomic accesses that are not aligned, or not allowed', () => {
    failing(['addi a1,s0,4', 'amoadd.d a0,a2,(a1)'], { kind: 'misaligned', address: data(4) });
    failing(['addi a1,s0,2', 'lr.w a0,(a1)'], { kind: 'misaligned', address: data(2) });
    failing(['addi a1,s0,1', 'sc.w a0,a2,(a1)'], { kind: 'misaligned', address: data(1) });
    failing(['lui a1,0x1', 'add a1,a1,s0', 'amoswap.w a0,a2,(a1)'], fault('store', data(4096)));
    failing(['lui a1,0x1', 'add a1,a1,s0', 'lr.d a3,(a1)', 'sc.d a0,a2,(a1)'], fault('store', data(4096)));
    failing(['lr.w a0,(zero)'], fault('load', 0n));
  });
  it('keeps a reservation for one sc to the same address', () => {
    prepare([
      'lr.w a0,(s0)',
      'addi a1,s0,8',
      'sc.w a2,a0,(a1)',
      'sc.w a3,a0,(s0)',
      'lr.w a0,(s0)',
      'sc.w a4,s0,(s0)',
      'ecall',
    ]);
    engine.run(hart, 100);
    expect([12, 13, 14].map((reg) => hart.get(reg))).toEqual([1n, 1n, 0n]);
    expect(memory.view.getUint32(DATA, true)).toBe(DATA);
  });

  it('stops at bytes that are no instruction, and at ebreak', () => {
    failing([0], { kind: 'illegal' });
    failing(['addi a0,a0,1', 0xffffffff], { kind: 'illegal' });
    failing(['addi a0,a0,1', 'ebreak'], { kind: 'ebreak' });
    failing(['c addi a0,a0,1', 'c ebreak'], { kind: 'ebreak' });
  });
  it('does not know other CSRs, nor writes to counters', () => {
    failing(['csrrs a0,0x300,zero'], { kind: 'illegal' });
    failing(['csrrw a0,cycle,a1'], { kind: 'illegal' });
    failing(['csrrsi a0,instret,1'], { kind: 'illegal' });
  });
  it('has no rounding mode 5 to 7 in frm for dynamic rounding', () => {
    for (const mode of [5, 6, 7]) {
      failing([`csrrwi zero,frm,${mode}`, 'fadd.d fa0,fa1,fa2,dyn'], { kind: 'illegal' });
      failing([`csrrwi zero,frm,${mode}`, 'fcvt.w.s a0,fa2,dyn'], { kind: 'illegal' });
      failing([`csrrwi zero,frm,${mode}`, 'fcvt.d.w fa0,a2,dyn'], { kind: 'illegal' });
      failing([`csrrwi zero,frm,${mode}`, 'fcvt.d.s fa0,fa2,dyn'], { kind: 'illegal' });
    }
    prepare(['csrrwi zero,frm,5', 'fadd.d fa0,fa1,fa2,rtz', 'fmax.d fa0,fa1,fa2', 'feq.d a0,fa1,fa2', 'ecall']);
    expect(engine.run(hart, 100)).toEqual({ stop: { kind: 'ecall' }, retired: 5 });
  });
  it('counts in cycle and instret what has retired before, in time a hundredth', () => {
    prepare([
      'addi a0,a0,0',
      'csrrs a1,instret,zero',
      'beq zero,zero,0x10010',
      'ecall',
      'csrrs a2,cycle,zero',
      'csrrs a3,time,zero',
      'csrrs a4,instret,zero',
      'ecall',
    ]);
    hart.retired = 12345;
    expect(engine.run(hart, 100)).toEqual({ stop: { kind: 'ecall' }, retired: 7 });
    expect([11, 12, 13, 14].map((reg) => hart.get(reg))).toEqual([12346n, 12348n, 123n, 12350n]);
  });
  it('puts flags and rounding mode together in fcsr', () => {
    prepare([
      'addi a0,zero,-1',
      'csrrw zero,fcsr,a0',
      'csrrs a1,fcsr,zero',
      'csrrci a2,frm,5',
      'csrrs a3,frm,zero',
      'csrrwi a4,fflags,9',
      'csrrs a5,fcsr,zero',
      'ecall',
    ]);
    engine.run(hart, 100);
    expect([11, 12, 13, 14, 15].map((reg) => hart.get(reg))).toEqual([255n, 7n, 2n, 31n, 0x49n]);
    expect([hart.frm, hart.fflags]).toEqual([2, 9]);
  });

  it('faults when it fetches where there is no code', () => {
    const jump = (lines: string[], address: bigint) => {
      prepare([...lines, 'jalr ra,0(a1)']);
      const end = engine.run(hart, 100);
      expect(end).toEqual({ stop: fault('fetch', address), retired: lines.length + 1 });
      expect(exactPc()).toBe(address);
      expect(hart.get(1)).toBe(BigInt(TEXT + 4 * lines.length + 4));
      expect(engine.run(hart, 100)).toEqual({ stop: fault('fetch', address), retired: 0 });
    };
    jump(['addi a1,zero,0'], 0n);
    jump(['addi a1,s0,1'], data(0));
    jump(['addi a1,zero,-1'], 2n ** 64n - 2n);
    jump(['addi a1,zero,1', 'slli a1,a1,55', 'addi a1,a1,6'], 2n ** 55n + 6n);
    jump(['lui a1,0x100'], BigInt(SIZE));
    // A 4-byte instruction whose second half is on a page without code.
    failing(['addi a0,a0,1', 'addi a1,a1,1'], fault('fetch', BigInt(TEXT + 8190)), TEXT + 8186);
    prepare(['addi a0,a0,1', 'c addi a1,a1,1'], TEXT + 8186);
    expect(engine.run(hart, 100)).toEqual({ stop: fault('fetch', BigInt(TEXT + 8192)), retired: 2 });
  });
  it('faults when it is to begin at an odd address, which no instruction goes to', () => {
    prepare(['addi a0,a0,1', 'addi a1,a1,1']);
    memory.view.setBigUint64(hart.base + HART.PC, BigInt(TEXT + 1), true);
    expect(engine.run(hart, 100)).toEqual({ stop: fault('fetch', BigInt(TEXT + 1)), retired: 0 });
    expect(exactPc()).toBe(BigInt(TEXT + 1));
    // The kernel cannot put one there: it goes to user code through sepc, which has no bit 0.
    hart.pc = TEXT + 1;
    expect([engine.run(hart, 1), hart.pc]).toEqual([{ stop: { kind: 'budget' }, retired: 1 }, TEXT + 4]);
  });

  it('uses its budget exactly, and goes on from there', () => {
    const loop = ['addi a0,a0,1', 'c addi a1,a1,1', 'bne a0,a2,0x10000', 'ecall'];
    prepare(loop);
    hart.set(10, 0n);
    hart.set(11, 0n);
    hart.set(12, 50n);
    let retired = 0;
    for (let budget = 0; ; budget = (budget % 7) + 1) {
      const end = engine.run(hart, budget);
      retired += end.retired;
      if (end.stop.kind !== 'budget') {
        expect(end.stop.kind).toBe('ecall');
        break;
      }
      expect(end.retired).toBe(budget);
      expect(hart.get(10) * 3n - hart.get(11) >= 0n).toBe(true);
    }
    expect(retired).toBe(151);
    expect(hart.get(11)).toBe(50n);
  });
});

/** Counts are of one engine's whole life, so each gets a fresh one here. */
describe.each([...ENGINES, 'translate-soon'])('%s counts', (name) => {
  it('every transfer, by where it comes from and where it goes', () => {
    const memory = new Memory(SIZE, 2 ** 27);
    const hart = new Hart(memory);
    const engine = makeEngine(name, memory);
    const lines = [
      'addi a0,zero,3',
      'jal ra,0x10014',
      'addi a0,a0,-1',
      'bne a0,zero,0x10004',
      'ecall',
      'jalr zero,0(ra)',
    ];
    for (const [i, line] of lines.entries())
      memory.bytes.set(encodeBytes(parse(line, TEXT + i * 4), false), TEXT + i * 4);
    memory.protect(TEXT, 4096, MAPPED | READ | EXECUTE);
    hart.pc = TEXT;
    expect(engine.run(hart, 6).retired).toBe(6);
    expect(engine.run(hart, 100)).toEqual({ stop: { kind: 'ecall' }, retired: 8 });
    const at = (from: number, to: number, count: number) => ({ from: TEXT + from, to: TEXT + to, count });
    expect(engine.transfers()).toEqual([at(4, 20, 3), at(12, 4, 2), at(12, 16, 1), at(16, 20, 1), at(20, 8, 3)]);
  });

  it('executes new code after fence.i', () => {
    const memory = new Memory(SIZE, 2 ** 27);
    const hart = new Hart(memory);
    const engine = makeEngine(name, memory);
    // Calls a function, rewrites its first instruction, calls it again.
    const lines = [
      'jal ra,0x10018',
      'addi s1,a0,0',
      'sw a2,0(a1)',
      'fence.i',
      'jal ra,0x10018',
      'ecall',
      'addi a0,zero,1',
      'jalr zero,0(ra)',
    ];
    for (const [i, line] of lines.entries())
      memory.bytes.set(encodeBytes(parse(line, TEXT + i * 4), false), TEXT + i * 4);
    memory.protect(TEXT, 4096, MAPPED | READ | WRITE | EXECUTE);
    hart.pc = TEXT;
    hart.set(11, BigInt(TEXT + 24));
    const patch = encodeBytes(parse('addi a0,zero,2'), false);
    hart.set(12, BigInt(new DataView(patch.buffer).getUint32(0, true)));
    expect(engine.run(hart, 100)).toEqual({ stop: { kind: 'ecall' }, retired: 10 });
    expect([hart.get(9), hart.get(10)]).toEqual([1n, 2n]);
  });
});
