/**
 * Dead-code removal with sinking into exit stubs.
 *
 * What: an op whose result nobody needs goes; an op that only side exits need moves into their stubs, where it runs only when that
 * exit is taken.
 * Why it is safe: only pure ops sink, and only where their operands still are in their homes (the home rule, checked). A load that
 * nobody needs goes too: its memory effect is none, and a fault it would have raised cannot matter to a result nobody reads.
 * Risk: code size: an op needed by many exits is copied into each of them, so the number is limited.
 */

import { facts } from '../src/domain/record.ts';
import type { Exit, Op, Superblock } from '../src/superblock/form.ts';
import { homeRuleViolation, usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, removeOp } from '../src/superblock/rewrite.ts';

/** Exits that an op may sink into. */
export const MAX_COPIES = 6;

const needs = (exit: Exit, id: number): boolean =>
  [...exit.snapshot.values(), ...exit.sunk.flatMap((op) => [op.rs1, op.rs2, op.rs3])].some(
    (value) => value?.kind === 'op' && value.id === id,
  );

/** Moves an op into the exits that need it. */
export function sinkInto(superblock: Superblock, op: Op): Superblock {
  const without = removeOp(superblock, op);
  return {
    ...without,
    ops: without.ops.map((other) =>
      other.exit !== undefined && needs(other.exit, op.id)
        ? { ...other, exit: { ...other.exit, sunk: [op, ...other.exit.sunk] } }
        : other,
    ),
  };
}

export const sink: Pass = {
  name: 'sink',
  description: 'removes what nobody needs and moves what only side exits need into their stubs',
  run(superblock, { fuel }) {
    let current = superblock;
    for (const op of [...superblock.ops].reverse()) {
      if (!removable(op)) continue;
      const uses = usesOf(current).get(op.id);
      if (uses !== undefined && (uses.line.length > 0 || uses.final)) continue;
      const exits = uses === undefined ? 0 : new Set(uses.exits).size;
      if (exits > MAX_COPIES || (exits > 0 && !facts(op.insn).pure)) continue;
      const next = exits === 0 ? removeOp(current, op) : sinkInto(current, op);
      if (homeRuleViolation(next) !== undefined) continue;
      if (!fuel.spend('sink', superblock.head)) return current;
      current = next;
    }
    return current;
  },
};
