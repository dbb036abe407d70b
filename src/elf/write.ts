/**
 * Writes an optimized executable: the original's loaded bytes where they were, but for patches, and one new segment behind bss
 * that holds a note, the optimized code, unwind tables and the address map. The file is laid out as: the loaded bytes; the new segment
 * (segment.ts); then the tail, which loading never reads (tail.ts); last the data that was appended to the original (appended.ts).
 */

import { alignUp } from '../base/bits.ts';
import { internal, unsupported } from '../base/errors.ts';
import { replaceFile } from '../base/files.ts';
import { type Addr, type ByteCount, type FileOffset, PAGE } from '../base/units.ts';
import { appended } from './appended.ts';
import { PF, PROGRAM_HEADER_SIZE, PT } from './constants.ts';
import { setU64 } from './fields.ts';
import { encodeHeaders, planHeaders } from './headers.ts';
import type { Image } from './image.ts';
import { findNote, NOTE_SIZE, type Patch, type SegmentRequest, segmentParts } from './segment.ts';
import { type Layout, layoutOf, makeTail } from './tail.ts';

export { type Patch, readNote, readOptimizedCode, type SegmentRequest, type UnwindPart } from './segment.ts';

/** Most bytes of zero padding in the file; more padding, which can only come from a huge bss and a full header table, is refused. */
const MAX_PADDING = 2 ** 28;

/** The reach of auipc and jalr, less room for the new segment itself. */
const REACH: ByteCount = 2 ** 31 - 2 ** 26;

/** The address of the new segment's code. Throws unsupported for an image that is already optimized or too large. */
export function nextSegmentAddress(image: Image): Addr {
  if (findNote(image))
    throw unsupported(`${image.file}: is already optimized by isoform`, 'optimize the original executable instead');
  const address = segmentBase(image, layoutOf(image)) + NOTE_SIZE;
  if (address - image.segments[0]!.address > REACH)
    throw unsupported(`${image.file}: spans more memory than a jump can reach`, undefined, image.segments[0]!.address);
  return address;
}

/**
 * The output file. The same request gives the same bytes. Throws unsupported if no room for a program header can be made, or the
 * image is already optimized.
 */
export function addSegment(image: Image, request: SegmentRequest): Uint8Array {
  const layout = layoutOf(image);
  if (request.address !== nextSegmentAddress(image))
    throw internal('the segment is not where it belongs', request.address);
  const base = request.address - NOTE_SIZE;
  const parts = segmentParts(request, base);
  const headers = planHeaders(image, layout, request);
  const tableAt = headers.where === 'segment' ? alignUp(parts.end, 8) : undefined;
  const size = (tableAt === undefined ? parts.end : tableAt + headers.size) - base;

  let offset: FileOffset = layout.stay + ((((base - layout.stay) % PAGE) + PAGE) % PAGE);
  if (tableAt !== undefined) {
    // The kernel before 5.18 and qemu compute AT_PHDR as load address + e_phoff: address - offset must be the same for the whole file.
    offset = base - layout.difference;
    if (offset < layout.stay || offset - layout.stay > MAX_PADDING)
      throw unsupported(`${image.file}: has no room for another program header`);
  }
  const tail = makeTail(image, layout, request, parts, { base, offset, end: offset + size });
  const appendedData = appended(image);
  const out = new Uint8Array(tail.size + appendedData.length);
  out.set(image.bytes.subarray(0, layout.stay));
  for (const patch of [...request.patches, ...(request.unwind?.patches ?? [])]) applyPatch(out, image, patch);
  const segment = out.subarray(offset, offset + size);
  for (const part of parts.list) segment.set(part.bytes, part.address - base);
  tail.write(out);
  out.set(appendedData, tail.size);

  const table = encodeHeaders(
    image,
    headers,
    {
      type: PT.LOAD,
      flags: PF.READ | PF.EXECUTE,
      offset,
      vaddr: base,
      paddr: base,
      fileSize: size,
      memSize: size,
      align: PAGE,
    },
    tableAt,
    tail,
    request.unwind,
  );
  const view = new DataView(out.buffer);
  const tableOffset = tableAt === undefined ? image.programHeaderOffset : offset + (tableAt - base);
  out.set(table, tableOffset);
  setU64(view, 32, tableOffset);
  view.setUint16(56, table.length / PROGRAM_HEADER_SIZE, true);
  return out;
}

/** Writes an executable so that the path holds either its old contents or all of the new file. Throws cannotWrite. */
export const writeExecutable = (path: string, bytes: Uint8Array): void => replaceFile(path, bytes, 0o777);

/** The first page behind bss, or a higher page where the file part that stays is so long that offsets would overtake addresses. */
function segmentBase(image: Image, layout: Layout): Addr {
  const least = Math.max(image.end, layout.stay + layout.difference);
  return alignUp(least, PAGE);
}

function applyPatch(out: Uint8Array, image: Image, patch: Patch): void {
  const { address, bytes } = patch;
  const segment = image.segments.find(
    (s) => address >= s.address && address + bytes.length <= s.address + s.bytes.length,
  );
  if (!segment) throw internal('a patch outside the file', address);
  out.set(bytes, segment.offset + (address - segment.address));
}
