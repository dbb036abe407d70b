/**
 * Choosing instructions that the target has and the input could not use.
 *
 * What: an op becomes a single instruction of the target's extensions where one computes the op's result from earlier values and where
 * operands that are no longer read can be removed: a shift and an addition, a pair of shifts that extends, a complement and an `and`, the
 * two halves of a rotation, a single bit. There is no list of patterns: the patterns are the rows' own semantics, run over terms. An
 * instruction of the base set takes part if BASE_FORMS has it.
 * Why it is safe: the new instruction's term is the very term of the op that it replaces, so the result is the same for all inputs.
 * Risk: the output needs the target's extensions, which is why a target must be asked for. An op is replaced only where fewer
 * instructions run, by the counts.
 */
import { F0 } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import type { Term } from '../src/domain/term.ts';
import { runTerms } from '../src/domain/term-step.ts';
import { makeInsn } from '../src/isa/encode.ts';
import type { Insn } from '../src/isa/row.ts';
import { ROWS } from '../src/isa/table.ts';
import {
  isOrdered,
  type Op,
  operandsOf,
  opWith,
  type Superblock,
  sameValue,
  type Value,
  ZERO_VALUE,
} from '../src/superblock/form.ts';
import { homeRuleViolation, homesOf, opIn, usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES, removable, removeOp, sinkOp } from '../src/superblock/rewrite.ts';
import { fromTheEnd, rewriteEachOp } from '../src/superblock/rewrite-each.ts';
import { makeTemplates, resembles, type Template, type Templates } from '../src/superblock/templates.ts';
import type { SuperblockTerms } from '../src/superblock/terms.ts';
import { weightOf } from '../src/superblock/weight.ts';

/**
 * Instructions of the base set that an op may become on every machine, each with its immediate: an entry is one peephole rule, such as an
 * `and` with a mask for the pair of shifts that extends a byte. As with the target's rows, the pattern is the instruction's own term, and
 * an op becomes the instruction only where fewer instructions run. Entries are made by functions of isa/idioms.ts, which knows
 * instructions by name; each has a case for no target in test/passes/cases/retarget.
 */
export const BASE_FORMS: readonly Insn[] = [];

/** How far back operands are looked for, in ops along a chain of operands. */
const DEPTH = 4;

/**
 * Values in integer registers that an op is computed from, nearest first. Some homes may be overwritten by then; the home rule is checked
 * later. Values in floating-point registers are left out: their terms may match, but no row looked for reads that register file.
 */
function sourcesOf(op: Op, byId: ReadonlyMap<number, Op>): Value[] {
  const sources: Value[] = [];
  let layer = operandsOf(op);
  for (let depth = 0; depth < DEPTH && layer.length > 0; depth++) {
    const next: Value[] = [];
    for (const value of layer) {
      if (value.kind !== 'head' && value.kind !== 'op') continue;
      const maker = value.kind === 'op' ? byId.get(value.id) : undefined;
      const reg = value.kind === 'head' ? value.reg : maker && facts(maker.insn).writes;
      if (reg === undefined || sources.some((other) => sameValue(other, value))) continue;
      if (reg < F0) sources.push(value);
      if (maker !== undefined && facts(maker.insn).pure) next.push(...operandsOf(maker));
    }
    layer = next;
  }
  return sources;
}

/** Single instructions that compute an op's result, each with its operands. */
function* matchingInsns(
  op: Op,
  term: Term,
  terms: SuperblockTerms,
  sources: readonly Value[],
  templates: readonly Template[],
) {
  const pc = terms.of({ kind: 'code', address: op.pc });
  for (const { row, imm, reads, term: pattern } of templates) {
    if (!resembles(pattern, term)) continue;
    for (const rs1 of reads.rs1 ? sources : [ZERO_VALUE])
      for (const rs2 of reads.rs2 ? sources : [ZERO_VALUE]) {
        const insn = makeInsn(row, { rd: op.insn.rd, imm });
        const operands = { rs1: terms.of(rs1), rs2: terms.of(rs2), pc };
        const { result } = runTerms(terms.terms, insn, operands, () => terms.terms.input('?'));
        if (result === term) yield { insn, rs1, rs2 };
      }
  }
}

