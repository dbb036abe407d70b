/**
 * From a trace to a superblock: renames registers to values, takes a snapshot at each exit, and drops transfers that the trace
 * makes unnecessary: a return to a link that the trace itself made needs no guard.
 */
import { ALL_REGS, type RegSet, regsIn, withReg } from '../base/regset.ts';
import { type Addr, type InsnCount, isLink, REG_COUNT, type Reg, SP } from '../base/units.ts';
import type { Saves } from '../cfg/saves.ts';
import { facts } from '../domain/record.ts';
import { type Term, Terms } from '../domain/term.ts';
import { runTerms, type TermEffects } from '../domain/term-step.ts';
import { jumpRegisterInsn } from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';
import type { Flow, FlowBlock } from './flow.ts';
import { type Exit, type Final, headValue, type Op, opWith, type Superblock, type Value } from './form.ts';
import { locate, SavedSlots } from './line-memory.ts';
import { type Follow, outflowOf, type Trace } from './trace.ts';

export interface BuildContext {
  /** Registers that are live just before the instruction at an address. */
  liveBefore(at: Addr): RegSet;
  /**
   * Which stores save registers, where assumptions A3 and A8 are made: no other pointer writes to such a slot, and no code reads the slot
   * once the frame is given back.
   */
  readonly saves?: Saves | undefined;
  /** Assumption A11 is not made: all accesses stay, in their order. */
  readonly watched?: boolean | undefined;
}

/** @param count expected number of entries of the superblock */
export const buildSuperblock = (trace: Trace, flow: Flow, count: InsnCount, context: BuildContext): Superblock =>
  new Builder(trace, flow, count, context).build();

/** The strictest liveness: all registers are live everywhere. */
export const everythingLive = (): RegSet => ALL_REGS;

/** Distances of a line's values from the stack pointer at the head. Loaded values, the pc and return addresses are unknowns. */
class StackDistances {
  readonly #terms = new Terms();
  readonly #stack = this.#terms.input('sp');
  /** By id of the op. */
  readonly #results = new Map<number, Term>();

  #of(value: Value | undefined): Term | undefined {
    switch (value?.kind) {
      case undefined:
        return undefined;
      case 'const':
        return this.#terms.const(value.value);
      case 'op':
        return this.#results.get(value.id);
      case 'head':
        return value.reg === SP ? this.#stack : this.#terms.input(`r${value.reg}`);
      case 'code':
      case 'link':
        return this.#terms.input(`@${value.address}`);
    }
  }
  effectsOf(op: Op): TermEffects {
    const operands = {
      rs1: this.#of(op.rs1),
      rs2: this.#of(op.rs2),
      rs3: this.#of(op.rs3),
      pc: this.#terms.input(`pc${op.id}`),
    };
    return runTerms(this.#terms, op.insn, operands, (widths) => this.#terms.input(`%${op.id}`, widths));
  }
  define(op: Op, { result }: TermEffects): void {
    this.#results.set(op.id, result ?? this.#terms.input(`%${op.id}`));
  }
  /** Distance in bytes; undefined if unknown. */
  of(term: Term | undefined): bigint | undefined {
    if (term === undefined) return undefined;
    const { base, offset } = locate(term);
    return base === this.#stack ? offset : undefined;
  }
}

/** An instruction on the trace. */
interface Step {
  readonly insn: Insn;
  readonly pc: Addr;
  readonly block: FlowBlock;
  readonly follow: Follow | undefined;
  /** Start of the trace's next block; undefined in its last block. */
  readonly next: Addr | undefined;
}

/** Builds the line op by op. The id of an op is its position, since no op is taken away again. */
class Builder {
  readonly #trace: Trace;
  readonly #flow: Flow;
  readonly #count: InsnCount;
  readonly #context: BuildContext;
  readonly #ops: Op[] = [];
  /** By register: the value that it holds by now. */
  readonly #regs: Value[] = Array.from({ length: REG_COUNT }, (_, reg) => headValue(reg));
  readonly #distances = new StackDistances();
  readonly #slots = new SavedSlots();
  /** By id of an inlined call's op: the return point. */
  readonly #links = new Map<number, Addr>();
  /** Expected number of times that control comes this far. */
  #times: number;
  #final: Final | undefined;

