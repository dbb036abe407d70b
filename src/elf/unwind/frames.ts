/**
 * Finding and parsing .eh_frame (LSB Core, section 10.6; DWARF 4, section 6.4.1): common information entries (CIE) and frame
 * descriptions (FDE).
 */
import type { Addr, ByteCount } from '../../base/units.ts';
import { PT } from '../constants.ts';
import type { Image } from '../image.ts';
import { Cursor, Malformed, PE, type Pointer, sizeOfEncoding } from './bytes.ts';

/** A common information entry: the part that several frame descriptions share. */
export interface Cie {
  readonly address: Addr;
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly returnColumn: number;
  readonly pointerEncoding: number;
  readonly lsdaEncoding: number;
  readonly personality: Pointer | undefined;
  readonly signalFrame: boolean;
  readonly hasAugmentation: boolean;
  /** Address and bytes of the initial instructions. */
  readonly instructions: Code;
}
/** Call frame instructions. */
export interface Code {
  readonly start: Addr;
  readonly end: Addr;
}
/** How to unwind from start..end-1. */
export interface Fde {
  /** Address of the record. */
  readonly address: Addr;
  readonly size: ByteCount;
  readonly cie: Cie;
  readonly start: Addr;
  readonly end: Addr;
  /** The language-specific data of the function, if any. */
  readonly lsda: Addr | undefined;
  readonly instructions: Code;
}

export interface Frames {
  readonly start: Addr;
  /** Sorted by start. */
  readonly fdes: readonly Fde[];
  /** The last record, of either kind, if the zero word that ends the table follows. */
  readonly last: { readonly address: Addr; readonly fde: Fde | undefined; readonly end: Addr } | undefined;
}

/**
 * The image's frame descriptions, by section, by PT_GNU_EH_FRAME, or by a scan; undefined if there are none. `unreadable`: the image has
 * descriptions, but some part is not of a form known here, so that the unwinders' reading of them is unknown.
 */
export function findFrames(image: Image): Frames | 'unreadable' | undefined {
  const section = image.sections.find((s) => s.name === '.eh_frame' && (s.flags & 2) !== 0 && s.size > 8);
  if (section) return readable(() => parseFrames(image, section.address, section.address + section.size));
  const header = searchHeader(image);
  if (header !== undefined)
    return readable(() => {
      const cursor = new Cursor(image, header);
      const [version, encoding] = [cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8()];
      const start = version === 1 ? cursor.pointer(encoding, header)?.address : undefined;
      if (start === undefined) throw new Malformed('a search table that does not say where descriptions are');
      return attempt(() => parseFrames(image, start, image.end)) ?? searchedFrames(image, header);
    });
  return scan(image);
}

/** The frame descriptions of an image if all can be read; else undefined. */
export function readFrames(image: Image): Frames | undefined {
  const frames = findFrames(image);
  return frames === 'unreadable' ? undefined : frames;
}

/** The address of the search table according to PT_GNU_EH_FRAME. */
export const searchHeader = (image: Image): Addr | undefined =>
  image.programHeaders.find(({ type }) => type === PT.GNU_EH_FRAME)?.vaddr;

/** The table for the unwinders' binary search: pairs of a first address and a description. */
export interface Search {
  /** Where the chain of descriptions begins. */
  readonly chain: Addr | undefined;
  readonly entries: readonly { readonly start: Addr; readonly at: Addr }[];
}
/** The header that linkers write: version 1, the encodings of a pointer to the chain, of the count, and of distances from the header. */
const USUAL_HEADER = '1,27,3,59';

/** The search table at `header`; undefined if its encodings are not the usual ones. Throws Malformed. */
export function searchAt(image: Image, header: Addr): Search | undefined {
  const cursor = new Cursor(image, header);
  if ([cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8()].join() !== USUAL_HEADER) return undefined;
  const chain = cursor.pointer(0x1b)?.address;
  const count = cursor.u32();
  const entries: { start: Addr; at: Addr }[] = [];
  for (let i = 0; i < count; i++) entries.push({ start: header + (cursor.u32() | 0), at: header + (cursor.u32() | 0) });
  return { chain, entries };
}

