/**
 * The ELF header and the program headers, which the loader reads and the program finds in memory. All fields must be as they were, but
 * for the needs of the new segment: one more PT_LOAD, in its place; one header less that loading does not need, or a longer table; the
 * places of the table and of the unwind table. Fields are compared as they stand in the file, whatever a loader makes of them.
 */

import { alignUp } from '../../base/bits.ts';
import { type Addr, hex, PAGE } from '../../base/units.ts';
import { ELF_HEADER_SIZE, PF, PROGRAM_HEADER_SIZE, PT } from '../../elf/constants.ts';
import { viewOf } from '../../elf/fields.ts';
import type { Image } from '../../elf/image.ts';

/** Types of headers that loading does not need: one such header may give way to the new segment's. */
const SPARE_TYPES: ReadonlySet<bigint> = new Set([0, PT.NOTE, PT.RISCV_ATTRIBUTES].map(BigInt));

/** Fields of the ELF header that may change: offset and number of program headers, and of section headers, which no loader reads. */
const RENEWED_FIELDS: readonly (readonly [number, number])[] = [
  [32, 48],
  [56, 58],
  [60, 62],
];

/** One entry of the table, every bit of it. */
interface Entry {
  readonly type: bigint;
  readonly flags: bigint;
  readonly offset: bigint;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly fileSize: bigint;
  readonly memSize: bigint;
  readonly align: bigint;
}

function entriesOf({ bytes, programHeaderOffset, programHeaders }: Image): Entry[] {
  const view = viewOf(bytes);
  return programHeaders.map((_, index) => {
    const at = programHeaderOffset + index * PROGRAM_HEADER_SIZE;
    const [offset, vaddr, paddr, fileSize, memSize, align] = [8, 16, 24, 32, 40, 48].map((field) =>
      view.getBigUint64(at + field, true),
    ) as [bigint, bigint, bigint, bigint, bigint, bigint];
    const [type, flags] = [BigInt(view.getUint32(at, true)), BigInt(view.getUint32(at + 4, true))];
    return { type, flags, offset, vaddr, paddr, fileSize, memSize, align };
  });
}

const same = (a: Entry, b: Entry): boolean => (Object.keys(a) as (keyof Entry)[]).every((key) => a[key] === b[key]);
const isLoad = ({ type }: Entry): boolean => type === BigInt(PT.LOAD);

/** Bytes of the table in the file: [from, to). */
export function tableOf({ programHeaderOffset, programHeaders }: Image): readonly [number, number] {
  return [programHeaderOffset, programHeaderOffset + programHeaders.length * PROGRAM_HEADER_SIZE];
}

export function headerProblems(original: Image, optimized: Image): string[] {
  const problems = [...elfHeaderProblems(original, optimized), ...tableProblems(original, optimized)];
  const [was, is] = [entriesOf(original), entriesOf(optimized)];
  const more = is.length - was.length;
  const spares = was.flatMap(({ type }, index) => (SPARE_TYPES.has(type) ? [index] : []));
  // One header gave way, or the table has one header more.
  const ways = more === 0 ? spares : more === 1 ? [undefined] : [];
  if (ways.length === 0) return [...problems, `its ${is.length} program headers are not one more than needed`];
  const tries = ways.map((gone) =>
    entryProblems(
      original,
      optimized,
      was.filter((_, index) => index !== gone),
      is,
    ),
  );
  return [...problems, ...tries.reduce((best, next) => (next.length < best.length ? next : best))];
}

function elfHeaderProblems(original: Image, optimized: Image): string[] {
  const problems: string[] = [];
  if (optimized.relocatable !== original.relocatable) problems.push('it is of another kind (ET_EXEC or ET_DYN)');
  if (optimized.entry !== original.entry)
    problems.push(`its entry is ${hex(optimized.entry)}, not ${hex(original.entry)}`);
  for (let at = 0; at < ELF_HEADER_SIZE; at++) {
    if (RENEWED_FIELDS.some(([from, to]) => at >= from && at < to)) continue;
    if (optimized.bytes[at] !== original.bytes[at]) {
      problems.push(`byte ${at} of its ELF header is not as it was`);
      break;
    }
  }
  return problems;
}

/** Compares entries in their order: the new segment's is right behind the other PT_LOADs, since their addresses must rise. */
function entryProblems(original: Image, optimized: Image, kept: readonly Entry[], list: readonly Entry[]): string[] {
  const problems: string[] = [];
  const last = kept.findLastIndex(isLoad);
  const moved = optimized.programHeaderOffset !== original.programHeaderOffset;
  const added = list[last + 1]!;
  problems.push(...addedProblems(original, optimized, added));
  const rest = [...list.slice(0, last + 1), ...list.slice(last + 2)];
  for (const [index, was] of kept.entries()) {
    const is = rest[index]!;
    const wanted = was.type === BigInt(PT.PHDR) ? renewedTable(was, optimized, moved) : was;
    if (same(wanted, is)) continue;
    if (was.type === BigInt(PT.GNU_EH_FRAME) && isUnwindTable(was, is, added)) continue;
    if (sameElsewhere(original, optimized, was, is)) continue;
    problems.push(`the program header for ${hex(Number(was.vaddr))} (type ${hex(Number(was.type))}) is not as it was`);
  }
  return problems;
}

