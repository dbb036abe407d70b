/**
 * The strongest check of passes, lowering and layout: random traces, as original bytes and as emitted bytes, run by the oracle engine from the
 * same states. Same way out, same live registers, same memory, same fcsr.
 */

import { IDENTITY_PASSES, PASSES } from '../../passes/index.ts';
import { makeFuel } from '../../src/base/fuel.ts';
import { regsIn } from '../../src/base/regset.ts';
import { type Addr, hex, type Reg, regName } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import { type Layout, layOut, type PlacedSuperblock } from '../../src/emit/layout.ts';
import { place } from '../../src/emit/place.ts';
import { OutOfReach } from '../../src/emit/relax.ts';
import { makeBasic } from '../../src/engine/basic.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { extensionsOf } from '../../src/isa/targets.ts';
import { print } from '../../src/isa/text.ts';
import { lowerSuperblock } from '../../src/lower/lower.ts';
import { HART, Hart } from '../../src/machine/hart.ts';
import { Memory, PERMISSION } from '../../src/machine/memory.ts';
import { checkSuperblock } from '../../src/superblock/check.ts';
import type { Superblock } from '../../src/superblock/form.ts';
import { applicable, runPasses } from '../../src/superblock/pass.ts';
import { superblockText } from '../../src/superblock/text.ts';
import { makeRandom, type Random } from './random.ts';
import {
  codeBytes,
  type MachineState,
  machineState,
  makeTrace,
  PLACES,
  type RandomTrace,
  type Recipe,
} from './random-superblock.ts';
import { compareSuperblocks, type State } from './superblock-eval.ts';

/** How a case is optimized and emitted. */
export interface Plan {
  /** Bit i leaves out pass i. */
  readonly without: number;
  readonly fuel: number;
  readonly far: boolean;
  readonly target?: string | undefined;
  readonly seed: number;
}

export interface Tally {
  cases: number;
  runs: number;
  /** Ways out. */
  sideExits: number;
  guardExits: number;
  finalExits: number;
  /** Superblocks that had no register for a guard or a move, and were lowered with fewer passes or not at all. */
  plain: number;
  unlowered: number;
  outOfReach: number;
  /** Runs that ended in a fault in the original. */
  faults: number;
}
export const newTally = (): Tally => ({
  cases: 0,
  runs: 0,
  sideExits: 0,
  guardExits: 0,
  finalExits: 0,
  plain: 0,
  unlowered: 0,
  outOfReach: 0,
  faults: 0,
});

interface WayOut {
  readonly kind: 'side' | 'guard' | 'final';
  /** Where control is; a register's content may lead anywhere. */
  readonly pc: bigint;
  /** Registers that matter. */
  readonly live: readonly Reg[];
  /** The link register and its content, of a final call. */
  readonly link: { readonly reg: Reg; readonly value: bigint } | undefined;
}

/** The oracle with code and data in place. */
export class Bench {
  readonly memory = new Memory(PLACES.memory, 2 ** 20);
  readonly hart = new Hart(this.memory);
  readonly engine: Engine = makeBasic(this.memory);
  readonly tally = newTally();

  constructor() {
    const { READ, WRITE, EXECUTE, MAPPED } = PERMISSION;
    this.memory.protect(PLACES.text, PLACES.stack - PLACES.text, READ | EXECUTE | MAPPED);
    this.memory.protect(PLACES.stack, PLACES.dataEnd - PLACES.stack, READ | WRITE | MAPPED);
  }

  set(state: MachineState, pc: Addr): void {
    const { hart, memory } = this;
    for (let reg = 1; reg < 64; reg++) hart.set(reg, state.registers[reg]!);
    hart.frm = state.frm;
    hart.fflags = 0;
    hart.reservation = -1n;
    hart.pc = pc;
    memory.bytes.set(state.data, PLACES.stack);
  }
  get data(): Uint8Array {
    return this.memory.bytes.subarray(PLACES.stack, PLACES.dataEnd);
  }
  get pc(): bigint {
    return this.memory.view.getBigUint64(this.hart.base + HART.PC, true);
  }
  /** @returns false if it faulted */
  step(): boolean {
    const { stop } = this.engine.run(this.hart, 1);
    return stop.kind === 'budget';
  }

