/**
 * Other homes for values, so that fewer ops stand in one another's way: a part of scheduling, not a pass of its own, since it is worth
 * something only where a better order comes of it.
 *
 * A compiler that had few registers to choose from, or no reason to choose, gives one register to many values in turn; then an op may not
 * move above what still reads that register. Here a value gets a register that nobody needs from where the value is made to where it is
 * last needed, and of these the one that has been free longest.
 *
 * What the final exit wants in a register stays there, and so does what often taken exits want: it would have to be moved.
 */
import { F0, RA, type Reg, SP, TP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { type Exit, keyOf, type Op, operandsOf, opWith, regsOf, type Superblock, type Value, wanted } from './form.ts';

/** Values that exits want in their homes more often than this, by the superblock's count, stay. */
const SELDOM = 0.02;

const fixed = (reg: Reg): boolean => reg <= TP && (reg === RA || reg >= SP);

/** The superblock with other homes; the same object where none is free. */
export function renamed(superblock: Superblock): Superblock {
  const { ops } = superblock;
  const end = ops.length;
  const needs = lastNeeds(superblock);
  /** What each register holds, as the line now is. */
  const holds: Value[] = Array.from({ length: 2 * F0 }, (_, reg) => ({ kind: 'head', reg }));
  const needed = (reg: Reg) => needs.last.get(keyOf(holds[reg]!)) ?? -1;
  /** Positions, falling, at which each register is written by what has not been looked at yet. */
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
    if (movable(op, home) && last > position && last < end && stays(needs, op) <= SELDOM * superblock.count) {
      const [first, behind] = home >= F0 ? [F0, 2 * F0] : [1, F0];
      let since = needed(home);
      for (let reg = first; reg < behind; reg++) {
        if (fixed(reg) || needed(reg) >= since || (toCome[reg]?.at(-1) ?? end) < last) continue;
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

/** A result that can be made in another register: of plain work or a load. */
function movable(op: Op, home: Reg): boolean {
  const fact = facts(op.insn);
  return !fixed(home) && fact.control === 'none' && !fact.ordered;
}

/** How often exits want a result where it is. */
const stays = ({ atHome }: Needs, op: Op): number => atHome.get(op.id) ?? 0;

interface Needs {
  /** Of each value, the last position that needs it. */
  readonly last: ReadonlyMap<string, number>;
  /** By op: how often exits want its result where it is. */
  readonly atHome: ReadonlyMap<number, number>;
}

function lastNeeds({ ops, final }: Superblock): Needs {
  const last = new Map<string, number>();
  const atHome = new Map<number, number>();
  const homes = new Map(ops.map((op) => [op.id, facts(op.insn).writes]));
  const need = (value: Value, position: number) => last.set(keyOf(value), position);
  const atExit = (exit: Exit, position: number) => {
    for (const reg of regsOf(exit.live)) {
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
