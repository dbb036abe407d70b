/**
 * Finds code, best evidence first: executed code; code that it reaches by direct branches, jumps, calls and falling through; function
 * symbols and code that they reach; instructions that a sweep decodes in the gaps of the executable sections; at last targets of addresses
 * that the data holds or code makes, even in the middle of instructions found before. Linear in the size of the text. Bytes that do not
 * decode may be an instruction of an unknown extension: there may be code behind them.
 *
 * The later stages keep analyses over *all* code sound (a caller that never ran is still a caller). A wrong guess (data in the text decoded
 * as code) only makes these analyses less precise.
 */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { SHF } from '../elf/segment.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { Code } from './code.ts';
import { imageConstants } from './constants.ts';
import { endingOf, farTarget, leavesLink } from './endings.ts';
import { codePlaces } from './places.ts';

/** Why an address is taken for code, best first. A guess may lie across instructions with better evidence: only a number leads there. */
export type Evidence = 'executed' | 'reachable' | 'symbol' | 'swept' | 'guess';
const EVIDENCE: readonly Evidence[] = ['executed', 'reachable', 'symbol', 'swept', 'guess'];

/** Mark of a halfword at which an instruction begins. */
const INSN_MARK = 1;
/** Mark of a halfword at which a block begins. */
const LEADER_MARK = 2;
/** Mark of the second halfword of an instruction. */
const INSIDE_MARK = 4;
/** The stage that found an instruction is kept above these marks, as an index of EVIDENCE. */
const STAGE_SHIFT = 3;

export interface Discovery {
  /** Does a block start at an address? */
  isLeader(address: Addr): boolean;
  /** Block starts in rising order. */
  leaders(): Addr[];
  evidenceAt(address: Addr): Evidence;
  /** Targets of direct calls. */
  readonly callees: ReadonlySet<Addr>;
}

/** One byte of marks for each halfword of the executable ranges. */
export class Marks {
  readonly #ranges: readonly { readonly start: Addr; readonly end: Addr; readonly marks: Uint8Array }[];

