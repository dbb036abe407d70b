/**
 * A region as a wasm function. Control flow is rebuilt from the dominator tree (Ramsey, "Beyond Relooper: Recursive translation of
 * unstructured control flow to structured control flow", ICFP 2022): a block that is entered from several places is placed behind
 * the wasm block that its immediate dominator opens for it, a block that is entered from one place is placed there.
 *
 * An exit to the interpreter is emitted where it is taken, with a hint that it is unlikely: V8 works slowly on graphs in which many
 * branches share an exit.
 */
import type { Addr, Reg } from '../../base/units.ts';
import { Code, I32, I64, type Label } from '../../base/wasm.ts';
import { LocalPool, WasmDomain } from '../../domain/wasm.ts';
import { HART, slotOf } from '../../machine/hart.ts';
import type { Frame } from '../routine.ts';
import { type AccessPlan, type Planned, planAccesses } from './accesses.ts';
import { type Edge, RegionCounts } from './counts.ts';
import type { Flow } from './flow.ts';
import type { CodeInsn } from './insns.ts';
import type { Block, Successor } from './region.ts';
import { canLeave, type Placement, placeRegisters, type RegSet, readsRounding, regsOf } from './registers.ts';
import { emitComeBack } from './returns.ts';
import { emitPermitted, RegionStep, type Site } from './step.ts';
import { DEPTH, emitIncrement, INTERPRET, pushDelta } from './support.ts';
import type { Surroundings } from './surroundings.ts';

const [RECORD_LOCAL, BUDGET, DEPTH_LOCAL] = [0, 1, 2];
/** A budget below the need of any path, whatever is charged to it. */
const NO_BUDGET = -(2 ** 30);
/** Bytes of code that the targets of a `switch` may span without a table in memory. */
const DIRECT_SPAN = 512;

export function emitRegion(flow: Flow, surroundings: Surroundings): { code: Code; counts: RegionCounts } {
  const emitter = new RegionEmitter(flow, surroundings);
  return { code: emitter.emit(), counts: emitter.counts };
}

class RegionEmitter {
  readonly counts: RegionCounts;
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
  /** Locals of a region with several entries: the entry that control is on its way to, or 0, and the budget that it came with. */
  readonly #goal: number;
  readonly #saved: number;
  readonly #labels = new Map<number, Label>();
  readonly #loops = new Map<number, Label>();
  /** Of the instruction at hand: its block, its record, and the number of instructions before it that are not charged yet. */
  #at = 0;
  #record = 0;
  #owed = 0;
  /** Registers whose locals are valid, and those of them whose locals may be newer than their slots in the hart's block. */
  #valid: RegSet = 0n;
  #pending: RegSet = 0n;
  #planned: Planned | undefined;

