/**
 * A superblock that cannot be made costs that superblock alone. A fault of the optimizer itself is reported as an internal error, an
 * address that the new code cannot reach as what it is.
 */
import { IsoformError } from '../base/errors.ts';
import { type Addr, hex } from '../base/units.ts';

/** A superblock that may not ship as the passes made it. */
export interface Rejection {
  /** The form that ships instead; none: the code stays in the original text only. */
  readonly form: 'identity' | 'none';
  readonly reason: string;
}

export interface Failure extends Rejection {
  readonly head: Addr;
}
/** Receives each failure. Without a receiver the error is thrown, so that no test misses a failure. */
export type OnFailure = (failure: Failure) => void;

/**
 * Why a superblock cannot be made; undefined for errors that concern the whole file.
 * @param what names the work that failed
 */
function reasonOf(error: unknown, what: () => string): string | undefined {
  if (error instanceof IsoformError && error.code === 'out-of-reach') return error.message;
  if (error instanceof IsoformError && error.code !== 'internal') return undefined;
  const fault = String((error as Error)?.message ?? error).replace(/^internal error: /, '');
  return `internal error ${what()}: ${fault} (please report this)`;
}

/**
 * Does the work for one superblock. @returns undefined if the work failed
 * @param form the form that ships after a failure
 * @param what names the work; called after a failure only
 */
export function attempt<T>(
  onFailure: OnFailure | undefined,
  head: Addr,
  form: Rejection['form'],
  what: () => string,
  work: () => T,
): T | undefined {
  try {
    return work();
  } catch (error) {
    const reason = reasonOf(error, what);
    if (onFailure === undefined || reason === undefined) throw error;
    onFailure({ head, form, reason });
    return undefined;
  }
}

/** How many superblocks may be left out because no file can be made with them. */
const OMISSION_LIMIT = 16;

/**
 * Makes a file, without the superblocks with which making it fails: each of those is found by halving.
 * @param heads heads of all superblocks
 * @param rejected by head; `onFailure` must add the superblocks that are left out
 */
export function emitWithout<T>(
  formed: { emit(rejected: ReadonlyMap<Addr, Rejection>, untouched: ReadonlySet<Addr>): T },
  heads: readonly Addr[],
  rejected: ReadonlyMap<Addr, Rejection>,
  untouched: ReadonlySet<Addr>,
  onFailure: OnFailure,
): T {
  for (let leftOut = 0; ; leftOut++) {
    try {
      return formed.emit(rejected, untouched);
    } catch (error) {
      // An error that concerns the whole file is no superblock's.
      if (leftOut === OMISSION_LIMIT || reasonOf(error, () => '') === undefined) throw error;
      const head = culprit(heads.filter((at) => rejected.get(at)?.form !== 'none'));
      if (head === undefined) throw error;
      const reason = reasonOf(error, () => `in placing ${hex(head)}`)!;
      onFailure({ head, form: 'none', reason });
    }
  }

  /** The superblock that probably causes the failure: each step keeps the first half if that fails alone, else the second. */
  function culprit(all: readonly Addr[]): Addr | undefined {
    let suspects = all;
    while (suspects.length > 1) {
      const half = suspects.slice(0, suspects.length >> 1);
      suspects = fails(new Set(half)) ? half : suspects.slice(half.length);
    }
    return suspects[0];
  }
  function fails(kept: ReadonlySet<Addr>): boolean {
    const without = heads.filter((head) => !kept.has(head));
    const none = without.map((head) => [head, { form: 'none', reason: '' }] as const);
    try {
      formed.emit(new Map<Addr, Rejection>([...rejected, ...none]), untouched);
      return false;
    } catch {
      return true;
    }
  }
}
