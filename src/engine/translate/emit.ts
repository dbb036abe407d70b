/**
 * A region as a wasm function. Control flow is rebuilt from the dominator tree (Ramsey, "Beyond Relooper: Recursive translation of
 * unstructured control flow to structured control flow", ICFP 2022): a block that is entered from several places is placed behind
 * the wasm block that its immediate dominator opens for it, one that is entered from one place is placed there.
 *
 * An exit to the interpreter is emitted where it is taken: V8 places what a branch takes behind what it does not, and a common exit
 * of many branches makes its graphs slow to work on.
 */
import type { Addr, Reg } from '../../base/units.ts';
import { Code, I64, type Label } from '../../base/wasm.ts';
import { facts } from '../../domain/record.ts';
import { LocalPool, WasmDomain } from '../../domain/wasm.ts';
import { HART, slotOf } from '../../machine/hart.ts';
import type { Frame, Layout } from '../routine.ts';
import { type AccessPlan, type Extent, planAccesses } from './accesses.ts';
import { type Flow, flowOf } from './flow.ts';
import type { CodeInsn } from './insns.ts';
import type { Block, Region, Successor } from './region.ts';
import { canLeave, type Placement, placeRegisters, type RegSet, readsRounding, regsOf } from './registers.ts';
import { RegionStep, type Site } from './step.ts';
import { CELL, DEPTH, emitIncrement, INTERPRET, pushDelta } from './support.ts';

/** What a region needs from those around it. */
export interface Surroundings {
  readonly layout: Layout;
  readonly regionType: number;
  /** Imported helpers, by function index. */
  readonly count: number;
  readonly returned: number;
  readonly slotOf: number;
  /** The slot for code at an address, translated or not. */
  slotFor(pc: Addr): number;
  recordFor(pc: Addr): number;
  /** Address of the i64 that counts a transfer; undefined if nothing is counted. */
  counter(from: Addr, to: Addr): number | undefined;
  /** Address of the return cell of a call. */
  returnCell(from: Addr, link: Addr): number;
  /** Takes so many zeroed bytes of the host area, for a table. */
  allocate(bytes: number): number;
  halves: Uint16Array;
}

const [RECORD_LOCAL, BUDGET, DEPTH_LOCAL] = [0, 1, 2];
/** Slots further apart than this go through a table in memory: bytes of code. */
const DIRECT_SPAN = 512;
/** The slot that always has the interpreter. */
const INTERPRETER_SLOT = 0;

export function emitRegion(region: Region, surroundings: Surroundings): Code {
  return new RegionEmitter(region, surroundings).emit();
}

class RegionEmitter {
  readonly #code = new Code(3);
  readonly #flow: Flow;
  readonly #placement: Placement;
  readonly #plan: AccessPlan;
  readonly #rounds: boolean;
  readonly #around: Surroundings;
  readonly #locals = new Map<Reg, number>();
  readonly #frame: Frame;
  readonly #site: Site;
  readonly #domain: WasmDomain;
  readonly #next: number;
  readonly #labels = new Map<number, Label>();
  readonly #loops = new Map<number, Label>();
  /** Of the instruction at hand: its record, and how many of its block came before it. */
  #record = 0;
  #executed = 0;
  /** Registers whose locals are newer than their places. */
  readonly #pending = new Set<Reg>();
  #planned: Extent | 'checked' | undefined;

  constructor(region: Region, surroundings: Surroundings) {
    this.#around = surroundings;
    this.#flow = flowOf(region);
    const { order } = this.#flow;
    this.#placement = placeRegisters(this.#flow.region, order);
    this.#plan = planAccesses(this.#flow.region, order);
    this.#rounds = this.#flow.region.blocks.some(({ insns }) => insns.some(readsRounding));
    const code = this.#code;
    this.#next = code.local(I64);
    for (const reg of regsOf(this.#placement.all)) this.#locals.set(reg, code.local(I64));
    const pool = new LocalPool(code);
    this.#domain = new WasmDomain(code, pool);
    this.#frame = {
      code,
      pool,
      record: RECORD_LOCAL,
      budget: BUDGET,
      next: () => {},
      leave: () => this.#leave(),
    };
    this.#site = {
      frame: this.#frame,
      layout: surroundings.layout,
      local: (reg) => this.#locals.get(reg)!,
      planned: () => this.#planned,
    };
  }

  emit(): Code {
    const code = this.#code;
    const { region } = this.#flow;
    code.get(DEPTH_LOCAL).i32(DEPTH.REGION).op('i32.lt_s');
    code.if();
    code.i64(BigInt(region.head)).get(BUDGET).op('return').end();
    this.#load(this.#placement.needed[0]!);
    this.#checkRounding(region.head);
    this.#tree(0);
    return code.op('unreachable');
  }

