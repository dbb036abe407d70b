/**
 * Evidence of where code is entered: where the image shows it (entries.ts), and what the profile saw. A patch is made only where nothing of
 * it comes into the middle (assumption A2).
 */
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { imageConstants } from '../cfg/constants.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { codeOf } from '../profile/code.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { imageEntries } from './entries.ts';

/** An address in the data that the instruction at `pc` puts into `reg`. */
export interface DataAddress {
  readonly address: Addr;
  readonly pc: Addr;
  readonly reg: Reg;
}

export interface Evidence {
  /** Where code is seen to come into the middle of so many bytes, if anywhere. */
  into(start: Addr, size: ByteCount): Addr | undefined;
  /** Constants that instructions make and that lie in the image's data: where tables may begin. Rising. */
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
  /** Where instructions begin that only the profile knows of: streams that overlap with those that can be seen. */
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

/** A branch that was not taken went on: that enters nothing, since a patch that covers its target covers the branch as well. */
const fallsInto = (insn: Insn | undefined, from: Addr, to: Addr): boolean =>
  insn !== undefined && facts(insn).control === 'branch' && to === from + insn.size && insn.imm !== insn.size;

const MOST_ENTRIES = 1024;

/**
 * Reads a table of code addresses: entries of `width` bytes, relative to `base` (0: absolute), as long as they lead into code.
 * Distances end where something else begins in the data: what follows may be another table, whose distances lead into code from here as
 * well, and perhaps to the same places.
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
