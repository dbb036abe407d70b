/**
 * Terms as bit-vector problems in SMT-LIB 2.6 (theory FixedSizeBitVectors, logic QF_UFBV). Loads, stores, floating point and other unknown
 * functions stay uninterpreted: so the solver may show too little, never too much. The width of a term is asserted for inputs and
 * uninterpreted functions; for all other terms the width follows.
 *
 * Division is the instruction set's, as the concrete domain has it: SMT-LIB says the same but for signed division by zero.
 */
import type { Term } from '../../domain/term.ts';
import type { Facts } from './facts.ts';

/** Under these facts, is one of the pairs equal? */
export interface Goal {
  readonly facts: Facts;
  readonly oneOf: readonly (readonly [Term, Term])[];
}

const WORD = '(_ BitVec 64)';
const constant = (value: bigint): string => `(_ bv${value} 64)`;
const ZERO = constant(0n);
const ONE = constant(1n);
const asWord = (condition: string): string => `(ite ${condition} ${ONE} ${ZERO})`;
const extended = (how: 'sign' | 'zero', value: string, bits: number): string =>
  `((_ ${how}_extend ${64 - bits}) ((_ extract ${bits - 1} 0) ${value}))`;
const bit = (value: string, at: number): string => `((_ extract ${at} ${at}) ${value})`;
const wide = (how: 'sign' | 'zero', value: string): string => `((_ ${how}_extend 64) ${value})`;
const upper = (a: string, b: string): string => `((_ extract 127 64) (bvmul ${a} ${b}))`;
/** A shift's amount is its low six bits. */
const shiftAmount = (amount: string): string => `(bvand ${amount} ${constant(63n)})`;
/** The index in `order` of the first bit that is set; 64 if no bit is. */
const first = (value: string, order: readonly number[]): string =>
  order.reduceRight(
    (rest, at, index) => `(ite (= ${bit(value, at)} #b1) ${constant(BigInt(index))} ${rest})`,
    constant(64n),
  );
const UPWARD = Array.from({ length: 64 }, (_, at) => at);
const DOWNWARD = UPWARD.toReversed();

/** The SMT-LIB text of an operation on texts; undefined for inputs and uninterpreted functions. */
function operation(op: Term['op'], [a = '', b = '', c = '']: readonly string[]): string | undefined {
  switch (op) {
    case 'add':
    case 'sub':
    case 'mul':
    case 'and':
    case 'or':
    case 'xor':
      return `(bv${op} ${a} ${b})`;
    case 'shl':
      return `(bvshl ${a} ${shiftAmount(b)})`;
    case 'shr':
      return `(bvlshr ${a} ${shiftAmount(b)})`;
    case 'sar':
      return `(bvashr ${a} ${shiftAmount(b)})`;
    case 'mulhs':
      return upper(wide('sign', a), wide('sign', b));
    case 'mulhu':
      return upper(wide('zero', a), wide('zero', b));
    case 'mulhsu':
      return upper(wide('sign', a), wide('zero', b));
    case 'divs':
      return `(ite (= ${b} ${ZERO}) (bvnot ${ZERO}) (bvsdiv ${a} ${b}))`;
    case 'divu':
      return `(bvudiv ${a} ${b})`;
    case 'rems':
      return `(ite (= ${b} ${ZERO}) ${a} (bvsrem ${a} ${b}))`;
    case 'remu':
      return `(bvurem ${a} ${b})`;
    case 'eq':
      return asWord(`(= ${a} ${b})`);
    case 'ltS':
      return asWord(`(bvslt ${a} ${b})`);
    case 'ltU':
      return asWord(`(bvult ${a} ${b})`);
    case 'sext8':
    case 'sext16':
    case 'sext32':
      return extended('sign', a, Number(op.slice(4)));
    case 'zext8':
    case 'zext16':
    case 'zext32':
      return extended('zero', a, Number(op.slice(4)));
    case 'select':
      return `(ite (= ${a} ${ZERO}) ${c} ${b})`;
    case 'clz':
      return first(a, DOWNWARD);
    case 'ctz':
      return first(a, UPWARD);
    case 'cpop':
      return `(bvadd ${UPWARD.map((at) => `((_ zero_extend 63) ${bit(a, at)})`).join(' ')})`;
    default:
      return undefined;
  }
}

/** Declarations and assertions that no values satisfy if the goal holds for all values. */
export function goalText({ facts, oneOf }: Goal): string {
  const lines: string[] = [];
  const declared = new Map<string, string>();
  const names = new Map<Term, string>();

  const symbol = (name: string, arity: number): string => {
    const key = `${arity} ${name}`;
    let known = declared.get(key);
    if (known === undefined) {
      known = `f${declared.size}`;
      declared.set(key, known);
      lines.push(`(declare-fun ${known} (${Array(arity).fill(WORD).join(' ')}) ${WORD})`);
    }
    return known;
  };
  const textOf = (term: Term): string => {
    if (term.value !== undefined) return constant(term.value);
    const operands = term.args.map((arg) => names.get(arg)!);
    const known = operation(term.op, operands);
    if (known !== undefined) return known;
    const name = symbol(`${term.op} ${term.name}`, operands.length);
    return operands.length === 0 ? name : `(${name} ${operands.join(' ')})`;
  };
  const define = (term: Term): string => {
    // Terms share subterms and may be deep: neither a walk of all paths nor recursion on the host's stack will do.
    const open = [term];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const missing = top.args.filter((arg) => !names.has(arg));
      if (!names.has(top) && missing.length > 0) {
        open.push(...missing);
        continue;
      }
      open.pop();
      if (names.has(top)) continue;
      const name = `t${names.size}`;
      lines.push(`(define-fun ${name} () ${WORD} ${textOf(top)})`);
      names.set(top, name);
      if (top.op !== 'input' && top.op !== 'apply') continue;
      if (top.unsigned < 64) lines.push(`(assert (= ${name} ${narrow('zero', name, top.unsigned)}))`);
      else if (top.signed < 64) lines.push(`(assert (= ${name} ${narrow('sign', name, top.signed)}))`);
    }
    return names.get(term)!;
  };
  const narrow = (how: 'sign' | 'zero', name: string, bits: number): string =>
    bits === 0 ? ZERO : extended(how, name, bits);

  for (let at = facts; at !== undefined; at = at.rest) {
    const { condition, holds } = at.item;
    const name = define(condition);
    lines.push(`(assert (${holds ? 'distinct' : '='} ${name} ${ZERO}))`);
  }
  for (const [a, b] of oneOf) {
    const pair = [define(a), define(b)];
    lines.push(`(assert (distinct ${pair.join(' ')}))`);
  }
  return `${lines.join('\n')}\n`;
}
