/**
 * Reuse of values: a value that the line has computed already is not computed again.
 *
 * What: an op is replaced by an older value of the line that equals its result: the result of another op, a value loaded from or stored to
 * the same place with nothing between that may overlap it, or a register at the head.
 * Why it is safe: both values have the same term, so they are equal for all inputs. A removed load is one access less.
 * Risk: the older value lives longer and occupies its register for longer. Values move out of each other's way only where
 * the moves at the exits cost no more than the op did.
 * Source: value numbering over a trace, as in LuaJIT (lj_opt_fold.c, CSE; lj_opt_mem.c, forwarding).
 */
import { F0, REG_COUNT, type Reg } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import { headValue, type Superblock, type Value } from '../src/superblock/form.ts';
import { opIn } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, replaceOp, replaceSomeUses } from '../src/superblock/rewrite.ts';
import { termsOf } from '../src/superblock/terms.ts';

const isFloat = (reg: Reg | undefined): boolean => (reg ?? 0) >= F0;

export const reuse: Pass = {
  name: 'reuse',
  description: 'uses again what has been computed, loaded or stored',
  run(superblock: Superblock, { fuel }) {
    const terms = termsOf(superblock);
    /** Values by register file and term, oldest first; registers at the head are the oldest. */
    const older = new Map<string, Value[]>();
    const key = (float: boolean, id: number) => `${float ? 'f' : 'x'}${id}`;
    const know = (float: boolean, value: Value) => {
      const at = key(float, terms.of(value).id);
      const known = older.get(at);
      if (known === undefined) older.set(at, [value]);
      else known.push(value);
    };
    for (let reg = 1; reg < REG_COUNT; reg++) know(isFloat(reg), headValue(reg));
    let current = superblock;
    for (const op of superblock.ops) {
      const float = isFloat(facts(op.insn).writes);
      const term = terms.result(op);
      if (term === undefined) continue;
      const now = opIn(current, op.id);
      if (now === undefined) continue;
      const value: Value = { kind: 'op', id: op.id };
      const known = older.get(key(float, term.id));
      let gone = false;
      if (removable(now) && known !== undefined)
        // The newest value is tried first: its live range grows least.
        for (const by of [...known].reverse()) {
          if (by.kind === 'op' && opIn(current, by.id) === undefined) continue;
          const whole = replaceOp(current, now, by);
          const next = whole ?? replaceSomeUses(current, now, by);
          if (next === undefined || next === current) continue;
          if (!fuel.spend('reuse', superblock.head)) return current;
          current = next;
          gone = whole !== undefined;
          break;
        }
      if (!gone) know(float, value);
    }
    return current;
  },
};
