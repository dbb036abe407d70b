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
import { headValue, type Op, type Superblock, type Value } from '../src/superblock/form.ts';
import { opIn } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, replaceOp, replaceSomeUses } from '../src/superblock/rewrite.ts';
import { rewriteEachOp } from '../src/superblock/rewrite-each.ts';

const isFloat = (reg: Reg | undefined): boolean => (reg ?? 0) >= F0;

interface Reused {
  readonly superblock: Superblock;
  /** The op is gone; otherwise only some of its uses read the older value. */
  readonly whole: boolean;
}

/** The superblock with an older value in place of an op's result. The newest value is tried first: its live range grows least. */
function reused(superblock: Superblock, op: Op, older: readonly Value[]): Reused | undefined {
  for (const by of [...older].reverse()) {
    if (by.kind === 'op' && opIn(superblock, by.id) === undefined) continue;
    const whole = replaceOp(superblock, op, by);
    const next = whole ?? replaceSomeUses(superblock, op, by);
    if (next !== undefined && next !== superblock) return { superblock: next, whole: whole !== undefined };
  }
  return undefined;
}

export const reuse: Pass = {
  name: 'reuse',
  description: 'uses again what has been computed, loaded or stored',
  run(superblock, context) {
    const terms = context.termsOf(superblock);
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
    return rewriteEachOp(superblock, context, (current, op) => {
      const float = isFloat(facts(op.insn).writes);
      const term = terms.result(op);
      if (term === undefined) return undefined;
      const known = older.get(key(float, term.id));
      const found = removable(op) && known !== undefined ? reused(current, op, known) : undefined;
      if (found?.whole !== true) know(float, { kind: 'op', id: op.id });
      return found?.superblock;
    });
  },
};
