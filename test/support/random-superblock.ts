/**
 * Random traces: original code as bytes, the trace through it, and the superblock made of it. A trace is assembled from pieces, each
 * a handful of numbers, so that a failing one can be made smaller by leaving pieces out.
 */

import fc from 'fast-check';
import { ALL_REGS, intersect, type RegSet } from '../../src/base/regset.ts';
import { type Addr, F0, isLink, RA, type Reg, SP } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import { compress, encodeBytes, makeInsn } from '../../src/isa/encode.ts';
import type { Insn, Row } from '../../src/isa/row.ts';
import { ROWS } from '../../src/isa/table.ts';
import { buildSuperblock } from '../../src/superblock/build.ts';
import type { Flow, FlowBlock } from '../../src/superblock/flow.ts';
import type { Superblock } from '../../src/superblock/form.ts';
import type { Follow, Trace } from '../../src/superblock/trace.ts';
import { INTEGER_EDGES, makeRandom, type Random } from './random.ts';

/** Where things are. Original text is within a jump's reach of the near place for optimized code, not of the far one. */
export const PLACES = {
  text: 0x20000,
  near: 0x80000,
  far: 0x300000,
  stack: 0x500000,
  heap: 0x502000,
  dataEnd: 0x504000,
  memory: 0x600000,
} as const;
/** Each inlined callee, and each superblock, has its own stretch of text. */
const STRETCH = 0x4000;

export interface Piece {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly imm: number;
}

export interface Recipe {
  readonly pieces: readonly Piece[];
  readonly end: Piece;
  /** Of what is live where. */
  readonly liveSeed: number;
  /** All registers are live everywhere. */
  readonly allLive: boolean;
  /** Assumption A3. */
  readonly savedReturns: boolean;
}

const piece: fc.Arbitrary<Piece> = fc.record({
  kind: fc.nat(99),
  a: fc.nat(63),
  b: fc.nat(63),
  c: fc.nat(63),
  imm: fc.integer({ min: -2048, max: 2047 }),
});

export const recipe = (most: number): fc.Arbitrary<Recipe> =>
  fc.record({
    pieces: fc.array(piece, { minLength: 1, maxLength: most, size: 'max' }),
    end: piece,
    liveSeed: fc.nat(2 ** 30),
    allLive: fc.nat(5).map((n) => n === 0),
    savedReturns: fc.nat(3).map((n) => n !== 0),
  });

/** The same shape without fast-check, for campaigns. */
export function randomRecipe(random: Random, most: number): Recipe {
  const one = (): Piece => ({
    kind: random.below(100),
    a: random.below(64),
    b: random.below(64),
    c: random.below(64),
    imm: random.below(4096) - 2048,
  });
  return {
    pieces: Array.from({ length: 1 + random.below(most) }, one),
    end: one(),
    liveSeed: random.below(2 ** 30),
    allLive: random.oneIn(6),
    savedReturns: !random.oneIn(4),
  };
}

export interface RandomTrace {
  readonly head: Addr;
  /** The original instructions in the order of the trace. */
  readonly insns: readonly { readonly pc: Addr; readonly insn: Insn }[];
  readonly trace: Trace;
  readonly superblock: Superblock;
  live(at: Addr): RegSet;
  /** Guards compare what was loaded from here in the heap with an address. */
  readonly guards: readonly { readonly offset: number; readonly expect: Addr }[];
  readonly recipe: Recipe;
}

const S0: Reg = 8;
const S1: Reg = 9;
/** Registers that results go to; the bases of memory accesses are others. */
const INTS: readonly Reg[] = [10, 11, 12, 13, 14, 15, 10, 11, 12, RA, 5, 6, 18, 28];
const FLOATS: readonly Reg[] = [F0 + 10, F0 + 11, F0, F0 + 8];
const BASES: readonly Reg[] = [SP, S0, S1];
const int = (n: number): Reg => INTS[n % INTS.length]!;
const source = (n: number): Reg => (n === 63 ? 0 : n === 62 ? SP : int(n));
const float = (n: number): Reg => FLOATS[n % FLOATS.length]!;

const computing = ROWS.filter(
  (row) =>
    (row.extension === 'I' || row.extension === 'M') &&
    (row.format === 'R' || row.format === 'I' || row.format === 'shift' || row.name === 'lui') &&
    facts(makeInsn(row, { rd: 5 })).pure,
);
const everyFloating = ROWS.filter(
  (row) =>
    (row.extension === 'F' || row.extension === 'D') && !row.operands.includes('mem') && row.format.startsWith('R'),
);
/** Those that raise no flag are what passes work on: they come more often. */
const pureFloating = everyFloating.filter((row) => facts(makeInsn(row, { rd: F0, rs1: 0 })).pure);
const floating = [...everyFloating, ...pureFloating, ...pureFloating, ...pureFloating, ...pureFloating];
const loads = ROWS.filter((row) => row.format === 'I' && row.operands.includes('mem') && facts(makeInsn(row, {})).load);
const stores = ROWS.filter((row) => row.format === 'S');
const atomics = ROWS.filter((row) => row.name.startsWith('amo'));
const branches = ROWS.filter((row) => row.format === 'B');
const pick = (rows: readonly Row[], n: number): Row => rows[n % rows.length]!;
const SHIFTS = [32, 48, 56, 16, 1, 63];

