/**
 * The rules by which terms are simplified as they are built. Each rule has a name, holds for all values, and brings a term nearer to a
 * canonical form. test/domain runs each rule against the concrete domain; a rule that no term there meets fails the test.
 *
 * In the names, x and y are any terms, c and d constants, n and m amounts of a shift; `low bits` are the bits that an extension keeps.
 *
 * For whoever adds a rule:
 *
 *  1. The optimizer and the prover share these rules, and the solver gets goals that the rules have rewritten. A wrong rule is a mistake
 *     that no proof finds, so a rule must be true for a reason that its name states: the equation, and the condition on its operands.
 *  2. The operands are terms of the same maker: they are simplified already, and equal terms are one object. Two constants never come to a
 *     rule, since they are folded before. Operands of a commutative operation are ordered: a constant is on the right, otherwise the older
 *     term is on the left. The order of two unknowns is no help, so a rule that asks for a shape asks it of both.
 *  3. `signed` and `unsigned` hold for all values of a term. Of an input or an uninterpreted function nothing else is known.
 *  4. A rule keeps all 64 bits. A rule on `low` keeps the low bits only, and the term that it gives is good for nothing but an extension of
 *     no more bits, or `low` of them.
 *  5. Terms are made by `make`, which applies the rules to them in turn. Nothing but the rules themselves ends that: a rule must give a
 *     term with fewer operations, or one that is nearer to the canonical form, and no rule may give what another one turns back. (A pair
 *     of rules that do overflows the stack on the random trees of the test.)
 *  6. The canonical form: constants are the right operands, and the outermost ones of sums, also of shifted sums; a constant is added, not
 *     subtracted; 8, 16 or 32 low bits that a mask or a pair of shifts keeps are an extension, or the value itself where it is narrow
 *     enough; an extension reads the simplest term with the same low bits; a truth value's opposite is a comparison with 0.
 *  7. Of the rules on one operation the first that applies is taken, in the order of the list.
 *  8. Every term that is built asks the rules, so a rule rejects by operation and constant first, and looks no deeper than it must.
 *  9. The rule gets trees of its own in TREES of test/domain/term.test.ts. Each application on them is compared with the concrete domain,
 *     on values at the edges and at random; a rule without trees, or one that its trees seldom meet, fails the test.
 * 10. Passes find more values equal by a new rule, so optimized files change: golden cases (test/passes/cases), hashes, measurements.
 */
import { MASK64, toSigned } from '../base/bits.ts';
import type { Domain } from '../isa/row.ts';
import { concrete } from './concrete.ts';

export interface Term {
  /** Position in the order of creation; stable within one `Terms`. */
  readonly id: number;
  readonly op: TermOp;
  readonly args: readonly Term[];
  /** The value of a constant, unsigned 64 bits. */
  readonly value: bigint | undefined;
  /** The name of an input or an uninterpreted function. */
  readonly name: string | undefined;
  /** The value is the sign extension of its low `signed` bits (1..64). */
  readonly signed: number;
  /** The value is the zero extension of its low `unsigned` bits (0..64). */
  readonly unsigned: number;
}

type Arithmetic = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'shl' | 'shr' | 'sar' | 'mul' | 'mulhs' | 'mulhu' | 'mulhsu';
type Division = 'divs' | 'divu' | 'rems' | 'remu';
type Compare = 'eq' | 'ltS' | 'ltU';
export type BinaryOp = Arithmetic | Division | Compare;
export type Count = 'clz' | 'ctz' | 'cpop';
export type Bits = 8 | 16 | 32;
type Extension = `${'sext' | 'zext'}${Bits}`;
export type TermOp = 'const' | 'input' | BinaryOp | Extension | Count | 'select' | 'apply';

/** The maker of terms, which applies the rules again to each term that a rule makes. */
interface Maker extends Domain<Term> {
  /** A term with the same low bits; the bits above may differ. */
  low(a: Term, bits: Bits): Term;
}

export interface BinaryRule {
  readonly name: string;
  readonly on: BinaryOp;
  /** The simpler term, or undefined where the rule does not apply. A constant is the right operand of a commutative operation. */
  apply(make: Maker, a: Term, b: Term): Term | undefined;
}
interface SelectRule {
  readonly name: string;
  apply(make: Maker, condition: Term, a: Term, b: Term): Term | undefined;
}
export interface ExtendRule {
  readonly name: string;
  readonly on: 'sext' | 'zext' | 'low';
  apply(make: Maker, a: Term, bits: Bits): Term | undefined;
}

