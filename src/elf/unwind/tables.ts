/**
 * Unwind tables for optimized code. At a call in optimized code the stack frame and the callee-saved registers are those of the
 * original at the original call; only the return address differs. So the new frame description of a call is the row of the
 * original description at that call, and its landing pad is the original landing pad.
 *
 * Unwinders find the new tables in one of two ways:
 * - Static glibc executables register .eh_frame at start (crtbeginT.o, __register_frame_info), and libgcc walks it to the zero
 *   word that ends it; a PT_GNU_EH_FRAME does not help there, since glibc from 2.35 on leaves _dl_find_object's range of a static
 *   executable empty. The table cannot grow in place, so its last record becomes an ignored one (a CIE that nothing refers to)
 *   whose length reaches to the new tables; the frame description in the last record is repeated there.
 * - Where there is a PT_GNU_EH_FRAME, it gets a new search table over the old and the new descriptions.
 */
import { derived } from '../../base/derived.ts';
import { type Addr, type ByteCount, hex } from '../../base/units.ts';
import type { Image } from '../image.ts';
import type { Patch, UnwindPart } from '../write.ts';
import { Cursor, Malformed, PE, RELATIVE, Writer } from './bytes.ts';
import { type Cie, coveringFde, type Fde, type Frames, findFrames, readFrames, searchHeader } from './frames.ts';
import { type Handling, handlingAt, padsOf, writeLsda } from './lsda.ts';
import { encodeRow, initialInstructions, readsLink, rowAt } from './rows.ts';

/** A call in optimized code: the address behind it, and the address behind the original call. */
export interface CallSite {
  readonly returnAddress: Addr;
  readonly originalReturnAddress: Addr;
}

export interface UnwindTables extends UnwindPart {
  /** Size of `bytes`. */
  readonly size: ByteCount;
  /** Sites that got no description though the original call can be unwound: exceptions must not pass them. */
  readonly unserved: readonly CallSite[];
}

/** Frame descriptions for calls in optimized code, to be placed at `at` (any address; 8-byte aligned is best). */
export function unwindTables(image: Image, sites: readonly CallSite[], at: Addr): UnwindTables {
  const nothing = { address: at, bytes: new Uint8Array(0), size: 0, patches: [], header: undefined, link: undefined };
  if (sites.length === 0) return { ...nothing, unserved: [] };
  const frames = findFrames(image);
  // An image without descriptions is not unwound. Behind a signal frame unwinders look up the return address itself, which no new
  // description covers.
  if (!frames) return { ...nothing, unserved: [] };
  if (frames === 'unreadable' || hasSignalFrames(frames)) return { ...nothing, unserved: sites };
  const { ranges, unserved } = describe(image, frames, sites);
  if (ranges.length === 0) return { ...nothing, unserved };
  try {
    return { ...write(image, frames, ranges, at), unserved };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { ...nothing, unserved: sites };
  }
}

/** Every landing pad of the image: the unwinder enters landing pads, and no instruction shows these entries. */
export const landingPads = derived(
  'landing pads',
  (image: Image): ReadonlySet<Addr> =>
    new Set(readFrames(image)?.fdes.flatMap((fde) => padsOfFunction(image, fde) ?? []) ?? []),
);