/** PT_PHDR as the present table requires. */
function renewedTable(was: Entry, optimized: Image, moved: boolean): Entry {
  const size = BigInt(optimized.programHeaders.length * PROGRAM_HEADER_SIZE);
  const sized = { ...was, fileSize: size, memSize: size };
  if (!moved) return sized;
  const at = BigInt(memoryOf(optimized, optimized.programHeaderOffset) ?? 0);
  return { ...sized, offset: BigInt(optimized.programHeaderOffset), vaddr: at, paddr: at };
}

/** A search table in the new segment; `unwind.ts` checks its contents. Unwinders go by aligned tables only. */
function isUnwindTable(was: Entry, is: Entry, added: Entry): boolean {
  const { offset, vaddr, fileSize } = is;
  return (
    same({ ...was, offset, vaddr, paddr: vaddr, fileSize, memSize: fileSize, align: 4n }, is) &&
    vaddr >= added.vaddr &&
    vaddr - added.vaddr + fileSize <= added.fileSize &&
    vaddr - added.vaddr === offset - added.offset &&
    vaddr % 4n === 0n
  );
}

/** Contents that are never loaded may lie elsewhere in the file, and attributes may say more: loading reads neither. */
function sameElsewhere(original: Image, optimized: Image, was: Entry, is: Entry): boolean {
  const { offset, fileSize } = is;
  if (isLoad(was) || was.fileSize === 0n || !same({ ...was, offset, fileSize }, is)) return false;
  if (original.segments.some((s) => was.offset < s.offset + s.bytes.length && was.offset + was.fileSize > s.offset))
    return false;
  if (offset + fileSize > optimized.bytes.length || was.offset + was.fileSize > original.bytes.length) return false;
  if (was.type === BigInt(PT.RISCV_ATTRIBUTES)) return true;
  const [from, to] = [Number(was.offset), Number(offset)];
  if (fileSize !== was.fileSize) return false;
  for (let at = 0; at < fileSize; at++) if (original.bytes[from + at] !== optimized.bytes[to + at]) return false;
  return true;
}

/**
 * The new segment's header: all fields follow from the segment's place. The segment begins in a page of its own behind all original
 * segments, no further than these and the file's length require, so that the heap's place and the process's size move no further either.
 */
function addedProblems(original: Image, optimized: Image, added: Entry): string[] {
  const problems: string[] = [];
  const { offset, vaddr, fileSize } = added;
  const wanted: Entry = {
    type: BigInt(PT.LOAD),
    flags: BigInt(PF.READ | PF.EXECUTE),
    offset,
    vaddr,
    paddr: vaddr,
    fileSize,
    memSize: fileSize,
    align: BigInt(PAGE),
  };
  if (!same(wanted, added)) return ['the new segment is not read and executed only, whole and in pages'];
  const first = original.segments[0]!;
  const end = alignUp(original.end, PAGE);
  const most = Math.max(end, alignUp(original.bytes.length + first.address - first.offset, PAGE));
  if (vaddr % BigInt(PAGE) !== 0n || offset % BigInt(PAGE) !== 0n)
    problems.push('the new segment does not begin with a page');
  if (vaddr < BigInt(end)) problems.push('the new segment shares a page with the original');
  if (vaddr > BigInt(most)) problems.push('the new segment is far behind the original');
  if (offset + fileSize > optimized.bytes.length) problems.push('the new segment is not in the file');
  return problems;
}

/** The address of a byte of the file, as kernels from 5.18 on look for the program headers: in the last segment that holds the byte. */
function memoryOf(image: Image, offset: number): Addr | undefined {
  const holder = image.programHeaders.findLast(
    (h) => h.type === PT.LOAD && offset >= h.offset && offset < h.offset + h.fileSize,
  );
  return holder && holder.vaddr + (offset - holder.offset);
}

/**
 * A program finds its headers where the loader says (AT_PHDR). Kernels from 5.18 on look for the headers in the segments; older kernels
 * take the first segment's address less its offset, and qemu the least such difference of all segments. A loader that found the headers
 * must find them again; a loader that gave another address must give it again. Where no such address is mapped, no program has read them.
 */
function tableProblems(original: Image, optimized: Image): string[] {
  const said = (image: Image): readonly (Addr | undefined)[] => {
    const loads = image.programHeaders.filter(({ type }) => type === PT.LOAD);
    const differences = loads.map(({ vaddr, offset }) => vaddr - offset);
    const at = image.programHeaderOffset;
    return [memoryOf(image, at), differences[0]! + at, Math.min(...differences) + at];
  };
  const [was, is] = [said(original), said(optimized)];
  const [there, here] = [was[0], is[0]];
  const isMapped = (at: Addr | undefined) =>
    at !== undefined && original.segments.some(({ address, size }) => at >= address && at < address + size);
  if (!was.some(isMapped)) return [];
  const found = was.every((where, index) =>
    there !== undefined && where === there ? is[index] === here && here !== undefined : is[index] === where,
  );
  if (!found) return ['its program headers are not where the program will look for them'];
  const [, end] = tableOf(optimized);
  return here === undefined || memoryOf(optimized, end - 1) === here + (end - 1 - optimized.programHeaderOffset)
    ? []
    : ['its program headers are not all in memory'];
}
