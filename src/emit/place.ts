/**
 * Placement: in which order superblocks stand. Each is chained to the superblock its final exit goes to, hottest first, if that one
 * has nothing before it yet; a loop's exit counts as such a way too, since its branch can be turned. A call's return point must
 * stand right behind the call. Chains then go hottest first, cut into groups whose stubs stand behind them.
 */
import type { Addr } from '../base/units.ts';
import type { LoweredSuperblock } from '../lower/item.ts';
import type { Group } from './layout.ts';

/** Stubs must be within a branch's reach (4 KiB) of the lines they belong to. */
const GROUP_BYTES = 2200;
const GROUP_BYTES_MOST = 3000;

/** @param aliases heads that only lead to another */
export function place(
  superblocks: readonly LoweredSuperblock[],
  aliases: ReadonlyMap<Addr, Addr> = new Map(),
): Group[] {
  const byHead = new Map(superblocks.map((lowered) => [lowered.head, lowered]));
  const resolve = (head: Addr): Addr => aliases.get(head) ?? head;
  const links: { from: Addr; to: Addr; weight: number }[] = [];
  for (const lowered of superblocks) {
    const { final } = lowered;
    const to = final.to === undefined ? undefined : resolve(final.to);
    if (to !== undefined && byHead.has(to))
      links.push({ from: lowered.head, to, weight: final.kind === 'call' ? final.count * 1e6 : final.count });
    const last = lowered.line.at(-1);
    if (final.flippable && last?.kind === 'branch' && to !== undefined && byHead.has(to)) {
      const stub = lowered.stubs[last.stub]!;
      const exit = stub.to === undefined ? undefined : resolve(stub.to);
      if (exit !== undefined && byHead.has(exit)) links.push({ from: lowered.head, to: exit, weight: stub.count });
    }
  }
  links.sort((a, b) => b.weight - a.weight || a.from - b.from || a.to - b.to);
  const next = new Map<Addr, Addr>();
  const before = new Map<Addr, Addr>();
  const chainOf = new Map<Addr, Addr>(superblocks.map((lowered) => [lowered.head, lowered.head]));
  const root = (head: Addr): Addr => {
    let at = head;
    while (chainOf.get(at) !== at) at = chainOf.get(at)!;
    chainOf.set(head, at);
    return at;
  };
  for (const { from, to } of links) {
    if (from === to || next.has(from) || before.has(to) || root(from) === root(to)) continue;
    next.set(from, to);
    before.set(to, from);
    chainOf.set(root(to), root(from));
  }
  const chains: LoweredSuperblock[][] = [];
  for (const lowered of superblocks) {
    if (before.has(lowered.head)) continue;
    const chain: LoweredSuperblock[] = [];
    for (let at: Addr | undefined = lowered.head; at !== undefined; at = next.get(at)) chain.push(byHead.get(at)!);
    chains.push(chain);
  }
  const heat = (chain: readonly LoweredSuperblock[]) => Math.max(...chain.map((lowered) => lowered.count));
  chains.sort((a, b) => heat(b) - heat(a) || a[0]!.head - b[0]!.head);

  const groups: LoweredSuperblock[][] = [[]];
  let bytes = 0;
  for (const chain of chains)
    chain.forEach((lowered, index) => {
      const previous = chain[index - 1];
      const cut =
        previous === undefined ? bytes > GROUP_BYTES : bytes > GROUP_BYTES_MOST && previous.final.kind !== 'call';
      if (cut) {
        groups.push([]);
        bytes = 0;
      }
      groups.at(-1)!.push(lowered);
      bytes += lowered.line.length * 3.4;
    });
  return groups.filter((group) => group.length > 0);
}
