/**
 * Emission turns lowered superblocks into the optimized file. The original stays at its addresses, byte for byte but for headers,
 * patches, retargeted jump tables and the link to new unwind tables; superblocks go into a new segment behind bss.
 */
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import type { Image } from '../elf/image.ts';
import { addSegment, nextSegmentAddress, type Patch } from '../elf/write.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import type { LoweredSuperblock } from '../lower/item.ts';
import type { AssumptionId } from './assumptions.ts';
import { imageEntries } from './entries.ts';
import type { Evidence } from './evidence.ts';
import { type Layout, layOut, OutOfReach } from './layout.ts';
import { type AddressMapData, encodeMap } from './map.ts';
import { makePatches } from './patch.ts';
import { place } from './place.ts';
import { symbolsOf } from './symbols.ts';
import { type JumpTable, retarget } from './tables.ts';
import { type CallSite, unwindTables } from './unwind/index.ts';

export interface EmitRequest {
  readonly image: Image;
  readonly evidence: Evidence;
  /** Jump tables that may be retargeted. */
  readonly jumpTables: readonly JumpTable[];
  readonly superblocks: readonly LoweredSuperblock[];
  /** A superblock's original path, by its head. */
  readonly pathOf: (head: Addr) => readonly Addr[];
  /** Heads emitted in their identity form. */
  readonly identity: ReadonlySet<Addr>;
  /** Why a superblock may not be emitted in the form that the passes made. */
  readonly rejected?: (head: Addr) => string | undefined;
  /** Addresses where no patch may be made, nor a table's entry changed. */
  readonly untouched?: ReadonlySet<Addr>;
  /** Patch single instructions only. */
  readonly narrow?: boolean | undefined;
  /** Heads that original code may enter. */
  readonly entered: (head: Addr) => boolean;
  /** A superblock for code that did not run, so that an exit to that code need not jump far. */
  readonly continueAt: (address: Addr) => LoweredSuperblock | undefined;
  /** A register dead at an address. */
  readonly deadAt: (address: Addr) => Reg | undefined;
  /** Extensions that the new code needs beyond the input's. */
  readonly extensions: readonly string[];
  /** Extensions of the machines that the new code is for. */
  readonly machine: ExtensionSet;
  /** Assumptions that earlier stages have made. */
  readonly assumed: ReadonlySet<AssumptionId>;
}

export interface Emitted {
  readonly bytes: Uint8Array;
  readonly map: AddressMapData;
  readonly layout: Layout;
  readonly bytesAdded: ByteCount;
  /** Superblocks left out because an exit could not reach far enough. */
  readonly leftOut: readonly Addr[];
  /** Heads that original code may enter but that could not be patched. */
  readonly unpatched: readonly Addr[];
}

