/**
 * Evidence of where code is entered: entries that the image shows (entries.ts), and entries that the profile saw. A patch is made only
 * where no such entry leads into its middle (assumption A2).
 */
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import { imageConstants } from '../code/constants.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { imageEntries } from './entries.ts';

/** An address in the data that the instruction at `pc` puts into `reg`. */
export interface DataAddress {
  readonly address: Addr;
  readonly pc: Addr;
  readonly reg: Reg;
}

export interface Evidence {
  /** An address at which code is seen to enter the middle of `size` bytes, or to overlap their start; undefined if there is none. */
  into(start: Addr, size: ByteCount): Addr | undefined;
  /** Constants that instructions make and that lie in the image's data: possible starts of tables. Rising. */
  readonly dataAddresses: readonly DataAddress[];
}

export function gatherEvidence(image: Image, profile: ImageProfile): Evidence {
  const code = codeOf(image);
  const entries = imageEntries(image);
  const dataAddresses: DataAddress[] = [];
  const inData = (address: number) =>
    image.segments.some((segment) => address >= segment.address && address < segment.address + segment.bytes.length);
  for (const { value, pc, reg } of imageConstants(image).all)
    if (inData(value)) dataAddresses.push({ address: value, pc, reg });
  dataAddresses.sort((a, b) => a.address - b.address || a.pc - b.pc);

  const ran = new Set<Addr>();
  for (const { from, to } of profile.transfers) if (!fallsInto(code.insnAt(from), from, to)) ran.add(to);
  for (const { at } of profile.starts) ran.add(at);
  /** Starts of instructions that only the profile knows: instruction streams that overlap with the visible ones. */
  const begun = new Set<Addr>();
  for (const start of ran)
    for (let at = start; !entries.begins(at) && !begun.has(at); ) {
      const insn = code.insnAt(at);
      if (insn === undefined) break;
      begun.add(at);
      at += insn.size;
    }
  return {
    into(start, size) {
      if (begun.has(start - 2) && code.insnAt(start - 2)?.size === 4) return start;
      for (let at = start + 2; at < start + size; at += 2) if (ran.has(at)) return at;
      return entries.into(start, size);
    },
    dataAddresses,
  };
}

/** True for the fall-through of a branch: no entry, since a patch with the branch's successor in its middle covers the branch as well. */
const fallsInto = (insn: Insn | undefined, from: Addr, to: Addr): boolean =>
  insn !== undefined && facts(insn).control === 'branch' && to === from + insn.size && insn.imm !== insn.size;

const MOST_ENTRIES = 1024;

/**
 * Reads a table of code addresses: entries of `width` bytes, relative to `base` (0: absolute), as long as they lead into code. A table
 * of distances ends at the next address that instructions make: another table may begin there, whose distances lead into code from this
 * base as well, and perhaps to the same places.
 * @returns the targets, in order
 */
export function readTable(image: Image, at: Addr, width: 4 | 8, base: Addr): Addr[] {
  const code = codeOf(image);
  const segment = image.segments.find((s) => at >= s.address && at < s.address + s.bytes.length);
  if (segment === undefined) return [];
  const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
  const end = base === 0 ? Number.POSITIVE_INFINITY : imageConstants(image).nextAbove(at);
  const most = Math.min(Math.floor((end - at) / width), MOST_ENTRIES);
  const targets: Addr[] = [];
  for (
    let offset = at - segment.address;
    offset + width <= segment.bytes.length && targets.length < most;
    offset += width
  ) {
    const entry = width === 8 ? Number(view.getBigInt64(offset, true)) : view.getInt32(offset, true);
    const target = base + entry;
    if (entry === 0 || (target & 1) !== 0 || !code.isExecutable(target) || code.insnAt(target) === undefined) break;
    targets.push(target);
  }
  return targets;
}
