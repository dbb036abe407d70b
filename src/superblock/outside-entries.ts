/** Where control comes into superblocks from the original text: only such heads need a way into the optimized code. */
import type { Addr } from '../base/units.ts';
import type { EdgeKind } from '../code/endings.ts';
import { OUTSIDE } from '../profile/profile.ts';
import type { Flow } from './flow.ts';
import type { Superblock } from './form.ts';

/** Transfers that go to an original address even from a superblock. */
const OUTSIDE_KINDS: ReadonlySet<EdgeKind> = new Set(['call', 'indirect', 'indirect-call', 'return', 'syscall']);

/**
 * Heads that original code may enter: by calls, returns to original addresses, indirect jumps, from the kernel, and from blocks that
 * no superblock covers.
 */
export function outsideEntries(
  flow: Flow,
  superblocks: readonly Superblock[],
  dropped: readonly Superblock[],
): (head: Addr) => boolean {
  const covered = new Set(superblocks.flatMap((superblock) => superblock.path));
  // A dropped superblock's path runs in the original text, even where another superblock's path covers a part of it.
  for (const { path } of dropped) for (const block of path) covered.delete(block);
  const ways = headsBehindLoops(flow, new Set(superblocks.map(({ head }) => head)));
  return (head) => {
    const block = flow.blocks.get(head);
    if (block === undefined) return false;
    if (flow.callBefore.has(head)) return true;
    // Control that runs round a loop in original code must come into optimized code: at the loop's header, or at the next heads behind it.
    if (ways.has(head) || block.into.some((edge) => flow.retreats(edge.from, head))) return true;
    const inflow = block.into.reduce((sum, edge) => sum + edge.count, 0);
    return inflow < block.count || block.into.some((edge) => OUTSIDE_KINDS.has(edge.kind) || !covered.has(edge.from));
  };
}

/** The first heads that control reaches from loop headers that are no heads themselves; calls and returns are not followed. */
function headsBehindLoops(flow: Flow, heads: ReadonlySet<Addr>): ReadonlySet<Addr> {
  const found = new Set<Addr>();
  const seen = new Set<Addr>();
  const open = [...flow.blocks.values()].filter(
    ({ start, into }) => !heads.has(start) && into.some(({ from }) => flow.retreats(from, start)),
  );
  for (let block = open.pop(); block !== undefined; block = open.pop()) {
    if (seen.has(block.start)) continue;
    seen.add(block.start);
    for (const { to, kind } of block.out) {
      if (to === OUTSIDE) continue;
      const next = flow.blocks.get(to);
      if (next === undefined || kind === 'call' || kind === 'indirect-call' || kind === 'return') continue;
      if (heads.has(to)) found.add(to);
      else open.push(next);
    }
  }
  return found;
}
