/**
 * The entries of a region: its head and its loops' headers. A wasm function has one beginning, so control that is to go to a header takes
 * the way there from loop to loop. The budget is checked at each header; while control is on its way the budget is NO_BUDGET, so that the
 * check fails and sends control on.
 */
import { regSet } from '../../base/regset.ts';
import type { Label } from '../../base/wasm-code.ts';
import type { AccessPlan } from './accesses.ts';
import type { Emission } from './emission.ts';
import type { Flow } from './flow.ts';
import type { Block } from './region.ts';
import type { Placement } from './registers.ts';
import { emitPermitted } from './step.ts';
import { BUDGET, DEPTH, DEPTH_LOCAL, INTERPRET, RECORD_LOCAL } from './support.ts';

/** A budget below the need of any path, whatever is charged to it. */
const NO_BUDGET = -(2 ** 30);

export class Entries {
  readonly #emission: Emission;
  readonly #flow: Flow;
  readonly #placement: Placement;
  readonly #plan: AccessPlan;
  /** Labels of open wasm blocks, by the block of the region behind them. */
  readonly #labels: ReadonlyMap<number, Label>;

  constructor(
    emission: Emission,
    flow: Flow,
    { placement, plan }: { readonly placement: Placement; readonly plan: AccessPlan },
    labels: ReadonlyMap<number, Label>,
  ) {
    this.#emission = emission;
    this.#flow = flow;
    this.#placement = placement;
    this.#plan = plan;
    this.#labels = labels;
  }

  /** Emits the beginning of the function, up to block 0. */
  begin(): void {
    this.#checkDepth();
    this.#checkRounding();
    const { code, counts, around, goal, saved } = this.#emission;
    if (this.#flow.entries.length === 1) {
      this.#emission.count(counts.entries[0]!);
      return;
    }
    code.get(RECORD_LOCAL).i32(around.recordFor(this.#flow.region.head)).op('i32.ne');
    code.if(undefined, false);
    this.#ifEntry((entry) => {
      code.i32(entry).set(goal);
      this.#emission.count(counts.entries[entry]!);
    });
    code.get(goal);
    code.if();
    code.get(BUDGET).set(saved).i32(NO_BUDGET).set(BUDGET);
    code.else();
    // The record is a stub for the head, made when there was no code yet.
    this.#emission.count(counts.entries[0]!);
    code.end();
    code.else();
    this.#emission.count(counts.entries[0]!);
    code.end();
  }
  /** Emits code for each entry besides the head that is executed if control came to that entry. */
  #ifEntry(emit: (entry: number) => void): void {
    const { code, around } = this.#emission;
    for (const [entry, { pc }] of this.#flow.entries.entries()) {
      if (entry === 0) continue;
      code.get(RECORD_LOCAL).i32(around.recordFor(pc)).op('i32.eq');
      code.if();
      emit(entry);
      code.end();
    }
  }
  /** Returns to the entry's address if too little of the host's stack is left. */
  #checkDepth(): void {
    const { code, next } = this.#emission;
    const { region, entries } = this.#flow;
    code.get(DEPTH_LOCAL).i32(DEPTH.REGION).op('i32.lt_s');
    code.if(undefined, false);
    code.i64(BigInt(region.head)).set(next);
    this.#ifEntry((entry) => code.i64(BigInt(entries[entry]!.pc)).set(next));
    code.get(next).get(BUDGET).op('return').end();
  }
  #checkRounding(): void {
    const { code, around, rounds } = this.#emission;
    if (!rounds) return;
    // Nothing is counted yet.
    this.#emission.pushNoRounding();
    code.if(undefined, false);
    code.get(RECORD_LOCAL).i32(INTERPRET).op('i32.or').get(BUDGET).get(DEPTH_LOCAL);
    code.returnCall(around.locals.of('leave')).end();
  }

  /**
   * Leaves at the start of a block if the budget may not be enough up to the next check. Control that is on its way to an entry goes on to
   * the next loop header, or begins here if this is the entry, with the budget that it came with.
   */
  checkBudget(index: number, { pc, dispatch = [] }: Block): void {
    const { code, around, goal } = this.#emission;
    this.#emission.record = around.recordFor(pc);
    this.#pushLow(index);
    const own = this.#flow.entries.findIndex(({ block, path }) => block === index && path.length > 0);
    if (own < 0 && dispatch.length === 0) {
      this.#emission.leaveIf();
      return;
    }
    const restore = this.#emission.mark();
    code.if(undefined, false);
    code.get(goal);
    code.if();
    this.dispatch(index);
    if (own >= 0) this.#beginAt(index);
    else code.op('unreachable');
    restore();
    code.else();
    this.#emission.leave();
    code.end();
    code.end();
    restore();
  }
  /** Pushes whether the budget may not be enough from a block's start up to the next check. */
  #pushLow(index: number): void {
    const { code, owed } = this.#emission;
    code
      .get(BUDGET)
      .i32(this.#flow.bound[index]! + owed)
      .op('i32.lt_s');
  }
  /** Begins at an entry other than the head: with the budget that control came with, and the checks of accesses made up for. */
  #beginAt(index: number): void {
    const { code, around, frame, registers, goal, saved } = this.#emission;
    code.get(saved).set(BUDGET).i32(0).set(goal);
    this.#pushLow(index);
    this.#emission.leaveIf();
    for (const [reg, { low, high, permission }] of this.#plan.known[index]!) {
      registers.load(regSet([reg]));
      code.get(registers.of(reg)).i64(BigInt(low)).op('i64.add');
      emitPermitted(frame, around.layout, high - low, permission, false);
      code.op('i32.eqz');
      this.#emission.leaveIf();
    }
  }
  /** Sends control that is on its way to an entry on to the next loop header. */
  dispatch(index: number): void {
    const { code, registers, goal } = this.#emission;
    const { region, entries } = this.#flow;
    for (const to of region.blocks[index]!.dispatch ?? []) {
      code.i32(0);
      for (const [entry, { path }] of entries.entries()) {
        const at = path.indexOf(to);
        if (at < 0 || (at === 0 ? 0 : path[at - 1]) !== index) continue;
        code.get(goal).i32(entry).op('i32.eq', 'i32.or');
      }
      code.if();
      const restore = this.#emission.mark();
      registers.flush(this.#placement.dirty[to]!);
      registers.load(this.#placement.held[to]!);
      code.br(this.#labels.get(to)!).end();
      restore();
    }
  }
}