  #tree(block: number): void {
    const code = this.#code;
    const { children, merges, rank, loopHeaders } = this.#flow;
    if (loopHeaders.has(block)) this.#loops.set(block, code.loop());
    const behind = children[block]!.filter((child) => merges.has(child)).sort((a, b) => rank[b]! - rank[a]!);
    for (const child of behind) this.#labels.set(child, code.block());
    this.#block(block);
    for (const child of behind.reverse()) {
      code.end();
      this.#tree(child);
    }
    if (loopHeaders.has(block)) code.op('unreachable').end();
  }

  #block(index: number): void {
    const code = this.#code;
    const { region, checks, bound } = this.#flow;
    const block = region.blocks[index]!;
    this.#executed = 0;
    if (checks.has(index)) {
      this.#record = this.#around.recordFor(block.pc);
      code.get(BUDGET).i32(bound[index]!).op('i32.lt_s');
      this.#leaveIf();
    }
    let last: RegionStep | undefined;
    for (const [i, at] of block.insns.entries()) {
      this.#record = at.record;
      this.#executed = i;
      this.#planned = this.#plan[index]![i];
      if (this.#planned !== 'checked' && canLeave(at)) this.#flush();
      last = new RegionStep(this.#site, at);
      last.emit();
      // An indirect jump writes at the end.
      if (at.ending !== 'jump') this.#wrote(at);
    }
    this.#end(index, block, last);
  }

  #end(index: number, block: Block, step: RegionStep | undefined): void {
    const code = this.#code;
    this.#flush();
    const { ending, insns, successors } = block;
    const at = insns.at(-1);
    switch (ending) {
      case 'fall':
        this.#charge(insns.length);
        this.#go(index, successors[0]!);
        break;
      case 'goto':
        this.#charge(insns.length);
        this.#count(at!, successors[0]!.pc);
        this.#go(index, successors[0]!);
        break;
      case 'branch':
        this.#charge(insns.length);
        this.#domain.pushCondition(step!.condition!);
        code.if();
        for (const [i, to] of successors.entries()) {
          if (i > 0) code.else();
          this.#count(at!, to.pc);
          this.#go(index, to);
        }
        code.end();
        break;
      case 'call':
        this.#call(index, block, at!, step!);
        break;
      case 'return':
        this.#checkHigh(step!.goal!);
        this.#charge(insns.length);
        code
          .i64(BigInt(at!.record) << 32n)
          .get(step!.goal!)
          .op('i64.or')
          .get(BUDGET)
          .op('return');
        break;
      case 'switch':
        this.#switch(index, block, at!, step!);
        break;
      default:
        this.#record = this.#around.recordFor(successors[0]!.pc);
        this.#executed = insns.length;
        this.#leave();
    }
  }

  /** Goes on with a successor; the block's instructions are charged and counted. */
  #go(from: number, { pc, block }: Successor): void {
    const code = this.#code;
    const { rank, merges } = this.#flow;
    if (block < 0) {
      code.i32(this.#around.recordFor(pc)).get(BUDGET).get(DEPTH_LOCAL).i32(this.#around.slotFor(pc));
      code.returnCallIndirect(this.#around.regionType);
    } else if (rank[block]! <= rank[from]!) code.br(this.#loops.get(block)!);
    else if (merges.has(block)) code.br(this.#labels.get(block)!);
    else this.#tree(block);
  }

  #call(index: number, { insns, successors }: Block, at: CodeInsn, step: RegionStep): void {
    const code = this.#code;
    const { regionType, recordFor, slotFor, returned } = this.#around;
    const link = at.pc + at.insn.size;
    const indirect = step.goal;
    if (indirect !== undefined) this.#checkGoal(indirect);
    step.writeLink();
    this.#wrote(at);
    this.#flush();
    this.#charge(insns.length);
    const pushRest = () => code.get(BUDGET).get(DEPTH_LOCAL).i32(this.#frameSize).op('i32.sub');
    if (indirect === undefined) {
      this.#count(at, at.target);
      code.i32(recordFor(at.target));
      pushRest().i32(slotFor(at.target));
    } else {
      this.#countJump(at, indirect);
      this.#pushRecord(indirect).tee(RECORD_LOCAL);
      pushRest().get(RECORD_LOCAL).call(this.#around.slotOf);
    }
    code.callIndirect(regionType).set(BUDGET).set(this.#next);
    const cell = this.#around.returnCell(at.pc, link);
    code
      .get(this.#next)
      .i32(cell + CELL.NEXT)
      .access('i64.load', 0)
      .op('i64.eq');
    code.if();
    emitIncrement(code, () => code.i32(cell + CELL.COUNT), 0);
    code.else();
    code.i32(cell).get(this.#next).call(returned).op('i32.eqz');
    code.if();
    code.get(this.#next).get(BUDGET).op('return').end();
    code.end();
    const [back] = successors;
    if (back!.block >= 0) {
      this.#load(this.#placement.needed[back!.block]!);
      this.#checkRounding(link);
    }
    this.#go(index, back!);
  }

  #switch(index: number, { insns, successors }: Block, at: CodeInsn, step: RegionStep): void {
    const code = this.#code;
    const goal = step.goal!;
    const { regionType } = this.#around;
    const leave = () => {
      this.#charge(insns.length);
      this.#countJump(at, goal);
      this.#pushRecord(goal).tee(RECORD_LOCAL).get(BUDGET).get(DEPTH_LOCAL);
      code.get(RECORD_LOCAL).call(this.#around.slotOf).returnCallIndirect(regionType);
    };
    this.#checkGoal(goal);
    if (successors.length === 0) {
      leave();
      return;
    }
    const targets = [...successors].sort((a, b) => a.pc - b.pc);
    const low = targets[0]!.pc;
    const span = targets.at(-1)!.pc - low + 2;
    const unknown = code.block();
    const labels = targets.map(() => code.block()).reverse();
    const distance = this.#frame.pool.take(I64);
    code.get(goal).i64(BigInt(low)).op('i64.sub').tee(distance);
    code.i64(BigInt(span)).op('i64.ge_u').brIf(unknown);
    code.get(distance).op('i32.wrap_i64');
    if (span <= DIRECT_SPAN) {
      const entries: Label[] = new Array(span / 2).fill(unknown);
      for (const [i, { pc }] of targets.entries()) entries[(pc - low) / 2] = labels[i]!;
      code.i32(1).op('i32.shr_u').brTable(entries, unknown);
    } else {
      const table = this.#around.allocate(span);
      for (const [i, { pc }] of targets.entries()) this.#around.halves[(table + pc - low) >>> 1] = i + 1;
      code.access('i32.load16_u', table).brTable([unknown, ...labels], unknown);
    }
    for (const to of targets) {
      code.end();
      this.#charge(insns.length);
      this.#count(at, to.pc);
      this.#go(index, to);
    }
    code.end();
    leave();
  }

  /** Bytes of the host's stack that a call costs, roughly: V8 may keep every local and some temporaries there. */
  get #frameSize(): number {
    return 256 + this.#locals.size * 16;
  }

  #charge(insns: number): void {
    if (insns > 0) this.#code.get(BUDGET).i32(insns).op('i32.sub').set(BUDGET);
  }
  #count(at: CodeInsn, to: Addr): void {
    const address = this.#around.counter(at.pc, to);
    if (address !== undefined) emitIncrement(this.#code, () => this.#code.i32(address), 0);
  }
  #countJump(at: CodeInsn, goal: number): void {
    this.#code
      .i64(BigInt(at.record) << 32n)
      .get(goal)
      .op('i64.or')
      .call(this.#around.count);
  }
  /** Leaves unless an address fits 32 bits. */
  #checkHigh(goal: number): void {
    this.#code.get(goal).i64(32n).op('i64.shr_u').i64(0n).op('i64.ne');
    this.#leaveIf();
  }
  /** Leaves unless an address has a record. */
  #checkGoal(goal: number): void {
    const code = this.#code;
    const { memorySize, deltas } = this.#around.layout;
    code.get(goal).i64(BigInt(memorySize)).op('i64.ge_u');
    this.#leaveIf();
    pushDelta(deltas, () => code.get(goal).op('i32.wrap_i64')).op('i32.eqz');
    this.#leaveIf();
  }
  #pushRecord(goal: number): Code {
    const code = this.#code;
    code.get(goal).op('i32.wrap_i64').i32(4).op('i32.shl');
    return pushDelta(this.#around.layout.deltas, () => code.get(goal).op('i32.wrap_i64')).op('i32.add');
  }

  // Addresses are constants without an offset: V8 makes an offset a node shared by all accesses with it, and looks at all of them for each.
  /** In a region with floating point, leaves for the interpreter at an address if the rounding mode in force is none. */
  #checkRounding(pc: Addr): void {
    if (!this.#rounds) return;
    this.#code
      .i32(this.#around.layout.hart + HART.FRM)
      .access('i32.load', 0)
      .i32(4)
      .op('i32.gt_u');
    this.#record = this.#around.recordFor(pc);
    this.#executed = 0;
    this.#leaveIf();
  }
  #load(set: RegSet): void {
    for (const reg of regsOf(set)) this.#code.i32(this.#placeOf(reg)).access('i64.load', 0).set(this.#locals.get(reg)!);
  }
  #wrote({ insn }: CodeInsn): void {
    const { writes } = facts(insn);
    if (writes !== undefined) this.#pending.add(writes);
  }
  #flush(): void {
    for (const reg of this.#pending)
      this.#code.i32(this.#placeOf(reg)).get(this.#locals.get(reg)!).access('i64.store', 0);
    this.#pending.clear();
  }
  #placeOf(reg: Reg): number {
    return this.#around.layout.hart + slotOf(reg);
  }

  /** To the interpreter, which executes the instruction at hand and goes on. */
  #leave(): void {
    const code = this.#code;
    code.i32(this.#record | INTERPRET).get(BUDGET);
    if (this.#executed > 0) code.i32(this.#executed).op('i32.sub');
    code.get(DEPTH_LOCAL).i32(INTERPRETER_SLOT).returnCallIndirect(this.#around.regionType);
  }
  #leaveIf(): void {
    this.#code.if();
    this.#leave();
    this.#code.end();
  }
}
