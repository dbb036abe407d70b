/**
 * Functions with all their parts. Code that lies elsewhere (`.cold`), and code that is jumped to but neither called nor named as a function
 * of its own, belongs to the function that jumps there.
 */
import { derived } from '../base/derived.ts';
import { append } from '../base/lists.ts';
import type { Addr } from '../base/units.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';

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
  for (const { name, address } of functions) append(places, name, address);
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
  for (const block of cfg.blocks) append(groups, find(block.function), block);
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
