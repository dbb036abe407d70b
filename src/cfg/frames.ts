/**
 * Private frames: functions that never take the address of their frame. All that such a function does with its stack pointer (and its frame
 * pointer, if it has one) is to access memory at constant distances, to move it by constants, and to save and restore the frame pointer. So
 * no pointer that it stores, passes on or computes leads into its frame; that no other does is assumption A10.
 *
 * Arguments on the stack are another matter: who is called may take their address, a variadic function does. The caller writes them and never
 * reads them again, the callee reads them and never writes them. So of a frame only what the function itself both reads and writes is private.
 *
 * Of a function whose code is not all known nothing is said: where a jump leads is unknown and no symbol says where the function ends. Parts
 * that lie elsewhere (`.cold`), and what is jumped to but never called, belong to the function.
 */
import { type Addr, type Reg, S0, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { runTerms, Terms } from '../domain/term.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { type Cfg, imageCfg } from './build.ts';

export interface Frames {
  /** Does the instruction at this address access a private frame, through the stack pointer or the frame pointer? */
  accesses(at: Addr): boolean;
}

const sums = new WeakMap<Insn, boolean>();

/** It adds a constant to rs1, and does nothing else. */
function isSum(insn: Insn): boolean {
  let known = sums.get(insn);
  if (known === undefined) {
    const terms = new Terms();
    const rs1 = terms.input('rs1');
    const { result } = runTerms(terms, insn, { rs1, rs2: terms.input('rs2'), pc: terms.input('pc') }, () => rs1);
    known = facts(insn).pure && result === terms.add(rs1, terms.const(BigInt(insn.imm)));
    sums.set(insn, known);
  }
  return known;
}

/** What is known of a function and its parts. */
interface Group {
  readonly insns: Insn[];
  known: boolean;
}

/** The registers that hold a private frame's address, and the bytes around each that are both read and written through it. */
type Slots = ReadonlyMap<Reg, ReadonlySet<number>>;

function slotsOf(insns: readonly Insn[], bases: readonly Reg[]): Slots {
  return new Map(
    bases.map((base) => {
      const bytesOf = (kind: 'load' | 'store') =>
        new Set(
          insns.flatMap((insn) => {
            const access = facts(insn)[kind];
            if (access === undefined || insn.rs1 !== base) return [];
            return Array.from({ length: access.bytes }, (_, i) => insn.imm + i);
          }),
        );
      const written = bytesOf('store');
      return [base, new Set([...bytesOf('load')].filter((at) => written.has(at)))];
    }),
  );
}

/** The frame pointer, if the function has one: it is set from the stack pointer, and otherwise only restored. */
function framePointer(insns: readonly Insn[]): Reg | undefined {
  const sets = (insn: Insn) => insn.rs1 === SP && isSum(insn);
  const writes = insns.filter((insn) => facts(insn).writes === S0);
  if (!writes.some(sets)) return undefined;
  return writes.every((insn) => sets(insn) || (facts(insn).load !== undefined && insn.rs1 === SP)) ? S0 : undefined;
}

/** Does this use of the frame's registers keep the frame's address from everyone else? */
function keepsPrivate(insn: Insn, isBase: (reg: Reg) => boolean): boolean {
  const { reads, writes, load, store, ordered } = facts(insn);
  if (!reads.some(isBase)) return writes !== SP;
  if (ordered) return false;
  // The frame pointer of the caller is saved before it is one's own.
  if (store !== undefined) return isBase(insn.rs1) && (!isBase(insn.rs2) || (insn.rs1 === SP && insn.rs2 !== SP));
  if (load !== undefined) return writes !== SP;
  return isSum(insn) && isBase(insn.rd);
}

export function framesOf(cfg: Cfg): Frames {
  const called = new Set<Addr>();
  for (const { ending, target } of cfg.blocks) if (ending === 'call' && target !== undefined) called.add(target);
  const leader = new Map<Addr, Addr>();
  const find = (entry: Addr): Addr => {
    const up = leader.get(entry);
    if (up === undefined || up === entry) return entry;
    const top = find(up);
    leader.set(entry, top);
    return top;
  };
  const ofBlock = new Map(cfg.blocks.map((block) => [block.start, block.function]));
  for (const { flow, function: from } of cfg.blocks)
    for (const to of flow) {
      const owner = ofBlock.get(to) ?? to;
      if (owner !== from && !(owner === to && called.has(to))) leader.set(find(owner), find(from));
    }
  const groups = new Map<Addr, Group>();
  for (const block of cfg.blocks) {
    const top = find(block.function);
    let group = groups.get(top);
    if (group === undefined) {
      group = { insns: [], known: true };
      groups.set(top, group);
    }
    for (let at = block.start; at < block.end; ) {
      const insn = cfg.code.insnAt(at)!;
      group.insns.push(insn);
      at += insn.size;
    }
    const unknown = block.ending === 'indirect' && !block.flowKnown && block.target === undefined;
    if (unknown && cfg.functions.get(block.function)?.size === undefined) group.known = false;
  }
  const slots = new Map<Addr, Slots>();
  for (const [top, { insns, known }] of groups) {
    const pointer = framePointer(insns);
    const isBase = (reg: Reg) => reg === SP || reg === pointer;
    const isPrivate = known && insns.every((insn) => keepsPrivate(insn, isBase));
    slots.set(top, slotsOf(insns, isPrivate ? (pointer === undefined ? [SP] : [SP, pointer]) : []));
  }
  return {
    accesses(at) {
      const block = cfg.blockOver(at);
      const insn = cfg.code.insnAt(at);
      if (block === undefined || insn === undefined) return false;
      const { load, store, ordered } = facts(insn);
      const bytes = (load ?? store)?.bytes;
      if (bytes === undefined || ordered) return false;
      const own = slots.get(find(block.function))!.get(insn.rs1);
      return own !== undefined && Array.from({ length: bytes }, (_, i) => insn.imm + i).every((at) => own.has(at));
    },
  };
}

const known = new WeakMap<Image, Frames>();

/** Of all of an image's code, as far as it is found without a profile; the same object for the same image, as liveness is. */
export function imageFrames(image: Image): Frames {
  let frames = known.get(image);
  if (frames === undefined) {
    frames = framesOf(imageCfg(image));
    known.set(image, frames);
  }
  return frames;
}
