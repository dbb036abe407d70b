/**
 * What is checked of the optimized file as a whole: nothing of the original has changed but for the patches that the map lists, each
 * patch leads to what stands for its place, return points stand for the original ones, and the new segment is apart.
 */
import { type Addr, type ByteCount, hex } from '../../base/units.ts';
import { imageConstants } from '../../cfg/constants.ts';
import { PT } from '../../elf/constants.ts';
import type { Image, ProgramHeader, Segment } from '../../elf/image.ts';
import type { AddressMap } from '../../emit/map.ts';
import { codeOf } from '../../profile/code.ts';
import { enteredWithin } from './entered.ts';
import { type EntryProof, proveEntry, type Sides } from './superblock.ts';
import { checkUnwind } from './unwind.ts';

export interface FileCheck {
  readonly what: string;
  /** How many places of that kind were looked at. */
  readonly checked: number;
  /** What is wrong, one line each. */
  readonly problems: readonly string[];
  /** Patches and return points that are not proved, by address. */
  readonly places: readonly Addr[];
  readonly assumptions: readonly string[];
}

/** Where the map says that things are. */
export interface Places {
  readonly returns: ReadonlyMap<Addr, Addr>;
  readonly code: { readonly start: Addr; readonly end: Addr };
  standsFor(address: Addr): Addr | undefined;
  inside(address: Addr): boolean;
}

export function placesOf(original: Image, map: AddressMap, code: { readonly start: Addr; readonly end: Addr }): Places {
  const starts = new Map(map.data.superblocks.map(({ start, head }) => [start, head]));
  /** Addresses within a patch, but for its first. */
  const patched = new Set<Addr>();
  for (const [address, size] of map.data.patches) for (let at = 1; at < size; at++) patched.add(address + at);
  const text = codeOf(original);
  const inside = (address: Addr) => address >= code.start && address < code.end;
  return {
    returns: new Map(map.data.returns.map(([optimized, link]) => [optimized, link])),
    code,
    inside,
    standsFor: (address) =>
      inside(address) ? starts.get(address) : text.isExecutable(address) && !patched.has(address) ? address : undefined,
  };
}

interface FileRequest {
  readonly original: Image;
  readonly optimized: Image;
  readonly map: AddressMap;
  readonly places: Places;
  readonly sides: Sides;
}

export function checkFile(request: FileRequest): FileCheck[] {
  return [
    checkMap(request),
    checkHeaders(request),
    checkBytes(request),
    checkReturns(request),
    checkPatches(request),
    checkFrames(request),
  ];
}

const check = (
  what: string,
  checked: number,
  problems: readonly string[],
  assumptions: Iterable<string> = [],
  places: readonly Addr[] = [],
): FileCheck => ({
  what,
  checked,
  problems,
  places,
  assumptions: [...new Set(assumptions)].sort(),
});

/** Superblocks lie in the optimized code, each at a place of its own, and stand for places in the original's code. */
function checkMap({ original, map, places }: FileRequest): FileCheck {
  const problems: string[] = [];
  const starts = new Set<Addr>();
  const heads = new Set<Addr>();
  const text = codeOf(original);
  for (const { head, start } of map.data.superblocks) {
    if (!places.inside(start)) problems.push(`the superblock of ${hex(head)} does not begin in the optimized code`);
    if (starts.has(start) || heads.has(head))
      problems.push(`there are two superblocks of ${hex(head)} or at ${hex(start)}`);
    if (text.insnAt(head) === undefined) problems.push(`${hex(head)} is no code of the original`);
    starts.add(start);
    heads.add(head);
  }
  return check('superblocks', map.data.superblocks.length, problems);
}

/** Headers that loading does not need: one of them may give way to the new segment's. */
const SPARE: ReadonlySet<number> = new Set([0, PT.NOTE, 0x6474e553, 0x70000003]);
/** Headers that describe what is new: where the table itself is, the unwind table, and (never loaded) what the code needs. */
const RENEWED: ReadonlySet<number> = new Set([PT.PHDR, 0x6474e550, PT.RISCV_ATTRIBUTES]);

const sameHeader = (a: ProgramHeader, b: ProgramHeader): boolean =>
  a.type === b.type &&
  a.flags === b.flags &&
  a.vaddr === b.vaddr &&
  a.memSize === b.memSize &&
  a.fileSize === b.fileSize &&
  a.align === b.align &&
  (a.type !== PT.LOAD || a.offset === b.offset);

/** e_flags in the ELF header. */
const FLAGS = [48, 49, 50, 51];

/**
 * A program finds its headers where the kernel says; kernels before 5.18 take the first segment's address plus the file offset. One that
 * could not find them in memory before need not now.
 */
function tableProblems(original: Image, optimized: Image): string[] {
  const memoryOf = (image: Image): Addr | undefined => {
    const { programHeaderOffset: at } = image;
    const holder = image.segments.find((s) => at >= s.offset && at < s.offset + s.bytes.length);
    return holder && holder.address + (at - holder.offset);
  };
  const [was, is] = [memoryOf(original), memoryOf(optimized)];
  if (was === undefined) return [];
  const first = optimized.segments[0]!;
  if (is === undefined || is !== first.address + (optimized.programHeaderOffset - first.offset))
    return ['its program headers are not where the program will look for them'];
  const own = optimized.programHeaders.find(({ type }) => type === PT.PHDR);
  return own === undefined || own.vaddr === is ? [] : ['its program headers are not where PT_PHDR says'];
}

