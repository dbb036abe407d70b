/**
 * The symbolic domain: values are terms, equal terms are the same object (hash-consed), and every operation simplifies as it
 * builds. Running a row over terms tells what an instruction computes; two values with the same term are equal for all inputs.
 * Each term also knows how wide it is, as far as that follows from its making, which is what makes redundant extensions vanish.
 *
 * The rules are few, local and named; test/domain checks each against the concrete domain on random values.
 */
import { toSigned, toUnsigned } from '../base/bits.ts';
import type { Domain, FloatOp, Insn, Step } from '../isa/row.ts';
import { concrete } from './concrete.ts';

export interface Term {
  /** Position in the order of creation; stable within one `Terms`. */
  readonly id: number;
  readonly op: TermOp;
  readonly args: readonly Term[];
  /** Of a constant, unsigned 64 bits. */
  readonly value: bigint | undefined;
  /** Of an input or an uninterpreted function: its name. */
  readonly name: string | undefined;
  /** The value is the sign extension of its low `signed` bits (1..64). */
  readonly signed: number;
  /** The value is the zero extension of its low `unsigned` bits (0..64). */
  readonly unsigned: number;
}

type Binary = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'shl' | 'shr' | 'sar' | 'mul' | 'mulhs' | 'mulhu' | 'mulhsu';
type Division = 'divs' | 'divu' | 'rems' | 'remu';
type Compare = 'eq' | 'ltS' | 'ltU';
type Count = 'clz' | 'ctz' | 'cpop';
type Extend = 'sext8' | 'sext16' | 'sext32' | 'zext8' | 'zext16' | 'zext32';
export type TermOp = 'const' | 'input' | Binary | Division | Compare | Extend | Count | 'select' | 'apply';

const COMMUTATIVE: ReadonlySet<TermOp> = new Set(['add', 'and', 'or', 'xor', 'mul', 'mulhs', 'mulhu', 'eq']);

/** The fewest bits whose sign extension (zero extension) is this constant. */
function signedWidth(value: bigint): number {
  const signed = toSigned(value);
  return (signed < 0n ? ~signed : signed).toString(2).replace(/^0$/, '').length + 1;
}
const unsignedWidth = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);

/** A value shifted left by a constant below 64: which, and by how much. */
function shiftOf({ op, args }: Term): { readonly source: Term; readonly by: number } | undefined {
  const by = args[1]?.value;
  return op === 'shl' && by !== undefined ? { source: args[0]!, by: Number(by) } : undefined;
}
/** Widths that there are extensions of. */
const isExtended = (bits: number): bits is 8 | 16 | 32 => bits === 8 || bits === 16 || bits === 32;

export class Terms implements Domain<Term> {
  readonly #table = new Map<string, Term>();
  #next = 0;

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

