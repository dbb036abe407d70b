/** How blocks end: branches, calls, returns and jumps through tables. */
import { NO_REGS, type RegSet, union } from '../../base/regset.ts';
import type { Addr } from '../../base/units.ts';
import type { Label } from '../../base/wasm-code.ts';
import { I64 } from '../../base/wasm-opcodes.ts';
import type { Edge } from './counts.ts';
import type { Emission } from './emission.ts';
import type { CodeInsn } from './insns.ts';
import type { Block, Successor } from './region.ts';
import { emitComeBack } from './returns.ts';
import type { RegionStep } from './step.ts';
import { BUDGET, DEPTH_LOCAL, RECORD_LOCAL } from './support.ts';

/** Bytes of code that the targets of a `switch` may span without a table in memory. */
const DIRECT_SPAN = 512;
/** Bytes of the host's stack that a call costs, roughly: V8 may keep every local and some temporaries there. */
const FRAME = { BASE: 256, LOCAL: 16 } as const;

/** How control gets from a block to its successors. */
export interface Ways {
  /** Goes on with a successor: counts, and hands over. */
  go(from: number, to: Successor, edge: Edge): void;
  /** Enters a block of the region; where ways meet, with the registers as the block expects them. */
  enter(from: number, to: Successor): void;
  /** Registers whose locals may be newer than their slots at the start of a successor. */
  keptBy(to: Successor): RegSet;
}

export class Endings {
  readonly #emission: Emission;
  readonly #ways: Ways;

  constructor(emission: Emission, ways: Ways) {
    this.#emission = emission;
    this.#ways = ways;
  }

