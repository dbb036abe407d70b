/**
 * Finds code, best evidence first: what ran; what that can reach by direct branches, jumps, calls and falling through; function
 * symbols and what they reach; whatever decodes in the gaps of the executable sections; at last what addresses in the data and those that code makes
 * lead to, across instructions that were found before. Linear in the size of the text. What does not decode may be an instruction of an extension
 * that is not known here: there may be code behind it.
 *
 * What is found late is found so that analyses over *all* code stay sound (a caller that never ran is still a caller); a guess that is
 * wrong (data in the text decoded as code) only makes them less precise.
 */
import type { Addr } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { Code } from '../profile/code.ts';
import { endingOf, farTarget, leavesLink } from '../profile/flow.ts';
import { imageConstants } from './constants.ts';
import { codePlaces } from './places.ts';

/** Why an address is held to be code, best first. A guess lies across instructions that there is better evidence for: only a number leads there. */
export type Evidence = 'executed' | 'reachable' | 'symbol' | 'swept' | 'guess';
const EVIDENCE: readonly Evidence[] = ['executed', 'reachable', 'symbol', 'swept', 'guess'];

/** An instruction begins here. */
const BEGINS = 1;
/** A block begins here. */
const LEADER = 2;
/** Inside an instruction that begins before. */
const INSIDE = 4;
const STAGE_SHIFT = 3;

const SHF_EXECINSTR = 4;

export interface Discovery {
  /** Is this the start of a block? */
  isLeader(address: Addr): boolean;
  /** Block starts in rising order. */
  leaders(): Addr[];
  evidenceAt(address: Addr): Evidence;
  /** Targets of direct calls. */
  readonly callees: ReadonlySet<Addr>;
}

/** Marks by halfword of each executable range. */
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
      for (let i = 0; i < marks.length; i++) if ((marks[i]! & LEADER) !== 0) found.push(start + 2 * i);
    return found;
  }
}

/** @param executed starts of blocks that ran */
export function discover(image: Image, code: Code, executed: Iterable<Addr>): Discovery {
  const marks = new Marks(code);
  const callees = new Set<Addr>();
  let stage = 0;
  const pending: Addr[] = [];
  /** What the executed lines lead to: looked at when all of these are marked, lest one ends early and seems merely reachable. */
  const deferred: Addr[] = [];

  const reach = (target: Addr | undefined) => {
    if (target === undefined || (target & 1) !== 0) return;
    if (stage === 0) {
      deferred.push(target);
      return;
    }
    const mark = marks.get(target);
    if ((mark & LEADER) !== 0) return;
    // What is swept never cuts an instruction that better evidence found.
    if (stage === 3 && (mark & (INSIDE | BEGINS)) === INSIDE) return;
    if (code.insnAt(target) === undefined) return;
    marks.set(target, LEADER);
    if ((mark & BEGINS) === 0) pending.push(target);
  };

  /** Marks a straight line; what it leads to is pending. */
  const walk = (start: Addr) => {
    let before: Insn | undefined;
    for (let at = start; ; ) {
      const mark = marks.get(at);
      if ((mark & BEGINS) !== 0) {
        // Two lines meet in mid-line only where code is decoded at two alignments.
        marks.set(at, LEADER);
        return;
      }
      const insn = code.insnAt(at);
      if (insn === undefined) {
        const size = code.lengthAt(at);
        if (size > 0) reach(at + size);
        return;
      }
      marks.set(at, BEGINS | (stage << STAGE_SHIFT));
      if (insn.size === 4) marks.set(at + 2, INSIDE);
      const next = at + insn.size;
      const ending = endingOf(insn);
      if (ending === 'none') {
        if ((marks.get(next) & LEADER) !== 0) {
          if ((marks.get(next) & BEGINS) === 0) pending.push(next);
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
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) if ((marks.get(at) & BEGINS) === 0) walk(at);
  };

  // What ran: the lines first, so that what they reach is told apart from them.
  const ran = [...executed];
  for (const at of ran) if (code.insnAt(at) !== undefined) marks.set(at, LEADER);
  for (const at of ran) if ((marks.get(at) & (LEADER | BEGINS)) === LEADER) walk(at);
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
        // An instruction that is not known, or data: what comes next begins behind it, or sooner.
        const size = code.lengthAt(at) || 2;
        for (const next of [at + size, at + 2]) {
          if (next < end) reach(next);
          drain();
        }
        at += size;
        continue;
      }
      if ((marks.get(at) & BEGINS) === 0 && (marks.get(at) & INSIDE) === 0) {
        reach(at);
        drain();
      }
      at += (marks.get(at) & BEGINS) !== 0 ? insn.size : 2;
    }
  stage = 4;
  for (const address of codeAddresses(image)) reach(address);
  drain();

  return {
    isLeader: (address) => (marks.get(address) & LEADER) !== 0,
    leaders: () => marks.leaders(),
    evidenceAt: (address) => EVIDENCE[marks.get(address) >> STAGE_SHIFT]!,
    callees,
  };
}

/** Addresses of code that aligned words of the loaded bytes hold, and those that code makes. */
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

/** Executable sections, or, when the file has none, all executable bytes. */
function sweepable(image: Image, code: Code): { start: Addr; end: Addr }[] {
  const sections = image.sections
    .filter(({ flags, address }) => (flags & SHF_EXECINSTR) !== 0 && code.isExecutable(address))
    .map(({ address, size }) => ({ start: address + (address % 2), end: address + size }));
  if (sections.length > 0) return sections;
  return code.ranges.map(({ start, end }) => ({ start: start + (start % 2), end }));
}
