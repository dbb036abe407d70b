/**
 * From a trace to a superblock: renames registers to values, takes a snapshot at each exit, and drops transfers that the trace
 * makes unnecessary: a return to a link that the trace itself made needs no guard.
 */
import { type Addr, type InsnCount, isLink, REG_COUNT, type Reg, SP } from '../base/units.ts';
import type { Saves } from '../cfg/saves.ts';
import { facts } from '../domain/record.ts';
import { runTerms, type Term, Terms } from '../domain/term.ts';
import { jumpRegisterInsn } from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';
import type { Flow } from './flow.ts';
import {
  ALL_REGS,
  type Exit,
  type Final,
  headValue,
  type Op,
  opWith,
  type RegSet,
  regsOf,
  type Superblock,
  type Value,
} from './form.ts';
import type { Trace } from './select.ts';

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

/** The saved registers' slots in frames that are not given back yet: 8 bytes each, at sp(head) + offset. */
class SavedSlots {
  /** By offset: the saved value, and the position of the saving store among the ops. */
  readonly #slots = new Map<bigint, { readonly value: Value; readonly position: number }>();
  /** A store to a known place; other stores are assumed to miss saved slots (A3). @returns positions of the saves that it overwrites */
  store(offset: bigint, bytes: number): readonly number[] {
    return this.#drop((at) => at < offset + BigInt(bytes) && offset < at + 8n);
  }
  save(offset: bigint, value: Value, position: number): void {
    this.#slots.set(offset, { value, position });
  }
  load(offset: bigint | undefined, bytes: number): Value | undefined {
    return offset === undefined || bytes !== 8 ? undefined : this.#slots.get(offset)?.value;
  }
  /** The stack pointer moves. @returns positions of the saves in the frames that the move gives back; of all saves if `stack` is unknown */
  moved(stack: bigint | undefined): readonly number[] {
    return this.#drop((at) => stack === undefined || at < stack);
  }
  #drop(which: (at: bigint) => boolean): readonly number[] {
    const gone = [...this.#slots].filter(([at]) => which(at));
    for (const [at] of gone) this.#slots.delete(at);
    return gone.map(([, { position }]) => position);
  }
}