export function emit(request: EmitRequest): Emitted {
  const { image, evidence, jumpTables, machine, untouched = new Set() } = request;
  const address = nextSegmentAddress(image);
  let { superblocks } = request;
  let aliases: ReadonlyMap<Addr, Addr>;
  const leftOut: Addr[] = [];
  const unlinked = new Set<Addr>();
  const byTable = (site: Addr, target: Addr) =>
    jumpTables.some((table) => table.site === site && table.profiled.has(target));
  let layout: Layout;
  for (;;) {
    const { lines, aliases: others } = withoutEmptyLines(superblocks);
    aliases = others;
    try {
      layout = layOut(place(lines, aliases), address, aliases, { unlinked, byTable, machine });
    } catch (error) {
      if (!(error instanceof OutOfReach)) throw error;
      superblocks = bringNear(error, superblocks, request.continueAt, leftOut);
      continue;
    }
    // A call whose frame cannot be described must not be made from optimized code: exceptions would not pass the frame. No call at all is
    // made from optimized code where some code is seen to return behind return points.
    const unserved = unservedCalls(image, layout, address);
    if (unserved.calls.size === 0 && unserved.links.length === 0) break;
    for (const head of unserved.links) unlinked.add(head);
    leftOut.push(...unserved.calls);
    superblocks = superblocks.filter((lowered) => !unserved.calls.has(lowered.head));
  }

  // The file's headers change even if nothing is patched.
  const assumed = new Set<AssumptionId>([...request.assumed, 'A5']);
  const startOf = new Map(layout.superblocks.map((placed) => [placed.lowered.head, placed.start]));
  for (const [head, to] of aliases) {
    const start = startOf.get(to);
    if (start !== undefined) startOf.set(head, start);
  }
  const kept = new Set<Addr>();
  for (const { lowered } of layout.superblocks) {
    for (const stub of lowered.stubs) if (stub.to !== undefined && !startOf.has(stub.to)) kept.add(stub.to);
    if (lowered.final.to !== undefined && !startOf.has(lowered.final.to)) kept.add(lowered.final.to);
  }
  const patches = makePatches(
    [...startOf]
      .filter(([head]) => request.entered(head) && !untouched.has(head))
      .map(([head, target]) => ({ head, target, scratch: request.deadAt(head) })),
    codeOf(image),
    evidence,
    kept,
    request.narrow ?? false,
  );
  if (patches.patches.length > 0) assumed.add('A2');
  const retargeted = retarget(jumpTables, (head) => startOf.get(head));
  const tables = retargeted.filter((patch) => !untouched.has(patch.address));
  if (tables.length > 0) assumed.add('A4');

  const sites = callSites(layout);
  if (sites.length > 0) assumed.add('A7');
  const unwind = unwindTables(image, sites, alignEight(address + layout.bytes.length));
  const all: Patch[] = [...patches.patches, ...tables];
  const map: AddressMapData = {
    version: 1,
    original: image.hash,
    originalEnd: image.end,
    superblocks: layout.superblocks.map((placed) => {
      const rejected = request.rejected?.(placed.lowered.head);
      return {
        head: placed.lowered.head,
        start: placed.start,
        end: placed.end,
        stubs: [...placed.stubs, ...placed.hops]
          .filter((stub) => stub !== undefined)
          .map((stub) => [stub.start, stub.end] as const),
        path: request.pathOf(placed.lowered.head),
        count: Math.round(placed.lowered.count),
        identity: request.identity.has(placed.lowered.head),
        ...(rejected !== undefined && { rejected }),
      };
    }),
    returns: sites.map((site) => [site.returnAddress, site.originalReturnAddress] as const),
    patches: [...all, ...unwind.patches].map((patch) => [patch.address, patch.bytes.length] as const),
    assumptions: [...assumed].sort(),
  };
  const bytes = addSegment(image, {
    address,
    code: layout.bytes,
    patches: all,
    map: encodeMap(map),
    extensions: request.extensions,
    ...(unwind.bytes.length > 0 && { unwind }),
    symbols: symbolsOf(image, layout.superblocks),
  });
  return {
    bytes,
    map,
    layout,
    bytesAdded: bytes.length - image.bytes.length,
    leftOut,
    unpatched: patches.left,
  };
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

const alignEight = (address: Addr): Addr => Math.ceil(address / 8) * 8;

/** Addresses in optimized code that callees return to: those behind its calls, and superblocks at return points of inlined calls. */
function callSites({ superblocks, links }: Layout): CallSite[] {
  const sites = new Map<Addr, CallSite>();
  for (const { returnAddress, lowered } of superblocks)
    if (returnAddress !== undefined)
      sites.set(returnAddress, { returnAddress, originalReturnAddress: lowered.final.to! });
  for (const { start, lowered } of superblocks)
    if (links.includes(lowered.head) && !sites.has(start))
      sites.set(start, { returnAddress: start, originalReturnAddress: lowered.head });
  return [...sites.values()];
}

/**
 * Call sites without a frame description though the original has one: calls, by the heads of their superblocks, and return points of
 * inlined calls. A return point also counts if a call returns to the same address in the stead of another original return point.
 */
function unservedCalls(image: Image, layout: Layout, address: Addr) {
  const sites = callSites(layout);
  const { unserved } = imageEntries(image).returnsBehind
    ? { unserved: sites }
    : unwindTables(image, sites, alignEight(address + layout.bytes.length));
  const bad = new Set(unserved.map((site) => site.returnAddress));
  const standsFor = new Map(sites.map((site) => [site.returnAddress, site.originalReturnAddress]));
  const { superblocks, links } = layout;
  return {
    calls: new Set(
      superblocks
        .filter((placed) => placed.returnAddress !== undefined && bad.has(placed.returnAddress))
        .map((placed) => placed.lowered.head),
    ),
    links: superblocks
      .filter(
        ({ start, lowered: { head } }) => links.includes(head) && (bad.has(start) || standsFor.get(start) !== head),
      )
      .map(({ lowered }) => lowered.head),
  };
}
