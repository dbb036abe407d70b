/** How many instructions a superblock executes, by the counts it carries: what passes and reports weigh their work with. */
import type { Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { constantInsns } from '../isa/idioms.ts';
import { type Exit, keyOf, type Op, regsOf, type Superblock, type Value, wanted } from './form.ts';

/** Instructions it takes to make a value in a register that does not hold it. */
export const costOf = (value: Value): number =>
  value.kind === 'const' ? constantInsns(1, value.value).length : value.kind === 'code' ? 2 : 1;

/** Instructions that an op of the line becomes: an inlined call's link and a guard's expected target are made from two. */
const lengthOf = (op: Op): number => {
  if (op.expect !== undefined) return 3;
  const fact = facts(op.insn);
  return fact.control === 'jump' && fact.writes !== undefined ? 2 : 1;
};

/**
 * Instructions over all entries: each op as often as the line is still being run there, and at each exit, as often as it is taken,
 * what was sunk into it, the moves and constants that its snapshot asks for, and the final transfer.
 */
export function weightOf(superblock: Superblock): number {
  const holds = new Map<Reg, string>();
  let at = superblock.count;
  let weight = 0;
  const exitWork = (exit: Exit): number => {
    let work = exit.sunk.length;
    for (const reg of regsOf(exit.live)) {
      const value = wanted(exit, reg);
      if (value.kind === 'op' && exit.sunk.some((op) => op.id === value.id)) continue;
      if ((holds.get(reg) ?? keyOf({ kind: 'head', reg })) !== keyOf(value)) work += costOf(value);
    }
    return work;
  };
  for (const op of superblock.ops) {
    weight += at * lengthOf(op);
    if (op.exit !== undefined) {
      const work = exitWork(op.exit);
      // A stub that does anything ends in a jump; one that does nothing is left out.
      weight += op.exit.count * (work === 0 ? 0 : work + 1);
      at -= op.exit.count;
    }
    const home = facts(op.insn).writes;
    if (home !== undefined) holds.set(home, keyOf({ kind: 'op', id: op.id }));
  }
  return weight + at * (exitWork(superblock.final.exit) + (superblock.final.op === undefined ? 0 : 1));
}
