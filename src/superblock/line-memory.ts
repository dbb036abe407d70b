/**
 * Memory along a line: where accesses go, which of them can touch the same bytes, and what a load finds.
 *
 * Two models follow the line, and both stand on the same places. Their rules differ, since one makes facts that the other uses:
 *
 * - `SavedSlots` runs while the line is built. It holds only the registers that functions save at a known distance from the stack pointer,
 *   and finds how long each slot lives: until the line overwrites the slot or gives back its frame. Accesses through other pointers miss
 *   every slot (A3), and a frame outlives ordered ops.
 * - `KnownMemory` runs over a line in any form and holds the contents that every load and store has left behind. The slots' lifetimes are
 *   known by then (`saved`), and an access through another pointer is compared with each (A3, A8). An ordered op ends all knowledge, since
 *   no pass may carry a value across it.
 *
 * The prover has a model of its own (src/verify/prove/memory.ts), so that no error here is made there again.
 */
import { toSigned } from '../base/bits.ts';
import { addend } from '../domain/rules.ts';
import type { Term, Terms } from '../domain/term.ts';
import type { Value } from './form.ts';

/** A term as a base and a distance from it in bytes, signed 64 bits; a constant has no base. */
export function locate(term: Term): { readonly base: Term | undefined; readonly offset: bigint } {
  if (term.value !== undefined) return { base: undefined, offset: toSigned(term.value) };
  const offset = addend(term);
  return offset === undefined ? { base: term, offset: 0n } : { base: term.args[0], offset: toSigned(offset) };
}

/** Consecutive bytes at a distance from a base. */
interface Span {
  readonly offset: bigint;
  readonly bytes: number;
}

/** A place in memory that an op accesses: at a distance from a base, which is undefined for a constant address. */
export interface Place extends Span {
  readonly base: Term | undefined;
  /** The base is the stack pointer at the head. */
  readonly stack: boolean;
  /** The op's id. Ids rise along the line as it was built, so they tell the original order of accesses. */
  readonly id: number;
  readonly stores: boolean;
  /** Of a store that saves a register: the id from which on the frame is given back. */
  readonly saved: number | undefined;
}

/** Have two spans from one base no byte in common? */
function disjoint(a: Span, b: Span): boolean {
  const distance = toSigned(a.offset - b.offset);
  return distance >= BigInt(b.bytes) || -distance >= BigInt(a.bytes);
}

/** Two accesses that cannot overlap: apart from each other on one base, or a save and an access that cannot reach its slot (A3, A8). */
export const cannotOverlap = (a: Place, b: Place): boolean =>
  a.base === b.base ? disjoint(a, b) : outOfReach(a, b) || outOfReach(b, a);

/**
 * Can an access not reach the slot of a save? While the frame exists only the stack pointer leads there (A3). Once the frame is given
 * back, a store through another pointer may go to its place, but no load reads the saved value that is left there (A8). Nothing is known
 * of accesses before the save: another frame may have been there.
 */
function outOfReach({ id, saved }: Place, other: Place): boolean {
  return saved !== undefined && saved > id && !other.stack && other.id > id && (other.id < saved || !other.stores);
}

/** Does the first place contain all bytes of the second? */
export function overwrites(a: Place, b: Place): boolean {
  if (a.base !== b.base) return false;
  const distance = toSigned(b.offset - a.offset);
  return distance >= 0n && distance + BigInt(b.bytes) <= BigInt(a.bytes);
}

/** Does the first place contain all bytes of the second, and begin with the same byte? */
const covers = (a: Place, b: Place): boolean => a.base === b.base && a.offset === b.offset && a.bytes >= b.bytes;

/** Known contents of memory: the line's loads and stores, newest last, with their bits, zero-extended. */
export class KnownMemory {
  readonly #terms: Terms;
  readonly #known: { readonly place: Place; readonly raw: Term; readonly stored: boolean }[] = [];
  constructor(terms: Terms) {
    this.#terms = terms;
  }
  #low(value: Term, bytes: number): Term {
    return bytes === 8 ? value : this.#terms.zext(value, (bytes * 8) as 8 | 16 | 32);
  }
  store(place: Place, value: Term): void {
    this.#known.push({ place, raw: this.#low(value, place.bytes), stored: true });
  }
  /**
   * @param unknown the term to use if the bits are unknown
   * @param watched other threads or handlers may write in between: only saves in frames that still exist are known
   */
  load(place: Place, unknown: Term, watched: boolean): Term {
    /** Later stores through bases other than sp, which could overlap a place in the stack unless that is a save out of their reach. */
    const crossed: Place[] = [];
    for (let i = this.#known.length - 1; i >= 0; i--) {
      const { place: at, raw, stored } = this.#known[i]!;
      const misses = crossed.length === 0 || (stored && crossed.every((other) => outOfReach(at, other)));
      if (covers(at, place) && watched)
        return misses && at.saved !== undefined && place.id < at.saved ? this.#low(raw, place.bytes) : unknown;
      if (covers(at, place) && misses) return this.#low(raw, place.bytes);
      if (!stored || cannotOverlap(at, place)) continue;
      if (!place.stack || at.stack) break;
      crossed.push(at);
    }
    if (!watched) this.#known.push({ place, raw: unknown, stored: false });
    return unknown;
  }
  /** Called for an ordered op, which may change memory or must not be crossed: nothing is known behind it. */
  forget(): void {
    this.#known.length = 0;
  }
}

const SLOT_BYTES = 8;

/** A register that a function of the line has saved. */
interface SavedSlot extends Span {
  readonly value: Value;
  /** Id of the saving store. */
  readonly id: number;
}

/** The saved registers' slots in frames that are not given back yet, by their distance from the stack pointer at the head. */
export class SavedSlots {
  readonly #slots = new Map<bigint, SavedSlot>();

  /** A store at a known distance; stores through other pointers miss saved slots. @returns ids of the saves that it overwrites */
  store(offset: bigint, bytes: number): readonly number[] {
    return this.#drop((slot) => !disjoint(slot, { offset, bytes }));
  }
  /** @param id id of the saving store */
  save(offset: bigint, value: Value, id: number): void {
    this.#slots.set(offset, { offset, bytes: SLOT_BYTES, value, id });
  }
  /** The saved value that a load finds; undefined if it finds anything else, or if its distance is unknown. */
  load(offset: bigint | undefined, bytes: number): Value | undefined {
    return offset === undefined || bytes !== SLOT_BYTES ? undefined : this.#slots.get(offset)?.value;
  }
  /** The stack pointer moves. @returns ids of the saves in the frames that the move gives back; of all saves if `stack` is unknown */
  moved(stack: bigint | undefined): readonly number[] {
    return this.#drop(({ offset }) => stack === undefined || offset < stack);
  }
  #drop(gone: (slot: SavedSlot) => boolean): readonly number[] {
    const ids: number[] = [];
    for (const slot of this.#slots.values())
      if (gone(slot)) {
        ids.push(slot.id);
        this.#slots.delete(slot.offset);
      }
    return ids;
  }
}
