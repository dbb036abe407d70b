/**
 * Choosing instructions that the target has and the input could not use.
 *
 * What: an op becomes a single instruction of the target's extensions where one computes the op's result from earlier values and where
 * operands that are no longer read can be removed: a shift and an addition, a pair of shifts that extends, a complement and an `and`, the
 * two halves of a rotation, a single bit. There is no list of patterns: the patterns are the rows' own semantics, run over terms.
 * Why it is safe: the new instruction's term is the very term of the op that it replaces, so the result is the same for all inputs.
 * Risk: the output needs the target's extensions, which is why a target must be asked for. An op is replaced only where fewer
 * instructions run, by the counts.
 */
import { F0 } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import { runTerms, type Term, Terms } from '../src/domain/term.ts';
import { makeInsn } from '../src/isa/encode.ts';
import { immediateFits } from '../src/isa/fields.ts';
import type { Insn, Row } from '../src/isa/row.ts';
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
import { type SuperblockTerms, termsOf } from '../src/superblock/terms.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** An instruction, and the term that it computes of two unknowns. `reads` is false for an operand that the row lacks or that is x0. */
interface Template {
  readonly row: Row;
  readonly imm: number;
  readonly reads: { readonly rs1: boolean; readonly rs2: boolean };
  readonly term: Term;
}

const IMMEDIATES = Array.from({ length: 64 }, (_, amount) => amount);
const BOOLEANS = [true, false];

function* templatesOf(row: Row): Generator<Template> {
  const has = (role: 'rs1' | 'rs2') => (row.operands.includes(role) ? BOOLEANS : [false]);
  const terms = new Terms();
  for (const imm of row.operands.includes('imm') ? IMMEDIATES : [0]) {
    if (!immediateFits(row, imm)) continue;
    for (const rs1 of has('rs1'))
      for (const rs2 of has('rs2')) {
        const operands = {
          ...(rs1 && { rs1: terms.input('rs1') }),
          ...(rs2 && { rs2: terms.input('rs2') }),
          pc: terms.input('pc'),
        };
        const { result } = runTerms(terms, makeInsn(row, { imm }), operands, () => terms.input('?'));
        // Replacing an op by a copy gains nothing.
        if (result !== undefined && result.op !== 'input') yield { row, imm, reads: { rs1, rs2 }, term: result };
      }
  }
}

const known = new Map<string, ReadonlyMap<string, readonly Template[]>>();

/** The templates of some extensions, by the outermost operation of their terms. */
function templatesFor(extensions: readonly string[]): ReadonlyMap<string, readonly Template[]> {
  const key = extensions.join();
  let byOp = known.get(key);
  if (byOp === undefined) {
    const made = new Map<string, Template[]>();
    for (const row of ROWS.filter((each) => extensions.includes(each.extension)))
      for (const template of templatesOf(row)) {
        const list = made.get(template.term.op);
        if (list === undefined) made.set(template.term.op, [template]);
        else list.push(template);
      }
    known.set(key, (byOp = made));
  }
  return byOp;
}

/** Could a template compute this term? Operands match anything here; the term of the actual instruction decides later. */
function resembles(pattern: Term, term: Term): boolean {
  if (pattern.op === 'input') return true;
  if (pattern.op !== term.op || pattern.value !== term.value) return false;
  const [a, b, c] = pattern.args;
  const [x, y, z] = term.args;
  if (a === undefined) return true;
  if (b === undefined) return resembles(a, x!);
  if (c !== undefined) return resembles(a, x!) && resembles(b, y!) && resembles(c, z!);
  // Terms list commutative operands in the order in which the operands were made, which may differ between template and line.
  return (resembles(a, x!) && resembles(b, y!)) || (resembles(a, y!) && resembles(b, x!));
}

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

export const retarget: Pass = {
  name: 'retarget',
  description: 'uses instructions that the target has beyond those of the input',
  run(superblock, { fuel, extensions = [] }) {
    if (extensions.length === 0) return superblock;
    const templates = templatesFor(extensions);
    const terms = termsOf(superblock);
    let current = superblock;
    let cost = weightOf(current);
    // From the end, so that the instruction that covers most ops is tried first.
    for (const { id } of [...superblock.ops].reverse()) {
      const op = opIn(current, id);
      if (op === undefined) continue;
      const fact = facts(op.insn);
      if (!fact.pure || isOrdered(op) || fact.readsPc || (fact.writes ?? F0) >= F0) continue;
      const term = terms.result(op);
      const found = term === undefined ? undefined : templates.get(term.op);
      if (term === undefined || found === undefined) continue;
      const sources = sourcesOf(op, new Map(current.ops.map((other) => [other.id, other])));
      let best: Superblock | undefined;
      for (const { insn, rs1, rs2 } of matchingInsns(op, term, terms, sources, found))
        for (const next of placementsOf(current, op, insn, rs1, rs2)) {
          const now = weightOf(next);
          if (now >= cost || !inOrder(next, op) || homeRuleViolation(next) !== undefined) continue;
          best = next;
          cost = now;
        }
      if (best === undefined) continue;
      if (!fuel.spend('retarget', superblock.head)) return current;
      current = best;
    }
    return current;
  },
};
