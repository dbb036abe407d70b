/**
 * Long syscalls, in steps: between two steps the caller may look at the clock, hear the host's signals, or end the guest. Where the
 * steps are cut shows nowhere else: the result is that of the whole syscall.
 */
import { Blocked, NotYet } from './errno.ts';

/** The pause between two steps. `wait`: nothing can be done now, because the host's streams are not ready. */
export type Pause = 'look' | 'wait';
/** Returns and throws what the whole syscall would. */
export type Steps = Generator<Pause, number | undefined, void>;

/** Bytes moved in a step: less than a tenth of a second for any source or sink. A multiple of 8, as makeRandom fills 8 bytes at a time. */
export const PIECE = 2 ** 18;

/** @param done bytes moved so far @returns bytes moved of the part; fewer than its length: there are no more. May throw NotYet */
export type Move = (part: Uint8Array, done: number) => number;

/**
 * Moves bytes, at most PIECE of them at once.
 * @param whole wait until all bytes have been taken; else a host that is not ready ends the move once bytes have been moved
 */
export function move(bytes: Uint8Array, transfer: Move, whole = false): number | Steps {
  if (bytes.length > PIECE) return moveParts([bytes], transfer, whole);
  try {
    return transfer(bytes, 0);
  } catch (error) {
    if (!(error instanceof NotYet)) throw error;
    return moveParts([bytes], transfer, whole, error);
  }
}

/**
 * Moves the bytes of several parts, up to the first that is not moved whole. An error counts only if nothing was moved.
 * @param parts asked for one after the other; may throw
 * @param late the result of a first try, for which the host was not ready
 */
export function* moveParts(
  parts: Iterable<Uint8Array>,
  transfer: Move,
  whole: boolean,
  late?: NotYet,
): Generator<Pause, number> {
  let total = late?.done ?? 0;
  let since = 0;
  if (late) yield 'wait';
  try {
    let skip = total;
    for (const part of parts) {
      for (let at = skip; at < part.length; ) {
        const piece = part.subarray(at, at + PIECE);
        const moved = attempt(transfer, piece, total);
        total += moved instanceof NotYet ? moved.done : moved;
        at += moved instanceof NotYet ? moved.done : moved;
        if (moved instanceof NotYet) {
          if (!whole && total > 0) return total;
          yield 'wait';
          continue;
        }
        if (moved < piece.length) return total;
        since += moved;
        if (since < PIECE) continue;
        since = 0;
        yield 'look';
      }
      skip = 0;
    }
  } catch (error) {
    // A write waits with the rest of its bytes; a read ends with the bytes that it has.
    if (whole && error instanceof Blocked) throw error.after(total);
    if (total > 0) return total;
    throw error;
  }
  return total;
}

/** Repeats a call until the host is ready. */
export function* untilReady(run: () => number): Generator<Pause, number> {
  for (;;)
    try {
      return run();
    } catch (error) {
      if (!(error instanceof NotYet)) throw error;
      yield 'wait';
    }
}

function attempt(transfer: Move, part: Uint8Array, done: number): number | NotYet {
  try {
    return transfer(part, done);
  } catch (error) {
    if (error instanceof NotYet) return error;
    throw error;
  }
}
