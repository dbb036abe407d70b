/** The parts of memories (memory.ts): addresses as a base and a distance, pieces of stored values, runs of pieces, and owners of bytes. */
import { toSigned } from '../../base/bits.ts';
import { addend } from '../../domain/rules.ts';
import type { Term } from '../../domain/term.ts';
import type { Node } from './treap.ts';

export type Bytes = 1 | 2 | 4 | 8;

/** An address: a distance from a base, which is undefined for constant addresses. */
export interface Place {
  readonly base: Term | undefined;
  readonly offset: number;
}

/** Distances are kept smaller, so that their sums are exact. */
const MAX_DISTANCE = 2n ** 51n;

/** An address as a base and a distance. An address at a distance that no object has is a base of its own, at no known distance. */
export function placeOf(address: Term): Place {
  const constant = address.value ?? addend(address);
  const distance = constant === undefined ? 0n : toSigned(constant);
  if (constant === undefined || distance >= MAX_DISTANCE || distance <= -MAX_DISTANCE)
    return { base: address, offset: 0 };
  return { base: address.value === undefined ? address.args[0] : undefined, offset: Number(distance) };
}

export interface Span {
  readonly offset: number;
  readonly bytes: number;
}
/** Consecutive bytes at a place. */
export interface Extent extends Place, Span {}
/** Is the first a part of the second? */
export const within = (a: Extent, b: Extent): boolean =>
  a.base === b.base && a.offset >= b.offset && endOf(a) <= endOf(b);
export const endOf = ({ offset, bytes }: Span): number => offset + bytes;

/** Are these two ranges of bytes known to be disjoint? */
export function disjoint(a: { address: Term; bytes: number }, b: { address: Term; bytes: number }): boolean {
  const [one, other] = [placeOf(a.address), placeOf(b.address)];
  const apart = one.offset + a.bytes <= other.offset || other.offset + b.bytes <= one.offset;
  return one.base === other.base && apart;
}

/** Consecutive bytes that one store has written, or a part left of them: the bytes of `value` from byte `at` on. */
export interface Piece extends Place, Span {
  readonly at: number;
  readonly value: Term;
}

/** Pieces of one base in the order of their addresses; no two overlap. Equal runs are one object. */
export interface Run extends Node<Piece> {
  readonly left: Run | undefined;
  readonly right: Run | undefined;
  readonly term: Term;
}

/** A run at its place in the line. Stamps rise along the line, so that a run is found again; a memory's term does not have them. */
export interface Stamped {
  readonly stamp: number;
  readonly run: Run;
}
export interface Line extends Node<Stamped> {
  readonly left: Line | undefined;
  readonly right: Line | undefined;
  readonly term: Term;
  /** Bits of the bases in the line; several bases may share a bit. */
  readonly bases: number;
  /** Rests of the line (`Lines.except`), by the part taken out. */
  parts: Map<string, Line | undefined> | undefined;
}

/** The piece that has written some bytes last. */
export interface Owner extends Place, Span {
  readonly piece: Piece;
  /** Stamp of the piece's run; SAVED for a saved piece. */
  readonly stamp: number;
  /** The piece stays in the line whole, though later pieces have overwritten some of its bytes. */
  readonly kept: boolean;
}
export const SAVED = -1;
export type Owners = Node<Owner>;

export const idOf = (base: Term | undefined): number => base?.id ?? -1;
export const bitOf = (base: Term | undefined): number => 1 << ((idOf(base) + 1) % 32);
export const sizeOf = (left: Node<unknown> | undefined, right: Node<unknown> | undefined): number =>
  (left?.size ?? 0) + 1 + (right?.size ?? 0);

/** The parts of a span before the bytes [from, to) and behind them. */
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

/** Does an owner lie before an address? */
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

/** Does an overwritten store stay in the line? */
export type Kept = (address: Term, bytes: number, value: Term) => boolean;

/**
 * Is an access known to miss the stores to a part of a slot of the stack?
 * @param behind have these bytes been stored behind such a store? Absent: unknown
 */
export type Misses = (part: Extent, behind?: (bytes: Extent) => boolean) => boolean;

/** What is known of an access: the parts of slots to ask about, and which of them the access misses. */
export interface Reach {
  readonly slots: readonly Extent[];
  readonly misses: Misses;
}

/** A loaded value: bytes of a value from byte `at` on, or a load from a memory. */
export type Loaded =
  | { readonly value: Term; readonly at: number; readonly from?: undefined }
  /** `parts`: values stored to some of the loaded bytes, or to more bytes. */
  | { readonly from: Term; readonly parts: readonly Term[] };

export interface Memory {
  readonly term: Term;
  /** The memory at the start: an unknown, or the memory behind a barrier. */
  readonly origin: Term;
  readonly line: Line | undefined;
  readonly saved: Run | undefined;
  /** Kept stores that were saved earlier, beneath `saved`. */
  readonly hidden: Run | undefined;
  /** By base and address. */
  readonly owners: Owners | undefined;
  /** The memory without kept stores; absent if none was kept. */
  readonly settled: Memory | undefined;
  /** The memory with all saved stores in the line, once it has been asked for. */
  flat: Memory | undefined;
}