  /** Registers that some of the successors keep dirty; all others are stored once, before ways part. */
  #keptByAny(successors: readonly Successor[]): RegSet {
    return successors.reduce((set, to) => union(set, this.#ways.keptBy(to)), NO_REGS);
  }

  branch(index: number, { successors }: Block, step: RegionStep): void {
    const { code, counts, domain, registers } = this.#emission;
    registers.flush(this.#keptByAny(successors));
    domain.pushCondition(step.condition!);
    const restore = this.#emission.mark();
    code.if();
    for (const [i, to] of successors.entries()) {
      if (i > 0) code.else();
      restore();
      this.#ways.go(index, to, counts.exits[index]!.successors[i]!);
    }
    code.end();
  }

  call(index: number, block: Block, step: RegionStep): void {
    const { code, around, counts, registers, next } = this.#emission;
    const at = block.insns.at(-1)!;
    const { successors: calls, returned, returnedOtherwise } = counts.exits[index]!;
    const link = at.pc + at.insn.size;
    const goal = step.goal;
    if (goal !== undefined) this.#checkBefore(() => this.#emission.checkRecord(goal));
    step.writeLink();
    registers.wrote(at.writes);
    registers.flush();
    this.#emission.charge();
    if (goal === undefined) {
      this.#emission.count(calls[0]!);
      this.#callTo(at.target);
    } else this.#callThrough(goal, block, calls);
    emitComeBack(code, around, at.pc, link, next, BUDGET, {
      back: () => this.#emission.count(returned!),
      otherwise: () => this.#emission.count(returnedOtherwise!),
    });
    registers.forget();
    const to = block.successors[0]!;
    if (to.block >= 0) {
      this.#emission.checkRounding(to.block, link);
      this.#ways.enter(index, to);
    } else this.#emission.goOutside(to.pc);
  }
  /** Emits a check that leaves before an indirect jump, which is then not charged and has all registers in their slots. */
  #checkBefore(check: () => void, kept: RegSet = NO_REGS): void {
    this.#emission.owed--;
    this.#emission.registers.flush(kept);
    check();
    this.#emission.owed++;
  }
  #callTo(pc: Addr): void {
    const { code, around, next } = this.#emission;
    code.i32(around.recordFor(pc));
    this.#pushRest();
    const { func, slot } = around.linkTo(pc);
    if (func !== undefined) code.call(func);
    else code.i32(slot).callIndirect(around.regionType);
    code.set(BUDGET).set(next);
  }
  /** Calls through a register: compares with the known callees first. */
  #callThrough(goal: number, { insns, expected = [] }: Block, calls: readonly Edge[]): void {
    const { code, around, next } = this.#emission;
    for (const [i, target] of expected.entries()) {
      code.get(goal).i64(BigInt(target)).op('i64.eq');
      code.if(undefined, true);
      this.#emission.count(calls[i]!);
      this.#callTo(target);
      code.else();
    }
    this.#emission.count(calls.at(-1)!);
    this.#emission.countJump(insns.at(-1)!, goal);
    this.#emission.pushRecord(goal).tee(RECORD_LOCAL);
    this.#pushRest();
    code.get(RECORD_LOCAL).call(around.slotOf);
    code.callIndirect(around.regionType).set(BUDGET).set(next);
    for (const _ of expected) code.end();
  }
  /** Pushes the budget, and the bytes of the host's stack that are left for a callee. */
  #pushRest(): void {
    const { code, registers } = this.#emission;
    const frame = FRAME.BASE + registers.count * FRAME.LOCAL;
    code.get(BUDGET).get(DEPTH_LOCAL).i32(frame).op('i32.sub');
  }

  return(index: number, { insns, successors }: Block, goal: number): void {
    const { code, counts } = this.#emission;
    const { successors: edges, out } = counts.exits[index]!;
    this.#checkBefore(() => this.#emission.checkHigh(goal));
    for (const [i, to] of successors.entries()) {
      code.get(goal).i64(BigInt(to.pc)).op('i64.eq');
      code.if();
      const restore = this.#emission.mark();
      this.#ways.go(index, to, edges[i]!);
      code.end();
      restore();
    }
    this.#emission.count(out!);
    this.#emission.pushTransfer(insns.at(-1)!, goal);
    this.#emission.pushBudget().op('return');
  }

  switch(index: number, { insns, successors }: Block, goal: number): void {
    const { code, counts } = this.#emission;
    const { successors: edges, out } = counts.exits[index]!;
    this.#checkBefore(() => this.#emission.checkRecord(goal), this.#keptByAny(successors));
    if (successors.length === 0) {
      this.#jumpOut(insns.at(-1)!, goal, out!);
      return;
    }
    const restore = this.#emission.mark();
    const targets = successors.map((to, i) => ({ to, edge: edges[i]! })).sort((a, b) => a.to.pc - b.to.pc);
    const unknown = code.block();
    const labels = targets.map(() => code.block()).reverse();
    const pcs = targets.map(({ to }) => to.pc);
    this.#branchByTable(goal, pcs, labels, unknown);
    for (const { to, edge } of targets) {
      code.end();
      restore();
      this.#ways.go(index, to, edge);
    }
    code.end();
    restore();
    this.#jumpOut(insns.at(-1)!, goal, out!);
  }
  /** Goes to the label of the address in the local, or to `unknown`. @param pcs rising, each with its label */
  #branchByTable(goal: number, pcs: readonly Addr[], labels: readonly Label[], unknown: Label): void {
    const { code, around, frame } = this.#emission;
    const low = pcs[0]!;
    const span = pcs.at(-1)! - low + 2;
    const distance = frame.pool.take(I64);
    code.get(goal).i64(BigInt(low)).op('i64.sub').tee(distance);
    code.i64(BigInt(span)).op('i64.ge_u').brIf(unknown, false);
    code.get(distance).op('i32.wrap_i64');
    if (span <= DIRECT_SPAN) {
      const entries: Label[] = new Array(span / 2).fill(unknown);
      for (const [i, pc] of pcs.entries()) entries[(pc - low) / 2] = labels[i]!;
      code.i32(1).op('i32.shr_u').brTable(entries, unknown);
    } else {
      const table = new Uint16Array(span / 2);
      for (const [i, pc] of pcs.entries()) table[(pc - low) / 2] = i + 1;
      code.access('i32.load16_u', around.tableOf(table)).brTable([unknown, ...labels], unknown);
    }
  }
  /** Goes to the address in the local, outside the region. */
  #jumpOut(at: CodeInsn, goal: number, out: Edge): void {
    const { code, around, registers } = this.#emission;
    this.#emission.count(out);
    registers.flush();
    this.#emission.charge();
    this.#emission.countJump(at, goal);
    this.#emission.pushRecord(goal).tee(RECORD_LOCAL).get(BUDGET).get(DEPTH_LOCAL);
    code.get(RECORD_LOCAL).call(around.slotOf).returnCallIndirect(around.regionType);
  }
}
