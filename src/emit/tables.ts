/**
 * Jump tables retargeted in place: where all profiled targets of an indirect jump are entries of one table, entries that lead to a
 * superblock's head lead to the superblock instead (assumption A4). Without it each such jump would land on a patched head and
 * jump once more.
 */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { Patch } from '../elf/write.ts';
import type { Flow } from '../superblock/flow.ts';
import { codeOf } from '../profile/code.ts';
import { type Evidence, readTable } from './evidence.ts';

export interface JumpTable {
  readonly at: Addr;
  readonly width: 4 | 8;
  /** Entries are distances from here; 0: addresses. */
  readonly base: Addr;
  readonly targets: readonly Addr[];
}

/** The tables behind the indirect jumps of a profile. */
export function findTables(image: Image, flow: Flow, evidence: Evidence): JumpTable[] {
  const tables = new Map<string, JumpTable>();
  let words: Map<Addr, Addr[]> | undefined;
  for (const block of flow.blocks.values()) {
    if (block.control !== 'indirect' || block.links) continue;
    const targets = new Set(block.out.filter((edge) => edge.kind === 'indirect').map((edge) => edge.to));
    if (targets.size === 0) continue;
    const site = block.insns.at(-1)!.pc;
    const found = smallTable(image, evidence, site, targets);
    words ??= image.relocatable ? new Map() : addressWords(image);
    const table = found ?? wordTable(image, words, targets);
    if (table !== undefined) tables.set(`${table.at}/${table.width}`, table);
  }
  return [...tables.values()].sort((a, b) => a.at - b.at);
}

/** A table of 32-bit entries that begins at a constant the code makes; of several, the one made nearest to the jump. */
function smallTable(image: Image, evidence: Evidence, site: Addr, targets: ReadonlySet<Addr>): JumpTable | undefined {
  let best: JumpTable | undefined;
  let distance = Number.POSITIVE_INFINITY;
  for (const { address, pc } of evidence.dataAddresses) {
    const away = Math.abs(site - pc);
    if (away >= distance || away > 65536) continue;
    for (const base of image.relocatable ? [address] : [address, 0]) {
      const entries = readTable(image, address, 4, base);
      if (entries.length < targets.size) continue;
      const set = new Set(entries);
      if ([...targets].every((target) => set.has(target))) {
        best = { at: address, width: 4, base, targets: entries };
        distance = away;
        break;
      }
    }
  }
  return best;
}

/** Where in the data each code address stands as an aligned 8-byte word. */
function addressWords(image: Image): Map<Addr, Addr[]> {
  const code = codeOf(image);
  const words = new Map<Addr, Addr[]>();
  for (const segment of image.segments) {
    const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
    for (let at = (8 - (segment.address % 8)) % 8; at + 8 <= segment.bytes.length; at += 8) {
      if (view.getUint32(at + 4, true) !== 0) continue;
      const value = view.getUint32(at, true);
      if (value === 0 || !code.isExecutable(value)) continue;
      const list = words.get(value);
      if (list === undefined) words.set(value, [segment.address + at]);
      else list.push(segment.address + at);
    }
  }
  return words;
}

/** A run of 8-byte code addresses that holds all targets: grown both ways from where the rarest target stands. */
function wordTable(image: Image, words: ReadonlyMap<Addr, Addr[]>, targets: ReadonlySet<Addr>): JumpTable | undefined {
  if (targets.size < 2) return undefined;
  const rarest = [...targets].sort((a, b) => (words.get(a)?.length ?? 0) - (words.get(b)?.length ?? 0) || a - b)[0]!;
  const all = new Map<Addr, Addr>();
  for (const [value, places] of words) for (const place of places) all.set(place, value);
  const found: JumpTable[] = [];
  for (const place of words.get(rarest) ?? []) {
    let first = place;
    while (all.has(first - 8)) first -= 8;
    const run = readTable(image, first, 8, 0);
    const set = new Set(run);
    if ([...targets].every((target) => set.has(target)) && !found.some((table) => table.at === first))
      found.push({ at: first, width: 8, base: 0, targets: run });
  }
  return found.length === 1 ? found[0] : undefined;
}

/** What to write over the tables' entries. @param addressOf the superblock of a head, if there is one */
export function retarget(tables: readonly JumpTable[], addressOf: (head: Addr) => Addr | undefined): Patch[] {
  const patches = new Map<Addr, Patch>();
  for (const table of tables)
    table.targets.forEach((target, index) => {
      const address = addressOf(target);
      if (address === undefined) return;
      const bytes = new Uint8Array(table.width);
      const view = new DataView(bytes.buffer);
      if (table.width === 8) view.setBigInt64(0, BigInt(address - table.base), true);
      else view.setInt32(0, address - table.base, true);
      const at = table.at + index * table.width;
      patches.set(at, { address: at, bytes });
    });
  return [...patches.values()].sort((a, b) => a.address - b.address);
}
