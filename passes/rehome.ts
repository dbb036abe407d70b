/**
 * Computing values in the registers where exits want them.
 *
 * What: a result that exits want in another register than its home gets that register as its home, so the moves at these exits disappear.
 * Values that live in that register move to other registers. (Copy propagation leaves such moves behind: the copy is removed, but its
 * source is still computed in its old register.)
 * Why it is safe: only the names of registers change, and the home rule still holds: no register is written while its value is
 * needed. Exits that want the value elsewhere move it in their stubs.
 * Risk: some exits may get moves instead. A home changes only where fewer instructions run in all, by the counts.
 */
import { F0, type Reg, SP, TP } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import { exitsOf, type Op, opWith, type Superblock } from '../src/superblock/form.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { rewriteEach } from '../src/superblock/rewrite-each.ts';
import { settle } from '../src/superblock/settle.ts';
import { weightOf } from '../src/superblock/weight.ts';

const fixed = (reg: Reg): boolean => reg >= SP && reg <= TP;

/** The results that exits want in other registers than their homes, by falling count of these exits. */
function misplacedResults(superblock: Superblock): { id: number; reg: Reg; count: number }[] {
  const homes = new Map(superblock.ops.map((op) => [op.id, facts(op.insn).writes]));
  const moves = new Map<string, { id: number; reg: Reg; count: number }>();
  for (const { exit } of exitsOf(superblock))
    for (const [reg, value] of exit.snapshot) {
      if (value.kind !== 'op' || fixed(reg)) continue;
      const home = homes.get(value.id);
      if (home === undefined || home === reg || fixed(home) || home >= F0 !== reg >= F0) continue;
      const key = `${value.id} ${reg}`;
      const known = moves.get(key);
      if (known === undefined) moves.set(key, { id: value.id, reg, count: exit.count });
      else known.count += exit.count;
    }
  return [...moves.values()].sort((a, b) => b.count - a.count);
}

export const rehome: Pass = {
  name: 'rehome',
  description: 'computes values in the registers where exits want them',
  run: (superblock, context) =>
    rewriteEach(superblock, misplacedResults(superblock), context, (current, { id, reg }) => {
      const moved = (op: Op): Op => (op.id === id ? opWith(op, { insn: { ...op.insn, rd: reg } }) : op);
      const next = settle({ ...current, ops: current.ops.map(moved) }, id);
      return next !== undefined && weightOf(next) < weightOf(current) ? next : undefined;
    }),
};
