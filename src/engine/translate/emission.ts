/**
 * A region's code at the point that is being emitted: the instructions that are not charged yet, the registers in locals, and the exits
 * from here. An exit to the interpreter is emitted where it is taken, with a hint that it is unlikely: V8 works slowly on graphs in which
 * many branches share an exit. Addresses are constants without an offset: V8 makes an offset a node that all accesses with it share, and
 * visits all for each.
 */
import type { RegSet } from '../../base/regset.ts';
import type { Addr } from '../../base/units.ts';
import { Code } from '../../base/wasm-code.ts';
import { I32, I64 } from '../../base/wasm-opcodes.ts';
import { LocalPool, WasmDomain } from '../../domain/wasm.ts';
import { HART } from '../../machine/hart.ts';
import { emitIncrement, type Frame, pushDelta, pushRecord } from '../frame.ts';
import { type Edge, RegionCounts } from './counts.ts';
import type { Flow } from './flow.ts';
import type { CodeInsn } from './insns.ts';
import { RegisterLocals } from './register-locals.ts';
import { readsRounding } from './registers.ts';
import { BUDGET, DEPTH_LOCAL, INTERPRET, RECORD_LOCAL } from './support.ts';
import type { Surroundings } from './surroundings.ts';

export class Emission {
  readonly code = new Code(3);
  readonly around: Surroundings;
  readonly counts: RegionCounts;
  readonly registers: RegisterLocals;
  readonly frame: Frame;
  readonly domain: WasmDomain;
  /** Local for the `next` that a region returns. */
  readonly next: number;
  /** Locals of a region with several entries: the entry that control is on its way to, or 0, and the budget that it came with. */
  readonly goal: number;
  readonly saved: number;
  /** Does the region have floating point that needs a valid rounding mode in force? */
  readonly rounds: boolean;
  /** The block at hand, the record of the instruction at hand, and the number of instructions before it that are not charged yet. */
  block = 0;
  record = 0;
  owed = 0;

  /** @param touched every register that the region touches */
  constructor(flow: Flow, around: Surroundings, touched: RegSet) {
    const { code } = this;
    this.around = around;
    this.counts = new RegionCounts(flow, around.counters);
    this.rounds = flow.region.blocks.some(({ insns }) => insns.some(readsRounding));
    this.next = code.local(I64);
    this.goal = code.local(I32);
    this.saved = code.local(I32);
    this.registers = new RegisterLocals(code, around.layout.hart, touched);
    const pool = new LocalPool(code);
    this.domain = new WasmDomain(code, pool);
    this.frame = {
      code,
      pool,
      record: RECORD_LOCAL,
      budget: BUDGET,
      next: () => {},
      leave: () => this.leave(),
    };
  }

  /** @returns a function that restores the state as it is now, for another way from here */
  mark(): () => void {
    const { owed, block } = this;
    const restoreRegisters = this.registers.mark();
    return () => {
      this.owed = owed;
      this.block = block;
      restoreRegisters();
    };
  }

  /** Charges the instructions executed so far to the budget. */
  charge(): void {
    if (this.owed > 0) this.pushBudget().set(BUDGET);
    this.owed = 0;
  }
  /** Pushes the budget after that charge. */
  pushBudget(): Code {
    const code = this.code.get(BUDGET);
    return this.owed > 0 ? code.i32(this.owed).op('i32.sub') : code;
  }
  count({ cell }: Edge): void {
    if (cell !== undefined) emitIncrement(this.code, () => this.code.i32(cell), 0);
  }
  /** Pushes the target of an indirect jump with the jump's record, as the `next` of a transfer that is still to be counted. */
  pushTransfer({ record }: CodeInsn, goal: number): Code {
    return this.code
      .i64(BigInt(record) << 32n)
      .get(goal)
      .op('i64.or');
  }
  countJump(at: CodeInsn, goal: number): void {
    this.pushTransfer(at, goal).call(this.around.count);
  }

  /** Leaves for the interpreter, which executes the instruction at hand and goes on. */
  leave(): void {
    const { code } = this;
    const { locals } = this.around;
    this.registers.storeForExit();
    code.i32(this.record | INTERPRET);
    this.pushBudget().get(DEPTH_LOCAL);
    const counter = this.counts.left(this.block);
    if (counter === undefined) code.returnCall(locals.of('leave'));
    else code.i32(counter).returnCall(locals.of('left'));
  }
  leaveIf(): void {
    this.code.if(undefined, false);
    this.leave();
    this.code.end();
  }
  /** Leaves unless an address fits 32 bits. */
  checkHigh(goal: number): void {
    this.code.get(goal).i64(32n).op('i64.shr_u').i64(0n).op('i64.ne');
    this.leaveIf();
  }
  /** Leaves unless an address has a record. */
  checkRecord(goal: number): void {
    const { memorySize, deltas } = this.around.layout;
    this.code.get(goal).i64(BigInt(memorySize)).op('i64.ge_u');
    this.leaveIf();
    pushDelta(this.code, deltas, goal).op('i32.eqz');
    this.leaveIf();
  }
  pushRecord(goal: number): Code {
    return pushRecord(this.code, this.around.layout.deltas, goal);
  }
  /** In a region with floating point, leaves for the interpreter at a block's start if the rounding mode in force is invalid. */
  checkRounding(block: number, pc: Addr): void {
    if (!this.rounds) return;
    this.pushNoRounding();
    this.block = block;
    this.record = this.around.recordFor(pc);
    this.leaveIf();
  }
  /** Pushes whether the rounding mode in force is invalid. */
  pushNoRounding(): void {
    const { hart } = this.around.layout;
    this.code
      .i32(hart + HART.FRM)
      .access('i32.load', 0)
      .i32(4)
      .op('i32.gt_u');
  }

  /** Goes to code outside the region, with all registers in their slots. */
  goOutside(pc: Addr): void {
    const { around } = this;
    this.code.i32(around.recordFor(pc));
    this.pushBudget().get(DEPTH_LOCAL);
    this.code.i32(around.slotFor(pc)).returnCallIndirect(around.regionType);
  }
}
