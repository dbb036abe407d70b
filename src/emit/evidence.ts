/**
 * Evidence of where code is entered: entries that the image shows (entries.ts), and entries that the profile saw. A patch is made only
 * where no such entry leads into its middle (assumption A2).
 */
import type { Addr, ByteCount } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { type ImageProfile, OUTSIDE } from '../profile/profile.ts';
import { imageEntries } from './entries.ts';

export interface Evidence {
  /** An address at which code is seen to enter the middle of `size` bytes, or to overlap their start; undefined if there is none. */
  into(start: Addr, size: ByteCount): Addr | undefined;
}

export function gatherEvidence(image: Image, profile: ImageProfile): Evidence {
  const code = codeOf(image);
  const entries = imageEntries(image);

  const ran = new Set<Addr>();
  for (const { from, to } of profile.transfers)
    if (to !== OUTSIDE && !fallsInto(code.insnAt(from), from, to)) ran.add(to);
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
  };
}

/** True for the fall-through of a branch: no entry, since a patch with the branch's successor in its middle covers the branch as well. */
const fallsInto = (insn: Insn | undefined, from: Addr, to: Addr): boolean =>
  insn !== undefined && facts(insn).control === 'branch' && to === from + insn.size && insn.imm !== insn.size;