function checkHeaders({ original, optimized, places }: FileRequest): FileCheck {
  const problems: string[] = [];
  if (optimized.relocatable !== original.relocatable) problems.push('it is of another kind (ET_EXEC or ET_DYN)');
  if (optimized.entry !== original.entry)
    problems.push(`its entry is ${hex(optimized.entry)}, not ${hex(original.entry)}`);
  if (!FLAGS.every((at) => optimized.bytes[at] === original.bytes[at]))
    problems.push('its ELF flags are not as they were');
  problems.push(...tableProblems(original, optimized));
  const left = [...optimized.programHeaders];
  let gone = 0;
  for (const header of original.programHeaders) {
    const at = left.findIndex(
      (other) => sameHeader(header, other) || (RENEWED.has(header.type) && header.type === other.type),
    );
    if (at >= 0) left.splice(at, 1);
    else if (SPARE.has(header.type) && gone === 0) gone++;
    else problems.push(`the program header for ${hex(header.vaddr)} (type ${hex(header.type)}) is not as it was`);
  }
  const [added] = left;
  if (added === undefined || left.length > 1 || added.type !== PT.LOAD)
    problems.push(`${left.length} program headers were added, not just one for the new segment`);
  else {
    const segment = optimized.segments.find((s) => s.address === added.vaddr);
    if (added.vaddr < original.end) problems.push('the new segment lies over the original');
    if (segment === undefined || segment.flags.write || !segment.flags.execute || !segment.flags.read)
      problems.push('the new segment is not read and executed only');
    if (
      segment !== undefined &&
      (places.code.start < segment.address || places.code.end > segment.address + segment.bytes.length)
    )
      problems.push('the optimized code is not in the new segment');
  }
  return check('headers', original.programHeaders.length, problems);
}

const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;

/** Every loaded byte of the original is what it was, but for patches and the file's own headers. */
function checkBytes({ original, optimized, map }: FileRequest): FileCheck {
  const problems: string[] = [];
  const changed = new Set<Addr>();
  for (const [address, size] of map.data.patches) for (let at = 0; at < size; at++) changed.add(address + at);
  const tableEnd = original.programHeaderOffset + (original.programHeaders.length + 1) * PROGRAM_HEADER;
  const isHeader = (offset: number) =>
    (offset >= 32 && offset < ELF_HEADER) ||
    (optimized.programHeaderOffset === original.programHeaderOffset &&
      offset >= original.programHeaderOffset &&
      offset < tableEnd);
  let bytes = 0;
  for (const segment of original.segments) {
    const other = optimized.segments.find((s) => s.address === segment.address);
    if (other === undefined || other.size !== segment.size || other.bytes.length !== segment.bytes.length) {
      problems.push(`the segment at ${hex(segment.address)} is not as it was`);
      continue;
    }
    bytes += segment.bytes.length;
    for (let at = firstDifference(segment, other, 0); at !== undefined; at = firstDifference(segment, other, at + 1)) {
      if (changed.has(segment.address + at) || isHeader(segment.offset + at)) continue;
      problems.push(`the byte at ${hex(segment.address + at)} has changed`);
      break;
    }
  }
  return check('bytes of the original', bytes, problems);
}

function firstDifference(a: Segment, b: Segment, from: number): number | undefined {
  for (let at = from; at < a.bytes.length; at++) if (a.bytes[at] !== b.bytes[at]) return at;
  return undefined;
}

/** What comes behind a call in optimized code stands for what comes behind the original one. */
function checkReturns({ map, sides }: FileRequest): FileCheck {
  const problems: string[] = [];
  const places: Addr[] = [];
  const assumptions: string[] = [];
  for (const [start, head] of map.data.returns) {
    const proof = proveEntry(sides, { head, start, first: false, progress: false });
    if (proof.verdict !== 'proved') {
      problems.push(`the return point ${hex(start)} of ${hex(head)}: ${proof.reason}`);
      places.push(start);
    }
    assumptions.push(...proof.assumptions);
  }
  return check('return points', map.data.returns.length, problems, assumptions, places);
}

/** Rows and landing pads at return points; A7 goes with every return address that is another number. */
function checkFrames({ original, optimized, map }: FileRequest): FileCheck {
  const { checked, problems } = checkUnwind(original, optimized, map.data.returns);
  return check('frame descriptions', checked, problems);
}