function computation(row: Row, { a, b, c, imm }: Piece): Insn {
  const registers: Partial<Insn> = {};
  for (const operand of row.operands) {
    if (operand === 'rd') Object.assign(registers, { rd: a === 61 ? 0 : int(a) });
    if (operand === 'fd') Object.assign(registers, { rd: float(a) });
    if (operand === 'rs1') Object.assign(registers, { rs1: source(b) });
    if (operand === 'fs1') Object.assign(registers, { rs1: float(b) });
    if (operand === 'rs2') Object.assign(registers, { rs2: source(c) });
    if (operand === 'fs2') Object.assign(registers, { rs2: float(c) });
    if (operand === 'fs3') Object.assign(registers, { rs3: float(b + c) });
    if (operand === 'rm') Object.assign(registers, { rm: [7, 0, 1, 2, 3, 4][imm & 3 ? 0 : ((imm >> 2) % 6) & 7] ?? 7 });
  }
  const amount = row.name.endsWith('w') ? imm & 31 : (SHIFTS[imm & 15] ?? imm & 63);
  const immediate =
    row.format === 'shift'
      ? amount
      : row.format === 'I'
        ? imm % 3 === 0
          ? 0
          : imm
        : row.format === 'U'
          ? imm << 12
          : 0;
  return makeInsn(row, { ...registers, imm: immediate });
}

interface Block {
  start: Addr;
  insns: { pc: Addr; insn: Insn }[];
  follow: Follow | undefined;
}

/**
 * @param stretch which stretches of text it takes, from this one on
 * @param others heads of other superblocks, which ends may lead to
 */
