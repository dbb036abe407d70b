/**
 * Exports a profile as LLVM BOLT's branch data (`llvm-bolt -data`), so that BOLT can be measured on exact counts where no sampler runs.
 *
 * One line a branch: `1 FUNCTION OFFSET 1 FUNCTION OFFSET MISPREDICTIONS COUNT`, offsets in hex from the function's symbol (BOLT's header
 * bolt/Profile/DataReader.h describes it). BOLT calls a local symbol `name/N`, the Nth local symbol of that name by address (its
 * NameResolver); global symbols have their own names. Not-taken branches are given too, from the branch to the instruction behind it, as
 * perf2bolt does for the code between two samples. Returns and syscalls are left out: BOLT derives nothing from them.
 */
import { badOption } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { blocksOf } from './blocks.ts';
import { type ImageProfile, OUTSIDE } from './profile.ts';

interface Named {
  readonly name: string;
  readonly address: Addr;
  readonly size: number;
}

/** Functions by address under BOLT's names; of several symbols at one address the first global one, else the first. */
function functionsOf(image: Image): Named[] {
  const uses = new Map<string, number>();
  const found = new Map<Addr, Named & { readonly global: boolean }>();
  for (const { name, address, size, kind, global } of image.symbols) {
    if (kind === 'other' || name === '') continue;
    let unique = name;
    if (!global) {
      const use = (uses.get(name) ?? 0) + 1;
      uses.set(name, use);
      unique = `${name}/${use}`;
    }
    if (kind !== 'function' || size === 0) continue;
    const other = found.get(address);
    if (other === undefined || (global && !other.global)) found.set(address, { name: unique, address, size, global });
  }
  return [...found.values()].sort((a, b) => a.address - b.address);
}

/**
 * @returns the text of an .fdata file, sorted by address
 * @throws bad-option if the image has no function symbols to name places by; bad-profile as blocksOf does
 */
export function exportFdata(profile: ImageProfile, image: Image): string {
  const functions = functionsOf(image);
  if (functions.length === 0)
    throw badOption(`${image.file} has no function symbols`, 'BOLT names places by them: do not strip it');
  const place = (at: Addr): string | undefined => {
    let low = 0;
    let high = functions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (functions[middle]!.address <= at) low = middle + 1;
      else high = middle;
    }
    const found = functions[low - 1];
    if (found === undefined || at >= found.address + found.size) return undefined;
    // Blanks separate fields; BOLT's escape for them is a backslash.
    return `1 ${printable(found.name).replace(/[ \\]/g, '\\$&')} ${(at - found.address).toString(16)}`;
  };
  const lines: string[] = [];
  const add = (from: string | undefined, to: string | undefined, count: number) => {
    if (to !== undefined) lines.push(`${from ?? '0 [unknown] 0'} ${to} 0 ${count}`);
  };
  for (const { at, count } of profile.starts) add(undefined, place(at), count);
  const { edges, blocks } = blocksOf(profile, image);
  const ends = new Map(blocks.map(({ start, end }) => [start, end]));
  for (const { from, site, to, kind, count } of edges) {
    if (kind === 'return' || kind === 'syscall') continue;
    const source = place(site);
    // Where a straight line runs on into a leader there is no branch; BOLT finds those counts by flow.
    const runsOn = kind === 'fall' && !profileHas(profile, site) && ends.get(from) === to;
    if (source !== undefined && !runsOn) add(source, to === OUTSIDE ? undefined : place(to), count);
  }
  return `${lines.join('\n')}\n`;
}

/** Is there a transfer from this instruction? Transfers are sorted. */
function profileHas({ transfers }: ImageProfile, site: Addr): boolean {
  let low = 0;
  let high = transfers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (transfers[middle]!.from < site) low = middle + 1;
    else high = middle;
  }
  return transfers[low]?.from === site;
}