/** @param count expected number of entries of the superblock */
export function buildSuperblock(trace: Trace, flow: Flow, count: InsnCount, context: BuildContext): Superblock {
  const regs: Value[] = Array.from({ length: REG_COUNT }, (_, reg) => headValue(reg));
  const ops: Op[] = [];
  /** By id of an inlined call's op: the return point. */
  const links = new Map<number, Addr>();
  const slots = new SavedSlots();
  const terms = new Terms();
  const termOf = new Map<number, Term>();
  const stackPointer = terms.input('sp');
  const term = (value: Value | undefined): Term | undefined =>
    value === undefined
      ? undefined
      : value.kind === 'const'
        ? terms.const(value.value)
        : value.kind === 'op'
          ? termOf.get(value.id)
          : value.kind === 'head'
            ? value.reg === SP
              ? stackPointer
              : terms.input(`r${value.reg}`)
            : terms.input(`@${value.address}`);
  const stackOffset = (address: Term | undefined): bigint | undefined =>
    address === stackPointer
      ? 0n
      : address?.op === 'add' && address.args[0] === stackPointer && address.args[1]!.value !== undefined
        ? BigInt.asIntN(64, address.args[1]!.value)
        : undefined;

  const snapshot = (live: RegSet): Map<Reg, Value> => {
    const map = new Map<Reg, Value>();
    for (const reg of regsOf(live)) {
      const value = regs[reg]!;
      if (value.kind !== 'head' || value.reg !== reg) map.set(reg, value);
    }
    return map;
  };
  const exitTo = (target: Addr | undefined, live: RegSet, times: number): Exit => ({
    target,
    snapshot: snapshot(live),
    live,
    sunk: [],
    // Two decimals, as in the text form.
    count: Math.round(times * 100) / 100,
  });
  const makeOp = (insn: Insn, pc: Addr, extra: Partial<Op> = {}): Op => {
    const roles = insn.row.operands;
    const reads = (...names: readonly string[]) => roles.some((role) => names.includes(role));
    return opWith(
      {
        id: ops.length,
        insn,
        pc,
        ...(reads('rs1', 'fs1', 'mem', 'base') && { rs1: regs[insn.rs1]! }),
        ...(reads('rs2', 'fs2') && { rs2: regs[insn.rs2]! }),
        ...(reads('fs3') && { rs3: regs[insn.rs3]! }),
      },
      extra,
    );
  };

  /** The saves at these positions hold until the next op. */
  const giveBack = (positions: readonly number[]) => {
    for (const position of positions) ops[position] = opWith(ops[position]!, { saved: ops.length });
  };

  let at = count;
  let final: Final | undefined;
  trace.steps.forEach((step, index) => {
    const { block, follow } = step;
    const next = trace.steps[index + 1]?.block.start;
    const total = block.out.reduce((sum, edge) => sum + edge.count, 0);
    const share = (to: Addr) => (total === 0 ? 0 : flow.edgeCount(block.start, to) / total);
    for (const { pc, insn } of block.insns) {
      const fact = facts(insn);
      const live = () => context.liveBefore(pc);
      if (fact.control === 'none' || (fact.control === 'jump' && follow !== undefined)) {
        const op = makeOp(insn, pc);
        const effects = runTerms(
          terms,
          insn,
          { rs1: term(op.rs1), rs2: term(op.rs2), rs3: term(op.rs3), pc: terms.input(`pc${op.id}`) },
          (widths) => terms.input(`%${op.id}`, widths),
        );
        let known: Value | undefined;
        const offset = stackOffset(effects.address);
        let saved: number | undefined;
        if (fact.store !== undefined) {
          if (offset !== undefined) giveBack(slots.store(offset, fact.store.bytes));
          if (op.rs2 !== undefined && context.saves?.savesAt(pc)) {
            saved = offset === undefined ? op.id : Number.MAX_SAFE_INTEGER;
            if (offset !== undefined) slots.save(offset, op.rs2, ops.length);
          }
        } else if (fact.load !== undefined && fact.store === undefined) {
          const value = slots.load(offset, fact.load.bytes);
          const link = value?.kind === 'op' ? links.get(value.id) : undefined;
          if (link !== undefined) known = { kind: 'link', address: link };
        }
        // A signal frame may overwrite memory below the stack pointer, so an op that moves sp is watched too.
        const matters = (fact.load ?? fact.store) !== undefined || fact.writes === SP;
        const watched = context.watched && matters && !fact.ordered ? true : undefined;
        if (fact.writes === SP) giveBack(slots.moved(stackOffset(effects.result)));
        ops.push(known === undefined && saved === undefined && !watched ? op : opWith(op, { known, watched, saved }));
        if (fact.control === 'jump' && isLink(fact.writes)) links.set(op.id, pc + insn.size);
        if (fact.writes !== undefined) {
          termOf.set(op.id, effects.result ?? terms.input(`%${op.id}`));
          regs[fact.writes] = { kind: 'op', id: op.id };
        }
      } else if (fact.control === 'branch') {
        const target = pc + insn.imm;
        const goes = next ?? (trace.end.kind === 'goto' ? trace.end.target : block.end);
        const leaves = goes === target && goes !== block.end ? 'untaken' : 'taken';
        const to = leaves === 'taken' ? target : block.end;
        ops.push(makeOp(insn, pc, { leaves, exit: exitTo(to, context.liveBefore(to), at * share(to)) }));
        at *= share(goes);
      } else if (fact.control === 'indirect' && follow === 'return') {
        const value = regs[insn.rs1]!;
        const made = value.kind === 'op' ? (ops[value.id]?.known ?? linkOf(links, value.id)) : undefined;
        const sure = insn.imm === 0 && made?.kind === 'link' && made.address === next;
        if (!sure) ops.push(makeOp(insn, pc, { expect: next!, exit: exitTo(undefined, live(), 0) }));
      } else if (fact.control === 'indirect' && follow === 'guard') {
        ops.push(makeOp(insn, pc, { expect: next!, exit: exitTo(undefined, live(), at * (1 - share(next!))) }));
        at *= share(next!);
      } else if (fact.control === 'indirect' || fact.control === 'jump') {
        const leaves = fact.writes !== undefined && !isLink(fact.writes);
        if (trace.end.kind === 'goto') {
          // A jump that links through a register other than ra and t0: the line follows the jump, and the op leaves the link.
          if (fact.control === 'jump' && leaves) {
            const op = makeOp(insn, pc);
            ops.push(op);
            regs[fact.writes] = { kind: 'op', id: op.id };
          }
          continue;
        }
        if (leaves) {
          const op = makeOp(jumpRegisterInsn(insn.rs1, insn.imm), pc);
          regs[fact.writes] = { kind: 'code', address: pc + insn.size };
          const exit = exitTo(undefined, live() | (1n << BigInt(fact.writes)), at);
          final = { kind: 'indirect', exit, op, link: undefined };
          continue;
        }
        const calls = trace.end.kind === 'call';
        // Liveness just before the call leaves out the link register, which the call itself sets.
        final = {
          kind: trace.end.kind,
          exit: exitTo(fact.control === 'jump' ? pc + insn.imm : undefined, live(), at),
          op: makeOp(insn, pc),
          link: calls ? pc + insn.size : undefined,
        };
      }
      // A syscall or trap ends its trace and runs in the original text: the final exit leads to it.
    }
  });
  if (final === undefined) {
    const target = trace.end.kind === 'goto' ? trace.end.target : trace.head;
    final = { kind: 'goto', exit: exitTo(target, context.liveBefore(target), at), op: undefined, link: undefined };
  }
  // A frame that the line does not give back exists until its end.
  giveBack(slots.moved(undefined));
  return { head: trace.head, count, path: trace.steps.map((step) => step.block.start), ops, final };
}

const linkOf = (links: ReadonlyMap<number, Addr>, id: number): Value | undefined => {
  const address = links.get(id);
  return address === undefined ? undefined : { kind: 'link', address };
};

/** The strictest liveness: all registers are live everywhere. */
export const everythingLive = (): RegSet => ALL_REGS;
