/**
 * Emission turns lowered superblocks into the optimized file. The original stays at its addresses, byte for byte but for headers,
 * patches, retargeted jump tables and the link to new unwind tables; superblocks go into a new segment behind bss.
 */
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import { addSegment, nextSegmentAddress, type Patch } from '../elf/write.ts';
import { type AssumptionId, type AssumptionOf, byNumber } from './assumptions.ts';
import { callSites, unwindBehind } from './calls.ts';
import type { Evidence } from './evidence.ts';
import type { Layout, PlacedSuperblock } from './layout.ts';
import { type AddressMapData, encodeMap, type MappedSuperblock } from './map.ts';
import { makePatches, type Patches } from './patch.ts';
import { type LayoutRequest, settleLayout } from './settle.ts';
import { symbolsOf } from './symbols.ts';
import { retarget } from './tables.ts';

export interface EmitRequest extends LayoutRequest {
  readonly evidence: Evidence;
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
  /** A register dead at an address. */
  readonly deadAt: (address: Addr) => Reg | undefined;
  /** Extensions that the new code needs beyond the input's. */
  readonly extensions: readonly string[];
  /** Assumptions that earlier stages have made. */
  readonly assumed: ReadonlySet<AssumptionOf<'optimizer'>>;
}

export interface Emitted {
  readonly bytes: Uint8Array;
  readonly map: AddressMapData;
  readonly layout: Layout;
  readonly bytesAdded: ByteCount;
  /** Superblocks left out because an exit could not reach far enough, or because their call could not be unwound. */
  readonly leftOut: readonly Addr[];
  /** Heads that original code may enter but that could not be patched. */
  readonly unpatched: readonly Addr[];
  /** By number. */
  readonly assumptions: readonly AssumptionId[];
}

export function emit(request: EmitRequest): Emitted {
  const { image, untouched } = request;
  const address = nextSegmentAddress(image);
  const { layout, aliases, leftOut } = settleLayout(request, address);
  const startOf = startsOf(layout, aliases);
  const entries = patchHeads(request, layout, startOf);
  const tables = retarget(request.jumpTables, (head) => startOf.get(head)).filter(
    (patch) => !untouched?.has(patch.address),
  );
  const sites = callSites(layout);
  const unwind = unwindBehind(image, layout, address, sites);
  // The file's headers change even if nothing is patched.
  const assumed = new Set<AssumptionOf<'optimizer' | 'emission'>>([...request.assumed, 'A5']);
  if (entries.patches.length > 0) assumed.add('A2');
  if (tables.length > 0) assumed.add('A4');
  if (sites.length > 0) assumed.add('A7');

  const patches: readonly Patch[] = [...entries.patches, ...tables];
  const map: AddressMapData = {
    version: 1,
    original: image.hash,
    originalEnd: image.end,
    superblocks: layout.superblocks.map((placed) => mapSuperblock(request, placed)),
    returns: sites.map((site) => [site.returnAddress, site.originalReturnAddress] as const),
    patches: [...patches, ...unwind.patches].map((patch) => [patch.address, patch.bytes.length] as const),
    assumptions: [...assumed].sort(),
  };
  const bytes = addSegment(image, {
    address,
    code: layout.bytes,
    patches,
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
    unpatched: entries.left,
    assumptions: [...assumed].sort(byNumber),
  };
}

/** Where original code goes on in optimized code: by head, also of empty superblocks, the start of a line. */
function startsOf({ superblocks }: Layout, aliases: ReadonlyMap<Addr, Addr>): Map<Addr, Addr> {
  const startOf = new Map(superblocks.map((placed) => [placed.lowered.head, placed.start]));
  for (const [head, to] of aliases) {
    const start = startOf.get(to);
    if (start !== undefined) startOf.set(head, start);
  }
  return startOf;
}

/** Patches over the heads that original code may enter. */
function patchHeads(request: EmitRequest, layout: Layout, startOf: ReadonlyMap<Addr, Addr>): Patches {
  const { image, evidence, untouched, entered, deadAt, narrow = false } = request;
  // Original instructions that optimized code itself leads to.
  const kept = new Set<Addr>();
  for (const { lowered } of layout.superblocks)
    for (const { to } of [...lowered.stubs, lowered.final]) if (to !== undefined && !startOf.has(to)) kept.add(to);
  const heads = [...startOf]
    .filter(([head]) => entered(head) && !untouched?.has(head))
    .map(([head, target]) => ({ head, target, scratch: deadAt(head) }));
  return makePatches(heads, codeOf(image), evidence, kept, narrow);
}

function mapSuperblock(request: EmitRequest, { lowered, start, end, stubs, hops }: PlacedSuperblock): MappedSuperblock {
  const { head } = lowered;
  const rejected = request.rejected?.(head);
  return {
    head,
    start,
    end,
    stubs: [...stubs, ...hops].filter((stub) => stub !== undefined).map((stub) => [stub.start, stub.end] as const),
    path: request.pathOf(head),
    count: Math.round(lowered.count),
    identity: request.identity.has(head),
    ...(rejected !== undefined && { rejected }),
  };
}
