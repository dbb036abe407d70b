/**
 * Functions with all their parts. Code that lies elsewhere (`.cold`), and code that is jumped to but neither called nor named as a function
 * of its own, belongs to the function that jumps there.
 */
import { derived } from '../base/derived.ts';
import { type Addr, S0, SP } from '../base/units.ts';
import { imageConstants } from '../code/constants.ts';
import { imageLabels } from '../code/labels.ts';
import { facts } from '../domain/record.ts';
import { landingPads } from '../elf/unwind/index.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, insnsOf } from './build.ts';

const PART_NAME = /\.cold(?:\.\d+)?$/;

/** Entries of functions: the image's entry, targets of calls, and addresses of function symbols, except symbols of parts. */
export const entriesOf = derived('entries of functions', (cfg: Cfg): ReadonlySet<Addr> => {
  const entries = new Set<Addr>([cfg.image.entry]);
  // A guess may lie across the instructions of a function: what it calls is no entry.
  for (const { ending, target, evidence } of cfg.blocks)
    if ((ending === 'call' || ending === 'indirect-call') && target !== undefined && evidence !== 'guess')
      entries.add(target);
  for (const { kind, name, address } of cfg.image.symbols)
    if (kind === 'function' && !PART_NAME.test(name)) entries.add(address);
  return entries;
});

/** Pairs of a part and the function that its name says it belongs to. An address may have several names, and a name several addresses. */
export function namedParts({ image }: Pick<Cfg, 'image'>): [Addr, Addr][] {
  const functions = image.symbols.filter(({ kind }) => kind === 'function');
  const places = new Map<string, Addr[]>();
  for (const { name, address } of functions) {
    const list = places.get(name);
    if (list === undefined) places.set(name, [address]);
    else list.push(address);
  }
  return functions
    .filter(({ name }) => PART_NAME.test(name))
    .flatMap(({ name, address }) =>
      (places.get(name.replace(PART_NAME, '')) ?? []).map((whole): [Addr, Addr] => [address, whole]),
    );
}

/** The blocks of each function with its parts, rising by start, by the entry of one of the parts. */
export const functionGroups = derived('function groups', groupBlocks);

/** By block, the group of functions that the block belongs to. */
export const groupsByBlock = derived(
  'groups by block',
  (cfg: Cfg): ReadonlyMap<Addr, Addr> =>
    new Map([...functionGroups(cfg)].flatMap(([group, blocks]) => blocks.map(({ start }) => [start, group]))),
);

/** The group of functions that an address is in; undefined where there is no code. */
export function groupAt(cfg: Cfg, address: Addr): Addr | undefined {
  const block = cfg.blockAt(address) ?? cfg.blockOver(address);
  return block && groupsByBlock(cfg).get(block.start);
}

/** Targets of calls that the code alone tells. */
export const callTargets = derived(
  'call targets',
  ({ blocks }: Cfg): ReadonlySet<Addr> =>
    new Set(blocks.flatMap(({ returnPoint, target }) => (returnPoint === undefined ? [] : (target ?? [])))),
);

/**
 * By group, the blocks that no known edge leads to, without entries of functions: targets of tables, labels, landing pads. Padding before an
 * aligned label is no such block.
 */
export const orphansOf = derived('orphans', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const entries = entriesOf(cfg);
  const groupOf = groupsByBlock(cfg);
  const led = new Set(cfg.blocks.flatMap(({ flow }) => flow));
  const orphans = new Map<Addr, Addr[]>();
  for (const block of cfg.blocks) {
    const { start, evidence } = block;
    if (entries.has(start) || led.has(start) || evidence === 'guess') continue;
    if (isPadding(cfg, block)) continue;
    const group = groupOf.get(start)!;
    const list = orphans.get(group);
    if (list === undefined) orphans.set(group, [start]);
    else list.push(start);
  }
  return orphans;
});

/**
 * By group, the landing pads of its functions, to which its calls may lead: those that the unwind tables tell, be they also fallen into or
 * jumped to, and perhaps in the middle of a block.
 */
export const padsByGroup = derived('pads by group', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const pads = new Map<Addr, Addr[]>();
  for (const pad of landingPads(cfg.image)) {
    const group = groupAt(cfg, pad);
    if (group === undefined) continue;
    const list = pads.get(group);
    if (list === undefined) pads.set(group, [pad]);
    else list.push(pad);
  }
  return pads;
});

/** By group, its labels: what the data or the code shows that a jump may lead to (`imageLabels`), and blocks that no edge leads to. */
export const labelsByGroup = derived('labels by group', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const labels = new Map([...orphansOf(cfg)].map(([group, orphans]) => [group, [...orphans]]));
  for (const label of imageLabels(cfg.image)) {
    const group = entriesOf(cfg).has(label) ? undefined : groupAt(cfg, label);
    if (group === undefined) continue;
    const list = labels.get(group);
    if (list === undefined) labels.set(group, [label]);
    else list.push(label);
  }
  return labels;
});

