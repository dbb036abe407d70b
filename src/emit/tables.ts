/**
 * Jump tables retargeted in place: where all profiled targets of an indirect jump are entries of one table, entries that lead to a
 * superblock's head are changed to lead to the superblock (assumption A4). Without the change each such jump would land on a patched
 * head and jump once more.
 */
import type { Addr } from '../base/units.ts';
import { imageAccesses, wholeTargets } from '../cfg/accesses.ts';
import { imageCfg } from '../cfg/build.ts';
import { imageTables, type ReadTable } from '../cfg/jump-tables.ts';
import type { Image } from '../elf/image.ts';
import type { Patch } from '../elf/write.ts';
import { OUTSIDE } from '../profile/profile.ts';
import type { Flow } from '../superblock/flow.ts';

/** A table with the targets of its entries, in order. */
interface KnownTable extends ReadTable {
  readonly targets: readonly Addr[];
}

export interface JumpTable extends KnownTable {
  /** The jump that reads the table. */
  readonly site: Addr;
  /** Targets that the profile saw; only their entries are changed. */
  readonly profiled: ReadonlySet<Addr>;
}

/** The tables behind the indirect jumps of a profile, as far as the code shows them: the proof asks for such tables. */
export function findTables(image: Image, flow: Flow): JumpTable[] {
  const bySite = tablesBySite(image);
  const tables: JumpTable[] = [];
  for (const block of flow.blocks.values()) {
    if (block.control !== 'indirect' || block.links) continue;
    const site = block.insns.at(-1)!.pc;
    const jumps = block.out.filter(({ kind }) => kind === 'indirect');
    const profiled = new Set(jumps.flatMap(({ to }) => (to === OUTSIDE ? [] : [to])));
    if (jumps.length === 0 || jumps.some(({ to }) => to === OUTSIDE)) continue;
    const table = bySite.get(site)?.find(({ targets }) => [...profiled].every((target) => targets.includes(target)));
    if (table !== undefined) tables.push({ ...table, site, profiled });
  }
  return tables.sort((a, b) => a.at - b.at || a.width - b.width || a.site - b.site);
}

/** The tables that each jump is seen to read. In a PIE absolute entries are written by relocations when the program starts. */
function tablesBySite(image: Image): Map<Addr, KnownTable[]> {
  const tables = new Map(imageTables(image).map((table) => [keyOf(table), table]));
  const cfg = imageCfg(image);
  const found = new Map<Addr, KnownTable[]>();
  for (const read of imageAccesses(image).reads) {
    const table = tables.get(keyOf(read));
    if (table === undefined || (image.relocatable && table.base === 0)) continue;
    const list = found.get(read.site) ?? [];
    list.push({ ...table, targets: wholeTargets(cfg, table).slice(0, (table.end - table.at) / table.width) });
    found.set(read.site, list);
  }
  return found;
}

const keyOf = ({ at, width, base }: Pick<ReadTable, 'at' | 'width' | 'base'>): string => `${at},${width},${base}`;

/** Patches of the tables' entries. @param addressOf the address of a head's superblock, if there is one */
export function retarget(tables: readonly JumpTable[], addressOf: (head: Addr) => Addr | undefined): Patch[] {
  const patches = new Map<Addr, Patch>();
  for (const table of tables)
    table.targets.forEach((target, index) => {
      const address = table.profiled.has(target) ? addressOf(target) : undefined;
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
