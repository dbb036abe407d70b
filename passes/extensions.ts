/**
 * Redundant extension removal.
 *
 * What: an op that extends a value which is already extended is replaced by the value (sext.w of a word load, zero extension of a byte
 * load, and the shift pairs that compilers write without Zbb). An op that uses only the low bits of an extension reads its source instead.
 * Why it is safe: the op's term with the wider operand is the very same term, so its result is the same for all inputs.
 * Risk: none in instructions; a value may live longer in its home, which the home rule bounds.
 */
import { F0 } from '../src/base/units.ts';
import { operandsOf, opWith, type Superblock } from '../src/superblock/form.ts';
import { homesOf, opIn, positionIn } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, replaceOp, replaceSomeUses } from '../src/superblock/rewrite.ts';
import { termsOf, withOperands } from '../src/superblock/terms.ts';

export const extensions: Pass = {
  name: 'extensions',
  description: 'removes extensions of values that are wide enough already',
  run(superblock: Superblock, { fuel }) {
    const terms = termsOf(superblock);
    const byId = new Map(superblock.ops.map((op) => [op.id, op]));
    let current = superblock;
    let homes = homesOf(current);
    for (const op of superblock.ops) {
      let now = opIn(current, op.id);
      if (now === undefined) continue;
      // Read through: an operand may be an extension of a value that this op could read as well.
      const position = positionIn(current, op.id)!;
      for (const role of ['rs1', 'rs2'] as const) {
        const value = now[role];
        const maker = value?.kind === 'op' ? byId.get(value.id) : undefined;
        const source = maker?.rs1;
        if (maker === undefined || (source?.kind !== 'op' && source?.kind !== 'head')) continue;
        if (maker.rs2 !== undefined || !removable(maker) || !homes.intact(source, position)) continue;
        if (homes.homeOf(source)! >= F0 || homes.homeOf(value!)! >= F0) continue;
        const changed = opWith(now, { [role]: source });
        if (!withOperands(terms, now, changed)) continue;
        if (!fuel.spend('extensions', superblock.head)) return current;
        current = { ...current, ops: current.ops.map((other) => (other === now ? changed : other)) };
        homes = homesOf(current);
        now = changed;
      }
      if (!removable(now)) continue;
      const term = terms.result(op);
      const by = operandsOf(now).find((value) => terms.of(value) === term);
      if (term === undefined || by === undefined) continue;
      const next = replaceOp(current, now, by) ?? replaceSomeUses(current, now, by);
      if (next === undefined || next === current) continue;
      if (!fuel.spend('extensions', superblock.head)) return current;
      current = next;
      homes = homesOf(current);
    }
    return current;
  },
};
