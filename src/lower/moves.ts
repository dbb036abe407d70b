/**
 * Puts values where a snapshot wants them: a parallel assignment, made sequential. A register is written only when nothing still
 * to be done reads it; a cycle is broken through a dead register, or with three xors.
 */
import { F0, type Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { constantInsns, crossMoveInsn, moveInsn, xorInsn } from '../isa/idioms.ts';
import { type Exit, inSet, keyOf, type Op, type RegSet, regsOf, type Value, wanted } from '../superblock/form.ts';
import { compressible } from './compressible.ts';
import type { Item } from './item.ts';

interface Task {
  dest: Reg;
  /** Registers read. */
  sources: Reg[];
  /** The task whose result is read, which must be done before. */
  after: Task[];
  /** It only copies its source. */
  copies: boolean;
  emit(sources: readonly Reg[]): Item[];
}

/** Registers that may serve as scratch: not zero, sp, gp, tp. Floating point only for floating point. */
const scratchOf = (wantsFloat: boolean): Reg[] =>
  wantsFloat
    ? Array.from({ length: 32 }, (_, i) => F0 + i)
    : [15, 14, 13, 12, 11, 10, 16, 17, 5, 6, 7, 28, 29, 30, 31, 1, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27];

/** A register of the same file that is neither live nor read. */
export function deadRegister(live: RegSet, busy: ReadonlySet<Reg>, float = false): Reg | undefined {
  return scratchOf(float).find((reg) => !inSet(live, reg) && !busy.has(reg));
}

/**
 * @param homeOf the register a line value is in
 * @param extra a further assignment, for the operand of an indirect exit
 * @returns the items, or undefined if there was no register to break a cycle with
 */
export function exitMoves(
  exit: Exit,
  homeOf: (value: Value) => Reg | undefined,
  holds: (reg: Reg) => string,
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

  // Sunk ops first: each is computed straight into the register that wants it, or into a dead one.
  for (const op of exit.sunk) {
    let dest: Reg | undefined;
    for (const [reg, value] of wants) if (value.kind === 'op' && value.id === op.id) dest ??= reg;
    const float = (facts(op.insn).writes ?? 0) >= F0;
    if (dest === undefined) {
      dest = deadRegister(live, busy, float);
      if (dest === undefined) return undefined;
      busy.add(dest);
    }
    const task = sunkTask(op, dest, sunk, made, homeOf);
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
          sources: [source.dest],
          after: [source],
          copies: true,
          emit: ([from]) => [moveItem(dest, from!)],
        });
      continue;
    }
    if (value.kind === 'code') {
      tasks.push({
        dest,
        sources: [],
        after: [],
        copies: false,
        emit: () => [{ kind: 'address', reg: dest, address: value.address }],
      });
      continue;
    }
    if (value.kind === 'const') {
      tasks.push({ dest, sources: [], after: [], copies: false, emit: () => constantItems(dest, value.value) });
      continue;
    }
    if (holds(dest) === keyOf(value)) continue;
    const home = homeOf(value);
    if (home === undefined) return undefined;
    tasks.push({ dest, sources: [home], after: [], copies: true, emit: ([from]) => [moveItem(dest, from!)] });
  }
  return sequence(tasks, live, busy);
}

function sunkTask(
  op: Op,
  dest: Reg,
  sunk: ReadonlyMap<number, Op>,
  made: ReadonlyMap<number, Task>,
  homeOf: (value: Value) => Reg | undefined,
): Task | undefined {
  const roles = (['rs1', 'rs2', 'rs3'] as const).filter((role) => op[role] !== undefined);
  const sources: Reg[] = [];
  const after: Task[] = [];
  for (const role of roles) {
    const value = op[role]!;
    if (value.kind === 'const') {
      sources.push(0);
      continue;
    }
    const before = value.kind === 'op' && sunk.has(value.id) ? made.get(value.id) : undefined;
    const reg = before?.dest ?? homeOf(value);
    if (reg === undefined) return undefined;
    if (before !== undefined) after.push(before);
    sources.push(reg);
  }
  // A register that is read both for what it held and for what was made in it cannot be told apart below.
  for (const [index, role] of roles.entries())
    if (after.some((task) => task.dest === sources[index]) && !isMade(op[role]!, sunk)) return undefined;
  return {
    dest,
    sources,
    after,
    copies: false,
    emit: (regs) => {
      const changed = { ...op.insn, rd: dest };
      roles.forEach((role, index) => {
        changed[role] = regs[index]!;
      });
      const address = facts(op.insn).readsPc ? op.pc + op.insn.imm : undefined;
      return address !== undefined
        ? [{ kind: 'address', reg: dest, address, pc: op.pc }]
        : [{ kind: 'insn', insn: compressible(changed), pc: op.pc }];
    },
  };
}

const isMade = (value: Value, sunk: ReadonlyMap<number, Op>): boolean => value.kind === 'op' && sunk.has(value.id);

const moveItem = (dest: Reg, from: Reg): Item => ({
  kind: 'insn',
  insn: compressible(dest >= F0 === from >= F0 ? moveInsn(dest, from) : crossMoveInsn(dest, from)),
});

/** A constant into a register; only 0 can go straight into a floating-point one. */
function constantItems(dest: Reg, value: bigint): Item[] {
  if (dest >= F0) return [{ kind: 'insn', insn: crossMoveInsn(dest, 0) }];
  return constantInsns(dest, value).map((insn) => ({ kind: 'insn', insn: compressible(insn) }));
}

function sequence(tasks: Task[], live: RegSet, busy: ReadonlySet<Reg>): Item[] | undefined {
  const items: Item[] = [];
  const pending = new Set(tasks);
  const ready = (task: Task) =>
    task.after.every((before) => !pending.has(before)) &&
    [...pending].every((other) => other === task || !other.sources.includes(task.dest) || readsMade(other, task));
  while (pending.size > 0) {
    const next = [...pending].find(ready);
    if (next !== undefined) {
      items.push(...next.emit(next.sources));
      pending.delete(next);
      continue;
    }
    // A cycle: move one blocked destination's content out of the way and let its readers read it there.
    const blocked = [...pending].find((task) => task.after.every((before) => !pending.has(before)));
    if (blocked === undefined) return undefined;
    const used = new Set([...busy, ...[...pending].flatMap((task) => [task.dest, ...task.sources])]);
    const scratch = deadRegister(live, used, blocked.dest >= F0);
    if (scratch !== undefined) {
      items.push(moveItem(scratch, blocked.dest));
      for (const task of pending)
        if (!readsMade(task, blocked)) task.sources = task.sources.map((reg) => (reg === blocked.dest ? scratch : reg));
      continue;
    }
    const [from] = blocked.sources;
    if ([...pending].some((task) => task.after.includes(blocked))) return undefined;
    if (!blocked.copies || blocked.after.length > 0 || from === undefined || blocked.dest >= F0 || from >= F0)
      return undefined;
    for (const insn of [xorInsn(blocked.dest, from), xorInsn(from, blocked.dest), xorInsn(blocked.dest, from)])
      items.push({ kind: 'insn', insn: compressible(insn) });
    pending.delete(blocked);
    for (const task of pending)
      task.sources = task.sources.map((reg) => (reg === blocked.dest ? from : reg === from ? blocked.dest : reg));
  }
  return items;
}

/** A task that reads another's *result* does not stand in its way; one that reads what the register held before does. */
const readsMade = (reader: Task, maker: Task): boolean => reader.after.includes(maker);