/** The landing pads of a function; undefined if its language-specific data cannot be read. */
function padsOfFunction(image: Image, { lsda, start }: Fde): Addr[] | undefined {
  try {
    return lsda === undefined ? [] : padsOf(image, lsda, start);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/**
 * The part of the image's tables that cannot be read, in words; undefined if all can be. Unwinders may read that part all the same, and
 * enter the program at unknown addresses with unknown live registers: nothing can be said of such a program.
 */
export function unreadableTables(image: Image): string | undefined {
  const frames = findFrames(image);
  if (!frames) return undefined;
  if (frames === 'unreadable') return 'its frame descriptions';
  const bad = frames.fdes.find((fde) => padsOfFunction(image, fde) === undefined);
  return bad && `the exception table of the function at ${hex(bad.start)}`;
}

/** Is any frame described as a signal's? (Code that is called can also have such a description.) */
export const hasSignalFrames = ({ fdes }: Frames): boolean => fdes.some(({ cie }) => cie.signalFrame);

const hasHeader = (image: Image) => searchHeader(image) !== undefined;

/** Code with one row and one handling. */
interface Range {
  readonly start: Addr;
  end: Addr;
  readonly fde: Fde;
  readonly row: Uint8Array;
  readonly handling: Handling;
  readonly key: string;
}

function describe(image: Image, frames: Frames, sites: readonly CallSite[]): { ranges: Range[]; unserved: CallSite[] } {
  const ranges: Range[] = [];
  const unserved: CallSite[] = [];
  let previous: Range | undefined;
  for (const site of [...sites].sort((a, b) => a.returnAddress - b.returnAddress)) {
    const { returnAddress, originalReturnAddress } = site;
    // Unwinders look up the return address less one: the call matters, not the instruction behind it.
    const fde = coveringFde(frames, originalReturnAddress - 1);
    if (!fde) {
      previous = undefined;
      continue;
    }
    try {
      const found = rowAt(image, fde, originalReturnAddress - 1);
      if (readsLink(found, fde.cie.returnColumn)) throw new Malformed('a row that reads the return address');
      const row = encodeRow(found, fde.cie.dataAlign);
      const handling: Handling =
        fde.lsda === undefined ? { kind: 'absent' } : handlingAt(image, fde.lsda, fde.start, originalReturnAddress);
      const key = JSON.stringify([partsOf(fde.cie, handling), [...row], handling]);
      if (previous?.key === key) {
        previous.end = returnAddress;
        continue;
      }
      previous = { start: returnAddress - 2, end: returnAddress, fde, row, handling, key };
      ranges.push(previous);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      unserved.push(site);
      previous = undefined;
    }
  }
  return { ranges, unserved };
}

/** The contents of a new description's CIE. */
const partsOf = ({ dataAlign, returnColumn, signalFrame, personality }: Cie, handling: Handling) => ({
  dataAlign,
  returnColumn,
  signalFrame,
  personality,
  withLsda: handling.kind !== 'absent',
});

function write(image: Image, frames: Frames, ranges: readonly Range[], at: Addr): Omit<UnwindTables, 'unserved'> {
  const out = new Writer(at);
  const lsdas = new Map<string, Addr>();
  for (const { handling } of ranges) {
    const key = JSON.stringify(handling);
    if (handling.kind !== 'absent' && !lsdas.has(key)) lsdas.set(key, writeLsda(out, handling));
  }
  out.align(8);
  const records = out.address;
  const cies = new Map<string, Addr>();
  const search: { start: Addr; fde: Addr }[] = [];
  const cieFor = (key: string, make: () => Addr): Addr => {
    const known = cies.get(key);
    if (known !== undefined) return known;
    const made = make();
    cies.set(key, made);
    return made;
  };
  const patches: Patch[] = [];
  let link: UnwindPart['link'];
  const { last } = frames;
  if (last && records > last.address) {
    const { fde } = last;
    // The copy of the last description comes first, so that descriptions stay as sorted as they were: libgcc sorts them at the first
    // exception, and a low address behind many high ones would cost time there (unwind-dw2-fde.c, fde_split).
    if (fde) {
      const withLsda = fde.cie.lsdaEncoding !== PE.OMIT;
      const instructions = codeBytes(image, fde.cie.instructions);
      const cie = writeCie(out, { ...fde.cie, withLsda, instructions });
      const copy = writeFde(out, cie, {
        start: fde.start,
        end: fde.end,
        withLsda,
        lsda: fde.lsda,
        instructions: codeBytes(image, fde.instructions),
      });
      search.push({ start: fde.start, fde: copy });
    }
    const distance = records - (last.address + 4);
    if (distance >= 0xfffffff0) throw new Malformed('the tables are too far apart');
    patches.push({ address: last.address, bytes: new Writer(0).u32(distance).u32(0).bytes });
    link = { address: last.address, size: last.end + 4 - last.address };
  } else if (!hasHeader(image)) throw new Malformed('no way to make the new tables known');
  for (const { start, end, fde, row, handling } of ranges) {
    const parts = partsOf(fde.cie, handling);
    const cie = cieFor(JSON.stringify(parts), () => writeCie(out, newCie(parts)));
    const lsda = lsdas.get(JSON.stringify(handling));
    search.push({
      start,
      fde: writeFde(out, cie, { start, end, withLsda: parts.withLsda, lsda, instructions: row }),
    });
  }
  out.u32(0);

  let header: Addr | undefined;
  if (hasHeader(image)) {
    out.align(4);
    header = out.address;
    for (const fde of frames.fdes)
      if (!last || !link || fde.address !== last.address) search.push({ start: fde.start, fde: fde.address });
    search.sort((a, b) => a.start - b.start || a.fde - b.fde);
    out
      .put(1, RELATIVE, PE.UDATA4, PE.DATAREL | PE.SDATA4)
      .relative(frames.start)
      .u32(search.length);
    for (const entry of search)
      for (const target of [entry.start, entry.fde]) {
        if (target - header !== ((target - header) | 0)) throw new Malformed('the tables are too far from the code');
        out.u32(target - header);
      }
  }
  const { bytes } = out;
  return { address: at, bytes, size: bytes.length, patches, header, link };
}

const codeBytes = (image: Image, code: { readonly start: Addr; readonly end: Addr }) =>
  code.end === code.start ? new Uint8Array(0) : new Cursor(image, code.start).take(code.end - code.start);

const newCie = (parts: ReturnType<typeof partsOf>) => ({ ...parts, codeAlign: 1, instructions: initialInstructions() });

/**
 * Is a new description, with its CIE and its LSDA, byte for byte as `write` makes it? A number can be encoded in many ways, and unwinders
 * differ in the odd ones. Throws Malformed.
 */
export function isAsWritten(image: Image, fde: Fde): boolean {
  const { cie, lsda, start, end } = fde;
  const handling: Handling = lsda === undefined ? { kind: 'absent' } : handlingAt(image, lsda, start, end);
  const parts = partsOf(cie, handling);
  const instructions = encodeRow(rowAt(image, fde, end - 1), cie.dataAlign);
  const same = (at: Addr, write: (out: Writer) => void): boolean => {
    const out = new Writer(at);
    write(out);
    const { bytes } = out;
    return new Cursor(image, at).take(bytes.length).every((byte, index) => byte === bytes[index]);
  };
  return (
    same(cie.address, (out) => writeCie(out, newCie(parts))) &&
    same(fde.address, (out) =>
      writeFde(out, cie.address, { start, end, withLsda: parts.withLsda, lsda, instructions }),
    ) &&
    (handling.kind === 'absent' || (lsda! % 4 === 0 && same(lsda!, (out) => writeLsda(out, handling))))
  );
}

/** Version 3, as GNU as writes for RISC-V, pointers RELATIVE. @returns the record's address */
function writeCie(
  out: Writer,
  cie: Pick<Cie, 'codeAlign' | 'dataAlign' | 'returnColumn' | 'personality' | 'signalFrame'> & {
    readonly withLsda: boolean;
    readonly instructions: Uint8Array;
  },
): Addr {
  const { personality, withLsda, signalFrame } = cie;
  const at = out.address;
  const letters = `z${personality ? 'P' : ''}${withLsda ? 'L' : ''}R${signalFrame ? 'S' : ''}\0`;
  out.u32(0).u32(0).put(3);
  out.append([...letters].map((letter) => letter.charCodeAt(0)));
  out.uleb(cie.codeAlign).sleb(cie.dataAlign).uleb(cie.returnColumn);
  out.uleb((personality ? 5 : 0) + (withLsda ? 1 : 0) + 1);
  if (personality) out.put(RELATIVE | (personality.indirect ? PE.INDIRECT : 0)).relative(personality.address);
  if (withLsda) out.put(RELATIVE);
  out.put(RELATIVE).append(cie.instructions);
  return endRecord(out, at);
}

function writeFde(
  out: Writer,
  cie: Addr,
  fde: {
    readonly start: Addr;
    readonly end: Addr;
    readonly withLsda: boolean;
    readonly lsda: Addr | undefined;
    readonly instructions: Uint8Array;
  },
): Addr {
  const at = out.address;
  out.u32(0).u32(at + 4 - cie);
  out.relative(fde.start).u32(fde.end - fde.start);
  out.uleb(fde.withLsda ? 4 : 0);
  if (fde.withLsda) out.relative(fde.lsda);
  out.append(fde.instructions);
  return endRecord(out, at);
}

/** Pads with DW_CFA_nop and fills in the length. */
function endRecord(out: Writer, at: Addr): Addr {
  out.align(4);
  out.setU32(at, out.address - at - 4);
  return at;
}