  constructor(flow: Flow, surroundings: Surroundings) {
    this.#around = surroundings;
    this.#flow = flow;
    const { order, region } = flow;
    this.#placement = placeRegisters(flow);
    this.#plan = planAccesses(region, order);
    this.#rounds = region.blocks.some(({ insns }) => insns.some(readsRounding));
    this.counts = new RegionCounts(flow, surroundings.counters);
    const code = this.#code;
    this.#next = code.local(I64);
    this.#goal = code.local(I32);
    this.#saved = code.local(I32);
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
      range: (permission, bytes) => {
        const { ranges, accessed } = surroundings;
        const range = ranges.around(accessed(this.#record), permission);
        return range && { low: range.low, limit: ranges.limit(range, bytes) };
      },
    };
  }

  emit(): Code {
    const code = this.#code;
    const { region, entries } = this.#flow;
    const further = entries.map((entry, goal) => ({ ...entry, goal })).slice(1);
    const forEach = (what: (goal: number) => void) => {
      for (const { pc, goal } of further) {
        code.get(RECORD_LOCAL).i32(this.#around.recordFor(pc)).op('i32.eq');
        code.if();
        what(goal);
        code.end();
      }
    };
    code.get(DEPTH_LOCAL).i32(DEPTH.REGION).op('i32.lt_s');
    code.if(undefined, false);
    code.i64(BigInt(region.head)).set(this.#next);
    forEach((goal) => code.i64(BigInt(entries[goal]!.pc)).set(this.#next));
    code.get(this.#next).get(BUDGET).op('return').end();
    if (this.#rounds) {
      // Nothing is counted yet.
      this.#pushNoRounding();
      code.if(undefined, false);
      code.get(RECORD_LOCAL).i32(INTERPRET).op('i32.or').get(BUDGET).get(DEPTH_LOCAL);
      code.returnCall(this.#around.locals.of('leave')).end();
    }
    if (further.length > 0) {
      code.get(RECORD_LOCAL).i32(this.#around.recordFor(region.head)).op('i32.ne');
      code.if(undefined, false);
      forEach((goal) => {
        code.i32(goal).set(this.#goal);
        this.#count(this.counts.entries[goal]!);
      });
      code.get(this.#goal);
      code.if();
      // The next check of the budget fails, and sends control on towards the entry (`#check`).
      code.get(BUDGET).set(this.#saved).i32(NO_BUDGET).set(BUDGET);
      code.else();
      // The record is a stub for the head, made when there was no code yet.
      this.#count(this.counts.entries[0]!);
      code.end();
      code.else();
    }
    this.#count(this.counts.entries[0]!);
    if (further.length > 0) code.end();
    if (this.#flow.loops.has(0)) this.#load(this.#placement.held[0]!);
    this.#tree(0);
    return code.op('unreachable');
  }

  #tree(block: number): void {
    const code = this.#code;
    const { children, merges, rank, loops } = this.#flow;
    if (loops.has(block)) {
      this.#loops.set(block, code.loop());
      this.#meet(block);
    }
    const behind = children[block]!.filter((child) => merges.has(child)).sort((a, b) => rank[b]! - rank[a]!);
    for (const child of behind) this.#labels.set(child, code.block());
    this.#block(block);
    for (const child of behind.reverse()) {
      code.end();
      this.#meet(child);
      this.#tree(child);
    }
    if (loops.has(block)) code.op('unreachable').end();
  }

  /** Sets the state that holds at the start of a block that is entered from several places. */
  #meet(block: number): void {
    this.#owed = 0;
    this.#valid = this.#placement.held[block]!;
    this.#pending = this.#placement.dirty[block]!;
  }

  #block(index: number): void {
    const { region, checks } = this.#flow;
    const block = region.blocks[index]!;
    const { insns } = block;
    this.#at = index;
    if (checks.has(index)) this.#check(index, block);
    const stays = this.#staying(index);
    let last: RegionStep | undefined;
    for (const [i, at] of insns.entries()) {
      this.#record = at.record;
      this.#planned = this.#plan.planned[index]![i];
      const leaves = canLeave(at) && (this.#planned === undefined || this.#planned.extent !== undefined);
      if (leaves) this.#flush(this.#pending & ~stays[i]!);
      this.#load(at.reads & ~this.#valid);
      last = new RegionStep(this.#site, at);
      last.emit();
      // An indirect jump writes its link at the end.
      if (at.ending !== 'jump') this.#wrote(at);
      this.#owed++;
    }
    this.#end(index, block, last);
  }
  /**
   * Leaves if the budget may not be enough up to the next check. While control is on its way to an entry other than the head, the budget is
   * NO_BUDGET: control then goes on to the next loop header, or begins here if this is the entry, with the budget that it came with.
   */
  #check(index: number, { pc, dispatch }: Block): void {
    const code = this.#code;
    const { bound, entries } = this.#flow;
    this.#record = this.#around.recordFor(pc);
    const pushLow = () =>
      code
        .get(BUDGET)
        .i32(bound[index]! + this.#owed)
        .op('i32.lt_s');
    pushLow();
    const own = entries.findIndex(({ block, path }) => block === index && path.length > 0);
    if (own < 0 && (dispatch ?? []).length === 0) {
      this.#leaveIf();
      return;
    }
    const restore = this.#state();
    code.if(undefined, false);
    code.get(this.#goal);
    code.if();
    this.#dispatch(index);
    if (own >= 0) {
      code.get(this.#saved).set(BUDGET).i32(0).set(this.#goal);
      pushLow();
      this.#leaveIf();
      for (const [reg, { low, high, permission }] of this.#plan.known[index]!) {
        this.#load((1n << BigInt(reg)) & ~this.#valid);
        code.get(this.#locals.get(reg)!).i64(BigInt(low)).op('i64.add');
        emitPermitted(this.#frame, this.#around.layout, high - low, permission, false);
        code.op('i32.eqz');
        this.#leaveIf();
      }
    } else code.op('unreachable');
    restore();
    code.else();
    this.#leave();
    code.end();
    code.end();
    restore();
  }
  /** Sends control that is on its way to an entry on to the next loop header. */
  #dispatch(index: number): void {
    const code = this.#code;
    const { region, entries } = this.#flow;
    for (const to of region.blocks[index]!.dispatch ?? []) {
      code.i32(0);
      for (const [goal, { path }] of entries.entries()) {
        const at = path.indexOf(to);
        if (at < 0 || (at === 0 ? 0 : path[at - 1]) !== index) continue;
        code.get(this.#goal).i32(goal).op('i32.eq', 'i32.or');
      }
      code.if();
      const restore = this.#state();
      this.#flush(this.#pending & ~this.#placement.dirty[to]!);
      this.#load(this.#placement.held[to]! & ~this.#valid);
      code.br(this.#labels.get(to)!).end();
      restore();
    }
  }
  /** By instruction: the registers that need no storing before it: carried ones, and those that the block writes again. */
  #staying(index: number): RegSet[] {
    const { insns } = this.#flow.region.blocks[index]!;
    const stays: RegSet[] = [];
    let set = this.#placement.carried[index]!;
    for (let i = insns.length - 1; i >= 0; i--) {
      stays[i] = set;
      set |= insns[i]!.writes;
    }
    return stays;
  }

  #end(index: number, block: Block, step: RegionStep | undefined): void {
    const code = this.#code;
    const { ending, successors } = block;
    const at = block.insns.at(-1);
    const { successors: edges } = this.counts.exits[index]!;
    switch (ending) {
      case 'enter':
        if ((block.dispatch ?? []).length > 0) {
          code.get(this.#goal);
          code.if(undefined, false);
          this.#dispatch(index);
          code.end();
        }
        this.#enter(index, successors[0]!);
        break;
      case 'fall':
      case 'goto':
        this.#go(index, successors[0]!, edges[0]!);
        break;
      case 'branch': {
        // Registers that neither way keeps dirty are stored once, before the branch.
        this.#flush(this.#pending & ~successors.reduce((set, to) => set | this.#keptBy(to), 0n));
        this.#domain.pushCondition(step!.condition!);
        const restore = this.#state();
        code.if();
        for (const [i, to] of successors.entries()) {
          if (i > 0) code.else();
          restore();
          this.#go(index, to, edges[i]!);
        }
        code.end();
        break;
      }
      case 'call':
        this.#call(index, block, at!, step!);
        break;
      case 'return':
        this.#return(index, block, at!, step!.goal!);
        break;
      case 'switch':
        this.#switch(index, block, at!, step!);
        break;
      default:
        this.#record = this.#around.recordFor(successors[0]!.pc);
        this.#leave();
    }
  }

  /** @returns a function that restores the emitter's state as it is now, for another way from here */
  #state(): () => void {
    const [owed, valid, pending, at] = [this.#owed, this.#valid, this.#pending, this.#at];
    return () => {
      [this.#owed, this.#valid, this.#pending, this.#at] = [owed, valid, pending, at];
    };
  }
  /** Is a successor entered from elsewhere too? */
  #meets({ block }: Successor): boolean {
    const { merges, loops } = this.#flow;
    return merges.has(block) || loops.has(block);
  }
  /** Registers whose locals may be newer than their slots at the start of a successor. */
  #keptBy(to: Successor): RegSet {
    if (to.block < 0) return 0n;
    return this.#meets(to) ? this.#placement.dirty[to.block]! : this.#pending;
  }

  /** Goes on with a successor: counts, and hands over. */
  #go(from: number, to: Successor, edge: Edge): void {
    const { pc, block } = to;
    this.#count(edge);
    if (block < 0) {
      this.#flush(this.#pending);
      this.#goOutside(pc);
    } else this.#enter(from, to);
  }
  #goOutside(pc: Addr): void {
    const code = this.#code.i32(this.#around.recordFor(pc));
    this.#pushBudget().get(DEPTH_LOCAL);
    code.i32(this.#around.slotFor(pc)).returnCallIndirect(this.#around.regionType);
  }
  /** Enters a block of the region; where ways meet, with the registers as the block expects them. */
  #enter(from: number, to: Successor): void {
    const code = this.#code;
    const { rank, merges } = this.#flow;
    const { block } = to;
    const back = rank[block]! <= rank[from]!;
    if (this.#meets(to)) {
      this.#charge();
      this.#flush(this.#pending & ~this.#placement.dirty[block]!);
      this.#load(this.#placement.held[block]! & ~this.#valid);
    }
    if (back) code.br(this.#loops.get(block)!);
    else if (merges.has(block)) code.br(this.#labels.get(block)!);
    else this.#tree(block);
  }

  #call(index: number, { successors, expected = [] }: Block, at: CodeInsn, step: RegionStep): void {
    const code = this.#code;
    const { recordFor } = this.#around;
    const { successors: calls, returned: back, returnedOtherwise } = this.counts.exits[index]!;
    const link = at.pc + at.insn.size;
    const indirect = step.goal;
    if (indirect !== undefined) {
      this.#owed--;
      this.#flush(this.#pending);
      this.#checkGoal(indirect);
      this.#owed++;
    }
    step.writeLink();
    this.#wrote(at);
    this.#flush(this.#pending);
    this.#charge();
    const pushRest = () => code.get(BUDGET).get(DEPTH_LOCAL).i32(this.#frameSize).op('i32.sub');
    const callTo = (pc: Addr) => {
      code.i32(recordFor(pc));
      pushRest();
      const { func, slot } = this.#around.linkTo(pc);
      if (func !== undefined) code.call(func);
      else code.i32(slot).callIndirect(this.#around.regionType);
      code.set(BUDGET).set(this.#next);
    };
    if (indirect === undefined) {
      this.#count(calls[0]!);
      callTo(at.target);
    } else {
      for (const [i, target] of expected.entries()) {
        code.get(indirect).i64(BigInt(target)).op('i64.eq');
        code.if(undefined, true);
        this.#count(calls[i]!);
        callTo(target);
        code.else();
      }
      this.#count(calls.at(-1)!);
      this.#countJump(at, indirect);
      this.#pushRecord(indirect).tee(RECORD_LOCAL);
      pushRest().get(RECORD_LOCAL).call(this.#around.slotOf);
      code.callIndirect(this.#around.regionType).set(BUDGET).set(this.#next);
      for (const _ of expected) code.end();
    }
    const counts = { back: () => this.#count(back!), otherwise: () => this.#count(returnedOtherwise!) };
    emitComeBack(code, this.#around, at.pc, link, this.#next, BUDGET, counts);
    // The callee may have changed every register's slot.
    this.#valid = 0n;
    const [to] = successors;
    if (to!.block >= 0) {
      this.#checkRounding(to!.block, link);
      this.#enter(index, to!);
    } else this.#goOutside(to!.pc);
  }

  #return(index: number, { successors }: Block, at: CodeInsn, goal: number): void {
    const code = this.#code;
    const { successors: edges, out } = this.counts.exits[index]!;
    this.#owed--;
    this.#flush(this.#pending);
    this.#checkHigh(goal);
    this.#owed++;
    for (const [i, to] of successors.entries()) {
      code.get(goal).i64(BigInt(to.pc)).op('i64.eq');
      code.if();
      const restore = this.#state();
      this.#go(index, to, edges[i]!);
      code.end();
      restore();
    }
    this.#count(out!);
    code
      .i64(BigInt(at.record) << 32n)
      .get(goal)
      .op('i64.or');
    this.#pushBudget().op('return');
  }

  #switch(index: number, { successors }: Block, at: CodeInsn, step: RegionStep): void {
    const code = this.#code;
    const goal = step.goal!;
    const { regionType } = this.#around;
    const { successors: edges, out } = this.counts.exits[index]!;
    this.#owed--;
    this.#flush(this.#pending & ~successors.reduce((set, to) => set | this.#keptBy(to), 0n));
    this.#checkGoal(goal);
    this.#owed++;
    const restore = this.#state();
    const leave = () => {
      restore();
      this.#count(out!);
      this.#flush(this.#pending);
      this.#charge();
      this.#countJump(at, goal);
      this.#pushRecord(goal).tee(RECORD_LOCAL).get(BUDGET).get(DEPTH_LOCAL);
      code.get(RECORD_LOCAL).call(this.#around.slotOf).returnCallIndirect(regionType);
    };
    if (successors.length === 0) {
      leave();
      return;
    }
    const targets = successors.map((to, i) => ({ to, edge: edges[i]! })).sort((a, b) => a.to.pc - b.to.pc);
    const low = targets[0]!.to.pc;
    const span = targets.at(-1)!.to.pc - low + 2;
    const unknown = code.block();
    const labels = targets.map(() => code.block()).reverse();
    const distance = this.#frame.pool.take(I64);
    code.get(goal).i64(BigInt(low)).op('i64.sub').tee(distance);
    code.i64(BigInt(span)).op('i64.ge_u').brIf(unknown, false);
    code.get(distance).op('i32.wrap_i64');
    if (span <= DIRECT_SPAN) {
      const entries: Label[] = new Array(span / 2).fill(unknown);
      for (const [i, { to }] of targets.entries()) entries[(to.pc - low) / 2] = labels[i]!;
      code.i32(1).op('i32.shr_u').brTable(entries, unknown);
    } else {
      const table = new Uint16Array(span / 2);
      for (const [i, { to }] of targets.entries()) table[(to.pc - low) / 2] = i + 1;
      code.access('i32.load16_u', this.#around.tableOf(table)).brTable([unknown, ...labels], unknown);
    }
    for (const { to, edge } of targets) {
      code.end();
      restore();
      this.#go(index, to, edge);
    }
    code.end();
    leave();
  }

  /** Bytes of the host's stack that a call costs, roughly: V8 may keep every local and some temporaries there. */
  get #frameSize(): number {
    return 256 + this.#locals.size * 16;
  }

  /** Charges the instructions executed so far to the budget. */
  #charge(): void {
    if (this.#owed > 0) this.#pushBudget().set(BUDGET);
    this.#owed = 0;
  }
  #pushBudget(): Code {
    const code = this.#code.get(BUDGET);
    return this.#owed > 0 ? code.i32(this.#owed).op('i32.sub') : code;
  }
  #count({ cell }: Edge): void {
    if (cell !== undefined) emitIncrement(this.#code, () => this.#code.i32(cell), 0);
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

  // Below, addresses are constants without an offset: V8 makes an offset a node that all accesses with it share, and visits all for each.

  /** In a region with floating point, leaves for the interpreter at a block's start if the rounding mode in force is invalid. */
  #checkRounding(block: number, pc: Addr): void {
    if (!this.#rounds) return;
    this.#pushNoRounding();
    this.#at = block;
    this.#record = this.#around.recordFor(pc);
    this.#leaveIf();
  }
  #pushNoRounding(): void {
    const { hart } = this.#around.layout;
    this.#code
      .i32(hart + HART.FRM)
      .access('i32.load', 0)
      .i32(4)
      .op('i32.gt_u');
  }
  #load(set: RegSet): void {
    for (const reg of regsOf(set)) this.#code.i32(this.#placeOf(reg)).access('i64.load', 0).set(this.#locals.get(reg)!);
    this.#valid |= set;
  }
  #wrote({ writes }: CodeInsn): void {
    this.#valid |= writes;
    this.#pending |= writes;
  }
  /** Stores registers, whose slots are then up to date. */
  #flush(set: RegSet): void {
    this.#store(set);
    this.#pending &= ~set;
  }
  #store(set: RegSet): void {
    for (const reg of regsOf(set))
      this.#code.i32(this.#placeOf(reg)).get(this.#locals.get(reg)!).access('i64.store', 0);
  }
  #placeOf(reg: Reg): number {
    return this.#around.layout.hart + slotOf(reg);
  }

  /** Leaves for the interpreter, which executes the instruction at hand and goes on. */
  #leave(): void {
    const code = this.#code;
    const { locals } = this.#around;
    this.#store(this.#pending);
    code.i32(this.#record | INTERPRET);
    this.#pushBudget().get(DEPTH_LOCAL);
    const counter = this.counts.left(this.#at);
    if (counter === undefined) code.returnCall(locals.of('leave'));
    else code.i32(counter).returnCall(locals.of('left'));
  }
  #leaveIf(): void {
    this.#code.if(undefined, false);
    this.#leave();
    this.#code.end();
  }
}
