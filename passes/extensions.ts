/**
 * Redundant extension removal.
 *
 * What: an op that extends a value which is already extended is replaced by the value (sext.w of a word load, zero extension of a byte
 * load, and the shift pairs that compilers write without Zbb). An op that uses only the low bits of an extension reads its source instead.
 * Why it is safe: the op's term with the wider operand is the very same term, so its result is the same for all inputs.
 * Risk: none in instructions; a value may live longer in its home, which the home rule bounds.
 */
import { derived } from '../src/base/derived.ts';
import { F0 } from '../src/base/units.ts';
import { type Op, operandsOf, opWith, type Superblock } from '../src/superblock/form.ts';
import { type Homes, homesOf, opIn, positionIn } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { removable, replaceOp, replaceSomeUses } from '../src/superblock/rewrite.ts';
import { rewriteEach } from '../src/superblock/rewrite-each.ts';
import { type SuperblockTerms, withOperands } from '../src/superblock/terms.ts';

/** The rewrites of one op, in their order: each operand may be read through an extension; then its result may be an operand. */
const STEPS = ['rs1', 'rs2', 'result'] as const;

/** What the pass knows of the line: by id, its ops before the pass; the homes and the terms of its values. */
interface Line {
  readonly byId: ReadonlyMap<number, Op>;
  readonly homesOf: (superblock: Superblock) => Homes;
  readonly terms: SuperblockTerms;
}

/** The superblock with an op that reads the source of an extension instead of the extended value, where the op computes the same. */
function readThrough(superblock: Superblock, op: Op, role: 'rs1' | 'rs2', line: Line): Superblock | undefined {
  const value = op[role];
  const maker = value?.kind === 'op' ? line.byId.get(value.id) : undefined;
  const source = maker?.rs1;
  if (maker === undefined || (source?.kind !== 'op' && source?.kind !== 'head')) return undefined;
  if (maker.rs2 !== undefined || !removable(maker)) return undefined;
  const homes = line.homesOf(superblock);
  if (!homes.intact(source, positionIn(superblock, op.id)!)) return undefined;
  if (homes.homeOf(source)! >= F0 || homes.homeOf(value!)! >= F0) return undefined;
  const changed = opWith(op, { [role]: source });
  if (!withOperands(line.terms, op, changed)) return undefined;
  return { ...superblock, ops: superblock.ops.map((other) => (other === op ? changed : other)) };
}

/** The superblock with an operand in place of the result of an op that leaves the operand as it is. */
function withoutExtension(superblock: Superblock, op: Op, terms: SuperblockTerms): Superblock | undefined {
  if (!removable(op)) return undefined;
  const term = terms.result(op);
  const by = operandsOf(op).find((value) => terms.of(value) === term);
  if (term === undefined || by === undefined) return undefined;
  return replaceOp(superblock, op, by) ?? replaceSomeUses(superblock, op, by);
}

export const extensions: Pass = {
  name: 'extensions',
  description: 'removes extensions of values that are wide enough already',
  run(superblock, context) {
    const line: Line = {
      byId: new Map(superblock.ops.map((op) => [op.id, op])),
      homesOf: derived('homes', homesOf),
      terms: context.termsOf(superblock),
    };
    const rewrites = superblock.ops.flatMap(({ id }) => STEPS.map((step) => ({ id, step })));
    return rewriteEach(superblock, rewrites, context, (current, { id, step }) => {
      const op = opIn(current, id);
      if (op === undefined) return undefined;
      return step === 'result' ? withoutExtension(current, op, line.terms) : readThrough(current, op, step, line);
    });
  },
};