  constructor(trace: Trace, flow: Flow, count: InsnCount, context: BuildContext) {
    this.#trace = trace;
    this.#flow = flow;
    this.#count = count;
    this.#context = context;
    this.#times = count;
  }

  build(): Superblock {
    const { head, steps, ended } = this.#trace;
    for (const [index, { block, follow }] of steps.entries()) {
      const next = steps[index + 1]?.block.start;
      for (const { pc, insn } of block.insns) this.#add({ insn, pc, block, follow, next });
    }
    const final = this.#final ?? this.#goto();
    // A frame that the line does not give back exists until its end.
    this.#giveBack(this.#slots.moved(undefined));
    return { head, count: this.#count, path: steps.map(({ block }) => block.start), ops: this.#ops, final, ended };
  }

  /** A syscall or trap adds nothing: it ends its trace and runs in the original text, and the final exit leads to it. */
  #add(step: Step): void {
    const { control } = facts(step.insn);
    const { follow } = step;
    if (control === 'none' || (control === 'jump' && follow !== undefined)) this.#addPlain(step);
    else if (control === 'branch') this.#addBranch(step);
    else if (control === 'indirect' && follow === 'return') this.#addReturn(step);
    else if (control === 'indirect' && follow === 'guard') this.#addGuard(step);
    else if ((control === 'indirect' || control === 'jump') && this.#trace.end.kind === 'goto') this.#addLink(step);
    else if (control === 'indirect' || control === 'jump') this.#final = this.#transfer(step);
  }

  /** An instruction that control cannot leave the line at: one without a transfer, or a jump or call along the trace. */
  #addPlain({ insn, pc }: Step): void {
    const { load, store, control, writes, ordered } = facts(insn);
    const op = this.#op(insn, pc);
    const effects = this.#distances.effectsOf(op);
    const distance = this.#distances.of(effects.address);
    const saved = store === undefined ? undefined : this.#store(op, distance, store.bytes);
    const known = load === undefined || store !== undefined ? undefined : this.#linkAt(distance, load.bytes);
    // A signal frame may overwrite memory below the stack pointer, so an op that moves sp is watched too.
    const matters = (load ?? store) !== undefined || writes === SP;
    const watched = this.#context.watched && matters && !ordered ? true : undefined;
    if (writes === SP) this.#giveBack(this.#slots.moved(this.#distances.of(effects.result)));
    this.#ops.push(known === undefined && saved === undefined && !watched ? op : opWith(op, { known, watched, saved }));
    if (control === 'jump' && isLink(writes)) this.#links.set(op.id, pc + insn.size);
    if (writes === undefined) return;
    this.#distances.define(op, effects);
    this.#regs[writes] = { kind: 'op', id: op.id };
  }

