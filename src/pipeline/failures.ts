/** What goes wrong in the optimizer itself with one superblock costs that superblock alone. A fault of ours all the same, and told as one. */
import { IsoformError } from '../base/errors.ts';
import { type Addr, hex } from '../base/units.ts';

/** A superblock that may not ship as the passes made it. */
export interface Rejection {
  /** What ships instead; none: its code stays in the original text only. */
  readonly form: 'identity' | 'none';
  readonly reason: string;
}

export interface Failure extends Rejection {
  readonly head: Addr;
}
/** Gets each failure. Where nobody does, it is thrown: no test may miss one. */
export type OnFailure = (failure: Failure) => void;

/** What an error that is nobody's but ours says; undefined for others, which are meant for the user. */
function faultIn(error: unknown): string | undefined {
  if (!(error instanceof IsoformError)) return (error as Error)?.message ?? String(error);
  return error.code === 'internal' ? error.message.replace(/^internal error: /, '') : undefined;
}
const reasonOf = (what: string, fault: string): string => `internal error ${what}: ${fault} (please report this)`;

/**
 * Does something for one superblock. @returns undefined if that failed
 * @param form what ships instead then
 * @param what it is, in words; asked when it has failed
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
    const fault = faultIn(error);
    if (onFailure === undefined || fault === undefined) throw error;
    onFailure({ head, form, reason: reasonOf(what(), fault) });
    return undefined;
  }
}

/** How many superblocks may be left out because a file with them cannot be made. */
const MOST_LEFT_OUT = 16;

/**
 * Makes a file without superblocks that it cannot be made with: each is found by halving.
 * @param heads of all superblocks
 * @param rejected by head; what is left out is added by `onFailure`
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
      const fault = faultIn(error);
      if (fault === undefined || leftOut === MOST_LEFT_OUT) throw error;
      const head = culprit(heads.filter((at) => rejected.get(at)?.form !== 'none'));
      if (head === undefined) throw error;
      onFailure({ head, form: 'none', reason: reasonOf(`in placing ${hex(head)}`, fault) });
    }
  }

  /** One without which it may be possible: with the others of its half left out it is not. */
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
