/**
 * Names for the new code, for debuggers and profilers: neighbouring superblocks of one function are one symbol, `NAME.isoform`; other
 * pieces of that function have the same name. A superblock of no function is named by its head.
 */
import { type Addr, type ByteCount, hex } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { SegmentRequest } from '../elf/write.ts';
import type { PlacedSuperblock } from './layout.ts';

/** A gap of fewer bytes between two superblocks is padding. */
const ALIGNMENT: ByteCount = 8;

type NewSymbol = NonNullable<SegmentRequest['symbols']>[number];

export function symbolsOf(image: Image, superblocks: readonly PlacedSuperblock[]): NewSymbol[] {
  const functions = image.symbols
    .filter(({ kind }) => kind === 'function')
    .sort((a, b) => a.address - b.address || b.size - a.size);
  const holds = (index: number, at: Addr): boolean => at < functions[index]!.address + functions[index]!.size;
  // By function, the last one before it that reaches beyond its address, or -1: all that hold an address behind are on this chain.
  const around: number[] = [];
  const lastHolding = (from: number, at: Addr): number => {
    let index = from;
    while (index >= 0 && !holds(index, at)) index = around[index]!;
    return index;
  };
  for (const [index, { address }] of functions.entries()) around.push(lastHolding(index - 1, address));
  const nameOf = (head: Addr): string => {
    let low = 0;
    let high = functions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (functions[middle]!.address <= head) low = middle + 1;
      else high = middle;
    }
    const nearest = functions[low - 1];
    // A symbol without a size names its own address.
    const found = nearest?.address === head ? nearest : functions[lastHolding(low - 1, head)];
    return `${found?.name ?? `x${hex(head).slice(2)}`}.isoform`;
  };
  const symbols: NewSymbol[] = [];
  for (const { lowered, start, end } of [...superblocks].sort((a, b) => a.start - b.start)) {
    const name = nameOf(lowered.head);
    const last = symbols.at(-1);
    if (last !== undefined && last.name === name && start - (last.address + last.size) < ALIGNMENT)
      symbols[symbols.length - 1] = { ...last, size: end - last.address };
    else symbols.push({ name, address: start, size: end - start });
  }
  return symbols;
}