  #addBranch({ insn, pc, block, next }: Step): void {
    const { end } = this.#trace;
    const target = pc + insn.imm;
    const goes = next ?? (end.kind === 'goto' ? end.target : block.end);
    const leaves = goes === target && goes !== block.end ? 'untaken' : 'taken';
    const to = leaves === 'taken' ? target : block.end;
    const exit = this.#exit(to, this.#context.liveBefore(to), this.#times * this.#share(block, to));
    this.#ops.push(this.#op(insn, pc, { leaves, exit }));
    this.#times *= this.#share(block, goes);
  }

  /** A return out of an inlined call. If the line itself made the link, the return goes to its return point for sure, and is dropped. */
  #addReturn({ insn, pc, next }: Step): void {
    const value = this.#regs[insn.rs1]!;
    const made = value.kind === 'op' ? (this.#ops[value.id]?.known ?? this.#linkOf(value.id)) : undefined;
    if (insn.imm === 0 && made?.kind === 'link' && made.address === next) return;
    this.#ops.push(this.#op(insn, pc, { expect: next!, exit: this.#exit(undefined, this.#context.liveBefore(pc), 0) }));
  }

  #addGuard({ insn, pc, block, next }: Step): void {
    const share = this.#share(block, next!);
    const exit = this.#exit(undefined, this.#context.liveBefore(pc), this.#times * (1 - share));
    this.#ops.push(this.#op(insn, pc, { expect: next!, exit }));
    this.#times *= share;
  }

  /** The jump at the end of a trace that goes on at its target. If it links through a register other than ra and t0, the link stays. */
  #addLink({ insn, pc }: Step): void {
    const { control, writes } = facts(insn);
    if (control !== 'jump' || writes === undefined || isLink(writes)) return;
    const op = this.#op(insn, pc);
    this.#ops.push(op);
    this.#regs[writes] = { kind: 'op', id: op.id };
  }

  /** The final transfer: a call or an indirect jump. */
  #transfer({ insn, pc }: Step): Final {
    const { kind } = this.#trace.end;
    const { control, writes } = facts(insn);
    const link = pc + insn.size;
    // Liveness just before a call leaves out the link register, which the call itself sets.
    const live = this.#context.liveBefore(pc);
    if (writes !== undefined && !isLink(writes)) {
      const op = this.#op(jumpRegisterInsn(insn.rs1, insn.imm), pc);
      this.#regs[writes] = { kind: 'code', address: link };
      const exit = this.#exit(undefined, withReg(live, writes), this.#times);
      return { kind: 'indirect', exit, op, link: undefined };
    }
    return {
      kind,
      exit: this.#exit(control === 'jump' ? pc + insn.imm : undefined, live, this.#times),
      op: this.#op(insn, pc),
      link: kind === 'call' ? link : undefined,
    };
  }

  /** The final exit of a line that no transfer ends. */
  #goto(): Final {
    const { head, end } = this.#trace;
    const target = end.kind === 'goto' ? end.target : head;
    const exit = this.#exit(target, this.#context.liveBefore(target), this.#times);
    return { kind: 'goto', exit, op: undefined, link: undefined };
  }

  /**
   * Notes a store.
   * @param distance of its address from the stack pointer at the head
   * @returns of a store that saves a register: its `saved` for as long as nothing is known of the end of the frame
   */
  #store(op: Op, distance: bigint | undefined, bytes: number): number | undefined {
    if (distance !== undefined) this.#giveBack(this.#slots.store(distance, bytes));
    if (op.rs2 === undefined || !this.#context.saves?.savesAt(op.pc)) return undefined;
    if (distance === undefined) return op.id;
    this.#slots.save(distance, op.rs2, op.id);
    return Number.MAX_SAFE_INTEGER;
  }
  /** The saves of these ids hold until the next op. */
  #giveBack(ids: readonly number[]): void {
    for (const id of ids) this.#ops[id] = opWith(this.#ops[id]!, { saved: this.#ops.length });
  }

  /** The return address that a load finds, if the line itself made and saved it. */
  #linkAt(distance: bigint | undefined, bytes: number): Value | undefined {
    const value = this.#slots.load(distance, bytes);
    return value?.kind === 'op' ? this.#linkOf(value.id) : undefined;
  }
  #linkOf(id: number): Value | undefined {
    const address = this.#links.get(id);
    return address === undefined ? undefined : { kind: 'link', address };
  }

  /** The next op of the line, with the values that its operands hold here. */
  #op(insn: Insn, pc: Addr, extra: Partial<Op> = {}): Op {
    const roles = insn.row.operands;
    const reads = (...names: readonly string[]) => roles.some((role) => names.includes(role));
    return opWith(
      {
        id: this.#ops.length,
        insn,
        pc,
        ...(reads('rs1', 'fs1', 'mem', 'base') && { rs1: this.#regs[insn.rs1]! }),
        ...(reads('rs2', 'fs2') && { rs2: this.#regs[insn.rs2]! }),
        ...(reads('fs3') && { rs3: this.#regs[insn.rs3]! }),
      },
      extra,
    );
  }
  /** An exit here. @param times how often control leaves there */
  #exit(target: Addr | undefined, live: RegSet, times: number): Exit {
    return {
      target,
      snapshot: this.#snapshot(live),
      live,
      sunk: [],
      // Two decimals, as in the text form.
      count: Math.round(times * 100) / 100,
    };
  }
  #snapshot(live: RegSet): Map<Reg, Value> {
    const map = new Map<Reg, Value>();
    for (const reg of regsIn(live)) {
      const value = this.#regs[reg]!;
      if (value.kind !== 'head' || value.reg !== reg) map.set(reg, value);
    }
    return map;
  }
  /** The share of a block's outflow that goes to an address; 0 if the block has none. */
  #share(block: FlowBlock, to: Addr): number {
    const total = outflowOf(block);
    return total === 0 ? 0 : this.#flow.edgeCount(block.start, to) / total;
  }
}