/** Removes the ops among these values that the line no longer uses; ops that side exits still want sink into the stubs of these exits. */
function removeUnread(superblock: Superblock, values: readonly Value[]): Superblock {
  let current = superblock;
  for (const value of values) {
    const op = value.kind === 'op' ? opIn(current, value.id) : undefined;
    if (op === undefined || !removable(op)) continue;
    const uses = usesOf(current).get(op.id);
    if (uses !== undefined && (uses.line.length > 0 || uses.final || !facts(op.insn).pure)) continue;
    if (new Set(uses?.exits).size > MAX_COPIES) continue;
    current = removeUnread(uses === undefined ? removeOp(current, op) : sinkOp(current, op), operandsOf(op));
  }
  return current;
}

/** Superblocks with an op's instruction replaced: at its own position, then at the position of each op removed with it, latest first. */
function* placementsOf(superblock: Superblock, op: Op, insn: Insn, rs1: Value, rs2: Value): Generator<Superblock> {
  const { homeOf } = homesOf(superblock);
  const roles = insn.row.operands;
  const placed: Insn = {
    ...insn,
    rs1: roles.includes('rs1') ? (homeOf(rs1) ?? 0) : 0,
    rs2: roles.includes('rs2') ? (homeOf(rs2) ?? 0) : 0,
  };
  const made = opWith(
    { id: op.id, pc: op.pc, insn: placed },
    { ...(roles.includes('rs1') && { rs1 }), ...(roles.includes('rs2') && { rs2 }) },
  );
  const replaced = { ...superblock, ops: superblock.ops.map((other) => (other === op ? made : other)) };
  const smaller = removeUnread(replaced, operandsOf(op));
  yield smaller;
  const kept = new Set(smaller.ops.map((other) => other.id));
  const at = superblock.ops.indexOf(op);
  for (let i = at - 1; i >= 0; i--) {
    if (kept.has(superblock.ops[i]!.id)) continue;
    const before = new Set(superblock.ops.slice(0, i).map((other) => other.id));
    const rest = smaller.ops.filter((other) => other !== made);
    const place = rest.filter((other) => before.has(other.id)).length;
    yield { ...smaller, ops: [...rest.slice(0, place), made, ...rest.slice(place)] };
  }
}

/** Are all operands of the new op defined before it? */
function inOrder(superblock: Superblock, made: Op): boolean {
  const at = superblock.ops.findIndex((op) => op.id === made.id);
  const later = new Set(superblock.ops.slice(at).map((op) => op.id));
  return operandsOf(superblock.ops[at]!).every((value) => value.kind !== 'op' || !later.has(value.id));
}

/** The superblock with an op as the instruction with which the fewest instructions run; undefined if none saves any. */
function withBestInsn(superblock: Superblock, op: Op, terms: SuperblockTerms, templates: Templates) {
  const fact = facts(op.insn);
  if (!fact.pure || isOrdered(op) || fact.readsPc || (fact.writes ?? F0) >= F0) return undefined;
  const term = terms.result(op);
  const found = term === undefined ? undefined : templates.get(term.op);
  if (term === undefined || found === undefined) return undefined;
  const sources = sourcesOf(op, new Map(superblock.ops.map((other) => [other.id, other])));
  let best: Superblock | undefined;
  let cost = weightOf(superblock);
  for (const { insn, rs1, rs2 } of matchingInsns(op, term, terms, sources, found))
    for (const next of placementsOf(superblock, op, insn, rs1, rs2)) {
      const now = weightOf(next);
      if (now >= cost || !inOrder(next, op) || homeRuleViolation(next) !== undefined) continue;
      best = next;
      cost = now;
    }
  return best;
}

/** @param baseForms instructions of the base set, with their immediates, that an op may become whatever the target is */
export function makeRetarget(baseForms: readonly Insn[]): Pass {
  const known = new Map<string, Templates>();
  const templatesFor = (extensions: readonly string[]): Templates => {
    const key = extensions.join();
    let templates = known.get(key);
    if (templates === undefined) {
      const rows = ROWS.filter((row) => extensions.includes(row.extension));
      known.set(key, (templates = makeTemplates(rows, baseForms)));
    }
    return templates;
  };
  return {
    name: 'retarget',
    description: 'uses single instructions for several: those that the target has, and a few of the base set',
    applies: ({ extensions = [] }) => extensions.length > 0 || baseForms.length > 0,
    run(superblock, context) {
      const templates = templatesFor(context.extensions ?? []);
      if (templates.size === 0) return superblock;
      const terms = context.termsOf(superblock);
      const retargeted = (current: Superblock, op: Op) => withBestInsn(current, op, terms, templates);
      // From the end, so that the instruction that covers most ops is tried first.
      return rewriteEachOp(superblock, context, retargeted, fromTheEnd(superblock));
    },
  };
}

export const retarget: Pass = makeRetarget(BASE_FORMS);
