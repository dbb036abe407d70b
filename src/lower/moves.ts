/**
 * Puts values into the registers where a snapshot wants them: a parallel assignment, made sequential. A register is written only
 * when no pending task reads its content; a cycle is broken through a dead register, or with three xors.
 */
import { internal } from '../base/errors.ts';
import { type Addr, F0, RA, type Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { constantInsns, crossMoveInsn, moveInsn, xorInsn } from '../isa/idioms.ts';
import {
  type Exit,
  inSet,
  keyOf,
  type Op,
  operandsOf,
  type RegSet,
  regsOf,
  type Value,
  wanted,
} from '../superblock/form.ts';
import type { Item } from './item.ts';

/** A register that a task reads: for the result of another task (`made`), or for the register's content before all tasks. */
interface Source {
  reg: Reg;
  readonly made: Task | undefined;
}

/** The destination of a task that stores. */
const NO_REGISTER: Reg = -1;

interface Task {
  dest: Reg;
  sources: Source[];
  /** The task only copies its source. */
  copies: boolean;
  emit(sources: readonly Reg[]): Item[];
}

/** Registers that may serve as scratch: not zero, sp, gp, tp. Floating point only for floating point. */
const scratchOf = (wantsFloat: boolean): Reg[] =>
  wantsFloat
    ? Array.from({ length: 32 }, (_, i) => F0 + i)
    : [15, 14, 13, 12, 11, 10, 16, 17, 5, 6, 7, 28, 29, 30, 31, 1, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27];

/** A register of the wanted register file that is neither live nor busy. */
export function deadRegister(live: RegSet, busy: ReadonlySet<Reg>, float = false): Reg | undefined {
  return scratchOf(float).find((reg) => !inSet(live, reg) && !busy.has(reg));
}

/**
 * @param homeOf the register that holds a value of the line
 * @param holds key of the value that a register holds at the exit
 * @param isLink whether an inlined call of the line returns to an address
 * @param extra a further assignment, for the operand of an indirect exit
 * @returns the items, or undefined if there was no register to break a cycle with
 */
export function exitMoves(
  exit: Exit,
  homeOf: (value: Value) => Reg | undefined,
  holds: (reg: Reg) => string,
  isLink: (address: Addr) => boolean,
  extra?: { reg: Reg; value: Value },
): Item[] | undefined {
  const sunk = new Map(exit.sunk.map((op) => [op.id, op]));
  const wants = new Map<Reg, Value>();
  let live = exit.live;
  for (const reg of regsOf(exit.live)) wants.set(reg, wanted(exit, reg));
  if (extra !== undefined) {
    wants.set(extra.reg, extra.value);
    live |= 1n << BigInt(extra.reg);
  }
  const tasks: Task[] = [];
  const made = new Map<number, Task>();
  const busy = new Set<Reg>();
  for (const value of wants.values()) {
    const home = homeOf(value);
    if (home !== undefined) busy.add(home);
  }
  for (const op of exit.sunk)
    for (const value of [op.rs1, op.rs2, op.rs3]) {
      const home = value === undefined ? undefined : homeOf(value);
      if (home !== undefined) busy.add(home);
    }

  // Sunk ops first: each op is computed straight into the register that wants its result, or into the destination of the only op
  // that reads it, or into a dead register.
  const dests = new Map<number, Reg>();
  for (const op of [...exit.sunk].reverse()) {
    if (facts(op.insn).writes === undefined) continue;
    let dest: Reg | undefined;
    for (const [reg, value] of wants) if (value.kind === 'op' && value.id === op.id) dest ??= reg;
    const float = (facts(op.insn).writes ?? 0) >= F0;
    dest ??= onlyReadersDest(exit, op, dests, float) ?? deadRegister(live, busy, float);
    if (dest === undefined) return undefined;
    busy.add(dest);
    dests.set(op.id, dest);
  }
  for (const op of exit.sunk) {
    const task = sunkTask(op, dests.get(op.id) ?? NO_REGISTER, made, homeOf);
    if (task === undefined) return undefined;
    made.set(op.id, task);
    tasks.push(task);
  }
  for (const [dest, value] of wants) {
    if (value.kind === 'op' && sunk.has(value.id)) {
      const source = made.get(value.id)!;
      if (source.dest !== dest)
        tasks.push({
          dest,
          sources: [{ reg: source.dest, made: source }],
          copies: true,
          emit: ([from]) => [moveItem(dest, from!)],
        });
      continue;
    }
    if (value.kind === 'code' || value.kind === 'link') {
      const { kind, address } = value;
      if (dest >= F0) throw internal('an exit wants an address in a floating-point register', address);
      // Outside ra a return address counts as a number, which is the original's.
      const links = kind === 'link' && dest === RA && isLink(address);
      tasks.push({
        dest,
        sources: [],
        copies: false,
        emit: () => [{ kind: links ? 'link' : 'address', reg: dest, address }],
      });
      continue;
    }
    if (value.kind === 'const') {
      tasks.push({ dest, sources: [], copies: false, emit: () => constantItems(dest, value.value) });
      continue;
    }
    if (holds(dest) === keyOf(value)) continue;
    const home = homeOf(value);
    if (home === undefined) return undefined;
    tasks.push({
      dest,
      sources: [{ reg: home, made: undefined }],
      copies: true,
      emit: ([from]) => [moveItem(dest, from!)],
    });
  }
  return sequence(tasks, live, busy);
}

/** The destination of the only sunk op that reads `op`, unless that reader reads another op with this destination. */
function onlyReadersDest(exit: Exit, op: Op, dests: ReadonlyMap<number, Reg>, float: boolean): Reg | undefined {
  const readers = exit.sunk.filter((other) =>
    operandsOf(other).some((value) => value.kind === 'op' && value.id === op.id),
  );
  const dest = readers.length === 1 ? dests.get(readers[0]!.id) : undefined;
  if (dest === undefined || dest >= F0 !== float) return undefined;
  // Other ops with this destination follow in a chain of single readers; a second chain into the reader would overwrite the first.
  const others = [...dests].filter(([id, reg]) => reg === dest && id !== readers[0]!.id);
  const readsOne = (id: number) => operandsOf(readers[0]!).some((value) => value.kind === 'op' && value.id === id);
  return others.some(([id]) => readsOne(id)) ? undefined : dest;
}

function sunkTask(
  op: Op,
  dest: Reg,
  made: ReadonlyMap<number, Task>,
  homeOf: (value: Value) => Reg | undefined,
): Task | undefined {
  const roles = (['rs1', 'rs2', 'rs3'] as const).filter((role) => op[role] !== undefined);
  const sources: Source[] = [];
  for (const role of roles) {
    const value = op[role]!;
    const before = value.kind === 'op' ? made.get(value.id) : undefined;
    const reg = value.kind === 'const' ? 0 : (before?.dest ?? homeOf(value));
    if (reg === undefined) return undefined;
    sources.push({ reg, made: before });
  }
  return {
    dest,
    sources,
    copies: false,
    emit: (regs) => {
      const changed = dest === NO_REGISTER ? { ...op.insn } : { ...op.insn, rd: dest };
      roles.forEach((role, index) => {
        changed[role] = regs[index]!;
      });
      const address = addressOf(op);
      return address !== undefined
        ? [{ kind: 'address', reg: dest, address, pc: op.pc }]
        : [{ kind: 'insn', insn: changed, pc: op.pc }];
    },
  };
}

/** The address that an op computes from its pc. */
function addressOf({ insn, pc }: Op): Addr | undefined {
  const { control, readsPc } = facts(insn);
  // Of an inlined call: the return address.
  if (control === 'jump') return pc + insn.size;
  return readsPc ? pc + insn.imm : undefined;
}

const moveItem = (dest: Reg, from: Reg): Item => ({
  kind: 'insn',
  insn: dest >= F0 === from >= F0 ? moveInsn(dest, from) : crossMoveInsn(dest, from),
});

/** Puts a constant into a register. @throws internal() for a floating-point register and a constant other than 0 */
function constantItems(dest: Reg, value: bigint): Item[] {
  if (dest >= F0) {
    if (value !== 0n) throw internal(`an exit wants the constant ${value} in a floating-point register`);
    return [{ kind: 'insn', insn: crossMoveInsn(dest, 0) }];
  }
  return constantInsns(dest, value).map((insn) => ({ kind: 'insn', insn }));
}

function sequence(tasks: Task[], live: RegSet, busy: ReadonlySet<Reg>): Item[] | undefined {
  const items: Item[] = [];
  const pending = new Set(tasks);
  const reads = (task: Task, reg: Reg) =>
    task.sources.some((source) => source.reg === reg && source.made === undefined);
  const prepared = (task: Task) => task.sources.every(({ made }) => made === undefined || !pending.has(made));
  /** Does another pending task still need the content that this task would overwrite? */
  const inTheWay = (task: Task) =>
    [...pending].some(
      (other) =>
        other !== task &&
        other.sources.some(
          ({ reg, made }) => reg === task.dest && made !== task && (made === undefined || !pending.has(made)),
        ),
    );
  while (pending.size > 0) {
    const next = [...pending].find((task) => prepared(task) && !inTheWay(task));
    if (next !== undefined) {
      items.push(...next.emit(next.sources.map(({ reg }) => reg)));
      pending.delete(next);
      continue;
    }
    // A cycle: move the content of one blocked destination to a scratch register and let its readers read it there.
    const blocked = [...pending].find(
      (task) => prepared(task) && [...pending].some((other) => other !== task && reads(other, task.dest)),
    );
    if (blocked === undefined) return undefined;
    const { dest } = blocked;
    const used = new Set([
      ...busy,
      ...[...pending].flatMap((task) => [task.dest, ...task.sources.map(({ reg }) => reg)]),
    ]);
    const scratch = deadRegister(live, used, dest >= F0);
    const moved = (change: (reg: Reg) => Reg) => {
      for (const task of pending)
        task.sources = task.sources.map((source) =>
          source.made === undefined ? { reg: change(source.reg), made: undefined } : source,
        );
    };
    if (scratch !== undefined) {
      items.push(moveItem(scratch, dest));
      moved((reg) => (reg === dest ? scratch : reg));
      continue;
    }
    const from = blocked.sources[0];
    if (!blocked.copies || from === undefined || from.made !== undefined || dest >= F0 || from.reg >= F0)
      return undefined;
    // Neither register of the swap may hold a result of a task, and no task may wait for the result of the blocked task.
    const holdsMade = [...pending].some((task) =>
      task.sources.some(
        ({ reg, made }) => made === blocked || (made !== undefined && (reg === dest || reg === from.reg)),
      ),
    );
    if (holdsMade) return undefined;
    const swap = from.reg;
    for (const insn of [xorInsn(dest, swap), xorInsn(swap, dest), xorInsn(dest, swap)])
      items.push({ kind: 'insn', insn });
    pending.delete(blocked);
    moved((reg) => (reg === dest ? swap : reg === swap ? dest : reg));
  }
  return items;
}
