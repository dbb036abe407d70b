/**
 * The function that each block belongs to. Symbols are believed; where none covers a block, a function is an entry (a call target) and the
 * blocks reached from the entry without calls, entries by rising address first.
 */
import type { Addr } from '../base/units.ts';
import type { ElfSymbol, Image } from '../elf/image.ts';
import type { CfgBlock } from './block.ts';

export interface CfgFunction {
  readonly entry: Addr;
  /** The symbol's name; without a symbol, `sub_` and the address in hex. */
  readonly name: string;
  /** The symbol's size in bytes; undefined if no symbol tells where the function ends. */
  readonly size: number | undefined;
  /** Starts of the function's blocks, rising. Parts that lie elsewhere (`.cold`) are functions of their own. */
  readonly blocks: readonly Addr[];
}

/** One symbol for each address: symbols with a size come first, then global ones, then by name. */
function functionSymbols(image: Image): ElfSymbol[] {
  const better = (a: ElfSymbol, b: ElfSymbol) =>
    Number(b.size > 0) - Number(a.size > 0) || Number(b.global) - Number(a.global) || (a.name < b.name ? -1 : 1);
  const best = new Map<Addr, ElfSymbol>();
  for (const symbol of image.symbols) {
    if (symbol.kind !== 'function') continue;
    const other = best.get(symbol.address);
    if (other === undefined || better(symbol, other) < 0) best.set(symbol.address, symbol);
  }
  return [...best.values()].sort((a, b) => a.address - b.address);
}

/**
 * @param blocks sorted by start
 * @param entries starts of blocks that are called
 * @returns the functions by entry, and for each block the entry of its function
 */
export function assignFunctions(
  image: Image,
  blocks: readonly CfgBlock[],
  entries: ReadonlySet<Addr>,
): { functions: Map<Addr, CfgFunction>; owner: Map<Addr, Addr> } {
  const owner = new Map<Addr, Addr>();
  const named = new Map<Addr, ElfSymbol>();
  const symbols = functionSymbols(image);
  let next = 0;
  for (const { start } of blocks) {
    while (next < symbols.length && symbols[next]!.address <= start) next++;
    const symbol = symbols[next - 1];
    if (symbol === undefined || (symbol.size > 0 && start >= symbol.address + symbol.size)) continue;
    owner.set(start, symbol.address);
    named.set(symbol.address, symbol);
  }

  const byStart = new Map(blocks.map((block) => [block.start, block]));
  const rest = [...entries].filter((entry) => byStart.has(entry) && !owner.has(entry)).sort((a, b) => a - b);
  for (const entry of rest) owner.set(entry, entry);
  const spread = (entry: Addr) => {
    const pending = [entry];
    for (let at = pending.pop(); at !== undefined; at = pending.pop())
      for (const to of byStart.get(at)!.flow)
        if (!owner.has(to)) {
          owner.set(to, entry);
          pending.push(to);
        }
  };
  for (const entry of rest) spread(entry);
  // Blocks that only unseen indirect jumps reach: the lowest remaining block begins a function, again and again.
  for (const { start } of blocks)
    if (!owner.has(start)) {
      owner.set(start, start);
      spread(start);
    }

  const members = new Map<Addr, Addr[]>();
  for (const { start } of blocks) {
    const entry = owner.get(start)!;
    const list = members.get(entry);
    if (list === undefined) members.set(entry, [start]);
    else list.push(start);
  }
  const functions = new Map<Addr, CfgFunction>();
  for (const [entry, list] of [...members].sort((a, b) => a[0] - b[0])) {
    const symbol = named.get(entry);
    functions.set(entry, {
      entry,
      name: symbol?.name || `sub_${entry.toString(16)}`,
      size: symbol !== undefined && symbol.size > 0 ? symbol.size : undefined,
      blocks: list,
    });
  }
  return { functions, owner };
}
