/**
 * Addresses at a distance from what is known already.
 *
 * What: an address of which another value of the line is a constant distance away is not computed again: what accesses memory there does so
 * at an offset from that value. Elements of an array in turn, fields of a record found anew, constants near to one another.
 * Why it is safe: sum of register and offset are the same term, so the address is the same for all inputs; the new offset has to fit.
 * Risk: the other value lives longer; code size: a larger offset may not fit in a compressed instruction, and exits get copies of the
 * computation; their number is limited.
 */
import { fitsSigned, toSigned } from '../src/base/bits.ts';
import { F0, REG_COUNT } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import type { Term } from '../src/domain/term.ts';
import { isSum, withDistance } from '../src/superblock/distance.ts';
import { headValue, isOrdered, type Op, type Superblock, type Value } from '../src/superblock/form.ts';
import { usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES } from '../src/superblock/rewrite.ts';
import { termsOf } from '../src/superblock/terms.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** Of what is as far away, so many are tried: the newest. */
const TRIES = 3;
const REACH_BITS = 13;

function split(term: Term): { base: Term; offset: bigint } {
  const constant = term.op === 'add' ? term.args[1]!.value : undefined;
  return constant === undefined ? { base: term, offset: 0n } : { base: term.args[0]!, offset: toSigned(constant) };
}

/** Its result is only ever an address of the line, and of some side exits. */
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
    /** By base, newest last. */
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
      const op = current.ops.find((other) => other.id === id);
      if (op === undefined) continue;
      const term = terms.result(op);
      if (term === undefined || term.value !== undefined || !((facts(op.insn).writes ?? F0) < F0)) continue;
      const { base, offset } = split(term);
      const near = (known.get(base) ?? []).filter((other) => fitsSigned(Number(offset - other.offset), REACH_BITS));
      let gone = false;
      // A sum of a value and a constant is the matter of offsets.ts.
      if (near.length > 0 && !isSum(op) && isAddress(current, op))
        for (const { value, offset: from } of near.slice(-TRIES).reverse()) {
          if (value.kind === 'op' && !current.ops.some((other) => other.id === value.id)) continue;
          const next = withDistance(current, op, value, Number(offset - from));
          if (next === undefined || weightOf(next) >= weightOf(current)) continue;
          if (!fuel.spend('addresses', superblock.head)) return current;
          current = next;
          gone = true;
          break;
        }
      // An upper part that is made from the pc has an offset of its own, which depends on where the code will be.
      if (!gone && !facts(op.insn).readsPc) know({ kind: 'op', id });
    }
    return current;
  },
};
