/**
 * Register renaming against false dependences: a part of scheduling, not a pass of its own, since new homes pay only where they allow a
 * better order.
 *
 * Compilers give one register to many values in turn, out of need or for want of a reason not to. Then an op may not move above the last
 * reader of the register's previous value. Here a value gets a register that is free during the whole live range of the value, and of
 * these registers the one that has been free longest.
 *
 * Values that the final exit needs keep their homes, and so do values that often taken exits want in their homes: each would need a move.
 */
import { regsIn } from '../base/regset.ts';
import { F0, RA, type Reg, SP, TP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { type Exit, keyOf, type Op, operandsOf, opWith, type Superblock, type Value, wanted } from './form.ts';

/** A value keeps its home if exits that want it there are taken in more than this share of the superblock's entries. */
const MAX_EXIT_SHARE = 0.02;

const isFixed = (reg: Reg): boolean => reg <= TP && (reg === RA || reg >= SP);

/** The superblock with other homes; the same object where none is free. */
export function withOtherHomes(superblock: Superblock): Superblock {
  const { ops } = superblock;
  const end = ops.length;
  const needs = lastNeeds(superblock);
  /** By register, the value that it holds at this point of the renamed line. */
  const holds: Value[] = Array.from({ length: 2 * F0 }, (_, reg) => ({ kind: 'head', reg }));
  const needed = (reg: Reg) => needs.last.get(keyOf(holds[reg]!)) ?? -1;
  /** By register, falling positions of the writes that are still ahead. */
  const toCome: number[][] = [];
  for (let position = end - 1; position >= 0; position--) {
    const home = facts(ops[position]!.insn).writes;
    if (home !== undefined) (toCome[home] ??= []).push(position);
  }
  let any = false;
  const changed = ops.map((op, position) => {
    const home = facts(op.insn).writes;
    if (home === undefined) return op;
    toCome[home]!.pop();
    const value: Value = { kind: 'op', id: op.id };
    const last = needs.last.get(keyOf(value)) ?? position;
    let rd = home;
    if (
      movable(op, home) &&
      last > position &&
      last < end &&
      timesAtHome(needs, op) <= MAX_EXIT_SHARE * superblock.count
    ) {
      const [first, behind] = home >= F0 ? [F0, 2 * F0] : [1, F0];
      let since = needed(home);
      for (let reg = first; reg < behind; reg++) {
        if (isFixed(reg) || needed(reg) >= since || (toCome[reg]?.at(-1) ?? end) < last) continue;
        since = needed(reg);
        rd = reg;
      }
    }
    holds[rd] = value;
    if (rd === home) return op;
    any = true;
    return opWith(op, { insn: { ...op.insn, rd } });
  });
  return any ? { ...superblock, ops: changed } : superblock;
}

/** Can an op's result get another home? Only results of loads and of ops that transfer no control and are not ordered can. */
function movable(op: Op, home: Reg): boolean {
  const fact = facts(op.insn);
  return !isFixed(home) && fact.control === 'none' && !fact.ordered;
}

/** How often exits want an op's result in its present home. */
const timesAtHome = ({ atHome }: Needs, op: Op): number => atHome.get(op.id) ?? 0;

interface Needs {
  /** By value, the last position that needs it. */
  readonly last: ReadonlyMap<string, number>;
  /** By op: how often exits want its result in its present home. */
  readonly atHome: ReadonlyMap<number, number>;
}

function lastNeeds({ ops, final }: Superblock): Needs {
  const last = new Map<string, number>();
  const atHome = new Map<number, number>();
  const homes = new Map(ops.map((op) => [op.id, facts(op.insn).writes]));
  const need = (value: Value, position: number) => last.set(keyOf(value), position);
  const atExit = (exit: Exit, position: number) => {
    for (const reg of regsIn(exit.live)) {
      const value = wanted(exit, reg);
      need(value, position);
      if (value.kind === 'op' && homes.get(value.id) === reg)
        atHome.set(value.id, (atHome.get(value.id) ?? 0) + exit.count);
    }
    for (const op of exit.sunk) for (const value of operandsOf(op)) need(value, position);
  };
  for (const [position, op] of ops.entries()) {
    for (const value of operandsOf(op)) need(value, position);
    if (op.exit !== undefined) atExit(op.exit, position);
  }
  if (final.op !== undefined) for (const value of operandsOf(final.op)) need(value, ops.length);
  atExit(final.exit, ops.length);
  return { last, atHome };
}
