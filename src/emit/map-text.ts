/** The address map as text. */
import { printable } from '../base/printable.ts';
import { hex } from '../base/units.ts';
import type { AddressMapData, MappedSuperblock } from './map.ts';

const range = (start: number, end: number): string => `${hex(start)}-${hex(end)}`;

function superblockLines({ head, start, end, stubs, path, count, identity, rejected }: MappedSuperblock): string[] {
  const form = rejected !== undefined ? ' rejected' : identity ? ' identity' : '';
  return [
    `superblock ${hex(head)} at ${range(start, end)} entered ${count}${form}`,
    ...(rejected === undefined ? [] : [`  because ${printable(rejected)}`]),
    `  path ${path.map(hex).join(' ')}`,
    ...(stubs.length === 0 ? [] : [`  stubs ${stubs.map(([from, to]) => range(from, to)).join(' ')}`]),
  ];
}

/** Superblocks in the order of the optimized code, then return points, patches and assumptions. */
export function mapText(data: AddressMapData): string {
  const superblocks = [...data.superblocks].sort((a, b) => a.start - b.start || a.head - b.head);
  return `${[
    `address map of the optimized form of ${printable(data.original)}`,
    ...superblocks.flatMap(superblockLines),
    ...data.returns.map(([optimized, original]) => `return ${hex(optimized)} for ${hex(original)}`),
    ...data.patches.map(([address, size]) => `patch ${range(address, address + size)}`),
    `assumptions ${printable(data.assumptions.join(' '))}`,
  ].join('\n')}\n`;
}
