/**
 * Checks of the address map by itself, before any proof uses it: superblocks, return points and patches are places of their own, in the
 * code where they belong. So there are no more proofs than the code has places, and each place stands for one original address.
 */
import { type Addr, hex } from '../../base/units.ts';
import { codeOf } from '../../code/code.ts';
import type { Image } from '../../elf/image.ts';
import { ASSUMPTIONS } from '../../emit/assumptions.ts';
import type { AddressMapData } from '../../emit/map.ts';
import { isReturnPoint } from './original.ts';

/** The longest patch: an upper part and a jump, or an entry of a jump table. */
const LONGEST_PATCH = 8;

type Range = readonly [start: Addr, end: Addr];

export function mapProblems(original: Image, optimized: Image, map: AddressMapData, code: Range): string[] {
  const known = new Set<string>(ASSUMPTIONS.map(({ id }) => id));
  const problems = map.assumptions.filter((id) => !known.has(id)).map(() => 'it names an assumption that there is not');
  if (map.originalEnd !== original.end) problems.push('the original does not end where it says');
  problems.push(
    ...superblockProblems(original, map, code),
    ...returnProblems(original, optimized, map, code),
    ...patchProblems(original, map),
  );
  return problems;
}

function superblockProblems(original: Image, { superblocks }: AddressMapData, code: Range): string[] {
  const problems: string[] = [];
  const heads = new Set<Addr>();
  const text = codeOf(original);
  const ranges: Range[] = [];
  for (const { head, start, end, stubs } of superblocks) {
    if (start < code[0] || start >= code[1])
      problems.push(`the superblock of ${hex(head)} does not begin in the optimized code`);
    if (heads.has(head)) problems.push(`there are two superblocks of ${hex(head)}`);
    if (text.insnAt(head) === undefined) problems.push(`${hex(head)} is no code of the original`);
    heads.add(head);
    ranges.push([start, end], ...stubs);
  }
  return [...problems, ...overlaps(ranges, code)];
}

/** Lines and stubs lie in the optimized code, none over another. */
function overlaps(ranges: readonly Range[], code: Range): string[] {
  let last = code[0];
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (start < last) return [`two superblocks lie over ${hex(start)}`];
    if (end < start || end > code[1])
      return [`the superblock's part at ${hex(start)} has no end in the optimized code`];
    last = Math.max(end, start + 1);
  }
  return [];
}

/** A return point is behind a linking transfer, or at the start of a superblock that stands for a return point. */
function returnProblems(original: Image, optimized: Image, map: AddressMapData, code: Range): string[] {
  const problems: string[] = [];
  const starts = new Set(map.superblocks.map(({ start }) => start));
  const seen = new Set<Addr>();
  for (const [at, link] of map.returns) {
    if (seen.has(at)) problems.push(`there are two return points at ${hex(at)}`);
    seen.add(at);
    if (at < code[0] || at >= code[1] || !(starts.has(at) || isReturnPoint(codeOf(optimized), at)))
      problems.push(`nothing returns to ${hex(at)}`);
    if (!isReturnPoint(codeOf(original), link)) problems.push(`nothing of the original returns to ${hex(link)}`);
  }
  return problems;
}

function patchProblems(original: Image, { patches }: AddressMapData): string[] {
  const problems: string[] = [];
  let covered = 0;
  for (const [address, size] of [...patches].sort((a, b) => a[0] - b[0])) {
    if (address < covered) problems.push(`two patches lie over ${hex(address)}`);
    covered = address + size;
    const holder = original.segments.find((s) => address >= s.address && covered <= s.address + s.bytes.length);
    if (size < 1 || size > LONGEST_PATCH || holder === undefined)
      problems.push(`the patch at ${hex(address)} is none of the original's bytes`);
  }
  return problems;
}
