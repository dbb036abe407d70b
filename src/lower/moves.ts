/**
 * Puts values into the registers where a snapshot wants them. Each register that does not hold its value yet is a task; the tasks together
 * are a parallel assignment (parallel-moves.ts). Ops that are sunk into the exit are tasks as well.
 */

import { internal } from '../base/errors.ts';
import { type RegSet, regsIn, withReg } from '../base/regset.ts';
import { type Addr, F0, RA, type Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { constantInsns, crossMoveInsn } from '../isa/idioms.ts';
import { type Exit, keyOf, type Op, operandsOf, type Value, wanted } from '../superblock/form.ts';
import type { Item } from './item.ts';
import { inSequence, moveItem, NO_REGISTER, type Task } from './parallel-moves.ts';
import { deadRegister } from './scratch.ts';

/** A line as far as an exit. */
export interface LineState {
  /** The register that holds a value of the line. */
  homeOf(value: Value): Reg | undefined;
  /** Key of the value that a register holds by now. */
  holds(reg: Reg): string;
  /** Does an inlined call of the line return to an address? */
  isReturnPoint(address: Addr): boolean;
}

/** A register that an exit wants a value in. */
export interface Want {
  readonly reg: Reg;
  readonly value: Value;
}

/**
 * @param extra a further assignment, for the operand of an indirect exit
 * @returns the items, or undefined if there was no register to compute a sunk op in or to break a cycle with
 */
export const exitMoves = (exit: Exit, line: LineState, extra?: Want): Item[] | undefined =>
  new ExitMoves(exit, line, extra).make();

class ExitMoves {
  readonly #exit: Exit;
  readonly #line: LineState;
  readonly #wants = new Map<Reg, Value>();
  #live: RegSet;
  /** Registers that hold a value which the exit wants or a sunk op reads, and the destinations of sunk ops. */
  readonly #busy = new Set<Reg>();
  /** By id of a sunk op: the register that its result is computed in, and its task. */
  readonly #dests = new Map<number, Reg>();
  readonly #made = new Map<number, Task>();
  readonly #tasks: Task[] = [];

  constructor(exit: Exit, line: LineState, extra: Want | undefined) {
    this.#exit = exit;
    this.#line = line;
    this.#live = exit.live;
    for (const reg of regsIn(exit.live)) this.#wants.set(reg, wanted(exit, reg));
    if (extra !== undefined) {
      this.#wants.set(extra.reg, extra.value);
      this.#live = withReg(this.#live, extra.reg);
    }
    for (const value of this.#wants.values()) this.#keep(value);
    for (const op of exit.sunk) for (const value of operandsOf(op)) this.#keep(value);
  }
  #keep(value: Value): void {
    const home = this.#line.homeOf(value);
    if (home !== undefined) this.#busy.add(home);
  }

  make(): Item[] | undefined {
    const { sunk } = this.#exit;
    // Readers first, so that an op can be computed in its reader's destination.
    for (const op of [...sunk].reverse()) if (!this.#chooseDest(op)) return undefined;
    for (const op of sunk) if (!this.#addSunk(op)) return undefined;
    for (const [reg, value] of this.#wants) if (!this.#addWanted(reg, value)) return undefined;
    return inSequence(this.#tasks, this.#live, this.#busy);
  }

  /**
   * Chooses where a sunk op is computed: straight in the register that wants its result, or in the destination of the only op that reads
   * it, or in a dead register. @returns false if there is no dead register
   */
  #chooseDest(op: Op): boolean {
    const { writes } = facts(op.insn);
    if (writes === undefined) return true;
    const float = writes >= F0;
    const dest = this.#wantedIn(op) ?? this.#onlyReadersDest(op, float) ?? deadRegister(this.#live, this.#busy, float);
    if (dest === undefined) return false;
    this.#busy.add(dest);
    this.#dests.set(op.id, dest);
    return true;
  }
  /** The first register that wants an op's result. */
  #wantedIn({ id }: Op): Reg | undefined {
    for (const [reg, value] of this.#wants) if (value.kind === 'op' && value.id === id) return reg;
    return undefined;
  }
  /** The destination of the only sunk op that reads `op`, unless that reader reads another op with this destination. */
  #onlyReadersDest({ id }: Op, float: boolean): Reg | undefined {
    const readers = this.#exit.sunk.filter((other) => reads(other, id));
    const reader = readers[0];
    const dest = readers.length === 1 ? this.#dests.get(reader!.id) : undefined;
    if (dest === undefined || dest >= F0 !== float) return undefined;
    // Other ops with this destination follow in a chain of single readers; a second chain into the reader would overwrite the first.
    for (const [other, reg] of this.#dests)
      if (reg === dest && other !== reader!.id && reads(reader!, other)) return undefined;
    return dest;
  }

  /** @returns false if an operand has no home */
  #addSunk(op: Op): boolean {
    const roles = (['rs1', 'rs2', 'rs3'] as const).filter((role) => op[role] !== undefined);
    const sources: Task['sources'][number][] = [];
    for (const role of roles) {
      const value = op[role]!;
      const made = value.kind === 'op' ? this.#made.get(value.id) : undefined;
      const reg = value.kind === 'const' ? 0 : (made?.dest ?? this.#line.homeOf(value));
      if (reg === undefined) return false;
      sources.push({ reg, made });
    }
    const dest = this.#dests.get(op.id) ?? NO_REGISTER;
    const emit = (regs: readonly Reg[]): Item[] => {
      const address = addressOf(op);
      if (address !== undefined) return [{ kind: 'address', reg: dest, address, pc: op.pc }];
      const insn = dest === NO_REGISTER ? { ...op.insn } : { ...op.insn, rd: dest };
      roles.forEach((role, index) => {
        insn[role] = regs[index]!;
      });
      return [{ kind: 'insn', insn, pc: op.pc }];
    };
    const task: Task = { dest, sources, copies: false, emit };
    this.#made.set(op.id, task);
    this.#tasks.push(task);
    return true;
  }

  /** Adds the task that puts a value into a register, if the register does not have it. @returns false if the value has no home */
  #addWanted(dest: Reg, value: Value): boolean {
    switch (value.kind) {
      case 'code':
      case 'link':
        if (dest >= F0) throw internal('an exit wants an address in a floating-point register', value.address);
        this.#addConstant(dest, () => [this.#addressItem(dest, value)]);
        return true;
      case 'const':
        this.#addConstant(dest, () => constantItems(dest, value.value));
        return true;
      case 'op':
      case 'head':
        return this.#addCopy(dest, value);
    }
  }
  #addressItem(reg: Reg, { kind, address }: Extract<Value, { readonly address: Addr }>): Item {
    // Outside ra a return address counts as a number, which is the original's.
    const links = kind === 'link' && reg === RA && this.#line.isReturnPoint(address);
    return { kind: links ? 'link' : 'address', reg, address };
  }
  #addConstant(dest: Reg, emit: () => Item[]): void {
    this.#tasks.push({ dest, sources: [], copies: false, emit });
  }
  #addCopy(dest: Reg, value: Value): boolean {
    const made = value.kind === 'op' ? this.#made.get(value.id) : undefined;
    if (made === undefined && this.#line.holds(dest) === keyOf(value)) return true;
    const reg = made?.dest ?? this.#line.homeOf(value);
    if (reg === undefined) return false;
    if (made !== undefined && reg === dest) return true;
    this.#tasks.push({ dest, sources: [{ reg, made }], copies: true, emit: ([from]) => [moveItem(dest, from!)] });
    return true;
  }
}

/** Does an op read the result of another? */
const reads = (op: Op, id: number): boolean => operandsOf(op).some((value) => value.kind === 'op' && value.id === id);

/** The address that an op computes from its pc. */
function addressOf({ insn, pc }: Op): Addr | undefined {
  const { control, readsPc } = facts(insn);
  // Of an inlined call: the return address.
  if (control === 'jump') return pc + insn.size;
  return readsPc ? pc + insn.imm : undefined;
}

/** Puts a constant into a register. @throws internal() for a floating-point register and a constant other than 0 */
function constantItems(dest: Reg, value: bigint): Item[] {
  if (dest >= F0) {
    if (value !== 0n) throw internal(`an exit wants the constant ${value} in a floating-point register`);
    return [{ kind: 'insn', insn: crossMoveInsn(dest, 0) }];
  }
  return constantInsns(dest, value).map((insn) => ({ kind: 'insn', insn }));
}
