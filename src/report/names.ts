/** Names of the functions that addresses lie in. */
import { type Addr, hex } from '../base/units.ts';
import type { ElfSymbol } from '../elf/image.ts';
import { OUTSIDE } from '../profile/profile.ts';
import { type Counts, firstIndex } from './counts.ts';

export interface Place {
  readonly name: string;
  /** The function's first address. */
  readonly start: Addr;
}

export interface Names {
  /** The function an address is in. */
  at(address: Addr): Place;
  /** `name` or `name+0x10`. */
  label(address: Addr): string;
}

/**
 * Functions start at symbols, at the targets of executed calls and at the entry point; a start without a symbol (as in stripped files)
 * is named `fn_` and its address.
 */
export function makeNames(counts: Counts): Names {
  const symbols = new Map<Addr, ElfSymbol>();
  for (const symbol of counts.image.symbols) {
    if (!namesCode(symbol)) continue;
    const chosen = symbols.get(symbol.address);
    if (chosen === undefined || isBetter(symbol, chosen)) symbols.set(symbol.address, symbol);
  }
  const starts = new Set<Addr>([...symbols.keys(), counts.image.entry]);
  for (const { kind, to } of counts.edges)
    if (to !== OUTSIDE && (kind === 'call' || kind === 'indirect-call')) starts.add(to);
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

/** True for functions and global labels of hand-written code, not for mapping symbols (`$x`, RISC-V ELF psABI) or `.L` labels. */
const namesCode = (symbol: ElfSymbol): boolean =>
  symbol.kind === 'function' ||
  (symbol.kind === 'other' &&
    symbol.global &&
    symbol.section > 0 &&
    symbol.section < 0xff00 &&
    !/^(\$|\.L)/.test(symbol.name));

/** Order of names of one address: a function's name first, then a global one, then the first by code unit. */
function isBetter(a: ElfSymbol, b: ElfSymbol): boolean {
  const rank = (symbol: ElfSymbol) => (symbol.kind === 'function' ? 2 : 0) + (symbol.global ? 1 : 0);
  return rank(a) !== rank(b) ? rank(a) > rank(b) : a.name < b.name;
}