export function makeTrace(made: Recipe, stretch = 0, others: readonly Addr[] = []): RandomTrace {
  const head = PLACES.text + stretch * STRETCH;
  let pc = head;
  let fresh = head + STRETCH;
  const blocks: Block[] = [{ start: head, insns: [], follow: undefined }];
  const frames: Addr[] = [];
  const guards: { offset: number; expect: Addr }[] = [];
  const saving = new Set<Addr>();
  const put = (insn: Insn, narrow = true): Addr => {
    const at = pc;
    const placed = narrow && compress(insn) !== undefined ? { ...insn, size: 2 as const } : insn;
    blocks.at(-1)!.insns.push({ pc: at, insn: placed });
    pc += placed.size;
    return at;
  };
  const goOn = (follow: Follow, to: Addr) => {
    blocks.at(-1)!.follow = follow;
    pc = to;
    blocks.push({ start: to, insns: [], follow: undefined });
  };
  const move = (rd: Reg, rs: Reg) =>
    put(rd >= F0 ? makeInsn('fsgnj.d', { rd, rs1: rs, rs2: rs }) : makeInsn('addi', { rd, rs1: rs }));
  const condition = ({ a, b, c }: Piece, imm: number) =>
    makeInsn(pick(branches, a), { rs1: source(b), rs2: c & 1 ? 0 : source(c), imm });

  for (const each of made.pieces) {
    const { kind, a, b, c, imm } = each;
    if (pc - blocks[0]!.start > STRETCH - 0x200 && fresh === head + STRETCH) break;
    if (kind < 30) put(computation(pick(computing, a * 7 + c), each), (b & 1) === 0);
    else if (kind < 36) move(int(a), source(b));
    else if (kind < 40) put(makeInsn('addiw', { rd: int(a), rs1: source(b), imm: c % 3 === 0 ? imm : 0 }));
    else if (kind < 43) {
      // A pair of shifts that extends.
      const amount = SHIFTS[c % SHIFTS.length]!;
      put(makeInsn('slli', { rd: int(a), rs1: source(b), imm: amount }));
      put(makeInsn(imm & 1 ? 'srli' : 'srai', { rd: int(a), rs1: int(a), imm: amount }));
    } else if (kind < 46) put(makeInsn('addi', { rd: int(a), imm: c % 3 === 0 ? 0 : imm }));
    else if (kind < 51) put(computation(pick(floating, a * 5 + b * 3 + c), each));
    else if (kind < 58) {
      const row = pick(loads, a);
      const to = row.operands[0] === 'fd' ? float(b) : int(b);
      put(makeInsn(row, { rd: to, rs1: BASES[c % 3]!, imm: (imm >> 1) & ~7 }));
    } else if (kind < 65) {
      const row = pick(stores, a);
      const from = row.operands[0] === 'fs2' ? float(b) : source(b);
      put(makeInsn(row, { rs2: from, rs1: BASES[c % 3]!, imm: (imm >> 1) & ~7 }));
    } else if (kind < 66) put(makeInsn(pick(atomics, a), { rd: int(b), rs2: source(c), rs1: S0 }));
    else if (kind < 68) {
      const csr = c % 3 === 0 ? 2 : 1;
      if (c & 4) put(makeInsn('csrrwi', { rd: int(a), csr, imm: csr === 2 ? b % 5 : b & 31 }));
      else put(makeInsn('csrrs', { rd: int(a), csr }));
    } else if (kind < 70) put(makeInsn('addi', { rd: BASES[a % 3]!, rs1: BASES[a % 3]!, imm: ((imm >> 6) & ~7) % 64 }));
    else if (kind < 72) {
      // Exchanged or rotated registers.
      const group = c & 1 ? FLOATS : [10, 11, 12, 13];
      const [x, y, z] = [group[a & 3]!, group[(a + 1) & 3]!, group[(a + 2) & 3]!];
      const spare = c & 1 ? F0 + 11 + 8 : 15;
      move(spare, x);
      move(x, y);
      if (c & 2) {
        move(y, z);
        move(z, spare);
      } else move(y, spare);
    } else if (kind < 75) {
      // A pc-relative address, exact or as the base of an access to the heap.
      const wanted = PLACES.heap + 0x800 + (imm & ~7);
      const low = ((((wanted - pc) & 0xfff) ^ 0x800) - 0x800) | 0;
      put(makeInsn('auipc', { rd: int(a), imm: wanted - pc - low }));
      if (c % 3 === 0) put(makeInsn('ld', { rd: int(b), rs1: int(a), imm: low }));
      else if (c % 3 === 1) put(makeInsn('sw', { rs2: source(b), rs1: int(a), imm: low }));
      else put(makeInsn('addi', { rd: int(b), rs1: int(a), imm: low }));
    } else if (kind < 76) put(makeInsn('fence', { imm: 255 }));
    else if (kind < 85) {
      // A side exit, now and then to the head itself, or as far as a branch reaches.
      const back = head - pc;
      const distance = c === 7 && back > -4000 && frames.length === 0 ? back : c === 8 ? 4094 : (imm & ~1) + 4;
      const size = compress(condition(each, distance)) === undefined ? 4 : 2;
      put(condition(each, distance === size ? distance + 8 : distance));
      goOn('fall', pc);
    } else if (kind < 90) {
      const distance = 8 + (imm & 30);
      const at = put(condition(each, distance));
      goOn('taken', at + distance);
    } else if (kind < 92) {
      const distance = 4 + (imm & 30);
      const at = put(makeInsn('jal', { imm: distance }));
      goOn('jump', at + distance);
    } else if (kind < 95 && frames.length < 3) {
      const at = pc;
      put(makeInsn('jal', { rd: RA, imm: fresh - at }), false);
      frames.push(pc);
      goOn('call', fresh);
      fresh += STRETCH;
      // Some callees save the return address, as they should.
      if (a & 1) {
        put(makeInsn('addi', { rd: SP, rs1: SP, imm: -32 }));
        saving.add(put(makeInsn('sd', { rs2: RA, rs1: SP, imm: 24 })));
      }
    } else if (kind < 98 && frames.length > 0) {
      const link = frames.pop()!;
      if (a & 1) put(makeInsn('ld', { rd: RA, rs1: SP, imm: 24 }));
      if (a & 1) put(makeInsn('addi', { rd: SP, rs1: SP, imm: 32 }));
      put(makeInsn('jalr', { rs1: RA }));
      goOn('return', link);
    } else if (kind < 99) {
      const offset = (imm >> 2) & ~7;
      const target = int(a);
      put(makeInsn('ld', { rd: target, rs1: S0, imm: offset }));
      put(makeInsn('jalr', { rs1: target }));
      guards.push({ offset, expect: fresh });
      goOn('guard', fresh);
      fresh += STRETCH;
    } else put(makeInsn('addi', {}));
  }

  const { kind, a, b, imm } = made.end;
  // A last block without instructions has nothing to run.
  if (blocks.at(-1)!.insns.length === 0) put(makeInsn('addi', { rd: 10, rs1: 10, imm: 1 }));
  const targets = [head, ...others, fresh + 0x100];
  const target = targets[a % targets.length]!;
  let end: Trace['end'];
  if (kind < 40) {
    put(makeInsn('jal', { imm: target - pc }), false);
    end = { kind: 'goto', target };
  } else if (kind < 55 && pc - head < 4000 && frames.length === 0) {
    const at = put(condition(made.end, head - pc));
    end = { kind: 'goto', target: b & 1 ? head : blocks.at(-1)!.insns.at(-1)!.insn.size + at };
  } else if (kind < 65) end = { kind: 'goto', target: pc };
  else if (kind < 75) {
    put(makeInsn('jal', { rd: RA, imm: target - pc }), false);
    end = { kind: 'call' };
  } else if (kind < 85) {
    put(makeInsn('jalr', { rd: RA, rs1: int(b), imm: imm & 1 ? imm & ~1 : 0 }));
    end = { kind: 'call' };
  } else if (kind < 95) {
    put(makeInsn('jalr', { rs1: int(b), imm: imm & 1 ? imm & ~1 : 0 }));
    end = { kind: 'indirect' };
  } else {
    const at = put(makeInsn('ecall', {}));
    end = { kind: 'goto', target: at };
  }

  const live = (at: Addr): RegSet => {
    if (made.allLive) return ALL_REGS;
    const mix = (n: number) => BigInt.asUintN(64, BigInt(at * 8 + n + made.liveSeed * 16) * 0x9e3779b97f4a7c15n) >> 7n;
    const bits = (mix(0) ^ (mix(1) << 13n)) | (mix(2) << 23n);
    const half = (from: bigint) => Number(BigInt.asIntN(32, bits >> from));
    return intersect({ x: half(0n), f: half(32n) }, ALL_REGS);
  };
  const flowBlocks = blocks.map((block): FlowBlock => {
    const last = block.insns.at(-1);
    const fact = last === undefined ? undefined : facts(last.insn);
    const behind = last === undefined ? block.start : last.pc + last.insn.size;
    return {
      start: block.start,
      end: behind,
      count: 100,
      insns: block.insns,
      control: fact?.control ?? 'none',
      links: (fact?.control === 'jump' || fact?.control === 'indirect') && isLink(fact?.writes),
      stays: false,
      out: [],
      into: [],
      reserved: false,
    };
  });
  const flow: Flow = {
    blocks: new Map(flowBlocks.map((block) => [block.start, block])),
    hottest: flowBlocks,
    instructions: 0,
    callBefore: new Map(),
    retreats: () => false,
    edgeCount: () => 0,
  };
  const trace: Trace = {
    head,
    steps: flowBlocks.map((block, index) => ({ block, follow: blocks[index]!.follow })),
    end,
    ended: 'the recipe does',
  };
  const superblock = buildSuperblock(trace, flow, 100, {
    liveBefore: live,
    saves: made.savedReturns ? { savesAt: (at) => saving.has(at) } : undefined,
  });
  return { head, insns: blocks.flatMap((block) => block.insns), trace, superblock, live, guards, recipe: made };
}

