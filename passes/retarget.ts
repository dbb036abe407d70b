/**
 * Choosing instructions that the target has and the input could not use.
 *
 * What: an op whose result a single instruction of the target's extensions computes from values further back becomes that instruction,
 * where what it no longer reads can go: a shift and an addition, a pair of shifts that extends, a complement and an `and`, the two halves
 * of a rotation, a single bit. There is no list of patterns: each row's own meaning, run over terms, is what is looked for.
 * Why it is safe: the new instruction's term is the very term of the op it stands for, so its result is the same for all inputs.
 * Risk: the output needs the target's extensions, which is why a target must be asked for; it is done only where fewer instructions
 * run, by the counts.
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

/** An instruction, and what it computes of two unknowns. An operand it does not have, or that is to be x0, is not there. */
interface Template {
  readonly row: Row;
  readonly imm: number;
  readonly reads: { readonly rs1: boolean; readonly rs2: boolean };
  readonly term: Term;
}

const IMMEDIATES = Array.from({ length: 64 }, (_, amount) => amount);
const BOTH = [true, false];

function* templatesOf(row: Row): Generator<Template> {
  const has = (role: 'rs1' | 'rs2') => (row.operands.includes(role) ? BOTH : [false]);
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
        // A copy is no gain.
        if (result !== undefined && result.op !== 'input') yield { row, imm, reads: { rs1, rs2 }, term: result };
      }
  }
}

const known = new Map<string, ReadonlyMap<string, readonly Template[]>>();

/** The templates of some extensions by their outermost operation. */
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

/** Could a term be what a template computes? Operands match anything here; the term of the instruction itself decides later. */
function resembles(pattern: Term, term: Term): boolean {
  if (pattern.op === 'input') return true;
  if (pattern.op !== term.op || pattern.value !== term.value) return false;
  const [a, b, c] = pattern.args;
  const [x, y, z] = term.args;
  if (a === undefined) return true;
  if (b === undefined) return resembles(a, x!);
  if (c !== undefined) return resembles(a, x!) && resembles(b, y!) && resembles(c, z!);
  // Operands of what is commutative stand in the order of their making, which is another one here.
  return (resembles(a, x!) && resembles(b, y!)) || (resembles(a, y!) && resembles(b, x!));
}

/** How far back operands are looked for, in ops. */
const DEPTH = 4;

/**
 * Values in integer registers that an op is computed from, nearest first; what is near need not be there any more, which the home rule tells.
 * What a floating-point register holds may have the very term, and no row that is looked for reads it there.
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

/** Instructions that compute an op's result, each with its operands. */
function* chosen(
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

/** What only the op read that it reads no longer goes, or into the stubs of the exits that want it. */
function without(superblock: Superblock, values: readonly Value[]): Superblock {
  let current = superblock;
  for (const value of values) {
    const op = value.kind === 'op' ? opIn(current, value.id) : undefined;
    if (op === undefined || !removable(op)) continue;
    const uses = usesOf(current).get(op.id);
    if (uses !== undefined && (uses.line.length > 0 || uses.final || !facts(op.insn).pure)) continue;
    if (new Set(uses?.exits).size > MAX_COPIES) continue;
    current = without(uses === undefined ? removeOp(current, op) : sinkOp(current, op), operandsOf(op));
  }
  return current;
}

/** The superblock with an op made otherwise: where it is, or already where the first of what it stands for was. */
function* rewritten(superblock: Superblock, op: Op, insn: Insn, rs1: Value, rs2: Value): Generator<Superblock> {
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
  const smaller = without(replaced, operandsOf(op));
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

/** Every value is used behind its definition. */
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
    // From the end, so that what computes most in one goes first.
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
      for (const { insn, rs1, rs2 } of chosen(op, term, terms, sources, found))
        for (const next of rewritten(current, op, insn, rs1, rs2)) {
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
