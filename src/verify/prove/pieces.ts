/** What memories are made of (memory.ts): addresses as a base and a distance, pieces of what was stored, runs of them, and who owns which bytes. */
import { toSigned } from '../../base/bits.ts';
import type { Term } from '../../domain/term.ts';
import type { Node } from './treap.ts';

export type Bytes = 1 | 2 | 4 | 8;

/** An address: a distance from a base, which is undefined for constant addresses. */
export interface Place {
  readonly base: Term | undefined;
  readonly offset: number;
}

/** Distances are kept small enough for sums of them to be exact. */
const FAR = 2n ** 51n;

/** An address as a base and a distance. One at a distance that no object has is a base of its own: nothing is then known of its distance. */
export function placeOf(address: Term): Place {
  const constant = address.value ?? (address.op === 'add' ? address.args[1]!.value : undefined);
  const distance = constant === undefined ? 0n : toSigned(constant);
  if (constant === undefined || distance >= FAR || distance <= -FAR) return { base: address, offset: 0 };
  return { base: address.value === undefined ? address.args[0] : undefined, offset: Number(distance) };
}

export interface Span {
  readonly offset: number;
  readonly bytes: number;
}
/** Bytes in a row somewhere. */
export interface Extent extends Place, Span {}
/** Is the first a part of the second? */
export const within = (a: Extent, b: Extent): boolean =>
  a.base === b.base && a.offset >= b.offset && endOf(a) <= endOf(b);
export const endOf = ({ offset, bytes }: Span): number => offset + bytes;

/** Are these bytes known to be none of those? */
export function disjoint(a: { address: Term; bytes: number }, b: { address: Term; bytes: number }): boolean {
  const [one, other] = [placeOf(a.address), placeOf(b.address)];
  const apart = one.offset + a.bytes <= other.offset || other.offset + b.bytes <= one.offset;
  return one.base === other.base && apart;
}

/** Bytes in a row that one store has written, or what is left of them: those of a value from byte `at` on. */
export interface Piece extends Place, Span {
  readonly at: number;
  readonly value: Term;
}

/** Pieces of one base in the order of their addresses; none overlap. Equal runs are one object. */
export interface Run extends Node<Piece> {
  readonly left: Run | undefined;
  readonly right: Run | undefined;
  readonly term: Term;
}

/** A run at its place in the line. Stamps rise along the line, so that a run is found again; they are no part of what memory is. */
export interface Stamped {
  readonly stamp: number;
  readonly run: Run;
}
export interface Line extends Node<Stamped> {
  readonly left: Line | undefined;
  readonly right: Line | undefined;
  readonly term: Term;
  /** Bits of the bases in it; a bit may be that of several. */
  readonly bases: number;
  /** What is left of it, by what was taken out. */
  parts: Map<string, Line | undefined> | undefined;
}

/** Who has written some bytes last. */
export interface Owner extends Place, Span {
  readonly piece: Piece;
  /** Of the run it is in; SAVED where it is saved. */
  readonly stamp: number;
  /** The piece is to stay in the line as it is, though later ones have overwritten some of it. */
  readonly kept: boolean;
}
export const SAVED = -1;
export type Owners = Node<Owner>;

export const idOf = (base: Term | undefined): number => base?.id ?? -1;
export const bitOf = (base: Term | undefined): number => 1 << ((idOf(base) + 1) % 32);
export const sizeOf = (left: Node<unknown> | undefined, right: Node<unknown> | undefined): number =>
  (left?.size ?? 0) + 1 + (right?.size ?? 0);

/** What of some bytes lies before and behind those from one address to another. */
export function restsOf<T extends Span>(span: T, from: number, to: number): Span[] {
  const rests: Span[] = [];
  if (span.offset < from) rests.push({ offset: span.offset, bytes: Math.min(endOf(span), from) - span.offset });
  const behind = Math.max(span.offset, to);
  if (endOf(span) > to) rests.push({ offset: behind, bytes: endOf(span) - behind });
  return rests;
}
export const partOf = (piece: Piece, { offset, bytes }: Span): Piece => ({
  ...piece,
  offset,
  bytes,
  at: piece.at + offset - piece.offset,
});

/** An owner lies before an address. */
export const before =
  ({ base, offset }: Place) =>
  (owner: Owner): boolean =>
    idOf(owner.base) < idOf(base) || (owner.base === base && endOf(owner) <= offset);

export const baseOf = ({ run }: Stamped): Term | undefined => run.item.base;

export const isOf = (each: Stamped | undefined, other: Stamped): boolean =>
  each !== undefined && baseOf(each) === baseOf(other);

/** The smaller of two runs, and the larger. */
export const bySize = (a: Stamped, b: Stamped): readonly [Stamped, Stamped] =>
  a.run.size < b.run.size ? [a, b] : [b, a];

/** Is a store to stay in the line though it is overwritten? */
export type Kept = (address: Term, bytes: number, value: Term) => boolean;

/**
 * Is it known that an access misses what has been stored in a part of a slot of the stack?
 * @param behind have these bytes been stored behind that? Absent: nobody knows
 */
export type Misses = (part: Extent, behind?: (bytes: Extent) => boolean) => boolean;

/** What is loaded: bytes of a value from one of them on, or what is in a memory. */
export type Loaded =
  | { readonly value: Term; readonly at: number; readonly from?: undefined }
  /** `parts`: what was stored to some of its bytes, or to more. */
  | { readonly from: Term; readonly parts: readonly Term[] };

export interface Memory {
  readonly term: Term;
  /** What it was at the start: an unknown, or what is behind a barrier. */
  readonly origin: Term;
  readonly line: Line | undefined;
  readonly saved: Run | undefined;
  /** Saved before, beneath what is, where that has been kept. */
  readonly hidden: Run | undefined;
  /** By base and address. */
  readonly owners: Owners | undefined;
  /** Without what has been kept; absent: nothing has. */
  readonly settled: Memory | undefined;
  /** It with all that is saved in the line, once that has been asked for. */
  flat: Memory | undefined;
}

/** A memory in the making. */
export interface Draft {
  line: Line | undefined;
  saved: Run | undefined;
  hidden: Run | undefined;
  owners: Owners | undefined;
  /** Something is kept in the line. */
  keeps: boolean;
}
export const draftOf = ({ line, saved, hidden, owners }: Memory): Draft => ({
  line,
  saved,
  hidden,
  owners,
  keeps: false,
});
