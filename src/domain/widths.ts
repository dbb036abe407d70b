/** Widths of terms: what they are for an operation's result, and of a constant. */
import { toSigned } from '../base/bits.ts';
import { type BinaryOp, type Term, unsignedWidth } from './rules.ts';

/** Widths in bits: the value is the sign extension, or the zero extension, of so many bits. Left out where nothing is known. */
export type Widths = { readonly signed?: number; readonly unsigned?: number };

/** A zero extension of fewer than 64 bits is also a sign extension of one bit more. */
export const narrowed = (signed: number, unsigned: number): number =>
  unsigned < 64 ? Math.min(signed, unsigned + 1) : signed;

/** Are these the widths of a term, as far as there are any? */
export function hasWidths(term: Term, { signed, unsigned }: Widths): boolean {
  if (signed === undefined && unsigned === undefined) return true;
  return term.unsigned === (unsigned ?? 64) && term.signed === narrowed(signed ?? 64, unsigned ?? 64);
}

/** The fewest bits whose sign extension is this constant. */
export function signedWidth(value: bigint): number {
  const signed = toSigned(value);
  return unsignedWidth(signed < 0n ? ~signed : signed) + 1;
}

/** The width of an operation, as far as its operands' widths tell. `by` is the amount of a shift by a constant. */
export function widthOf(op: BinaryOp, a: Term, b: Term): Widths {
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

/** The number of low bits that are 0 in all values of a term, as far as its operations show: an index times four has two. */
export function lowZeros(term: Term): number {
  const [a, b] = term.args;
  const by = b?.value === undefined ? undefined : Number(b.value & 63n);
  switch (term.op) {
    case 'const':
      return term.value === 0n ? 64 : (term.value! & -term.value!).toString(2).length - 1;
    case 'shl':
      return Math.min(64, lowZeros(a!) + (by ?? 0));
    case 'shr':
    case 'sar':
      return by === undefined ? 0 : Math.max(0, lowZeros(a!) - by);
    case 'mul':
      return Math.min(64, lowZeros(a!) + lowZeros(b!));
    case 'and':
      return Math.max(lowZeros(a!), lowZeros(b!));
    case 'add':
    case 'sub':
    case 'or':
    case 'xor':
      return Math.min(lowZeros(a!), lowZeros(b!));
    case 'sext32':
    case 'zext32':
      return lowZeros(a!);
    default:
      return 0;
  }
}