/** The fewest bits whose zero extension is this constant. */
export const unsignedWidth = (value: bigint): number =>
  value < 1n << 32n ? 32 - Math.clz32(Number(value)) : 64 - Math.clz32(Number(value >> 32n));
/** Is there an extension of this width? */
const isExtended = (bits: number): bits is Bits => bits === 8 || bits === 16 || bits === 32;
const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** The amount of a shift, where the amount is a constant in 1..63. */
function amount(b: Term): number | undefined {
  const by = b.value === undefined || b.value > 63n ? 0 : Number(b.value);
  return by === 0 ? undefined : by;
}
/** The source and the amount of a left shift by a constant; undefined for any other term. */
function shifted({ op, args }: Term): { readonly source: Term; readonly by: number } | undefined {
  const by = op === 'shl' ? amount(args[1]!) : undefined;
  return by === undefined ? undefined : { source: args[0]!, by };
}
/** The constant that a sum of a term and a constant adds, unsigned 64 bits; undefined for any other term. */
export const addend = ({ op, args }: Term): bigint | undefined => (op === 'add' ? args[1]!.value : undefined);
/** A term as a base plus a constant offset; the offset is undefined if the term is no sum with a constant. */
function distance(a: Term): { readonly base: Term; readonly offset: bigint | undefined } {
  const offset = addend(a);
  return { base: offset === undefined ? a : a.args[0]!, offset };
}
const not = (make: Maker, a: Term): Term => make.eq(a, make.const(0n));

const binary = (on: BinaryOp, name: string, apply: BinaryRule['apply']): BinaryRule => ({ on, name, apply });

const SHIFTS = (['shl', 'shr', 'sar'] as const).flatMap((on) => [
  binary(on, `${on}: x by 0 = x`, (_, a, b) => (b.value !== undefined && (b.value & 63n) === 0n ? a : undefined)),
  binary(on, `${on}: x by c = x by c mod 64`, (make, a, b) =>
    b.value !== undefined && b.value > 63n ? make[on](a, make.const(b.value & 63n)) : undefined,
  ),
]);

