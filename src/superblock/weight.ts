/** The number of instructions that a superblock executes, by its counts: passes and reports compare superblocks by this weight. */

import { derived } from '../base/derived.ts';
import { regsIn } from '../base/regset.ts';
import { REG_COUNT, type Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { constantInsns } from '../isa/idioms.ts';
import type { Exit, Op, Superblock, Value } from './form.ts';

/** Number of instructions that make a value in a register that does not hold the value. */
export const costOf = (value: Value): number =>
  value.kind === 'const'
    ? constantInsns(1, value.value).length
    : value.kind === 'code' || value.kind === 'link'
      ? 2
      : 1;

/** Number of instructions that an op of the line becomes: an inlined call's link and a guard's expected target take two each. */
const lengthOf = (op: Op): number => {
  if (op.expect !== undefined) return 3;
  const fact = facts(op.insn);
  return fact.control === 'jump' && fact.writes !== undefined ? 2 : 1;
};

/** Stands for a register's value at the head. */
const HEAD_ID = -1;

const holdsIt = (held: number, reg: Reg, value: Value): boolean =>
  value.kind === 'op' ? value.id === held : value.kind === 'head' && value.reg === reg && held === HEAD_ID;

/** Is a value made by one of these ops? */
const makes = (sunk: readonly Op[], value: Value): boolean =>
  value.kind === 'op' && sunk.some((op) => op.id === value.id);

/**
 * Number of instructions over all entries: each op as often as control comes to it, and for each exit, as often as it is taken, its sunk
 * ops, the moves and constants that its snapshot asks for, and the transfer behind them (none for an empty stub or a final goto).
 */
export const weightOf = derived('weight', weigh);

function weigh(superblock: Superblock): number {
  /** By register, the id of the op whose result it holds. */
  const holds = new Int32Array(REG_COUNT).fill(HEAD_ID);
  let at = superblock.count;
  let weight = 0;
  const exitWork = ({ live, snapshot, sunk }: Exit): number => {
    let work = sunk.length;
    for (const reg of regsIn(live)) {
      const value = snapshot.get(reg);
      if (value === undefined) work += holds[reg] === HEAD_ID ? 0 : 1;
      else if (!holdsIt(holds[reg]!, reg, value) && !(sunk.length > 0 && makes(sunk, value))) work += costOf(value);
    }
    return work;
  };
  for (const op of superblock.ops) {
    weight += at * lengthOf(op);
    if (op.exit !== undefined) {
      const work = exitWork(op.exit);
      // A stub with any work ends in a jump; an empty stub is left out.
      weight += op.exit.count * (work === 0 ? 0 : work + 1);
      at -= op.exit.count;
    }
    const home = facts(op.insn).writes;
    if (home !== undefined) holds[home] = op.id;
  }
  return weight + at * (exitWork(superblock.final.exit) + (superblock.final.op === undefined ? 0 : 1));
}
