/**
 * The symbolic domain: values are terms, equal terms are the same object (hash-consed), and every operation simplifies as it
 * builds. Running a row over terms tells what an instruction computes; two values with the same term are equal for all inputs.
 * Each term also knows how wide it is, as far as that follows from its making, which is what makes redundant extensions vanish.
 *
 * The rules are in rules.ts, by name; test/domain checks each against the concrete domain on random values.
 */
import { toSigned, toUnsigned } from '../base/bits.ts';
import type { Domain, FloatOp, Insn, Step } from '../isa/row.ts';
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

export type { Term } from './rules.ts';

const COMMUTATIVE: ReadonlySet<TermOp> = new Set(['add', 'and', 'or', 'xor', 'mul', 'mulhs', 'mulhu', 'eq']);

/** The fewest bits whose sign extension is this constant. */
function signedWidth(value: bigint): number {
  const signed = toSigned(value);
  return unsignedWidth(signed < 0n ? ~signed : signed) + 1;
}

/** What is known of an operation's width from its operands' widths. A shift by a constant is `by`. */
function widthOf(op: BinaryOp, a: Term, b: Term): { readonly signed?: number; readonly unsigned?: number } {
  const by = b.value === undefined ? undefined : Number(b.value & 63n);
  const [signed, unsigned] = [Math.max(a.signed, b.signed), Math.max(a.unsigned, b.unsigned)];
  switch (op) {
    case 'add':
    case 'sub':
      return { signed: Math.min(64, signed + 1) };
    case 'and':
      return { signed, unsigned: Math.min(a.unsigned, b.unsigned) };
    case 'or':
    case 'xor':
      return { signed, unsigned };
    case 'shl':
      return by === undefined ? {} : { signed: Math.min(64, a.signed + by), unsigned: Math.min(64, a.unsigned + by) };
    case 'shr':
      return { unsigned: Math.max(0, a.unsigned - (by ?? 0)) };
    case 'sar':
      if (by === undefined) return { signed: a.signed };
      return {
        signed: Math.max(1, a.signed - by),
        ...(a.unsigned < 64 && { unsigned: Math.max(0, a.unsigned - by) }),
      };
    case 'mul':
      return { signed: Math.min(64, a.signed + b.signed), unsigned: Math.min(64, a.unsigned + b.unsigned) };
    case 'divs':
      return { signed: Math.min(64, a.signed + 1) };
    case 'rems':
      return { signed: a.signed };
    case 'remu':
      return { unsigned: a.unsigned };
    case 'eq':
    case 'ltS':
    case 'ltU':
      return { unsigned: 1 };
    default:
      return {};
  }
}

const rulesOf = <R extends { readonly on: string }>(rules: readonly R[]): ReadonlyMap<string, readonly R[]> => {
  const by = new Map<string, R[]>();
  for (const rule of rules) by.set(rule.on, [...(by.get(rule.on) ?? []), rule]);
  return by;
};
const BINARY = rulesOf<BinaryRule>(BINARY_RULES);
const EXTEND = rulesOf<ExtendRule>(EXTEND_RULES);
const NONE: readonly never[] = [];

/** A rule has been applied: to which operation (`low` looks at so many bits only), and what has come of it. */
export interface Rewrite {
  readonly rule: string;
  readonly op: BinaryOp | 'select' | 'sext' | 'zext' | 'low';
  readonly args: readonly Term[];
  readonly bits: Bits | undefined;
  readonly result: Term;
}

export class Terms implements Domain<Term> {
  readonly #table = new Map<string, Term>();
  readonly #observe: ((rewrite: Rewrite) => void) | undefined;
  #next = 0;

  /** @param observe is told of each rule that is applied */
  constructor(observe?: (rewrite: Rewrite) => void) {
    this.#observe = observe;
  }

  #make(op: TermOp, args: readonly Term[], signed = 64, unsigned = 64, value?: bigint, name?: string): Term {
    const key = `${op}|${value ?? name ?? ''}|${args.map((arg) => arg.id).join(',')}`;
    const known = this.#table.get(key);
    if (known !== undefined) return known;
    // A zero extension of fewer than 64 bits is also a sign extension of one bit more.
    const narrow = unsigned < 64 ? Math.min(signed, unsigned + 1) : signed;
    const term: Term = { id: this.#next++, op, args, value, name, signed: narrow, unsigned };
    this.#table.set(key, term);
    return term;
  }

  const(value: bigint): Term {
    const bits = toUnsigned(value);
    return this.#make('const', [], signedWidth(bits), unsignedWidth(bits), bits);
  }
  /** An unknown, by name; equal names are the same term. Widths are what is known of it. */
  input(name: string, widths: { signed?: number; unsigned?: number } = {}): Term {
    return this.#make('input', [], widths.signed, widths.unsigned, undefined, name);
  }

  /**
   * An uninterpreted function of its arguments: equal for equal arguments, and nothing else is known of it but its widths. What an
   * operation reads besides values (memory, a rounding mode) must be among the arguments.
   */
  apply(name: string, args: readonly Term[], widths: { signed?: number; unsigned?: number } = {}): Term {
    return this.#make('apply', args, widths.signed, widths.unsigned, undefined, name);
  }

