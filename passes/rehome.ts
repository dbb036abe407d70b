/**
 * Computing values where they are wanted.
 *
 * What: a result that the final exit wants in another register than its home gets that register as its home, and the move at the
 * exit is gone. (Copy propagation leaves such moves: the copy went, its source is still computed where it used to be.)
 * Why it is safe: only the name of the register changes, and only where the home rule still holds: nothing needs what the register
 * held before. Exits that want the value elsewhere move it in their stubs.
 * Risk: a side exit may get a move instead; it is done only where fewer moves run in all, by the counts.
 */
import { F0, type Reg, SP, TP } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import type { Op } from '../src/superblock/form.ts';
import { homeRuleViolation } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { weightOf } from '../src/superblock/weight.ts';

const fixed = (reg: Reg): boolean => reg >= SP && reg <= TP;

export const rehome: Pass = {
  name: 'rehome',
  description: 'computes values in the registers where the final exit wants them',
  run(superblock, { fuel }) {
    let current = superblock;
    let cost = weightOf(current);
    for (const [reg, value] of superblock.final.exit.snapshot) {
      if (value.kind !== 'op' || fixed(reg)) continue;
      const op = current.ops.find((other) => other.id === value.id);
      const home = op === undefined ? undefined : facts(op.insn).writes;
      if (op === undefined || home === undefined || home === reg || fixed(home) || home >= F0 !== reg >= F0) continue;
      const moved: Op = { ...op, insn: { ...op.insn, rd: reg } };
      const next = { ...current, ops: current.ops.map((other) => (other === op ? moved : other)) };
      if (homeRuleViolation(next) !== undefined) continue;
      const now = weightOf(next);
      if (now >= cost) continue;
      if (!fuel.spend('rehome', superblock.head)) return current;
      current = next;
      cost = now;
    }
    return current;
  },
};