export const BINARY_RULES: readonly BinaryRule[] = [
  binary('add', 'x + 0 = x', (_, a, b) => (b.value === 0n ? a : undefined)),
  binary('add', '(x + c) + d = x + (c + d)', (make, a, b) => {
    const inner = addend(a);
    return b.value !== undefined && inner !== undefined ? make.add(a.args[0]!, make.const(inner + b.value)) : undefined;
  }),
  // Constants move outwards, so that addresses at a constant distance have the same base.
  binary('add', 'x + (y + c) = (x + y) + c', (make, a, b) => {
    if (b.value !== undefined) return undefined;
    const [x, y] = [distance(a), distance(b)];
    return x.offset === undefined && y.offset === undefined
      ? undefined
      : make.add(make.add(x.base, y.base), make.const((x.offset ?? 0n) + (y.offset ?? 0n)));
  }),
  binary('sub', '(x + c) - (y + d) = (x - y) + (c - d)', (make, a, b) => {
    if (b.value !== undefined || a.value !== undefined) return undefined;
    const [x, y] = [distance(a), distance(b)];
    return x.offset === undefined && y.offset === undefined
      ? undefined
      : make.add(make.sub(x.base, y.base), make.const((x.offset ?? 0n) - (y.offset ?? 0n)));
  }),
  binary('shl', '(x + c) << n = (x << n) + (c << n)', (make, a, b) => {
    const [x, by] = [distance(a), amount(b)];
    return x.offset === undefined || by === undefined
      ? undefined
      : make.add(make.shl(x.base, b), make.const(x.offset << BigInt(by)));
  }),
  binary('sub', 'x - c = x + -c', (make, a, b) =>
    b.value === undefined ? undefined : make.add(a, make.const(-b.value)),
  ),
  binary('sub', 'x - x = 0', (make, a, b) => (a === b ? make.const(0n) : undefined)),

  binary('and', 'x & x = x', (_, a, b) => (a === b ? a : undefined)),
  binary('and', 'x & 0 = 0', (_, _a, b) => (b.value === 0n ? b : undefined)),
  binary('and', 'x & c = x, where c keeps all there can be', (_, a, b) => {
    if (b.value === MASK64) return a;
    return b.value !== undefined && b.value === ones(unsignedWidth(b.value)) && a.unsigned <= unsignedWidth(b.value)
      ? a
      : undefined;
  }),
  binary('and', '(x & c) & d = x & (c & d)', (make, a, b) => {
    const inner = a.op === 'and' ? a.args[1]!.value : undefined;
    return b.value === undefined || inner === undefined ? undefined : make.and(a.args[0]!, make.const(inner & b.value));
  }),
  binary('and', 'x & (2^bits - 1) = zext x', (make, a, b) => {
    const bits = b.value === undefined ? 0 : unsignedWidth(b.value);
    return isExtended(bits) && b.value === ones(bits) ? make.zext(a, bits) : undefined;
  }),
  binary('or', 'x | x = x', (_, a, b) => (a === b ? a : undefined)),
  binary('or', 'x | 0 = x', (_, a, b) => (b.value === 0n ? a : undefined)),
  // A copy of a floating-point register by sign injection has this form.
  binary('or', '(x & c) | (x & d) = x & (c | d)', (make, a, b) => {
    if (a.op !== 'and' || b.op !== 'and' || a.args[0] !== b.args[0]) return undefined;
    const [left, right] = [a.args[1]!.value, b.args[1]!.value];
    return left === undefined || right === undefined ? undefined : make.and(a.args[0]!, make.const(left | right));
  }),
  binary('xor', 'x ^ x = 0', (make, a, b) => (a === b ? make.const(0n) : undefined)),
  binary('xor', 'x ^ 0 = x', (_, a, b) => (b.value === 0n ? a : undefined)),
  // Three xors exchange two values.
  binary('xor', '(x ^ y) ^ y = x', (_, a, b) => {
    for (const [x, y] of [
      [a, b],
      [b, a],
    ] as const)
      if (x.op === 'xor' && x.args.includes(y)) return x.args[0] === y ? x.args[1] : x.args[0];
    return undefined;
  }),
  binary('xor', 'x ^ 1 = not x, where x is 0 or 1', (make, a, b) =>
    b.value === 1n && a.unsigned <= 1 ? not(make, a) : undefined,
  ),

  ...SHIFTS,
  // Zero extensions as compilers write them without Zba; the extended value may be scaled, too.
  binary('shr', '(x << n) >> m = (x zero-extended) << (n - m)', (make, a, b) => {
    const [up, by] = [shifted(a), amount(b)];
    if (up === undefined || by === undefined || up.by < by) return undefined;
    const width = 64 - up.by;
    const rest = make.const(BigInt(up.by - by));
    if (up.source.unsigned <= width) return make.shl(up.source, rest);
    return isExtended(width) ? make.shl(make.zext(up.source, width), rest) : undefined;
  }),
  binary('shr', '(x << n) >> m = (x zero-extended) >> (m - n)', (make, a, b) => {
    const [up, by] = [shifted(a), amount(b)];
    if (up === undefined || by === undefined || up.by >= by || !isExtended(64 - up.by)) return undefined;
    return make.shr(make.zext(up.source, (64 - up.by) as Bits), make.const(BigInt(by - up.by)));
  }),
  binary('shr', 'zext32(x << n) >> n = x zero-extended', (make, a, b) => {
    const [word, by] = [a.op === 'zext32' ? shifted(a.args[0]!) : undefined, amount(b)];
    if (word === undefined || by !== word.by || by >= 32) return undefined;
    const rest = 32 - by;
    return isExtended(rest) ? make.zext(word.source, rest) : undefined;
  }),
  binary('sar', '(x << n) >>s n = x sign-extended', (make, a, b) => {
    const [up, by] = [shifted(a), amount(b)];
    if (up === undefined || by !== up.by) return undefined;
    const width = 64 - by;
    if (up.source.signed <= width) return up.source;
    return isExtended(width) ? make.sext(up.source, width) : undefined;
  }),
  binary('sar', '(x << n) >>s m = (x sign-extended) >>s (m - n)', (make, a, b) => {
    const [up, by] = [shifted(a), amount(b)];
    if (up === undefined || by === undefined || up.by >= by || !isExtended(64 - up.by)) return undefined;
    return make.sar(make.sext(up.source, (64 - up.by) as Bits), make.const(BigInt(by - up.by)));
  }),
  binary('sar', 'sext32(x << n) >>s n = x sign-extended', (make, a, b) => {
    const [word, by] = [a.op === 'sext32' ? shifted(a.args[0]!) : undefined, amount(b)];
    if (word === undefined || by !== word.by || by >= 32) return undefined;
    const rest = 32 - by;
    return isExtended(rest) ? make.sext(word.source, rest) : undefined;
  }),

  binary('mul', 'x * 0 = 0', (_, _a, b) => (b.value === 0n ? b : undefined)),
  binary('mul', 'x * 1 = x', (_, a, b) => (b.value === 1n ? a : undefined)),

  binary('eq', 'x = x', (make, a, b) => (a === b ? make.const(1n) : undefined)),
  binary('eq', 'not not x = x, where x is 0 or 1', (_, a, b) => {
    const inner = a.op === 'eq' && a.args[1]!.value === 0n ? a.args[0]! : undefined;
    return b.value === 0n && inner !== undefined && inner.unsigned <= 1 ? inner : undefined;
  }),
  binary('ltS', 'x <s x is false', (make, a, b) => (a === b ? make.const(0n) : undefined)),
  binary('ltU', 'x <u x is false', (make, a, b) => (a === b ? make.const(0n) : undefined)),
  binary('ltU', 'x <u 0 is false', (make, _, b) => (b.value === 0n ? make.const(0n) : undefined)),
  binary('ltU', 'x <u 1 = not x', (make, a, b) => (b.value === 1n ? not(make, a) : undefined)),
  binary('ltU', '0 <u x = not not x', (make, a, b) => (a.value === 0n ? not(make, not(make, b)) : undefined)),
];

