/** Rewrites that passes share, such as replacing a value, removing an op and sinking it. */
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
 * May an op be removed when its result is unused? It may if it is pure, an ordinary load (whose fault, if any, is removed with it), or a
 * jump along the line that links.
 */
export const removable = (op: Op): boolean => {
  const fact = facts(op.insn);
  if (op.exit !== undefined || isOrdered(op) || fact.store !== undefined) return false;
  return fact.pure || fact.load !== undefined || (fact.control === 'jump' && fact.writes !== undefined);
};

/** Is an op an inlined call? Its link is a constant address, though the op is not pure. */
const leavesLink = ({ insn, exit }: Op): boolean => {
  const { control, writes } = facts(insn);
  return control === 'jump' && writes !== undefined && exit === undefined;
};

/** May an op sink into exit stubs? */
export const sinkable = (op: Op): boolean => !isOrdered(op) && (facts(op.insn).pure || leavesLink(op));

/** Can a value be an operand of an op? Of constants only 0 can, in x0. */
const canBeOperand = (value: Value): boolean =>
  value.kind === 'head' || value.kind === 'op' || sameValue(value, ZERO_VALUE);

/** Is a value in the register file of an op's result? An operand reads one file, so a value cannot replace one of the other file. */
function sameFile(superblock: Superblock, op: Op, by: Value): boolean {
  const float = (facts(op.insn).writes ?? 0) >= F0;
  const home = homeIn(superblock, by);
  return home === undefined ? !float : float === home >= F0;
}

/** A copy of the superblock with all uses of values mapped by `change`: operands of the line only where `atLine` allows. */
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
 * Replaces every use of an op's result by another value, and removes the op together with operands that only it needed. Undefined if a
 * use cannot read the value, if no homes keep the home rule, or if the moves at exits cost more than the op did.
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
  return withFreeHomes(superblock, removeUnused(replaced, operandsOf(op), by));
}

/** A rewrite with homes that keep the home rule; undefined if there are none, or if moves at exits cost as much as the rewrite saves. */
export function withFreeHomes(before: Superblock, after: Superblock): Superblock | undefined {
  const found = settle(after);
  if (found === undefined) return undefined;
  const [was, is] = [weightOf(before), weightOf(found)];
  return is < was || (is === was && found === after) ? found : undefined;
}

/** Removes the ops among these values that are no longer used, then their operands in the same way. */
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

/** Replaces an op's result at the uses in the line where another value is still in its home; the op stays. Undefined if there are none. */
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

/** Removes an op; its result must be unused. */
export const removeOp = (superblock: Superblock, op: Op): Superblock => ({
  ...superblock,
  ops: superblock.ops.filter((other) => other !== op),
});

/** An op does not sink if more exits than this need it: each would get a copy. */
export const MAX_COPIES = 6;

function needs({ snapshot, sunk }: Exit, id: number): boolean {
  const is = (value: Value) => value.kind === 'op' && value.id === id;
  for (const value of snapshot.values()) if (is(value)) return true;
  return sunk.some((op) => operandsOf(op).some(is));
}

/** Moves an op from the line into the side exits that need it. */
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
