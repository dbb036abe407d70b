/**
 * From a trace to a superblock: renames registers to values, takes a snapshot at each exit, and drops the transfers that a trace
 * makes unnecessary: a return to a link the trace itself made needs no check.
 */
import { type Addr, type InsnCount, RA, REG_COUNT, type Reg, SP } from '../base/units.ts';
import { PRESERVED } from '../cfg/abi.ts';
import type { Frames } from '../cfg/frames.ts';
import { hasReg } from '../cfg/regset.ts';
import { facts } from '../domain/record.ts';
import { runTerms, type Term, Terms } from '../domain/term.ts';
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
  sameValue,
  type Value,
} from './form.ts';
import type { Trace } from './select.ts';
import { withTrueSlots } from './terms.ts';

export interface BuildContext {
  /** Registers that matter just before the instruction at an address. */
  liveBefore(at: Addr): RegSet;
  /** Assumption A3: a return address saved on the stack is not overwritten through a pointer that is not the stack pointer's. */
  readonly savedReturns: boolean;
  /** Assumption A10: accesses to frames that no pointer leads to. */
  readonly frames?: Frames | undefined;
}

/** What is known of stack slots: the value stored at sp(head) + offset, 8 bytes wide. */
class Slots {
  readonly #slots = new Map<bigint, Value>();
  readonly #trust: boolean;
  constructor(trust: boolean) {
    this.#trust = trust;
  }
  store(offset: bigint | undefined, bytes: number, value: Value | undefined): void {
    if (offset === undefined) {
      // A store that is not at a known distance from sp: assumed to miss saved return addresses, or trusted in nothing.
      if (!this.#trust) this.#slots.clear();
      return;
    }
    for (const at of [...this.#slots.keys()])
      if (at < offset + BigInt(bytes) && offset < at + 8n) this.#slots.delete(at);
    if (bytes === 8 && value?.kind === 'op') this.#slots.set(offset, value);
  }
  load(offset: bigint | undefined, bytes: number): Value | undefined {
    return offset === undefined || bytes !== 8 ? undefined : this.#slots.get(offset);
  }
}

/** @param count how often the superblock is expected to be entered */
export function buildSuperblock(trace: Trace, flow: Flow, count: InsnCount, context: BuildContext): Superblock {
  const regs: Value[] = Array.from({ length: REG_COUNT }, (_, reg) => headValue(reg));
  const ops: Op[] = [];
  /** Ops that are an inlined call's link, by id: the return point. */
  const links = new Map<number, Addr>();
  const slots = new Slots(context.savedReturns);
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
    // As text has it.
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

  const head: readonly Value[] = regs.slice();
  /** The registers where the function at hand was entered: at the head, or behind the last call. */
  let entered = head;
  /** A store of a register that the function must give back, as it was on entry, into the frame; as the proof has it (verify/prove/saves.ts). */
  const savesAt = ({ insn, rs2 }: Op, offset: bigint | undefined): boolean => {
    const { store, load } = facts(insn);
    const as = (registers: readonly Value[]) => {
      const stack = stackOffset(term(registers[SP]));
      return sameValue(rs2!, registers[insn.rs2]!) && stack !== undefined && offset! - stack <= -8n;
    };
    return (
      insn.rs1 === SP &&
      store?.bytes === 8 &&
      load === undefined &&
      (insn.rs2 === RA || hasReg(PRESERVED, insn.rs2)) &&
      rs2 !== undefined &&
      offset !== undefined &&
      (as(entered) || as(head))
    );
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
        if (fact.store !== undefined)
          slots.store(offset, fact.store.bytes, fact.load === undefined ? op.rs2 : undefined);
        else if (fact.load !== undefined) {
          const value = slots.load(offset, fact.load.bytes);
          const link = value?.kind === 'op' ? links.get(value.id) : undefined;
          if (link !== undefined) known = { kind: 'code', address: link };
        }
        const saved = context.savedReturns && savesAt(op, offset);
        const slot = saved ? 'saved' : context.frames?.accesses(pc) ? 'private' : undefined;
        ops.push(known === undefined && slot === undefined ? op : opWith(op, { known, slot }));
        if (fact.control === 'jump' && fact.writes !== undefined) links.set(op.id, pc + insn.size);
        if (fact.writes !== undefined) {
          termOf.set(op.id, effects.result ?? terms.input(`%${op.id}`));
          regs[fact.writes] = { kind: 'op', id: op.id };
        }
        if (fact.control === 'jump' && fact.writes !== undefined) entered = regs.slice();
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
        const sure = insn.imm === 0 && made?.kind === 'code' && made.address === next;
        if (!sure) ops.push(makeOp(insn, pc, { expect: next!, exit: exitTo(undefined, live(), 0) }));
      } else if (fact.control === 'indirect' && follow === 'guard') {
        ops.push(makeOp(insn, pc, { expect: next!, exit: exitTo(undefined, live(), at * (1 - share(next!))) }));
        at *= share(next!);
      } else if (fact.control === 'indirect' || fact.control === 'jump') {
        if (trace.end.kind === 'goto') continue;
        const calls = trace.end.kind === 'call';
        // Just before a call its own link register is about to be overwritten; the call itself sets it.
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
  return withTrueSlots({ head: trace.head, count, path: trace.steps.map((step) => step.block.start), ops, final });
}

const linkOf = (links: ReadonlyMap<number, Addr>, id: number): Value | undefined => {
  const address = links.get(id);
  return address === undefined ? undefined : { kind: 'code', address };
};

/** The strictest liveness: everything matters everywhere. */
export const everythingLive = (): RegSet => ALL_REGS;