/** A chain without an end is walked by no unwinder: its descriptions are found through the search table only. */
function searchedFrames(image: Image, header: Addr): Frames {
  const search = searchAt(image, header);
  if (search?.chain === undefined) throw new Malformed('a search table of another kind');
  return { start: search.chain, fdes: sorted(search.entries.map(({ at }) => recordAt(image, at))), last: undefined };
}

const readable = (work: () => Frames): Frames | 'unreadable' => attempt(work) ?? 'unreadable';

/** The frame descriptions in a chain of records from `start` on; undefined if some record is not understood. */
export const tableAt = (image: Image, start: Addr, limit: Addr): Frames | undefined =>
  attempt(() => parseFrames(image, start, limit));

/** The single frame description at an address. Throws Malformed. */
export function recordAt(image: Image, address: Addr): Fde {
  const read = (at: Addr) => {
    const cursor = new Cursor(image, at);
    const length = cursor.u32();
    const body = cursor.address;
    if (length < 4 || length >= 0xfffffff0) throw new Malformed('a record does not fit');
    return { cursor, body, end: body + length, id: cursor.u32() };
  };
  const { cursor, body, end, id } = read(address);
  if (id === 0) throw new Malformed('a common entry in the stead of a frame description');
  const common = read(body - id);
  if (common.id !== 0) throw new Malformed('a frame description without its common entry');
  return parseFde(cursor, address, end, parseCie(common.cursor, body - id, common.end));
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/**
 * @param limit the records end here at the latest
 * Throws Malformed if any record is not understood: a table read in part would lose frames in silence.
 */
function parseFrames(image: Image, start: Addr, limit: Addr): Frames {
  const cies = new Map<Addr, Cie>();
  const fdes: Fde[] = [];
  let last: { address: Addr; fde: Fde | undefined; end: Addr } | undefined;
  const cursor = new Cursor(image, start);
  while (cursor.address + 4 <= limit) {
    const address = cursor.address;
    const length = cursor.u32();
    if (length === 0) return { start, fdes: sorted(fdes), last };
    const body = cursor.address;
    const end = body + length;
    if (length < 4 || length >= 0xfffffff0 || end > limit) throw new Malformed('a record does not fit');
    const id = cursor.u32();
    if (id === 0) {
      cies.set(address, parseCie(cursor, address, end));
      last = { address, fde: undefined, end };
    } else {
      const cie = cies.get(body - id);
      if (!cie) throw new Malformed('a frame description without its common entry');
      const fde = parseFde(cursor, address, end, cie);
      if (fde.start !== 0) fdes.push(fde);
      last = { address, fde, end };
    }
    cursor.address = end;
  }
  return { start, fdes: sorted(fdes), last: undefined };
}

/**
 * Sorts descriptions by start. Throws Malformed where two overlap: a binary search finds either of them, and an empty description
 * sorted behind the description around it hides the latter (libgcc, unwind-dw2-fde.c).
 */
function sorted(fdes: Fde[]): Fde[] {
  fdes.sort((a, b) => a.start - b.start || a.address - b.address);
  for (const [i, fde] of fdes.entries())
    if (i > 0 && fde.start < fdes[i - 1]!.end) throw new Malformed('descriptions over one another');
  return fdes;
}

function parseCie(cursor: Cursor, address: Addr, end: Addr): Cie {
  const version = cursor.u8();
  if (version !== 1 && version !== 3) throw new Malformed(`version ${version}`);
  const augmentation = cursor.text();
  // Compilers and assemblers write the letters in this order. Unwinders look for the letter that they want and stop at unknown letters.
  if (!/^(?:zP?L?RS?)?$/.test(augmentation)) throw new Malformed(`augmentation ${augmentation}`);
  const codeAlign = cursor.uleb();
  const dataAlign = cursor.sleb();
  const returnColumn = version === 1 ? cursor.u8() : cursor.uleb();
  let pointerEncoding = 0;
  let lsdaEncoding: number = PE.OMIT;
  let personality: Pointer | undefined;
  let signalFrame = false;
  const hasAugmentation = augmentation.startsWith('z');
  if (hasAugmentation) {
    const length = cursor.uleb();
    const dataEnd = cursor.address + length;
    for (const letter of augmentation.slice(1)) {
      if (letter === 'R') pointerEncoding = fixedSize(cursor.u8());
      else if (letter === 'L') lsdaEncoding = cursor.u8();
      else if (letter === 'P') personality = cursor.pointer(cursor.u8());
      else signalFrame = true;
    }
    cursor.address = dataEnd;
  }
  if (cursor.address > end) throw new Malformed('a common entry does not fit');
  const instructions = { start: cursor.address, end };
  return {
    address,
    codeAlign,
    dataAlign,
    returnColumn,
    pointerEncoding,
    lsdaEncoding,
    personality,
    signalFrame,
    hasAugmentation,
    instructions,
  };
}

/** Unwinders read addresses of code in any encoding of a fixed size; libgcc ends the program at any other encoding. */
function fixedSize(encoding: number): number {
  sizeOfEncoding(encoding);
  return encoding;
}

function parseFde(cursor: Cursor, address: Addr, end: Addr, cie: Cie): Fde {
  const pointer = cursor.pointer(cie.pointerEncoding);
  if (pointer?.indirect) throw new Malformed('an indirect pointer to code');
  const start = pointer?.address ?? 0;
  const size = cursor.stored(cie.pointerEncoding & 15);
  let lsda: Addr | undefined;
  if (cie.hasAugmentation) {
    const length = cursor.uleb();
    const dataEnd = cursor.address + length;
    if (cie.lsdaEncoding !== PE.OMIT) {
      const data = cursor.pointer(cie.lsdaEncoding);
      if (data?.indirect) throw new Malformed('an indirect pointer to language-specific data');
      lsda = data?.address;
    }
    cursor.address = dataEnd;
  }
  if (cursor.address > end) throw new Malformed('a frame description does not fit');
  return {
    address,
    size: end - address,
    cie,
    start,
    end: start + size,
    lsda,
    instructions: { start: cursor.address, end },
  };
}

/**
 * For an image without section headers and PT_GNU_EH_FRAME: the one chain of records in the loaded bytes. Crt files hand the start of a
 * chain to the unwinder; so where other bytes also look like a common entry, the unwinder's chain could be another.
 */
function scan(image: Image): Frames | 'unreadable' | undefined {
  let found: Frames | undefined;
  for (const { address, bytes, flags } of image.segments) {
    if (!flags.read) continue;
    for (let at = commonEntry(bytes, 0); at >= 0; ) {
      const table = attempt(() => parseFrames(image, address + at, address + bytes.length));
      const executable = (fde: Fde) =>
        image.segments.some((s) => s.flags.execute && fde.start >= s.address && fde.end <= s.address + s.size);
      if (!table?.last || found || !table.fdes.every(executable)) return 'unreadable';
      if (goesInto(image, address, at, bytes.length)) return 'unreadable';
      found = table;
      at = commonEntry(bytes, table.last.end - address);
    }
  }
  return found;
}

/** The stretch before a table that is searched for a chain into the table: its first records may be of a form that the scan misses. */
const SEARCH_BYTES_BEFORE: ByteCount = 65536;
function goesInto(image: Image, segment: Addr, at: number, length: number): boolean {
  for (let from = at - 4; from >= Math.max(0, at - SEARCH_BYTES_BEFORE); from -= 4)
    if (attempt(() => parseFrames(image, segment + from, segment + length))?.last) return true;
  return false;
}

/** The first offset at which bytes look like a common entry: a plausible length, id 0, a version, "z" and letters. -1: none. */
function commonEntry(bytes: Uint8Array, from: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const VERSION = 8;
  for (let z = buffer.indexOf('z', from + VERSION + 1); z >= 0; z = buffer.indexOf('z', z + 1)) {
    const at = z - VERSION - 1;
    const length = view.getUint32(at, true);
    if (length < 8 || length > 4096 || view.getUint32(at + 4, true) !== 0) continue;
    if (bytes[at + VERSION]! < 32 && /^z[A-Z]{1,6}\0/.test(buffer.toString('latin1', z, z + 8))) return at;
  }
  return -1;
}

/** The description that covers an address, or undefined. */
export function coveringFde(frames: Pick<Frames, 'fdes'>, pc: Addr): Fde | undefined {
  let [low, high] = [0, frames.fdes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (frames.fdes[middle]!.start <= pc) low = middle + 1;
    else high = middle;
  }
  const fde = frames.fdes[low - 1];
  return fde && pc < fde.end ? fde : undefined;
}
