/**
 * The layout that is emitted: code is added and superblocks are left out until every exit reaches its target and unwinders can pass
 * every call that optimized code makes.
 */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import type { LoweredSuperblock } from '../lower/item.ts';
import { unservedCalls } from './calls.ts';
import { type Layout, layOut } from './layout.ts';
import { place } from './place.ts';
import { OutOfReach } from './relax.ts';
import type { JumpTable } from './tables.ts';

export interface LayoutRequest {
  readonly image: Image;
  readonly superblocks: readonly LoweredSuperblock[];
  /** Jump tables that may be retargeted. */
  readonly jumpTables: readonly JumpTable[];
  /** A superblock for code that did not run, so that an exit to that code need not jump far. */
  readonly continueAt: (address: Addr) => LoweredSuperblock | undefined;
  /** Extensions of the machines that the new code is for. */
  readonly machine: ExtensionSet;
}

export interface SettledLayout {
  readonly layout: Layout;
  /** Heads of empty superblocks, each with the head that transfers to it lead to. */
  readonly aliases: ReadonlyMap<Addr, Addr>;
  /** Superblocks left out because an exit could not reach far enough, or because their call could not be unwound. */
  readonly leftOut: readonly Addr[];
}

/** @param address where the code begins */
export function settleLayout(request: LayoutRequest, address: Addr): SettledLayout {
  const { image, jumpTables, continueAt, machine } = request;
  let { superblocks } = request;
  const leftOut: Addr[] = [];
  const unlinked = new Set<Addr>();
  const byTable = (site: Addr, target: Addr) =>
    jumpTables.some((table) => table.site === site && table.profiled.has(target));
  for (;;) {
    const { lines, aliases } = withoutEmptyLines(superblocks);
    let layout: Layout;
    try {
      layout = layOut(place(lines, aliases), address, aliases, { unlinked, byTable, machine });
    } catch (error) {
      if (!(error instanceof OutOfReach)) throw error;
      superblocks = bringNear(error, superblocks, continueAt, leftOut);
      continue;
    }
    // A call whose frame cannot be described must not be made from optimized code: exceptions would not pass the frame. No call at all is
    // made from optimized code where some code is seen to return behind return points.
    const unserved = unservedCalls(image, layout, address);
    if (unserved.calls.size === 0 && unserved.links.length === 0) return { layout, aliases, leftOut };
    for (const head of unserved.links) unlinked.add(head);
    leftOut.push(...unserved.calls);
    superblocks = superblocks.filter((lowered) => !unserved.calls.has(lowered.head));
  }
}

/**
 * An exit whose target is out of a jump's reach, with no register free for a far jump, gets the code at its target copied: somewhere
 * along this code a register is written or a call made, and from there on a register is free. Where no copy can be made, the superblock
 * is left out, and so are superblocks whose exits need it: a superblock left out does not come back, or the search would not end.
 */
function bringNear(
  { exits }: OutOfReach,
  superblocks: readonly LoweredSuperblock[],
  continueAt: (address: Addr) => LoweredSuperblock | undefined,
  leftOut: Addr[],
): LoweredSuperblock[] {
  const gone = new Set(leftOut);
  const added = new Map<Addr, LoweredSuperblock>();
  const out = new Set<Addr>();
  for (const { head, to } of exits) {
    if (added.has(to)) continue;
    const next = gone.has(to) ? undefined : continueAt(to);
    if (next === undefined) out.add(head);
    else added.set(to, next);
  }
  leftOut.push(...out);
  return [...superblocks, ...added.values()].filter((lowered) => !out.has(lowered.head));
}

/** A superblock whose line is empty only leads to another superblock: its head becomes an alias of the other head. */
function withoutEmptyLines(superblocks: readonly LoweredSuperblock[]) {
  const isEmpty = ({ line, final }: LoweredSuperblock) => line.length === 0 && final.kind === 'goto';
  const byHead = new Map(superblocks.map((lowered) => [lowered.head, lowered]));
  const aliases = new Map<Addr, Addr>();
  for (const lowered of superblocks) {
    const seen = new Set<Addr>();
    let at: LoweredSuperblock | undefined = lowered;
    while (at !== undefined && isEmpty(at) && !seen.has(at.head)) {
      seen.add(at.head);
      at = byHead.get(at.final.to!);
    }
    // An empty superblock that leads out of the superblocks, or round in an empty circle, stays as it is.
    if (at !== undefined && !isEmpty(at) && at !== lowered) aliases.set(lowered.head, at.head);
  }
  return { lines: superblocks.filter((lowered) => !aliases.has(lowered.head)), aliases };
}
