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
import { fitsSigned } from '../src/base/bits.ts';
import { F0, REG_COUNT } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import type { Term } from '../src/domain/term.ts';
import { isSum, withDistance } from '../src/superblock/distance.ts';
import { headValue, isOrdered, type Op, type Superblock, type Value } from '../src/superblock/form.ts';
import { opIn, usesOf } from '../src/superblock/homes.ts';
import { locate } from '../src/superblock/line-memory.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES } from '../src/superblock/rewrite.ts';
import { rewriteEachOp } from '../src/superblock/rewrite-each.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** Bases tried for one address: the newest values within reach. */
const TRIES = 3;
const REACH_BITS = 13;

/** Is an op pure, with an integer result that the line reads, and a few side exits at most, but not the final exit? */
function isAddress(superblock: Superblock, op: Op): boolean {
  const fact = facts(op.insn);
  if (!fact.pure || isOrdered(op) || (fact.writes ?? F0) >= F0) return false;
  const uses = usesOf(superblock).get(op.id);
  return uses !== undefined && uses.line.length > 0 && !uses.final && new Set(uses.exits).size <= MAX_COPIES;
}

/** A value at a distance in bytes from some base. */
interface Located {
  readonly value: Value;
  readonly offset: bigint;
}

/** The newest of these values within reach of an offset, newest first. */
function near(known: readonly Located[], offset: bigint): Located[] {
  const found: Located[] = [];
  for (let index = known.length - 1; index >= 0 && found.length < TRIES; index--)
    if (fitsSigned(Number(offset - known[index]!.offset), REACH_BITS)) found.push(known[index]!);
  return found;
}

/** The superblock without an address: its readers use the first of these values that makes that cheaper. */
function withoutAddress(superblock: Superblock, op: Op, offset: bigint, values: readonly Located[]) {
  // The sum of a value and a constant is left to offsets.ts.
  if (values.length === 0 || isSum(op) || !isAddress(superblock, op)) return undefined;
  for (const { value, offset: from } of values) {
    if (value.kind === 'op' && opIn(superblock, value.id) === undefined) continue;
    const next = withDistance(superblock, op, value, Number(offset - from));
    if (next !== undefined && weightOf(next) < weightOf(superblock)) return next;
  }
  return undefined;
}

export const addresses: Pass = {
  name: 'addresses',
  description: 'accesses memory at an offset from an address that is known already',
  run(superblock, context) {
    const terms = context.termsOf(superblock);
    /** Values by base term, newest last. */
    const known = new Map<Term | undefined, Located[]>();
    const know = (value: Value) => {
      const { base, offset } = locate(terms.of(value));
      const list = known.get(base);
      if (list === undefined) known.set(base, [{ value, offset }]);
      else list.push({ value, offset });
    };
    for (let reg = 1; reg < REG_COUNT && reg < F0; reg++) know(headValue(reg));
    return rewriteEachOp(superblock, context, (current, op) => {
      const { writes = F0, readsPc } = facts(op.insn);
      const term = terms.result(op);
      if (term === undefined || term.value !== undefined || writes >= F0) return undefined;
      const { base, offset } = locate(term);
      const next = withoutAddress(current, op, offset, near(known.get(base) ?? [], offset));
      // The low part that completes a pc-relative upper part depends on where the code will be placed, so an upper part is no base.
      if (next === undefined && !readsPc) know({ kind: 'op', id: op.id });
      return next;
    });
  },
};