/**
 * By group, the labels in its functions whose addresses they make themselves, entries too. Something may be added to such an address, and who
 * is given it may come there with other registers (longjmp). What others make that lies in a function is its entry, or a mere number.
 */
export const madeLabels = derived('made labels', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const labels = new Map<Addr, Addr[]>();
  for (const { value, whole, pc } of imageConstants(cfg.image).all) {
    const group = whole ? groupAt(cfg, value) : undefined;
    if (group === undefined || groupAt(cfg, pc) !== group) continue;
    const list = labels.get(group);
    if (list === undefined) labels.set(group, [value]);
    else list.push(value);
  }
  return labels;
});

/** By group, where its calls may come back besides their return points: at landing pads, and at labels. */
export const landingsByGroup = derived('landings by group', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const [pads, labels] = [padsByGroup(cfg), labelsByGroup(cfg)];
  const groups = new Set([...pads.keys(), ...labels.keys()]);
  return new Map([...groups].map((group) => [group, [...(pads.get(group) ?? []), ...(labels.get(group) ?? [])]]));
});

/** Does a block do nothing, as the padding before an aligned label? */
const isPadding = (cfg: Cfg, block: CfgBlock): boolean =>
  insnsOf(cfg, block).every(({ insn }) => facts(insn).pure && facts(insn).writes === undefined);

/**
 * Does a block end in a jump to an address in a register that is no return? Nor is a jump by ra or t0 one if the block itself makes its
 * target, other than by a load from the stack, where links are kept.
 */
export function isOpenJump(cfg: Cfg, block: CfgBlock): boolean {
  const { ending, target, site } = block;
  if (ending === 'indirect') return target === undefined;
  if (ending !== 'return') return false;
  const { rs1: link } = cfg.code.insnAt(site)!;
  const maker = insnsOf(cfg, { start: block.start, end: site }).findLast(
    ({ insn }) => facts(insn).writes === link,
  )?.insn;
  return maker !== undefined && !(facts(maker).load !== undefined && (maker.rs1 === SP || maker.rs1 === S0));
}

/** By group, the blocks that end in a jump to an address in a register: it may lead to any block of the group. */
export const jumpsByGroup = derived('jumps by group', (cfg: Cfg): ReadonlyMap<Addr, readonly CfgBlock[]> => {
  const jumps = new Map<Addr, CfgBlock[]>();
  for (const [group, blocks] of functionGroups(cfg)) {
    const own = blocks.filter((block) => block.evidence !== 'guess' && isOpenJump(cfg, block));
    if (own.length > 0) jumps.set(group, own);
  }
  return jumps;
});

function groupBlocks(cfg: Cfg): ReadonlyMap<Addr, readonly CfgBlock[]> {
  const called = entriesOf(cfg);
  const leader = new Map<Addr, Addr>();
  const find = (entry: Addr): Addr => {
    const up = leader.get(entry);
    if (up === undefined || up === entry) return entry;
    const top = find(up);
    leader.set(entry, top);
    return top;
  };
  const owner = new Map(cfg.blocks.map((block) => [block.start, block.function]));
  for (const [part, whole] of namedParts(cfg))
    if (owner.has(part) && owner.has(whole)) leader.set(find(owner.get(part)!), find(owner.get(whole)!));
  for (const { flow, function: from, returnPoint, evidence } of cfg.blocks)
    for (const to of evidence === 'guess' ? [] : flow) {
      const into = owner.get(to) ?? to;
      // The code behind a call that does not return may belong to another function.
      if (into === from || to === returnPoint || (into === to && called.has(to))) continue;
      leader.set(find(into), find(from));
    }
  const groups = new Map<Addr, CfgBlock[]>();
  for (const block of cfg.blocks) {
    const top = find(block.function);
    const group = groups.get(top);
    if (group === undefined) groups.set(top, [block]);
    else group.push(block);
  }
  return groups;
}

/**
 * The entry of the function that an address is in: the last function symbol or call target at or before the address. A call target within
 * the bytes that a symbol gives to its function is a place of that function.
 */
export const functionsBy = derived('functions', findFunctions);

function findFunctions({ image, blocks }: Cfg): (address: Addr) => Addr {
  const symbols = image.symbols.filter(({ kind }) => kind === 'function').sort((a, b) => a.address - b.address);
  const entries = new Set<Addr>([image.entry]);
  const ends = symbols.map(({ address, size }) => address + size);
  const starts = symbols.map(({ address }) => address);
  const isInside = (address: Addr) => {
    const at = lastAtOrBefore(starts, address);
    return at >= 0 && starts[at]! < address && address < ends[at]!;
  };
  for (const { ending, target, evidence } of blocks)
    if (ending === 'call' && target !== undefined && evidence !== 'guess' && !isInside(target)) entries.add(target);
  for (const start of starts) entries.add(start);
  const rising = [...entries].sort((a, b) => a - b);
  return (address) => rising[lastAtOrBefore(rising, address)] ?? 0;
}

/** The index of the last of rising numbers that is not above a number; -1 if there is none. */
function lastAtOrBefore(rising: readonly number[], number: number): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! <= number) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
