/**
 * Addresses at a constant distance from values that are known already.
 *
 * What: an address that lies a constant distance from another value of the line is not computed again; loads and stores there use an offset
 * from that value. Typical cases are consecutive array elements, fields of a record whose address is recomputed, and nearby constants.
 * Why it is safe: register plus offset is the same term before and after, so the address is the same for all inputs; the new offset has to
 * fit.
 * Risk: the other value lives longer. Code grows: a larger offset may not fit in a compressed instruction, and exits get copies of the
 * computation; the number of copies is limited.
 */
import { fitsSigned, toSigned } from '../src/base/bits.ts';
import { F0, REG_COUNT } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import type { Term } from '../src/domain/term.ts';
import { isSum, withDistance } from '../src/superblock/distance.ts';
import { headValue, isOrdered, type Op, type Superblock, type Value } from '../src/superblock/form.ts';
import { opIn, usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES } from '../src/superblock/rewrite.ts';
import { termsOf } from '../src/superblock/terms.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** Bases tried for one address: the newest values within reach. */
const TRIES = 3;
const REACH_BITS = 13;

function split(term: Term): { base: Term; offset: bigint } {
  const constant = term.op === 'add' ? term.args[1]!.value : undefined;
  return constant === undefined ? { base: term, offset: 0n } : { base: term.args[0]!, offset: toSigned(constant) };
}

/** Is an op pure, with an integer result that the line reads, and a few side exits at most, but not the final exit? */
function isAddress(superblock: Superblock, op: Op): boolean {
  const fact = facts(op.insn);
  if (!fact.pure || isOrdered(op) || (fact.writes ?? F0) >= F0) return false;
  const uses = usesOf(superblock).get(op.id);
  return uses !== undefined && uses.line.length > 0 && !uses.final && new Set(uses.exits).size <= MAX_COPIES;
}

export const addresses: Pass = {
  name: 'addresses',
  description: 'accesses memory at an offset from an address that is known already',
  run(superblock, { fuel }) {
    const terms = termsOf(superblock);
    /** Values by base term, newest last. */
    const known = new Map<Term, { value: Value; offset: bigint }[]>();
    const know = (value: Value) => {
      const { base, offset } = split(terms.of(value));
      const list = known.get(base);
      if (list === undefined) known.set(base, [{ value, offset }]);
      else list.push({ value, offset });
    };
    for (let reg = 1; reg < REG_COUNT && reg < F0; reg++) know(headValue(reg));
    let current = superblock;
    for (const { id } of superblock.ops) {
      const op = opIn(current, id);
      if (op === undefined) continue;
      const term = terms.result(op);
      if (term === undefined || term.value !== undefined || !((facts(op.insn).writes ?? F0) < F0)) continue;
      const { base, offset } = split(term);
      const near: { value: Value; offset: bigint }[] = [];
      const all = known.get(base) ?? [];
      for (let index = all.length - 1; index >= 0 && near.length < TRIES; index--)
        if (fitsSigned(Number(offset - all[index]!.offset), REACH_BITS)) near.push(all[index]!);
      let gone = false;
      // The sum of a value and a constant is left to offsets.ts.
      if (near.length > 0 && !isSum(op) && isAddress(current, op))
        for (const { value, offset: from } of near) {
          if (value.kind === 'op' && opIn(current, value.id) === undefined) continue;
          const next = withDistance(current, op, value, Number(offset - from));
          if (next === undefined || weightOf(next) >= weightOf(current)) continue;
          if (!fuel.spend('addresses', superblock.head)) return current;
          current = next;
          gone = true;
          break;
        }
      // The low part that completes a pc-relative upper part depends on where the code will be placed, so an upper part is no base.
      if (!gone && !facts(op.insn).readsPc) know({ kind: 'op', id });
    }
    return current;
  },
};
