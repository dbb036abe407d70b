/**
 * Evidence of where code is entered: addresses that something in the image can jump to. A patch may cover several instructions
 * only if none but the first is among them. Too many entries cost patches, too few would cost correctness (assumption A2).
 */
import type { Addr, Reg } from '../base/units.ts';
import { imageConstants } from '../cfg/constants.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { codeOf } from '../profile/code.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { landingPads } from './unwind/index.ts';

/** An address in the data that the instruction at `pc` puts into `reg`. */
export interface DataAddress {
  readonly address: Addr;
  readonly pc: Addr;
  readonly reg: Reg;
}

export interface Evidence {
  /** Something may jump to this address. */
  entered(address: Addr): boolean;
  /** Constants that instructions make and that lie in the image's data: where tables may begin. Rising. */
  readonly dataAddresses: readonly DataAddress[];
}

export function gatherEvidence(image: Image, profile: ImageProfile): Evidence {
  const code = codeOf(image);
  const entries = new Set<Addr>();
  const dataAddresses: DataAddress[] = [];
  const isCode = (address: number) => (address & 1) === 0 && code.isExecutable(address);
  const inData = (address: number) =>
    image.segments.some((segment) => address >= segment.address && address < segment.address + segment.bytes.length);

  for (const { value, pc, reg } of imageConstants(image).all) {
    if (isCode(value)) entries.add(value);
    if (inData(value)) dataAddresses.push({ address: value, pc, reg });
  }
  for (const { start, end } of code.ranges) {
    for (let pc = start; pc < end; ) {
      const insn = code.insnAt(pc);
      if (insn === undefined) {
        pc += 2;
        continue;
      }
      const { control, writes } = facts(insn);
      if (control === 'branch' || control === 'jump') entries.add(pc + insn.imm);
      if (control === 'syscall' || control === 'trap') entries.add(pc + insn.size);
      if ((control === 'jump' || control === 'indirect') && writes !== undefined) entries.add(pc + insn.size);
      pc += insn.size;
    }
  }
  for (const symbol of image.symbols) if (symbol.kind !== 'object') entries.add(symbol.address);
  entries.add(image.entry);
  for (const segment of image.segments) {
    const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
    const first = (8 - (segment.address % 8)) % 8;
    for (let at = first; at + 8 <= segment.bytes.length; at += 8) {
      const high = view.getUint32(at + 4, true);
      if (high !== 0) continue;
      const value = view.getUint32(at, true);
      if (isCode(value)) entries.add(value);
    }
  }
  // Tables of 32-bit distances or addresses: read from every data address on while the entries lead into code.
  for (const address of new Set(dataAddresses.map((each) => each.address)))
    for (const base of [address, 0]) for (const target of readTable(image, address, 4, base)) entries.add(target);
  for (const pad of landingPads(image)) entries.add(pad);
  for (const { from, to } of profile.transfers) if (!fallsInto(code.insnAt(from), from, to)) entries.add(to);
  for (const { at } of profile.starts) entries.add(at);
  dataAddresses.sort((a, b) => a.address - b.address || a.pc - b.pc);
  return { entered: (address) => entries.has(address), dataAddresses };
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