function checkPatches(request: FileRequest): FileCheck {
  const { original, map } = request;
  const problems: string[] = [];
  const places: Addr[] = [];
  const assumptions: string[] = [];
  const assumable = new Set(map.data.assumptions);
  const { patches } = map.data;
  let covered = 0;
  for (const [address, size] of [...patches].sort((a, b) => a[0] - b[0])) {
    if (address < covered) problems.push(`two patches lie over ${hex(address)}`);
    covered = address + size;
    const jump = checkJump(request, address, size);
    const found =
      jump.verdict === 'proved'
        ? jump
        : (checkTableEntry(request, address, size) ?? checkUnwindLink(request, address, size));
    if (found === undefined) {
      problems.push(`the patch at ${hex(address)}: ${jump.reason}`);
      places.push(address);
    } else assumptions.push('A5', ...found.assumptions);
  }
  if (!original.relocatable || patches.length > 0)
    for (const id of new Set(assumptions))
      if (!assumable.has(id)) problems.push(`a patch rests on assumption ${id}, which the map does not name`);
  return check('patches', patches.length, problems, assumptions, places);
}

type Found = Pick<EntryProof, 'verdict' | 'reason' | 'assumptions'>;

/** A jump over an original instruction, to what stands for that place. */
function checkJump({ original, optimized, sides, places }: FileRequest, address: Addr, size: ByteCount): Found {
  const no = (reason: string): Found => ({ verdict: 'unproved', reason, assumptions: [] });
  const code = codeOf(optimized);
  const text = codeOf(original);
  if (text.insnAt(address) === undefined) return no('there is no instruction in the original');
  // All of its bytes are run: nothing is left over that something could enter.
  let end = address;
  while (end < address + size) end += code.insnAt(end)?.size ?? size + 1;
  if (end !== address + size) return no('it is no instruction');
  const within = (at: Addr) => at >= address && at < end;
  const proof = proveEntry(
    { ...sides, inside: (at) => within(at) },
    { head: address, start: address, first: true, progress: false },
  );
  if (proof.verdict !== 'proved') return proof;
  if (proof.ways !== 1) return no('it leads to more than one place');
  const leads = proof.leaves[0]!;
  if (leads.from + (code.insnAt(leads.from)?.size ?? 0) !== end || leads.at === undefined || !places.inside(leads.at))
    return no('it is no jump into the optimized code');
  const entered = enteredWithin(original, address, size);
  return entered === undefined ? { ...proof, assumptions: [...proof.assumptions, 'A2'] } : no(entered);
}

/** Jump tables are at most this long. */
const TABLE_BYTES = 65536;

/** An entry of a jump table that led to a place and now leads to what stands for it. Undefined if it is none. */
function checkTableEntry(
  { original, optimized, map, sides, places }: FileRequest,
  address: Addr,
  size: ByteCount,
): Found | undefined {
  const [was, is] = [numberAt(original, address, size), numberAt(optimized, address, size)];
  if (was === undefined || is === undefined) return undefined;
  const text = codeOf(original);
  const leads = (head: Addr, start: Addr): Found | undefined => {
    if (!places.inside(start) || text.insnAt(head) === undefined) return undefined;
    const proof = proveEntry(sides, { head, start, first: false, progress: false });
    return proof.verdict === 'proved' ? { ...proof, assumptions: [...proof.assumptions, 'A4'] } : undefined;
  };
  if (size === 8) return original.relocatable ? undefined : leads(was, is);
  if (size !== 4) return undefined;
  // Distances from the table's start: code makes that address and none between it and the entry, at which another table might begin, and
  // every entry up to this one leads to code from there.
  const constants = imageConstants(original);
  const isTable = (base: Addr): boolean => {
    if (!constants.has(base) || constants.nextAbove(base) <= address) return false;
    if (base > address || address - base > TABLE_BYTES || (address - base) % 4 !== 0) return false;
    for (let at = base; at <= address; at += 4) {
      const distance = numberAt(original, at, 4);
      if (distance === undefined || text.insnAt(base + distance) === undefined) return false;
    }
    return true;
  };
  for (const { start } of map.data.superblocks) {
    const base = start - is;
    if (!isTable(base)) continue;
    const found = leads(base + was, start);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The last record of the unwind table, made to reach to the new table behind the optimized code. What stands there is not looked at. */
function checkUnwindLink(
  { original, optimized, places }: FileRequest,
  address: Addr,
  size: ByteCount,
): Found | undefined {
  if (size !== 8) return undefined;
  const word = (image: Image, at: Addr) => (numberAt(image, at, 4) ?? -1) >>> 0;
  const end = address + 4 + word(original, address);
  const next = address + 4 + word(optimized, address);
  const segment = optimized.segments.find((s) => next >= s.address && next < s.address + s.bytes.length);
  const fits =
    word(original, end) === 0 &&
    word(optimized, address + 4) === 0 &&
    segment !== undefined &&
    places.code.start >= segment.address &&
    places.code.start < segment.address + segment.size &&
    next >= places.code.end;
  return fits ? { verdict: 'proved', reason: undefined, assumptions: [] } : undefined;
}

/** A signed number of 4 or 8 bytes in an image's loaded bytes; undefined where there is none. */
function numberAt(image: Image, address: Addr, size: ByteCount): number | undefined {
  const segment = image.segments.find((s) => address >= s.address && address + size <= s.address + s.bytes.length);
  if (segment === undefined || (size !== 4 && size !== 8)) return undefined;
  const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
  return size === 4
    ? view.getInt32(address - segment.address, true)
    : Number(view.getBigInt64(address - segment.address, true));
}
