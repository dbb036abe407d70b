/**
 * A parallel assignment, made sequential: a register is written only when no pending task reads its content; a cycle is broken through a
 * dead register, or with three xors.
 */
import type { RegSet } from '../base/regset.ts';
import { F0, type Reg } from '../base/units.ts';
import { crossMoveInsn, moveInsn, xorInsn } from '../isa/idioms.ts';
import type { Item } from './item.ts';
import { deadRegister } from './scratch.ts';

/** A register that a task reads: for the result of another task (`made`), or for the register's content before all tasks. */
interface Source {
  readonly reg: Reg;
  readonly made: Task | undefined;
}

/** The destination of a task that stores. */
export const NO_REGISTER: Reg = -1;

/** One of the assignments. */
export interface Task {
  readonly dest: Reg;
  /** Changes where a broken cycle has moved the content of registers. */
  sources: readonly Source[];
  /** The task only copies its source. */
  readonly copies: boolean;
  /** @param sources the registers to read, in the order of the task's sources */
  emit(sources: readonly Reg[]): Item[];
}

export const moveItem = (dest: Reg, from: Reg): Item => ({
  kind: 'insn',
  insn: dest >= F0 === from >= F0 ? moveInsn(dest, from) : crossMoveInsn(dest, from),
});

/**
 * The items of tasks that all read the registers as they are before the first; a task that reads the result of another comes after it.
 * @param live registers that must not be lost
 * @param busy further ones
 * @returns undefined if there is no register to break a cycle with
 */
export const inSequence = (tasks: readonly Task[], live: RegSet, busy: ReadonlySet<Reg>): Item[] | undefined =>
  new Sequence(tasks, live, busy).make();

class Sequence {
  readonly #live: RegSet;
  readonly #busy: ReadonlySet<Reg>;
  readonly #items: Item[] = [];
  readonly #pending: Set<Task>;

  constructor(tasks: readonly Task[], live: RegSet, busy: ReadonlySet<Reg>) {
    this.#live = live;
    this.#busy = busy;
    this.#pending = new Set(tasks);
  }

  make(): Item[] | undefined {
    while (this.#pending.size > 0) {
      const next = this.#find((task) => this.#isPrepared(task) && !this.#isInTheWay(task));
      if (next !== undefined) {
        this.#items.push(...next.emit(next.sources.map(({ reg }) => reg)));
        this.#pending.delete(next);
      } else if (!this.#breakCycle()) return undefined;
    }
    return this.#items;
  }

  /** The first pending task that passes a test. */
  #find(test: (task: Task) => boolean): Task | undefined {
    for (const task of this.#pending) if (test(task)) return task;
    return undefined;
  }
  /** Are the results made that a task reads? */
  #isPrepared(task: Task): boolean {
    return task.sources.every(({ made }) => made === undefined || !this.#pending.has(made));
  }
  /** Does another pending task still need the content that this task would overwrite? */
  #isInTheWay(task: Task): boolean {
    const needs = ({ reg, made }: Source) =>
      reg === task.dest && made !== task && (made === undefined || !this.#pending.has(made));
    return this.#find((other) => other !== task && other.sources.some(needs)) !== undefined;
  }
  /** Does another pending task read what a task's destination held before all tasks? */
  #isBlocked(task: Task): boolean {
    const reads = ({ reg, made }: Source) => reg === task.dest && made === undefined;
    return this.#find((other) => other !== task && other.sources.some(reads)) !== undefined;
  }

  /** Where every prepared task is in the way of another, makes one of them free. @returns false if that is not possible */
  #breakCycle(): boolean {
    const blocked = this.#find((task) => this.#isPrepared(task) && this.#isBlocked(task));
    return blocked !== undefined && (this.#saveIn(this.#scratchFor(blocked), blocked) || this.#exchange(blocked));
  }
  #scratchFor({ dest }: Task): Reg | undefined {
    const used = new Set(this.#busy);
    for (const task of this.#pending) {
      used.add(task.dest);
      for (const { reg } of task.sources) used.add(reg);
    }
    return deadRegister(this.#live, used, dest >= F0);
  }
  /** Moves the content of a task's destination to a scratch register, if there is one, and lets its readers read it there. */
  #saveIn(scratch: Reg | undefined, { dest }: Task): boolean {
    if (scratch === undefined) return false;
    this.#items.push(moveItem(scratch, dest));
    this.#contentMoved((reg) => (reg === dest ? scratch : reg));
    return true;
  }
  /** Does a copy between integer registers by exchanging their contents. */
  #exchange(task: Task): boolean {
    const { dest } = task;
    const from = task.sources[0];
    if (!task.copies || from === undefined || from.made !== undefined || dest >= F0 || from.reg >= F0) return false;
    const other = from.reg;
    // Neither register may hold a result of a task, and no task may wait for the result of this one.
    const isHeld = ({ reg, made }: Source) => made === task || (made !== undefined && (reg === dest || reg === other));
    if (this.#find(({ sources }) => sources.some(isHeld)) !== undefined) return false;
    for (const insn of [xorInsn(dest, other), xorInsn(other, dest), xorInsn(dest, other)])
      this.#items.push({ kind: 'insn', insn });
    this.#pending.delete(task);
    this.#contentMoved((reg) => (reg === dest ? other : reg === other ? dest : reg));
    return true;
  }
  /** @param moved where a register's content from before all tasks is now */
  #contentMoved(moved: (reg: Reg) => Reg): void {
    for (const task of this.#pending)
      task.sources = task.sources.map((source) =>
        source.made === undefined ? { reg: moved(source.reg), made: undefined } : source,
      );
  }
}
