/**
 * The symbolic domain: values are terms, equal terms are the same object (hash-consed), and every operation simplifies as it
 * builds. Running a row over terms tells what an instruction computes; two values with the same term are equal for all inputs.
 * Each term also has a width, as far as its operation and operands tell one (widths.ts); widths make redundant extensions vanish.
 *
 * The rules are in rules.ts, by name; test/domain checks each against the concrete domain on random values.
 */
import { toUnsigned } from '../base/bits.ts';
import { internal } from '../base/errors.ts';
import type { Domain } from '../isa/row.ts';
import { concrete } from './concrete.ts';
import {
  BINARY_RULES,
  type BinaryOp,
  type BinaryRule,
  type Bits,
  type Count,
  EXTEND_RULES,
  type ExtendRule,
  SELECT_RULES,
  type Term,
  type TermOp,
  unsignedWidth,
} from './rules.ts';
import { hasWidths, narrowed, signedWidth, type Widths, widthOf } from './widths.ts';

export type { Term } from './rules.ts';

const COMMUTATIVE: ReadonlySet<TermOp> = new Set(['add', 'and', 'or', 'xor', 'mul', 'mulhs', 'mulhu', 'eq']);

const rulesOf = <R extends { readonly on: string }>(rules: readonly R[]): ReadonlyMap<string, readonly R[]> => {
  const by = new Map<string, R[]>();
  for (const rule of rules) by.set(rule.on, [...(by.get(rule.on) ?? []), rule]);
  return by;
};
const BINARY_BY_OP = rulesOf<BinaryRule>(BINARY_RULES);
const EXTEND_BY_OP = rulesOf<ExtendRule>(EXTEND_RULES);
const EMPTY_LIST: readonly never[] = [];
/** Two ids below this limit make a key of 30 bits. */
const SMALL_ID_LIMIT = 2 ** 15;
/** Two ids below this limit make a key of less than 53 bits, which is exact; equal keys of other terms would make these equal. */
const ID_LIMIT = 2 ** 26;

/** An application of a rule: the operation and its operands (`bits` is the width of an extension or of `low`), and the resulting term. */
export interface Rewrite {
  readonly rule: string;
  readonly op: BinaryOp | 'select' | 'sext' | 'zext' | 'low';
  readonly args: readonly Term[];
  readonly bits: Bits | undefined;
  readonly result: Term;
}

export class Terms implements Domain<Term> {
  readonly #constants = new Map<bigint, Term>();
  readonly #inputs = new Map<string, Term>();
  /** Terms of one or two operands, by operation and the operands' ids as one number. */
  readonly #plain = new Map<TermOp, Map<number, Term>>();
  /** All other terms but constants and inputs, by operation, name and the operands' ids. */
  readonly #others = new Map<string, Term>();
  readonly #observe: ((rewrite: Rewrite) => void) | undefined;
  readonly #most: number;
  #next = 0;

  /**
   * @param observe called for each rule that is applied
   * @param most number of terms; one more throws internal()
   */
  constructor(observe?: (rewrite: Rewrite) => void, most = ID_LIMIT) {
    this.#observe = observe;
    this.#most = most;
  }

