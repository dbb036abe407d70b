/** Rewrites that passes share. Each gives a superblock that keeps the home rule, or undefined if there is none. */
import { F0 } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import {
  type Exit,
  exitWith,
  isOrdered,
  mapExit,
  mapOperands,
  type Op,
  operandsOf,
  opWith,
  type Superblock,
  sameValue,
  type Value,
  ZERO_VALUE,
} from './form.ts';
import { homeIn, homesOf, isUsed, opIn } from './homes.ts';
import { settle } from './settle.ts';
import { weightOf } from './weight.ts';

/**
 * An op that may vanish when nobody needs its result: pure, an ordinary load (its fault, if any, vanishes with it), or a jump along
 * the line that links.
 */
export const removable = (op: Op): boolean => {
  const fact = facts(op.insn);
  if (op.exit !== undefined || isOrdered(op) || fact.store !== undefined) return false;
  return fact.pure || fact.load !== undefined || (fact.control === 'jump' && fact.writes !== undefined);
};

/** What a jump along the line leaves in a register: an address, though no pure op makes it. */
const leavesLink = ({ insn, exit }: Op): boolean => {
  const { control, writes } = facts(insn);
  return control === 'jump' && writes !== undefined && exit === undefined;
};

/** An op that exits may have in their stubs. */
export const sinkable = (op: Op): boolean => !isOrdered(op) && (facts(op.insn).pure || leavesLink(op));

/** A constant can stand where an op reads a register only if it is 0, which is x0. */
const canBeOperand = (value: Value): boolean =>
  value.kind === 'head' || value.kind === 'op' || sameValue(value, ZERO_VALUE);

/** Values of the integer file and of the floating-point file do not stand for one another: an operand says which it reads. */
function sameFile(superblock: Superblock, op: Op, by: Value): boolean {
  const float = (facts(op.insn).writes ?? 0) >= F0;
  const home = homeIn(superblock, by);
  return home === undefined ? !float : float === home >= F0;
}

/** A copy of the superblock with every use of a value changed; the line's operands only where `atLine` allows. */
export function mapUses(
  superblock: Superblock,
  change: (value: Value) => Value,
  atLine: (position: number) => boolean = () => true,
  atExits = true,
): Superblock {
  const { final } = superblock;
  const end = superblock.ops.length;
  return {
    ...superblock,
    ops: superblock.ops.map((op, position) => {
      const operands = atLine(position) ? mapOperands(op, change) : op;
      if (op.exit === undefined || !atExits) return operands;
      const exit = mapExit(op.exit, change);
      return exit === op.exit ? operands : opWith(operands, { exit });
    }),
    final: {
      ...final,
      op: final.op !== undefined && atLine(end) ? mapOperands(final.op, change) : final.op,
      exit: atExits ? mapExit(final.exit, change) : final.exit,
    },
  };
}

/**
 * Lets every use of an op's result use another value, and removes the op with what only it needed. Undefined where the other value
 * does not reach.
 */
export function replaceOp(superblock: Superblock, op: Op, by: Value): Superblock | undefined {
  if (!removable(op) || !sameFile(superblock, op, by)) return undefined;
  const is = (value: Value) => value.kind === 'op' && value.id === op.id;
  if (!canBeOperand(by)) {
    const reads = (other: Op | undefined) =>
      other !== undefined && [other.rs1, other.rs2, other.rs3].some((value) => value !== undefined && is(value));
    if (superblock.ops.some(reads) || reads(superblock.final.op)) return undefined;
    const sunk = [...superblock.ops.flatMap((other) => other.exit?.sunk ?? []), ...superblock.final.exit.sunk];
    if (sunk.some(reads)) return undefined;
  }
  const without = { ...superblock, ops: superblock.ops.filter((other) => other !== op) };
  const replaced = mapUses(without, (value) => (is(value) ? by : value));
  return settled(superblock, removeUnused(replaced, operandsOf(op), by));
}

/** A rewrite with homes that keep the home rule: undefined if there are none, or if what exits then have to do costs what it gains. */
export function settled(before: Superblock, after: Superblock): Superblock | undefined {
  const found = settle(after);
  if (found === undefined) return undefined;
  const [was, is] = [weightOf(before), weightOf(found)];
  return is < was || (is === was && found === after) ? found : undefined;
}

/** Removes the ops among these values that nothing uses any more, and so on with their operands. */
export function removeUnused(superblock: Superblock, values: readonly Value[], except: Value): Superblock {
  let current = superblock;
  for (const value of values) {
    if (value.kind !== 'op' || sameValue(value, except)) continue;
    const op = opIn(current, value.id);
    if (op === undefined || !removable(op) || isUsed(current, op.id)) continue;
    current = removeUnused(removeOp(current, op), operandsOf(op), except);
  }
  return current;
}

/** Lets those uses within the line that another value reaches use it; the op stays. Undefined if there is none. */
export function replaceSomeUses(superblock: Superblock, op: Op, by: Value): Superblock | undefined {
  if (!canBeOperand(by) || !sameFile(superblock, op, by)) return undefined;
  const homes = homesOf(superblock);
  let any = false;
  const changed = mapUses(
    superblock,
    (value) => {
      if (value.kind !== 'op' || value.id !== op.id) return value;
      any = true;
      return by;
    },
    (position) => homes.intact(by, position),
    false,
  );
  return any ? changed : undefined;
}

/** Removes an op that nothing uses. */
export const removeOp = (superblock: Superblock, op: Op): Superblock => ({
  ...superblock,
  ops: superblock.ops.filter((other) => other !== op),
});

/** An op that more exits than this need does not sink: each has a copy. */
export const MAX_COPIES = 6;

function needs({ snapshot, sunk }: Exit, id: number): boolean {
  const is = (value: Value) => value.kind === 'op' && value.id === id;
  for (const value of snapshot.values()) if (is(value)) return true;
  return sunk.some((op) => operandsOf(op).some(is));
}

/** Moves an op into the side exits that need it. */
export function sinkOp(superblock: Superblock, op: Op): Superblock {
  const without = removeOp(superblock, op);
  return {
    ...without,
    ops: without.ops.map((other) =>
      other.exit !== undefined && needs(other.exit, op.id)
        ? opWith(other, { exit: exitWith(other.exit, other.exit.snapshot, [op, ...other.exit.sunk]) })
        : other,
    ),
  };
}