  /** Runs the original from the head along the trace. Undefined if it faults. */
  original({ insns, live, trace }: RandomTrace): WayOut | undefined {
    const { end } = trace;
    for (const [index, { pc, insn }] of insns.entries()) {
      const { control, writes } = facts(insn);
      const last = index === insns.length - 1;
      if (last && end.kind === 'goto' && end.target === pc)
        return { kind: 'final', pc: BigInt(pc), live: regsIn(live(pc)), link: undefined };
      if (!this.step()) return undefined;
      const next = last ? undefined : insns[index + 1]!.pc;
      if (this.pc === (next === undefined ? undefined : BigInt(next))) continue;
      const transfers = end.kind !== 'goto' && last;
      const at = transfers || control === 'indirect' ? pc : Number(this.pc);
      const kind =
        last && (end.kind !== 'goto' || this.pc === BigInt(end.target))
          ? 'final'
          : control === 'indirect'
            ? 'guard'
            : 'side';
      return {
        kind,
        pc: this.pc,
        live: regsIn(live(at)).filter((reg) => !transfers || reg !== writes),
        link:
          transfers && end.kind === 'call' && writes !== undefined
            ? { reg: writes, value: BigInt(pc + insn.size) }
            : undefined,
      };
    }
    throw new Error('the trace has no end');
  }

  /**
   * Runs emitted code from a start until it leaves, or comes to a start again.
   * @returns the original address; several where superblocks of which nothing is left share their start with the one behind
   */
  emitted(layout: Layout, at: Addr, start: Addr): bigint[] {
    const end = BigInt(at + layout.bytes.length);
    this.hart.pc = start;
    for (let steps = 0; steps < 2000; steps++) {
      if (!this.step()) throw new Error(`the emitted code faults at 0x${this.pc.toString(16)}`);
      const { pc } = this;
      const heads = layout.superblocks.filter((placed) => BigInt(placed.start) === pc);
      if (heads.length > 0) return heads.map(({ lowered: { head } }) => BigInt(head));
      if (pc < BigInt(at) || pc >= end) return [pc];
    }
    throw new Error('the emitted code does not end');
  }
}

/** A superblock that nothing is left of is only another name for the one behind it. */
const takesRoom = ({ start, end }: PlacedSuperblock): boolean => start !== end;

/** Optimizes and lowers; with fewer passes, or not at all, where registers are short. */
function lowered(superblock: Superblock, plan: Plan, tally: Tally) {
  const passes = PASSES.filter((_, index) => ((plan.without >> index) & 1) === 0);
  const stages: Superblock[] = [];
  const options = { fuel: makeFuel(plan.fuel), extensions: extensionsOf(plan.target) };
  runPasses(superblock, applicable(passes, options), options, (_, __, to) => stages.push(to));
  for (const after of stages.reverse()) {
    const low = lowerSuperblock(after);
    if (low !== undefined) return { after, low };
  }
  tally.plain++;
  const plain = runPasses(superblock, IDENTITY_PASSES, { fuel: makeFuel() });
  const again = lowerSuperblock(plain);
  if (again === undefined) tally.unlowered++;
  return again === undefined ? undefined : { after: plain, low: again };
}

/**
 * Checks some superblocks laid out together.
 * @throws Error with the superblocks and the difference
 */