  #new(op: TermOp, args: readonly Term[], signed = 64, unsigned = 64, value?: bigint, name?: string): Term {
    if (this.#next >= this.#most) throw internal(`more than ${this.#most} terms`);
    return { id: this.#next++, op, args, value, name, signed: narrowed(signed, unsigned), unsigned };
  }

  const(value: bigint): Term {
    const bits = toUnsigned(value);
    let term = this.#constants.get(bits);
    if (term === undefined) {
      term = this.#new('const', EMPTY_LIST, signedWidth(bits), unsignedWidth(bits), bits);
      this.#constants.set(bits, term);
    }
    return term;
  }
  /**
   * An unknown value, by name; equal names are the same term. The widths are all that is known of the value.
   * @param widths by the first call; later calls may leave them out
   * @throws internal() if a later call has other widths: the name would stand for two values
   */
  input(name: string, widths: Widths = {}): Term {
    let term = this.#inputs.get(name);
    if (term === undefined) {
      term = this.#new('input', EMPTY_LIST, widths.signed, widths.unsigned, undefined, name);
      this.#inputs.set(name, term);
    } else if (!hasWidths(term, widths)) throw internal(`two widths of ${name}`);
    return term;
  }
  #unary(op: TermOp, a: Term, signed: number, unsigned?: number): Term {
    const known = this.#tableOf(op);
    let term = known.get(a.id);
    if (term === undefined) {
      term = this.#new(op, [a], signed, unsigned);
      known.set(a.id, term);
    }
    return term;
  }
  #tableOf(op: TermOp): Map<number, Term> {
    let table = this.#plain.get(op);
    if (table === undefined) {
      table = new Map();
      this.#plain.set(op, table);
    }
    return table;
  }
  #other(op: TermOp, args: readonly Term[], signed?: number, unsigned?: number, name?: string): Term {
    const key = `${op}|${name ?? ''}|${args.map((arg) => arg.id).join(',')}`;
    let term = this.#others.get(key);
    if (term === undefined) {
      term = this.#new(op, args, signed, unsigned, undefined, name);
      this.#others.set(key, term);
    }
    return term;
  }

  /**
   * An uninterpreted function of its arguments: equal for equal arguments; nothing else is known of the function but its widths. Any
   * state that an operation reads besides values (memory, a rounding mode) must be among the arguments.
   */
  apply(name: string, args: readonly Term[], widths: Widths = {}): Term {
    return this.#other('apply', args, widths.signed, widths.unsigned, name);
  }

  #binary(op: BinaryOp, a: Term, b: Term): Term {
    if (a.value !== undefined && b.value !== undefined) return this.const(concrete[op](a.value, b.value));
    // Constants to the right, otherwise the older term first.
    if (COMMUTATIVE.has(op) && (a.value !== undefined || (b.value === undefined && b.id < a.id))) [a, b] = [b, a];
    for (const rule of BINARY_BY_OP.get(op) ?? EMPTY_LIST) {
      const result = rule.apply(this, a, b);
      if (result === undefined) continue;
      this.#observe?.({ rule: rule.name, op, args: [a, b], bits: undefined, result });
      return result;
    }
    const known = this.#tableOf(op);
    // A map finds small numbers sooner, and nearly all of these keys are small.
    const key =
      a.id < SMALL_ID_LIMIT && b.id < SMALL_ID_LIMIT
        ? a.id * SMALL_ID_LIMIT + b.id
        : SMALL_ID_LIMIT * SMALL_ID_LIMIT + a.id * ID_LIMIT + b.id;
    let term = known.get(key);
    if (term === undefined) {
      const { signed, unsigned } = widthOf(op, a, b);
      term = this.#new(op, [a, b], signed, unsigned);
      known.set(key, term);
    }
    return term;
  }

  add(a: Term, b: Term): Term {
    return this.#binary('add', a, b);
  }
  sub(a: Term, b: Term): Term {
    return this.#binary('sub', a, b);
  }
  and(a: Term, b: Term): Term {
    return this.#binary('and', a, b);
  }
  or(a: Term, b: Term): Term {
    return this.#binary('or', a, b);
  }
  xor(a: Term, b: Term): Term {
    return this.#binary('xor', a, b);
  }
  shl(a: Term, b: Term): Term {
    return this.#binary('shl', a, b);
  }
  shr(a: Term, b: Term): Term {
    return this.#binary('shr', a, b);
  }
  sar(a: Term, b: Term): Term {
    return this.#binary('sar', a, b);
  }
  mul(a: Term, b: Term): Term {
    return this.#binary('mul', a, b);
  }
  mulhs(a: Term, b: Term): Term {
    return this.#binary('mulhs', a, b);
  }
  mulhu(a: Term, b: Term): Term {
    return this.#binary('mulhu', a, b);
  }
  mulhsu(a: Term, b: Term): Term {
    return this.#binary('mulhsu', a, b);
  }
  divs(a: Term, b: Term): Term {
    return this.#binary('divs', a, b);
  }
  divu(a: Term, b: Term): Term {
    return this.#binary('divu', a, b);
  }
  rems(a: Term, b: Term): Term {
    return this.#binary('rems', a, b);
  }
  remu(a: Term, b: Term): Term {
    return this.#binary('remu', a, b);
  }
  eq(a: Term, b: Term): Term {
    return this.#binary('eq', a, b);
  }
  ltS(a: Term, b: Term): Term {
    return this.#binary('ltS', a, b);
  }
  ltU(a: Term, b: Term): Term {
    return this.#binary('ltU', a, b);
  }
  select(condition: Term, a: Term, b: Term): Term {
    for (const rule of SELECT_RULES) {
      const result = rule.apply(this, condition, a, b);
      if (result === undefined) continue;
      this.#observe?.({ rule: rule.name, op: 'select', args: [condition, a, b], bits: undefined, result });
      return result;
    }
    return this.#other(
      'select',
      [condition, a, b],
      Math.max(a.signed, b.signed),
      a.unsigned < 64 && b.unsigned < 64 ? Math.max(a.unsigned, b.unsigned) : 64,
    );
  }

  sext(a: Term, bits: Bits): Term {
    if (a.value !== undefined) return this.const(concrete.sext(a.value, bits));
    return this.#extended('sext', a, bits) ?? this.#unary(`sext${bits}`, a, bits);
  }
  zext(a: Term, bits: Bits): Term {
    if (a.value !== undefined) return this.const(concrete.zext(a.value, bits));
    return this.#extended('zext', a, bits) ?? this.#unary(`zext${bits}`, a, bits + 1, bits);
  }
  readonly #lows = new Map<number, Term>();
  low(a: Term, bits: Bits): Term {
    const key = a.id * 64 + bits;
    let low = this.#lows.get(key);
    if (low === undefined) {
      low = this.#extended('low', a, bits) ?? a;
      this.#lows.set(key, low);
    }
    return low;
  }
  #extended(op: ExtendRule['on'], a: Term, bits: Bits): Term | undefined {
    for (const rule of EXTEND_BY_OP.get(op) ?? EMPTY_LIST) {
      const result = rule.apply(this, a, bits);
      if (result === undefined) continue;
      this.#observe?.({ rule: rule.name, op, args: [a], bits, result });
      return result;
    }
    return undefined;
  }

  clz(a: Term): Term {
    return this.#count('clz', a);
  }
  ctz(a: Term): Term {
    return this.#count('ctz', a);
  }
  cpop(a: Term): Term {
    return this.#count('cpop', a);
  }
  /** A count of bits: 0 to 64. */
  #count(op: Count, a: Term): Term {
    return a.value !== undefined ? this.const(concrete[op](a.value)) : this.#unary(op, a, 8, 7);
  }
}