/** The original code as bytes, by address. */
export const codeBytes = ({ insns }: RandomTrace): { at: Addr; bytes: Uint8Array }[] =>
  insns.map(({ pc, insn }) => ({ at: pc, bytes: encodeBytes(insn, insn.size === 2) }));

/** Registers and data that the trace can run on. Registers that are bases point into stack or heap. */
export interface MachineState {
  readonly registers: readonly bigint[];
  readonly frm: number;
  readonly data: Uint8Array;
}

const NOISE = (() => {
  const random = makeRandom(11);
  return Uint8Array.from({ length: 2 * (PLACES.dataEnd - PLACES.stack) }, () => random.below(256));
})();

export function machineState(traces: readonly RandomTrace[], random: Random): MachineState {
  const registers: bigint[] = [0n];
  for (let reg = 1; reg < 64; reg++)
    registers.push(
      random.oneIn(3) && reg > 1
        ? registers[1 + random.below(reg - 1)]!
        : random.oneIn(3)
          ? BigInt(random.below(3))
          : random.oneIn(2)
            ? random.choose(INTEGER_EDGES)
            : random.bits64(),
    );
  registers[SP] = BigInt(PLACES.stack + 0x1000);
  registers[S0] = BigInt(PLACES.heap + 0x800 + random.below(16) * 8);
  // What is stored through other pointers may hit the stack only where that is not assumed away.
  const trusting = traces.some(({ recipe: { savedReturns } }) => savedReturns);
  registers[S1] = trusting || random.oneIn(2) ? registers[S0] + BigInt(random.below(8) * 4) : registers[SP] - 8n;
  const from = random.below(NOISE.length / 2);
  const data = NOISE.slice(from, from + PLACES.dataEnd - PLACES.stack);
  const view = new DataView(data.buffer);
  for (const { guards } of traces)
    for (const { offset, expect } of guards)
      if (!random.oneIn(4)) {
        const at = Number(registers[S0]) - PLACES.stack + offset;
        view.setBigUint64(at, BigInt(expect), true);
      }
  return { registers, frm: random.below(5), data };
}
