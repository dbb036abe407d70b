/** How many instructions a superblock executes, by the counts it carries: what passes and reports weigh their work with. */
import { REG_COUNT, type Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { constantInsns } from '../isa/idioms.ts';
import { type Exit, type Op, regsOf, type Superblock, type Value } from './form.ts';

/** Instructions it takes to make a value in a register that does not hold it. */
export const costOf = (value: Value): number =>
  value.kind === 'const'
    ? constantInsns(1, value.value).length
    : value.kind === 'code' || value.kind === 'link'
      ? 2
      : 1;

/** Instructions that an op of the line becomes: an inlined call's link and a guard's expected target are made from two. */
const lengthOf = (op: Op): number => {
  if (op.expect !== undefined) return 3;
  const fact = facts(op.insn);
  return fact.control === 'jump' && fact.writes !== undefined ? 2 : 1;
};

/** The register still holds what it held at the head. */
const HEAD = -1;

const holdsIt = (held: number, reg: Reg, value: Value): boolean =>
  value.kind === 'op' ? value.id === held : value.kind === 'head' && value.reg === reg && held === HEAD;

/** Is the value made by one of these ops? */
const makes = (sunk: readonly Op[], value: Value): boolean =>
  value.kind === 'op' && sunk.some((op) => op.id === value.id);

/** Rewrites are compared with what they were made from, again and again. */
const known = new WeakMap<Superblock, number>();

/**
 * Instructions over all entries: each op as often as the line is still being run there, and at each exit, as often as it is taken,
 * what was sunk into it, the moves and constants that its snapshot asks for, and the final transfer.
 */
export function weightOf(superblock: Superblock): number {
  let weight = known.get(superblock);
  if (weight === undefined) {
    weight = weigh(superblock);
    known.set(superblock, weight);
  }
  return weight;
}

function weigh(superblock: Superblock): number {
  /** By register, the op whose result it holds. */
  const holds = new Int32Array(REG_COUNT).fill(HEAD);
  let at = superblock.count;
  let weight = 0;
  const exitWork = ({ live, snapshot, sunk }: Exit): number => {
    let work = sunk.length;
    for (const reg of regsOf(live)) {
      const value = snapshot.get(reg);
      if (value === undefined) work += holds[reg] === HEAD ? 0 : 1;
      else if (!holdsIt(holds[reg]!, reg, value) && !(sunk.length > 0 && makes(sunk, value))) work += costOf(value);
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
    if (home !== undefined) holds[home] = op.id;
  }
  return weight + at * (exitWork(superblock.final.exit) + (superblock.final.op === undefined ? 0 : 1));
}
