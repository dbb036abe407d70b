/**
 * The growth budget. Most of what a file executes is in few of its superblocks; the bytes that the others take are not worth it beyond a
 * point. Where the output would grow by more than it may, those go that run fewest instructions for their bytes: their code then runs in
 * the original text, as code that no superblock covers does.
 */
import type { Addr, ByteCount } from '../base/units.ts';
import type { Emitted } from '../emit/emit.ts';

/** Growth that is always allowed, and the share of the file that is. */
const ALWAYS: ByteCount = 96 * 1024;
const SHARE = 0.08;

export const defaultGrowth = (file: ByteCount): ByteCount => Math.max(ALWAYS, Math.floor(file * SHARE));

/** What a superblock takes besides its code, about: an entry of the map, a part of a symbol, of its neighbours' stubs, of padding. */
const BESIDES: ByteCount = 40;

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
