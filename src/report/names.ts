/** Which function an address is in. */
import type { Addr } from '../base/units.ts';
import { hex } from '../base/units.ts';
import type { ElfSymbol } from '../elf/image.ts';
import { type Counts, firstIndex } from './counts.ts';

export interface Place {
  readonly name: string;
  /** Where the function starts. */
  readonly start: Addr;
}

export interface Names {
  /** The function an address is in. */
  at(address: Addr): Place;
  /** `name` or `name+0x10`. */
  label(address: Addr): string;
}

/**
 * Functions come from the symbol table; between and beyond symbols, and in stripped files, from the targets of executed calls and the
 * entry point, named `fn_` and their address.
 */
export function makeNames(counts: Counts): Names {
  const symbols = new Map<Addr, ElfSymbol>();
  for (const symbol of counts.image.symbols) {
    if (!namesCode(symbol)) continue;
    const there = symbols.get(symbol.address);
    if (there === undefined || isBetter(symbol, there)) symbols.set(symbol.address, symbol);
  }
  const starts = new Set<Addr>([...symbols.keys(), counts.image.entry]);
  for (const edge of counts.edges) if (edge.kind === 'call' || edge.kind === 'indirect-call') starts.add(edge.to);
  const sorted = [...starts].sort((a, b) => a - b);

  const at = (address: Addr): Place => {
    const start = sorted[firstIndex(sorted, (next) => next > address) - 1] ?? address;
    return { name: symbols.get(start)?.name ?? `fn_${start.toString(16)}`, start };
  };
  return {
    at,
    label(address) {
      const place = at(address);
      return place.start === address ? place.name : `${place.name}+${hex(address - place.start)}`;
    },
  };
}

/** Functions, and labels of hand-written code; not mapping symbols (`$x`, RISC-V ELF psABI) nor the assembler's own labels. */
const namesCode = (symbol: ElfSymbol): boolean =>
  symbol.kind === 'function' ||
  (symbol.kind === 'other' &&
    symbol.global &&
    symbol.section > 0 &&
    symbol.section < 0xff00 &&
    !/^(\$|\.L)/.test(symbol.name));

/** Of two names of one address: the function's, then the global one, then the first by code unit. */
function isBetter(a: ElfSymbol, b: ElfSymbol): boolean {
  const rank = (symbol: ElfSymbol) => (symbol.kind === 'function' ? 2 : 0) + (symbol.global ? 1 : 0);
  return rank(a) !== rank(b) ? rank(a) > rank(b) : a.name < b.name;
}