  constructor(code: Code) {
    this.#ranges = code.ranges.map(({ start, end }) => {
      const even = start + (start % 2);
      return { start: even, end, marks: new Uint8Array(Math.max(0, (end - even + 1) >> 1)) };
    });
  }
  get(address: Addr): number {
    for (const { start, end, marks } of this.#ranges)
      if (address >= start && address < end) return marks[(address - start) >> 1]!;
    return 0;
  }
  set(address: Addr, bits: number): void {
    for (const { start, end, marks } of this.#ranges)
      if (address >= start && address < end) marks[(address - start) >> 1]! |= bits;
  }
  leaders(): Addr[] {
    const found: Addr[] = [];
    for (const { start, marks } of this.#ranges)
      for (let i = 0; i < marks.length; i++) if ((marks[i]! & LEADER_MARK) !== 0) found.push(start + 2 * i);
    return found;
  }
}

/** @param executed starts of blocks that ran */
export function discover(image: Image, code: Code, executed: Iterable<Addr>): Discovery {
  const marks = new Marks(code);
  const callees = new Set<Addr>();
  let stage = 0;
  const pending: Addr[] = [];
  /**
   * Targets of executed lines. They wait until all executed lines are marked: a leader made earlier could end an executed line, whose rest
   * would then seem merely reachable.
   */
  const deferred: Addr[] = [];

  const reach = (target: Addr | undefined) => {
    if (target === undefined || (target & 1) !== 0) return;
    if (stage === 0) {
      deferred.push(target);
      return;
    }
    const mark = marks.get(target);
    if ((mark & LEADER_MARK) !== 0) return;
    // A swept instruction never starts inside an instruction that better evidence found.
    if (stage === 3 && (mark & (INSIDE_MARK | INSN_MARK)) === INSIDE_MARK) return;
    if (code.insnAt(target) === undefined) return;
    marks.set(target, LEADER_MARK);
    if ((mark & INSN_MARK) === 0) pending.push(target);
  };

  /** Marks a straight line of instructions, and makes its targets pending. */
  const walk = (start: Addr) => {
    let before: Insn | undefined;
    for (let at = start; ; ) {
      const mark = marks.get(at);
      if ((mark & INSN_MARK) !== 0) {
        // Two lines meet in mid-line only where code is decoded at two alignments.
        marks.set(at, LEADER_MARK);
        return;
      }
      const insn = code.insnAt(at);
      if (insn === undefined) {
        const size = code.lengthAt(at);
        if (size > 0) reach(at + size);
        return;
      }
      marks.set(at, INSN_MARK | (stage << STAGE_SHIFT));
      if (insn.size === 4) marks.set(at + 2, INSIDE_MARK);
      const next = at + insn.size;
      const ending = endingOf(insn);
      if (ending === 'none') {
        if ((marks.get(next) & LEADER_MARK) !== 0) {
          if ((marks.get(next) & INSN_MARK) === 0) pending.push(next);
          return;
        }
        before = insn;
        at = next;
        continue;
      }
      const target = targetOf(insn, at) ?? (before && farTarget(before, at - before.size, insn));
      reach(target);
      if (ending === 'call' || ending === 'indirect-call') {
        if (target !== undefined) callees.add(target);
        reach(next);
      } else if (ending === 'branch' || ending === 'syscall' || leavesLink(insn)) reach(next);
      return;
    }
  };
  const drain = () => {
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) if ((marks.get(at) & INSN_MARK) === 0) walk(at);
  };

  // Executed lines are marked first, so that code that is merely reachable from them is told apart.
  const ran = [...executed];
  for (const at of ran) if (code.insnAt(at) !== undefined) marks.set(at, LEADER_MARK);
  for (const at of ran) if ((marks.get(at) & (LEADER_MARK | INSN_MARK)) === LEADER_MARK) walk(at);
  stage = 1;
  for (const at of deferred) reach(at);
  reach(image.entry);
  drain();
  stage = 2;
  for (const symbol of image.symbols) if (symbol.kind === 'function') reach(symbol.address);
  drain();
  stage = 3;
  for (const { start, end } of sweepable(image, code))
    for (let at = start; at < end; ) {
      const insn = code.insnAt(at);
      if (insn === undefined) {
        // Bytes of an unknown instruction or data: the next instruction begins behind them, or sooner.
        const size = code.lengthAt(at) || 2;
        for (const next of [at + size, at + 2]) {
          if (next < end) reach(next);
          drain();
        }
        at += size;
        continue;
      }
      if ((marks.get(at) & INSN_MARK) === 0 && (marks.get(at) & INSIDE_MARK) === 0) {
        reach(at);
        drain();
      }
      at += (marks.get(at) & INSN_MARK) !== 0 ? insn.size : 2;
    }
  stage = 4;
  for (const address of codeAddresses(image)) reach(address);
  drain();
  const entries = new Set(callees);
  for (const { kind, address } of image.symbols) if (kind === 'function') entries.add(address);
  for (const range of sweepable(image, code)) for (const at of hiddenCallers(code, range, marks, entries)) reach(at);
  drain();

  return {
    isLeader: (address) => (marks.get(address) & LEADER_MARK) !== 0,
    leaders: () => marks.leaders(),
    evidenceAt: (address) => EVIDENCE[marks.get(address) >> STAGE_SHIFT]!,
    callees,
  };
}

/** Code addresses that aligned words of the loaded bytes hold or that code makes. */
function codeAddresses(image: Image): Set<Addr> {
  const places = codePlaces(image);
  const found = new Set<Addr>();
  const add = (address: Addr) => {
    if (places.some(({ start, end }) => address >= start && address < end)) found.add(address);
  };
  for (const { address, bytes } of image.segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = (8 - (address % 8)) % 8; at + 8 <= bytes.length; at += 8)
      add(view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32);
  }
  for (const { value } of imageConstants(image).all) add(value);
  return found;
}

/**
 * Addresses of unmarked instructions that call or jump to a known function. The sweep may have lost its step in data that lies in the
 * text, and such a caller may read registers that no other caller reads.
 */
function hiddenCallers(
  code: Code,
  range: { start: Addr; end: Addr },
  marks: Marks,
  entries: ReadonlySet<Addr>,
): Addr[] {
  const found: Addr[] = [];
  for (let at = range.start; at < range.end; at += 2) {
    if ((marks.get(at) & INSN_MARK) !== 0) continue;
    const insn = code.insnAt(at);
    if (insn === undefined) continue;
    const next = at + insn.size;
    const behind = code.insnAt(next);
    const target = targetOf(insn, at) ?? (behind && farTarget(insn, at, behind));
    const leads = target !== undefined && entries.has(target) && target !== at;
    if (leads && (endingOf(insn) === 'call' || endingOf(insn) === 'jump' || endingOf(insn) === 'none')) found.push(at);
  }
  return found;
}

/** The executable sections, or, if the file has none, all executable bytes. */
function sweepable(image: Image, code: Code): { start: Addr; end: Addr }[] {
  const sections = image.sections
    .filter(({ flags, address }) => (flags & SHF.EXECUTE) !== 0 && code.isExecutable(address))
    .map(({ address, size }) => ({ start: address + (address % 2), end: address + size }));
  if (sections.length > 0) return sections;
  return code.ranges.map(({ start, end }) => ({ start: start + (start % 2), end }));
}