export function checkTogether(bench: Bench, recipes: readonly Recipe[], plan: Plan, states: number): void {
  const { tally } = bench;
  const random = makeRandom(plan.seed);
  const stretches = 8;
  const heads = recipes.map((_, index) => PLACES.text + index * stretches * 0x4000);
  const traces = recipes.map((recipe, index) => makeTrace(recipe, index * stretches, heads));
  tally.cases += traces.length;
  let done: { trace: RandomTrace; low: ReturnType<typeof lowerSuperblock> & {}; after: Superblock }[] = [];
  for (const trace of traces) {
    checkSuperblock(trace.superblock, 'the random trace');
    const made = lowered(trace.superblock, plan, tally);
    if (made !== undefined) done.push({ trace, ...made });
  }
  for (const { trace, after } of done) {
    const wrong = compareForms(trace, after, random);
    if (wrong !== undefined) throw new Error(report(trace, after, wrong));
  }
  const at = plan.far ? PLACES.far : PLACES.near;
  let layout: Layout | undefined;
  while (layout === undefined)
    try {
      layout = layOut(place(done.map(({ low }) => low)), at);
    } catch (error) {
      if (!(error instanceof OutOfReach)) throw error;
      const out = new Set(error.exits.map(({ head }) => head));
      tally.outOfReach += out.size;
      done = done.filter(({ trace }) => !out.has(trace.head));
    }
  for (const trace of traces) for (const { at: to, bytes } of codeBytes(trace)) bench.memory.bytes.set(bytes, to);
  bench.memory.bytes.set(layout.bytes, at);
  bench.engine.invalidate(PLACES.text, PLACES.stack - PLACES.text);
  for (const { trace, after } of done) {
    const placed = layout.superblocks.find(({ lowered: { head } }) => head === trace.head)!;
    for (let i = 0; i < states && takesRoom(placed); i++) {
      const state = machineState(traces, random);
      const fail = (what: string): never => {
        throw new Error(`${report(trace, after, what)}\n${disassembly(layout, at)}`);
      };
      bench.set(state, trace.head);
      const expected = bench.original(trace);
      if (expected === undefined) {
        tally.faults++;
        continue;
      }
      tally.runs++;
      tally[`${expected.kind}Exits`]++;
      const registers = Array.from({ length: 64 }, (_, reg) => bench.hart.get(reg));
      const fcsr = (bench.hart.frm << 5) | bench.hart.fflags;
      const data = Uint8Array.from(bench.data);

      bench.set(state, 0);
      let found: bigint[];
      try {
        found = bench.emitted(layout, at, placed.start);
      } catch (error) {
        throw fail((error as Error).message);
      }
      if (!found.includes(expected.pc))
        fail(`${expected.kind}: leads to ${found.map(hex).join()}, not to 0x${expected.pc.toString(16)}`);
      for (const reg of expected.live)
        if (bench.hart.get(reg) !== registers[reg])
          fail(
            `${expected.kind}: ${regName(reg)} is 0x${bench.hart.get(reg).toString(16)}, not 0x${registers[reg]!.toString(16)}`,
          );
      if (((bench.hart.frm << 5) | bench.hart.fflags) !== fcsr) fail(`${expected.kind}: fcsr differs`);
      if (Buffer.compare(bench.data, data) !== 0) fail(`${expected.kind}: memory differs`);
      if (expected.link !== undefined) {
        const link = bench.hart.get(expected.link.reg);
        if (link !== BigInt(placed.returnAddress!)) fail(`links 0x${link.toString(16)}`);
        if (!bench.emitted(layout, at, placed.returnAddress!).includes(expected.link.value))
          fail('the return does not lead back');
      }
    }
  }
}

/** The superblock before and after the passes, by their definition. A load that A3 knows is what the machine finds. */
function compareForms(trace: RandomTrace, after: Superblock, random: Random): string | undefined {
  const holding = (state: State): State => {
    const registers = [...state.registers];
    for (const op of trace.superblock.ops)
      if (op.expect !== undefined && op.rs1?.kind === 'head') registers[op.rs1.reg] = BigInt(op.expect);
    return { ...state, registers };
  };
  return compareSuperblocks(trace.superblock, after, random, 2, holding, true);
}

const report = (trace: RandomTrace, after: Superblock, what: string): string =>
  `${what}\n${trace.insns.map(({ pc, insn }) => `${hex(pc)}  ${print(insn, pc)}`).join('\n')}\n${superblockText(trace.superblock)}\nafter\n${superblockText(after)}`;

function disassembly(layout: Layout, at: Addr): string {
  const lines: string[] = [];
  for (let offset = 0; offset < layout.bytes.length; ) {
    const insn = decodeAt(layout.bytes, offset);
    if (insn === undefined) break;
    const starts = layout.superblocks.filter(({ start }) => start === at + offset);
    for (const { lowered: low } of starts) lines.push(`superblock ${hex(low.head)}:`);
    lines.push(`${hex(at + offset)}  ${print(insn, at + offset)}`);
    offset += insn.size;
  }
  return lines.join('\n');
}
