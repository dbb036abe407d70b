/** From the regions of a run to their form kept for the next run (kept.ts), and back. */
import { type Addr, PAGE } from '../../base/units.ts';
import { hasFused } from '../../domain/wasm-fused.ts';
import { lengthOf } from '../../isa/decode.ts';
import { type Memory, PERMISSION } from '../../machine/memory.ts';
import { RECORD, Records } from '../records.ts';
import type { CompiledModule } from './compile.ts';
import { EdgeCounts } from './counts.ts';
import { type Kept, type KeptModule, type KeptRegion, numbersOf } from './kept.ts';
import type { Parts } from './parts.ts';
import type { Translated } from './regions.ts';
import { isSound } from './sound.ts';

/** Does an instruction lie in pages that are executable, and that the guest cannot write to without a syscall before? */
function isFixed({ permissions }: Memory, pc: Addr, size: number): boolean {
  const fixed = (at: Addr) =>
    (permissions[Math.floor(at / PAGE)]! & (PERMISSION.EXECUTE | PERMISSION.WRITE)) === PERMISSION.EXECUTE;
  return fixed(pc) && fixed(pc + size - 1);
}
/** The instruction's bytes as a number: two bytes are its lower half. */
function codeAt({ bytes }: Memory, pc: number): number {
  const low = bytes[pc]! | (bytes[pc + 1]! << 8);
  return lengthOf(low) === 4 ? (low | (bytes[pc + 2]! << 16) | (bytes[pc + 3]! << 24)) >>> 0 : low;
}

/**
 * Restores all places in the host area; the regions follow when their code is there.
 *
 * @returns false, and nothing is done, if the host area is not free from where that run's was, if only one of the two runs has a fused
 *   multiply-add, if the places would take more than half of the host area (each run that makes something new takes more), or if the places
 *   are not sound
 */
export function restorePlaces(kept: Kept, { memory, code, regions, counters, ranges }: Parts): boolean {
  if (kept.fused !== Number(hasFused())) return false;
  const end = memory.bytes.length;
  const taken = kept.to - kept.from + end - Math.min(Records.lowest(kept.records), end);
  if (memory.hostNext !== kept.from || taken > (end - kept.from) / 2) return false;
  if (!isSound(kept, memory)) return false;
  memory.reserveHost(kept.to);
  code.records.restore(kept.records);
  ranges.restore(kept.ranges);
  counters.restore(kept.returns);
  for (const pc of kept.slots) regions.slotFor(pc);
  return true;
}

/** Is the code of a module's regions in the guest's memory, unchanged? */
export function isThere({ regions }: KeptModule, memory: Memory): boolean {
  return regions.every(({ pcs, code }) =>
    pcs.every((pc, i) => isFixed(memory, pc, lengthOf(code[i]!)) && codeAt(memory, pc) === code[i]),
  );
}

/** A region as it was, with its code compiled again. */
export function revived(
  { head, pcs, code, accessed, leaves, switches, ways, links, counts }: KeptRegion,
  module: CompiledModule,
  { code: predecoder, counters }: Parts,
): Translated {
  const { records } = predecoder;
  for (const pc of pcs) predecoder.use(pc);
  for (const [i, address] of accessed.entries())
    if (address !== 0) records.setWord(records.find(pcs[i]!)!, RECORD.ACCESSED, address);
  let at = 0;
  return {
    outline: {
      head,
      pcs,
      ends: pcs.map((pc, i) => pc + lengthOf(code[i]!)),
      leaves: [...leaves],
      switches: [...switches],
    },
    ways: [...ways],
    counts: EdgeCounts.of(() => counts[at++]!, counters),
    links: new Set(links),
    module,
    since: 0,
  };
}

/**
 * @param from first free address of the host area when the translator was made
 * @param renewals number of times that a region has been made again, by head
 */
export function keep(parts: Parts, from: number, renewals: ReadonlyMap<Addr, number>): Kept | undefined {
  const { memory, code, regions, counters, ranges, destinations } = parts;
  const all = new Map([...regions.all()].map((region) => [region, keptRegion(region, parts)]));
  const lost = [...all].filter(([, kept]) => kept === undefined).map(([{ outline }]) => outline.head);
  const without = regions.callersOf(lost);
  const made = new Map<CompiledModule, KeptRegion[]>();
  for (const [{ outline, module }, kept] of all) {
    if (kept === undefined || without.has(outline.head)) continue;
    const list = made.get(module);
    if (list === undefined) made.set(module, [kept]);
    else list.push(kept);
  }
  const lists = {
    records: code.records.numbers(),
    ranges: ranges.numbers(),
    returns: counters.numbers(),
    slots: regions.slotted,
    functions: destinations.functions,
    targets: destinations.pairs(),
    renewals: [...renewals].flat(),
  };
  const places = Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, numbersOf(list)]));
  if (Object.values(places).includes(undefined)) return undefined;
  const modules = [...made].map(
    ([module, list]): KeptModule => ({
      bytes: module.bytes,
      native: module.native(),
      tables: module.tables,
      regions: list,
    }),
  );
  return {
    ...(places as Record<keyof typeof lists, Uint32Array>),
    from,
    to: memory.hostNext,
    fused: Number(hasFused()),
    modules,
  };
}

/** @returns undefined if the region's code may differ in the next run, or if a number of the region does not fit 32 bits */
function keptRegion({ outline, ways, links, counts }: Translated, { memory, code }: Parts): KeptRegion | undefined {
  const { records, routines } = code;
  const { head, pcs, ends } = outline;
  if (!pcs.every((pc, i) => isFixed(memory, pc, ends[i]! - pc))) return undefined;
  const accessed = numbersOf(
    Array.from(pcs, (pc) => {
      const record = records.find(pc)!;
      // Control transfers have a count in this field. The record of an instruction not decoded in this run has the address kept before.
      const ending = routines.ending(records.routine(record)) ?? 'none';
      return ending === 'none' ? records.count(record, RECORD.ACCESSED) : 0;
    }),
  );
  const [leaves, switches, entries, called, all] = [
    outline.leaves,
    outline.switches,
    ways,
    links,
    counts.numbers(),
  ].map(numbersOf);
  if (!(accessed && leaves && switches && entries && called && all)) return undefined;
  return {
    head,
    pcs,
    code: pcs.map((pc) => codeAt(memory, pc)),
    accessed,
    leaves,
    switches,
    ways: entries,
    links: called,
    counts: all,
  };
}