export const SELECT_RULES: readonly SelectRule[] = [
  {
    name: 'select: a constant decides',
    apply: (_, c, a, b) => (c.value === undefined ? undefined : c.value !== 0n ? a : b),
  },
  { name: 'select: x or x = x', apply: (_, _c, a, b) => (a === b ? a : undefined) },
];

const extend = (on: ExtendRule['on'], name: string, apply: ExtendRule['apply']): ExtendRule => ({ on, name, apply });

/** Operations whose low result bits depend on the low bits of the operands only: carries and products only go up. */
const UPWARD_OPS: ReadonlySet<TermOp> = new Set(['add', 'sub', 'mul', 'and', 'or', 'xor']);

export const EXTEND_RULES: readonly ExtendRule[] = [
  extend('sext', 'sext x = x, where x is no wider', (_, a, bits) => (a.signed <= bits ? a : undefined)),
  extend('zext', 'zext x = x, where x is no wider', (_, a, bits) => (a.unsigned <= bits ? a : undefined)),
  ...(['sext', 'zext'] as const).map((on) =>
    extend(on, `${on} x = ${on} of what has its low bits`, (make, a, bits) => {
      const low = make.low(a, bits);
      return low === a ? undefined : make[on](low, bits);
    }),
  ),
  extend('sext', 'sext of the high part = x >>s n', (make, a, bits) => {
    const by = a.op === 'shr' ? amount(a.args[1]!) : undefined;
    if (by === undefined) return undefined;
    const source = a.args[0]!;
    const all = bits + by;
    if (all === 64) return make.sar(source, a.args[1]!);
    return isExtended(all) && source.op === `zext${all}`
      ? make.sar(make.sext(source.args[0]!, all), a.args[1]!)
      : undefined;
  }),

  extend('low', 'low bits of x & c = of x, where c keeps them', (make, a, bits) => {
    const mask = a.op === 'and' ? a.args[1]!.value : undefined;
    return mask !== undefined && toSigned(concrete.sext(mask, bits)) === -1n ? make.low(a.args[0]!, bits) : undefined;
  }),
  extend('low', 'low bits of x op y = of low bits of both', (make, a, bits) => {
    if (!UPWARD_OPS.has(a.op)) return undefined;
    const [x, y] = a.args as [Term, Term];
    const [left, right] = [make.low(x, bits), make.low(y, bits)];
    return left === x && right === y ? undefined : make[a.op as 'add'](left, right);
  }),
  extend('low', 'low bits of x << n = of low bits of x', (make, a, bits) => {
    if (a.op !== 'shl' || a.args[1]!.value === undefined) return undefined;
    const left = make.low(a.args[0]!, bits);
    return left === a.args[0] ? undefined : make.shl(left, a.args[1]!);
  }),
  extend('low', 'low bits of an extension = of what is extended', (make, a, bits) => {
    const width = /^[sz]ext(8|16|32)$/.exec(a.op)?.[1];
    return width !== undefined && Number(width) >= bits ? make.low(a.args[0]!, bits) : undefined;
  }),
];

/** All rules. */
export const RULES: readonly { readonly name: string }[] = [...BINARY_RULES, ...SELECT_RULES, ...EXTEND_RULES];
