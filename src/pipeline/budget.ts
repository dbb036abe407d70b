/**
 * The growth budget. Few superblocks hold most of what a file executes; beyond a point, the others are not worth their bytes. If the
 * expected growth is well above the limit, trace selection makes fewer copies. If the output would still grow by more than the limit,
 * the superblocks with the fewest executed instructions per byte are dropped: their code then runs in the original text, like all
 * code that no superblock covers.
 */
import type { Addr, ByteCount } from '../base/units.ts';
import type { Emitted } from '../emit/emit.ts';
import type { Selection } from '../superblock/select.ts';
import type { Trace } from '../superblock/trace.ts';

/** Growth that is always allowed, and the share of the file's size that is allowed if larger. */
const FREE_GROWTH: ByteCount = 96 * 1024;
const GROWTH_SHARE = 0.08;

export const defaultGrowth = (file: ByteCount): ByteCount => Math.max(FREE_GROWTH, Math.floor(file * GROWTH_SHARE));

/** Approximate bytes of a superblock besides its code: an entry of the map, and parts of a symbol, of neighbours' stubs, of padding. */
const OVERHEAD_BYTES: ByteCount = 40;

/** How often copies must run, as a share of all instructions: within the limit, and well above it. */
const COPY_SHARES = { roomy: 3e-5, tight: 1e-4 };
/** Up to this ratio of expected growth to limit, copies are worth more than the superblocks that are dropped for them. */
const TIGHT_RATIO = 1.15;

/** Estimated growth of a file by superblocks of these traces: fitted to thirteen programs, and off by 15 % at most. */
export function expectedGrowth(traces: readonly Trace[]): ByteCount {
  let growth = 0;
  for (const { steps } of traces) {
    growth += 40;
    for (const { block } of steps) growth += (block.end - block.start) * 0.54 + (block.control === 'branch' ? 17.5 : 0);
  }
  return growth;
}

/** Selects traces, with fewer copies if room is short. @param select takes the share of all instructions that a copy must run */
export function selectWithin(limit: ByteCount, select: (copyShare: number) => Selection): Selection {
  const selection = select(COPY_SHARES.roomy);
  return expectedGrowth(selection.traces) > limit * TIGHT_RATIO ? select(COPY_SHARES.tight) : selection;
}

/**
 * Emits until the output fits or no superblock is left to drop, and drops more superblocks each time.
 * @param weightOf instructions that a superblock executes, by its head; undefined for the code behind an exit that cannot reach the
 * original: such code goes with the superblocks that need it, and dropping it alone would only have it fetched again
 * @param dropped heads of the superblocks left out; each round adds to them
 */
export function withinGrowth<T extends Emitted>(
  limit: ByteCount,
  dropped: Set<Addr>,
  weightOf: (head: Addr) => number | undefined,
  emit: () => T,
): T {
  for (;;) {
    const made = emit();
    let over = made.bytesAdded - limit;
    if (over <= 0) return made;
    const candidates = made.map.superblocks
      .flatMap(({ head, start, end, stubs }) => {
        const weight = weightOf(head);
        if (weight === undefined || dropped.has(head)) return [];
        const bytes = stubs.reduce((sum, [from, to]) => sum + to - from, end - start) + OVERHEAD_BYTES;
        return [{ head, bytes, density: weight / bytes }];
      })
      .sort((a, b) => a.density - b.density || a.head - b.head);
    if (candidates.length === 0) return made;
    for (const { head, bytes } of candidates) {
      dropped.add(head);
      over -= bytes;
      if (over <= 0) break;
    }
  }
}
