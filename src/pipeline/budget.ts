/**
 * The growth budget. Most of what a file executes is in few of its superblocks; the bytes that the others take are not worth it beyond a
 * point. Where there will hardly be room for all, traces copy less. Where the output would still grow by more than it may, those
 * superblocks go that run fewest instructions for their bytes: their code then runs in the original text, as code that no superblock
 * covers does.
 */
import type { Addr, ByteCount } from '../base/units.ts';
import type { Emitted } from '../emit/emit.ts';
import type { Selection, Trace } from '../superblock/select.ts';

/** Growth that is always allowed, and the share of the file that is. */
const ALWAYS: ByteCount = 96 * 1024;
const SHARE = 0.08;

export const defaultGrowth = (file: ByteCount): ByteCount => Math.max(ALWAYS, Math.floor(file * SHARE));

/** What a superblock takes besides its code, about: an entry of the map, a part of a symbol, of its neighbours' stubs, of padding. */
const BESIDES: ByteCount = 40;

/** How often copies must run, as a share of all instructions: where there is room, and where there is not. */
const COPY_SHARES = { roomy: 3e-5, tight: 1e-4 };
/** Over the limit by so much, copies are still worth more than the superblocks that will have to go for them. */
const TIGHT = 1.15;

/** Bytes that a file grows by for superblocks of these traces, about: fitted to thirteen programs, and off by 15 % at most. */
export function expectedGrowth(traces: readonly Trace[]): ByteCount {
  let growth = 0;
  for (const { steps } of traces) {
    growth += 40;
    for (const { block } of steps) growth += (block.end - block.start) * 0.54 + (block.control === 'branch' ? 17.5 : 0);
  }
  return growth;
}

/** Selects traces with as many copies as there is room for. @param select by the share of all instructions that a copy must run */
export function selectWithin(limit: ByteCount, select: (copyShare: number) => Selection): Selection {
  const selection = select(COPY_SHARES.roomy);
  return expectedGrowth(selection.traces) > limit * TIGHT ? select(COPY_SHARES.tight) : selection;
}

/**
 * Emits until it fits, leaving out more each time.
 * @param weightOf instructions that a superblock executes, by its head
 * @param dropped heads that are left out; those that must go are added
 */
export function withinGrowth<T extends Emitted>(
  limit: ByteCount,
  dropped: Set<Addr>,
  weightOf: (head: Addr) => number,
  emit: () => T,
): T {
  for (;;) {
    const made = emit();
    let over = made.bytesAdded - limit;
    if (over <= 0) return made;
    const candidates = made.map.superblocks
      .filter(({ head }) => !dropped.has(head))
      .map(({ head, start, end, stubs }) => {
        const bytes = stubs.reduce((sum, [from, to]) => sum + to - from, end - start) + BESIDES;
        return { head, bytes, density: weightOf(head) / bytes };
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
