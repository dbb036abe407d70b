/** The checker: the laws of every superblock. It runs after every pass that changed the superblock. */

import { internal } from '../base/errors.ts';
import { printRegs, sameRegs } from '../base/regset.ts';
import { hex } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { misfit } from '../isa/encode.ts';
import { type Exit, exitsOf, isOrdered, keyOf, type Op, operandsOf, type Superblock, type Value } from './form.ts';
import { homeRuleViolation } from './homes.ts';
import { sinkable } from './rewrite.ts';

const isStore = (op: Op): boolean => facts(op.insn).store !== undefined && !isOrdered(op);
const textOf = (op: Op): string => `${op.id}:${op.insn.row.name}`;

const isSame = (a: Op, b: Op): boolean => a.id === b.id && a.insn.row === b.insn.row;

/** The ops with visible effects: a pass may reorder none of them, and may drop only stores or move them into exits. */
const effectsOf = (superblock: Superblock): Op[] =>
  superblock.ops.filter((op) => {
    const { store, accrues } = facts(op.insn);
    return store !== undefined || isOrdered(op) || accrues;
  });

/** By exit: the stores that have been made when control leaves there, those of the line before the exit and its sunk ones. */
function storesAtExits(superblock: Superblock): (readonly Op[])[] {
  let made: readonly Op[] = [];
  const at = ({ sunk }: Exit) => (sunk.some(isStore) ? [...made, ...sunk.filter(isStore)] : made);
  const exits: (readonly Op[])[] = [];
  for (const op of superblock.ops) {
    if (op.exit !== undefined) exits.push(at(op.exit));
    if (isStore(op)) made = [...made, op];
  }
  return [...exits, at(superblock.final.exit)];
}

/** Text of all exits in order: the op, the target, and the live registers. */
const waysOut = (superblock: Superblock): string =>
  exitsOf(superblock)
    .map(({ exit, op, final }) => `${final ? 'end' : op?.id}:${exit.target}:${printRegs(exit.live)}`)
    .join(' ');

function sameWaysOut(a: Superblock, b: Superblock): boolean {
  const [before, after] = [exitsOf(a), exitsOf(b)];
  return (
    before.length === after.length &&
    before.every(({ exit, op, final }, index) => {
      const other = after[index]!;
      if (exit.target !== other.exit.target || !sameRegs(exit.live, other.exit.live)) return false;
      return final || op?.id === other.op?.id;
    })
  );
}

/**
 * Throws an internal error naming the pass if the superblock is malformed, or if it lost or reordered effects.
 * @param before the superblock that a pass made this one from, if any
 */
export function checkSuperblock(superblock: Superblock, by: string, before?: Superblock): void {
  const fail = (what: string): never => {
    throw internal(`${by} broke superblock ${hex(superblock.head)}: ${what}`, superblock.head);
  };
  const defined = new Set<number>();
  const seen = (value: Value, where: string, also?: ReadonlySet<number>) => {
    if (value.kind === 'op' && !defined.has(value.id) && !also?.has(value.id))
      fail(`${where} uses ${keyOf(value)}, which is not defined there`);
    if (value.kind === 'head' && value.reg === 0) fail(`${where} uses x0 as a register`);
  };
  const checkExit = (exit: Exit, where: string) => {
    const own = new Set<number>();
    for (const op of exit.sunk) {
      if (!sinkable(op) && !isStore(op)) fail(`${where} has sunk %${op.id}, which is neither pure nor a store`);
      operands(op, `sunk %${op.id}`, own);
      own.add(op.id);
    }
    for (const [reg, value] of exit.snapshot) {
      if (reg === 0) fail(`${where} has x0 in its snapshot`);
      seen(value, where, own);
    }
  };
  /** Every operand is read from a register; the only constant in a register is 0, in x0. */
  const operands = (op: Op, where: string, also?: ReadonlySet<number>) => {
    const field = misfit(op.insn);
    if (field !== undefined) fail(`${where}, ${op.insn.row.name}, cannot have register ${op.insn[field]} as ${field}`);
    for (const value of operandsOf(op)) {
      seen(value, where, also);
      if (value.kind === 'code' || value.kind === 'link' || (value.kind === 'const' && value.value !== 0n))
        fail(`${where} reads ${keyOf(value)}, which no register holds`);
    }
  };
  const check = (op: Op) => {
    operands(op, `%${op.id}`);
    const control = facts(op.insn).control;
    if (control === 'branch' && (op.exit === undefined || op.leaves === undefined))
      fail(`branch %${op.id} has no exit`);
    if (control === 'indirect' && (op.expect === undefined || op.exit === undefined || op.insn.rd !== 0))
      fail(`%${op.id} is no guard`);
    if (control === 'syscall' || control === 'trap') fail(`%${op.id} must not be inside a superblock`);
    if (op.exit !== undefined) checkExit(op.exit, `the exit of %${op.id}`);
    if (defined.has(op.id)) fail(`%${op.id} is defined twice`);
    if (facts(op.insn).writes !== undefined) defined.add(op.id);
  };
  superblock.ops.forEach(check);
  const { final } = superblock;
  if (final.kind !== 'goto' && final.op === undefined) fail('its final transfer is missing');
  if ((final.kind === 'call') !== (final.link !== undefined)) fail('link and call do not match');
  if (final.op !== undefined) operands(final.op, 'the final transfer');
  checkExit(final.exit, 'the final exit');
  const homeless = homeRuleViolation(superblock);
  if (homeless !== undefined) fail(homeless);
  if (before !== undefined) {
    if (before.head !== superblock.head) fail('its head changed');
    const now = effectsOf(superblock);
    let kept = 0;
    for (const op of effectsOf(before))
      if (kept < now.length && isSame(op, now[kept]!)) kept++;
      else if (!isStore(op)) fail(`the effect of %${textOf(op)} is gone or has moved`);
    if (kept < now.length) fail(`the effect of %${textOf(now[kept]!)} is new or has moved`);
    if (!sameWaysOut(before, superblock)) fail(`its exits changed from ${waysOut(before)} to ${waysOut(superblock)}`);
    const stores = storesAtExits(before);
    for (const [index, made] of storesAtExits(superblock).entries())
      for (const store of made)
        if (!stores[index]!.some((op) => isSame(op, store)))
          fail(`an exit has the store %${textOf(store)}, which it had not`);
  }
}