  #binary(op: Binary | Division | Compare, a: Term, b: Term, signed?: number, unsigned?: number): Term {
    if (a.value !== undefined && b.value !== undefined) return this.const(concrete[op](a.value, b.value));
    // Constants to the right, otherwise the older term first.
    if (COMMUTATIVE.has(op) && (a.value !== undefined || (b.value === undefined && b.id < a.id))) [a, b] = [b, a];
    return this.#make(op, [a, b], signed, unsigned);
  }

  add(a: Term, b: Term): Term {
    if (a.value !== undefined && b.value === undefined) return this.add(b, a);
    if (b.value === 0n) return a;
    if (b.value !== undefined && a.op === 'add' && a.args[1]!.value !== undefined)
      return this.add(a.args[0]!, this.const(a.args[1]!.value + b.value));
    return this.#binary('add', a, b, Math.min(64, Math.max(a.signed, b.signed) + 1));
  }
  sub(a: Term, b: Term): Term {
    if (b.value !== undefined) return this.add(a, this.const(-b.value));
    if (a === b) return this.const(0n);
    return this.#binary('sub', a, b, Math.min(64, Math.max(a.signed, b.signed) + 1));
  }
  and(a: Term, b: Term): Term {
    if (a.value !== undefined && b.value === undefined) return this.and(b, a);
    if (a === b) return a;
    if (b.value === 0n) return b;
    if (b.value !== undefined) {
      // A mask that keeps all the bits there can be.
      const width = unsignedWidth(b.value);
      if (b.value === (1n << BigInt(width)) - 1n && a.unsigned <= width) return a;
      if (toSigned(b.value) === -1n) return a;
    }
    return this.#binary('and', a, b, Math.max(a.signed, b.signed), Math.min(a.unsigned, b.unsigned));
  }
  or(a: Term, b: Term): Term {
    if (a.value !== undefined && b.value === undefined) return this.or(b, a);
    if (a === b || b.value === 0n) return a;
    // Two parts of one value: how sign injection copies a floating-point register.
    if (a.op === 'and' && b.op === 'and' && a.args[0] === b.args[0]) {
      const [one, other] = [a.args[1]!.value, b.args[1]!.value];
      if (one !== undefined && other !== undefined) return this.and(a.args[0]!, this.const(one | other));
    }
    return this.#binary('or', a, b, Math.max(a.signed, b.signed), Math.max(a.unsigned, b.unsigned));
  }
  xor(a: Term, b: Term): Term {
    if (a.value !== undefined && b.value === undefined) return this.xor(b, a);
    if (b.value === 0n) return a;
    if (a === b) return this.const(0n);
    // What two exclusive-ors with the same undo: three of them exchange two values.
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const)
      if (x.op === 'xor' && x.args.includes(y)) return x.args[0] === y ? x.args[1]! : x.args[0]!;
    return this.#binary('xor', a, b, Math.max(a.signed, b.signed), Math.max(a.unsigned, b.unsigned));
  }
  shl(a: Term, b: Term): Term {
    if (b.value === undefined) return this.#binary('shl', a, b);
    const by = Number(b.value & 63n);
    if (by === 0) return a;
    if (BigInt(by) !== b.value) return this.shl(a, this.const(BigInt(by)));
    return this.#binary('shl', a, b, Math.min(64, a.signed + by), Math.min(64, a.unsigned + by));
  }
  shr(a: Term, b: Term): Term {
    if (b.value === undefined) return this.#binary('shr', a, b, 64, a.unsigned);
    const by = Number(b.value & 63n);
    if (by === 0) return a;
    if (BigInt(by) !== b.value) return this.shr(a, this.const(BigInt(by)));
    const up = shiftOf(a);
    // shl by n, shr by n: the zero extension compilers write without Zba; shr by less, and what is extended is scaled, too.
    if (up !== undefined && up.by >= by) {
      const { source, by: n } = up;
      if (source.unsigned <= 64 - n) return this.shl(source, this.const(BigInt(n - by)));
      const width = 64 - n;
      if (isExtended(width)) return this.shl(this.zext(source, width), this.const(BigInt(n - by)));
    }
    // The same within a word.
    const word = a.op === 'zext32' ? shiftOf(a.args[0]!) : undefined;
    const rest = 32 - by;
    if (word?.by === by && isExtended(rest)) return this.zext(word.source, rest);
    return this.#binary('shr', a, b, 64, Math.max(0, a.unsigned - by));
  }
  sar(a: Term, b: Term): Term {
    if (b.value === undefined) return this.#binary('sar', a, b, a.signed);
    const by = Number(b.value & 63n);
    if (by === 0) return a;
    if (BigInt(by) !== b.value) return this.sar(a, this.const(BigInt(by)));
    if (a.op === 'shl' && a.args[1]!.value === b.value) {
      if (a.args[0]!.signed <= 64 - by) return a.args[0]!;
      const width = 64 - by;
      if (isExtended(width)) return this.sext(a.args[0]!, width);
    }
    const word = a.op === 'sext32' ? shiftOf(a.args[0]!) : undefined;
    const rest = 32 - by;
    if (word?.by === by && isExtended(rest)) return this.sext(word.source, rest);
    return this.#binary('sar', a, b, Math.max(1, a.signed - by), a.unsigned < 64 ? Math.max(0, a.unsigned - by) : 64);
  }
  mul(a: Term, b: Term): Term {
    if (a.value !== undefined && b.value === undefined) return this.mul(b, a);
    if (b.value === 0n) return b;
    if (b.value === 1n) return a;
    return this.#binary('mul', a, b, Math.min(64, a.signed + b.signed), Math.min(64, a.unsigned + b.unsigned));
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
    return this.#binary('divs', a, b, Math.min(64, a.signed + 1));
  }
  divu(a: Term, b: Term): Term {
    return this.#binary('divu', a, b);
  }
  rems(a: Term, b: Term): Term {
    return this.#binary('rems', a, b, a.signed);
  }
  remu(a: Term, b: Term): Term {
    return this.#binary('remu', a, b, 64, a.unsigned);
  }
  eq(a: Term, b: Term): Term {
    if (a === b) return this.const(1n);
    return this.#binary('eq', a, b, 2, 1);
  }
  ltS(a: Term, b: Term): Term {
    if (a === b) return this.const(0n);
    return this.#binary('ltS', a, b, 2, 1);
  }
  ltU(a: Term, b: Term): Term {
    if (a === b || b.value === 0n) return this.const(0n);
    return this.#binary('ltU', a, b, 2, 1);
  }
  select(condition: Term, a: Term, b: Term): Term {
    if (condition.value !== undefined) return condition.value !== 0n ? a : b;
    if (a === b) return a;
    return this.#make(
      'select',
      [condition, a, b],
      Math.max(a.signed, b.signed),
      a.unsigned < 64 && b.unsigned < 64 ? Math.max(a.unsigned, b.unsigned) : 64,
    );
  }
  sext(a: Term, bits: 8 | 16 | 32): Term {
    if (a.value !== undefined) return this.const(concrete.sext(a.value, bits));
    if (a.signed <= bits) return a;
    const inner = this.#low(a, bits);
    return inner === a ? this.#make(`sext${bits}`, [a], bits) : this.sext(inner, bits);
  }
  zext(a: Term, bits: 8 | 16 | 32): Term {
    if (a.value !== undefined) return this.const(concrete.zext(a.value, bits));
    if (a.unsigned <= bits) return a;
    const inner = this.#low(a, bits);
    return inner === a ? this.#make(`zext${bits}`, [a], bits + 1, bits) : this.zext(inner, bits);
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

  readonly #lows = new Map<string, Term>();
  /** A term with the same low bits that does not extend what only its low bits are looked at of. */
  #low(a: Term, bits: 8 | 16 | 32): Term {
    const key = `${a.id},${bits}`;
    const known = this.#lows.get(key);
    if (known !== undefined) return known;
    const low = this.#lowOf(a, bits);
    this.#lows.set(key, low);
    return low;
  }
  #lowOf(a: Term, bits: 8 | 16 | 32): Term {
    const [x, y] = a.args;
    switch (a.op) {
      // Carries and products only go up.
      case 'add':
      case 'sub':
      case 'mul':
      case 'and':
      case 'or':
      case 'xor': {
        const mask = y!.value;
        if (a.op === 'and' && mask !== undefined && concrete.sext(mask, bits) === concrete.const(-1n))
          return this.#low(x!, bits);
        const [left, right] = [this.#low(x!, bits), this.#low(y!, bits)];
        return left === x && right === y ? a : this[a.op](left, right);
      }
      case 'shl': {
        if (y!.value === undefined) return a;
        const left = this.#low(x!, bits);
        return left === x ? a : this.shl(left, y!);
      }
      case 'sext8':
      case 'zext8':
        return bits === 8 ? this.#low(x!, bits) : a;
      case 'sext16':
      case 'zext16':
        return bits <= 16 ? this.#low(x!, bits) : a;
      case 'sext32':
      case 'zext32':
        return this.#low(x!, bits);
      default:
        return a;
    }
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
