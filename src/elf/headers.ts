/**
 * Program headers of the optimized file. The table cannot grow in place in general, since other bytes lie right behind the table. In
 * order of preference: replace a header that loading does not need; grow into unused bytes; move the table into the new segment.
 */
import { internal } from '../base/errors.ts';
import type { Addr, ByteCount } from '../base/units.ts';
import { PROGRAM_HEADER_SIZE, PT } from './constants.ts';
import { setFields, viewOf } from './fields.ts';
import type { Image, ProgramHeader } from './image.ts';
import { inFile } from './sections.ts';
import type { SegmentRequest, UnwindPart } from './segment.ts';
import type { Layout, Tail } from './tail.ts';

const PT_NULL = 0;

export interface HeaderPlan {
  readonly kept: readonly ProgramHeader[];
  readonly where: 'place' | 'segment';
  readonly size: ByteCount;
}

/**
 * Types of headers that loading does not need, the least useful first (PT_GNU_PROPERTY stays, because a kernel may read it). Binutils
 * (bfd/elfnn-riscv.c) put PT_RISCV_ATTRIBUTES back whenever they copy a file that has the section, and `strip` then fails for want of
 * room: in a file with the section, that header is the last to be replaced.
 */
const SPARE_TYPES = [PT_NULL, PT.NOTE, PT.RISCV_ATTRIBUTES];
const SPARE_TYPES_WITHOUT_ATTRIBUTES = [PT_NULL, PT.RISCV_ATTRIBUTES, PT.NOTE];

export function planHeaders(image: Image, layout: Layout, request: SegmentRequest): HeaderPlan {
  const headers = image.programHeaders;
  if (request.unwind?.header !== undefined && !headers.some((h) => h.type === PT.GNU_EH_FRAME))
    throw internal('a table for a PT_GNU_EH_FRAME that the image has not');
  const attributes = image.sections.some((s) => s.name === '.riscv.attributes');
  const spare = (attributes ? SPARE_TYPES : SPARE_TYPES_WITHOUT_ATTRIBUTES)
    .map((type) => headers.findIndex((h) => h.type === type))
    .find((index) => index >= 0);
  const size = headers.length * PROGRAM_HEADER_SIZE;
  if (spare !== undefined) return { kept: headers.filter((_, index) => index !== spare), where: 'place', size };
  const end = image.programHeaderOffset + size;
  const grownSize = size + PROGRAM_HEADER_SIZE;
  // The headers must be in memory: the new entry may neither leave the segment of the headers nor lie over other contents.
  const room =
    image.segments.some((s) => end >= s.offset && end + PROGRAM_HEADER_SIZE <= s.offset + s.bytes.length) &&
    image.sections.length > 0 &&
    !image.sections.some((s) => inFile(s) && s.offset < end + PROGRAM_HEADER_SIZE && s.offset + s.size > end) &&
    end + PROGRAM_HEADER_SIZE <= layout.stay &&
    image.entry - layout.difference >= end + PROGRAM_HEADER_SIZE &&
    image.bytes.subarray(end, end + PROGRAM_HEADER_SIZE).every((byte) => byte === 0);
  return { kept: headers, where: room ? 'place' : 'segment', size: grownSize };
}

export function encodeHeaders(
  image: Image,
  plan: HeaderPlan,
  load: ProgramHeader,
  tableAt: Addr | undefined,
  tail: Pick<Tail, 'moved' | 'sizeOf'>,
  unwind: UnwindPart | undefined,
): Uint8Array {
  const { kept } = plan;
  // PT_LOAD entries must rise by address (gABI); the new entry's address is the highest.
  const last = kept.reduce((found, header, index) => (header.type === PT.LOAD ? index : found), -1);
  const list = [...kept.slice(0, last + 1), load, ...kept.slice(last + 1)].map((header) => {
    if (header.type === PT.PHDR) {
      const at = tableAt ?? header.vaddr;
      const offset = tableAt === undefined ? header.offset : load.offset + (tableAt - load.vaddr);
      return { ...header, offset, vaddr: at, paddr: at, fileSize: plan.size, memSize: plan.size };
    }
    if (header.type === PT.GNU_EH_FRAME && unwind?.header !== undefined) {
      const size = unwind.address + unwind.bytes.length - unwind.header;
      const offset = load.offset + (unwind.header - load.vaddr);
      return { ...header, offset, vaddr: unwind.header, paddr: unwind.header, fileSize: size, memSize: size, align: 4 };
    }
    if (header.type === PT.LOAD) return header;
    return { ...header, offset: tail.moved(header.offset), fileSize: tail.sizeOf(header.offset, header.fileSize) };
  });
  const table = new Uint8Array(list.length * PROGRAM_HEADER_SIZE);
  if (table.length !== plan.size) throw internal(`${list.length} program headers do not fit ${image.file}`);
  const view = viewOf(table);
  list.forEach((header, index) => {
    const at = index * PROGRAM_HEADER_SIZE;
    view.setUint32(at, header.type, true);
    view.setUint32(at + 4, header.flags, true);
    setFields(view, at + 8, [header.offset, header.vaddr, header.paddr, header.fileSize, header.memSize, header.align]);
  });
  return table;
}