  #binary(op: BinaryOp, a: Term, b: Term): Term {
    if (a.value !== undefined && b.value !== undefined) return this.const(concrete[op](a.value, b.value));
    // Constants to the right, otherwise the older term first.
    if (COMMUTATIVE.has(op) && (a.value !== undefined || (b.value === undefined && b.id < a.id))) [a, b] = [b, a];
    for (const rule of BINARY.get(op) ?? NONE) {
      const result = rule.apply(this, a, b);
      if (result === undefined) continue;
      this.#observe?.({ rule: rule.name, op, args: [a, b], bits: undefined, result });
      return result;
    }
    const { signed, unsigned } = widthOf(op, a, b);
    return this.#make(op, [a, b], signed, unsigned);
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
    return this.#make(
      'select',
      [condition, a, b],
      Math.max(a.signed, b.signed),
      a.unsigned < 64 && b.unsigned < 64 ? Math.max(a.unsigned, b.unsigned) : 64,
    );
  }

  sext(a: Term, bits: Bits): Term {
    if (a.value !== undefined) return this.const(concrete.sext(a.value, bits));
    return this.#extended('sext', a, bits) ?? this.#make(`sext${bits}`, [a], bits);
  }
  zext(a: Term, bits: Bits): Term {
    if (a.value !== undefined) return this.const(concrete.zext(a.value, bits));
    return this.#extended('zext', a, bits) ?? this.#make(`zext${bits}`, [a], bits + 1, bits);
  }
  readonly #lows = new Map<string, Term>();
  low(a: Term, bits: Bits): Term {
    const key = `${a.id},${bits}`;
    let low = this.#lows.get(key);
    if (low === undefined) {
      low = this.#extended('low', a, bits) ?? a;
      this.#lows.set(key, low);
    }
    return low;
  }
  #extended(op: ExtendRule['on'], a: Term, bits: Bits): Term | undefined {
    for (const rule of EXTEND.get(op) ?? NONE) {
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
  /** 0 to 64. */
  #count(op: Count, a: Term): Term {
    return a.value !== undefined ? this.const(concrete[op](a.value)) : this.#make(op, [a], 8, 7);
  }
}

/** What an instruction did, as terms. A load's or a rounded operation's result is what `opaque` makes of it. */
export interface TermEffects {
  /** The value written to rd or fd, if any. */
  result: Term | undefined;
  /** The branch condition, nonzero = taken. */
  condition: Term | undefined;
  /** The address accessed. */
  address: Term | undefined;
}

/**
 * Runs an instruction over terms.
 * @param operands terms of rs1, rs2, rs3 (also of floating-point registers), and of the instruction's address
 * @param opaque names the unknown result of a load, a rounded operation, a CSR access or an atomic
 */
export function runTerms(
  terms: Terms,
  insn: Insn,
  operands: { rs1?: Term | undefined; rs2?: Term | undefined; rs3?: Term | undefined; pc: Term },
  opaque: (widths: { signed?: number; unsigned?: number }) => Term,
): TermEffects {
  const effects: TermEffects = { result: undefined, condition: undefined, address: undefined };
  const zero = terms.const(0n);
  const write = (value: Term) => {
    effects.result = value;
  };
  const access = (address: Term) => {
    effects.address = address;
  };
  const step = {
    rs1: () => operands.rs1 ?? zero,
    rs2: () => operands.rs2 ?? zero,
    rd: write,
    fs1: () => operands.rs1 ?? zero,
    fs2: () => operands.rs2 ?? zero,
    fs3: () => operands.rs3 ?? zero,
    fd: write,
    imm: () => terms.const(BigInt(insn.imm)),
    pc: () => operands.pc,
    link: () => terms.add(operands.pc, terms.const(BigInt(insn.size))),
    load: (address: Term, bytes: number, signed: boolean) => {
      access(address);
      return opaque(signed ? { signed: bytes * 8 } : bytes < 8 ? { unsigned: bytes * 8 } : {});
    },
    store: access,
    branch: (condition: Term) => {
      effects.condition = condition;
    },
    goto: () => undefined,
    jump: () => undefined,
    // What neither rounds nor raises a flag is pure: a function of its operand, and of nothing else.
    float: (op: FloatOp, a: Term) =>
      op === 'f64.from.i32' || op === 'f64.from.u32'
        ? terms.apply(op, [a])
        : opaque(op.startsWith('f64') ? {} : { unsigned: 64 }),
    csr: () => opaque({}),
    writesCsr: () => true,
    loadReserved: (address: Term) => {
      access(address);
      return opaque({});
    },
    storeConditional: (address: Term) => {
      access(address);
      return opaque({});
    },
    atomic: (address: Term) => {
      access(address);
      return opaque({});
    },
    ecall: () => undefined,
    ebreak: () => undefined,
    fence: () => undefined,
    fenceI: () => undefined,
  };
  insn.row.semantics(step as Step<Term>, terms);
  return effects;
}
