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
import { viewOf } from '../elf/fields.ts';
import type { Image } from '../elf/image.ts';
import { SHF } from '../elf/segment.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { Code, CodeRange } from './code.ts';
import { imageConstants } from './constants.ts';
import { type Ending, endingOf, farTarget, leavesLink } from './endings.ts';
import { Marks } from './marks.ts';
import { codePlaces } from './places.ts';

/** Why an address is taken for code, best first. A guess may lie across instructions with better evidence: only a number leads there. */
export type Evidence = 'executed' | 'reachable' | 'symbol' | 'swept' | 'guess';
const EVIDENCE: readonly Evidence[] = ['executed', 'reachable', 'symbol', 'swept', 'guess'];
/** The stages of the search, which find the code of one evidence each: indexes of EVIDENCE. */
const STAGE = { EXECUTED: 0, REACHABLE: 1, SYMBOL: 2, SWEPT: 3, GUESS: 4 } as const;
type Stage = (typeof STAGE)[keyof typeof STAGE];

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

/** @param executed starts of blocks that ran */
export function discover(image: Image, code: Code, executed: Iterable<Addr>): Discovery {
  const search = new Search(image, code);
  search.markExecuted([...executed]);
  search.followFromExecuted();
  search.followSymbols();
  search.sweepGaps();
  search.followGuesses();
  const { marks, callees } = search;
  return {
    isLeader: (address) => (marks.get(address) & LEADER_MARK) !== 0,
    leaders: () => marks.addressesWith(LEADER_MARK),
    evidenceAt: (address) => EVIDENCE[marks.get(address) >> STAGE_SHIFT]!,
    callees,
  };
}

/** The search for code, stage by stage. Later stages only add marks: an instruction keeps the evidence of the stage that found it first. */
class Search {
  readonly marks: Marks;
  /** Targets of direct calls. */
  readonly callees = new Set<Addr>();
  readonly #image: Image;
  readonly #code: Code;
  #stage: Stage = STAGE.EXECUTED;
  /** Leaders whose lines are not marked yet. */
  readonly #pending: Addr[] = [];
  /**
   * Targets of executed lines. They wait until all executed lines are marked: a leader made earlier could end an executed line, whose rest
   * would then seem merely reachable.
   */
  readonly #deferred: Addr[] = [];

  constructor(image: Image, code: Code) {
    this.#image = image;
    this.#code = code;
    this.marks = new Marks(code);
  }

  /** Executed lines are marked first, so that code that is merely reachable from them is told apart. */
  markExecuted(executed: readonly Addr[]): void {
    this.#stage = STAGE.EXECUTED;
    for (const at of executed) if (this.#code.insnAt(at) !== undefined) this.marks.set(at, LEADER_MARK);
    for (const at of executed) if ((this.marks.get(at) & (LEADER_MARK | INSN_MARK)) === LEADER_MARK) this.#walk(at);
  }

  followFromExecuted(): void {
    this.#stage = STAGE.REACHABLE;
    for (const at of this.#deferred) this.#reach(at);
    this.#reach(this.#image.entry);
    this.#drain();
  }

  followSymbols(): void {
    this.#stage = STAGE.SYMBOL;
    for (const symbol of this.#image.symbols) if (symbol.kind === 'function') this.#reach(symbol.address);
    this.#drain();
  }

  sweepGaps(): void {
    this.#stage = STAGE.SWEPT;
    for (const { start, end } of sweepable(this.#image, this.#code)) this.#sweep(start, end);
  }

  /** Follows the code addresses that data hold or code makes, and then callers that the sweep has missed. */
  followGuesses(): void {
    this.#stage = STAGE.GUESS;
    for (const address of codeAddresses(this.#image)) this.#reach(address);
    this.#drain();
    const entries = new Set(this.callees);
    for (const { kind, address } of this.#image.symbols) if (kind === 'function') entries.add(address);
    for (const range of sweepable(this.#image, this.#code))
      for (const at of hiddenCallers(this.#code, range, this.marks, entries)) this.#reach(at);
    this.#drain();
  }

  #sweep(start: Addr, end: Addr): void {
    for (let at = start; at < end; ) {
      const insn = this.#code.insnAt(at);
      if (insn === undefined) {
        // Bytes of an unknown instruction or data: the next instruction begins behind them, or sooner.
        const size = this.#code.lengthAt(at) || 2;
        for (const next of [at + size, at + 2]) {
          if (next < end) this.#reach(next);
          this.#drain();
        }
        at += size;
        continue;
      }
      if ((this.marks.get(at) & (INSN_MARK | INSIDE_MARK)) === 0) {
        this.#reach(at);
        this.#drain();
      }
      at += (this.marks.get(at) & INSN_MARK) !== 0 ? insn.size : 2;
    }
  }

  /** Makes an address a leader, by the evidence of the present stage. */
  #reach(target: Addr | undefined): void {
    if (target === undefined || (target & 1) !== 0) return;
    if (this.#stage === STAGE.EXECUTED) {
      this.#deferred.push(target);
      return;
    }
    const mark = this.marks.get(target);
    if ((mark & LEADER_MARK) !== 0) return;
    // A swept instruction never starts inside an instruction that better evidence found.
    if (this.#stage === STAGE.SWEPT && (mark & (INSIDE_MARK | INSN_MARK)) === INSIDE_MARK) return;
    if (this.#code.insnAt(target) === undefined) return;
    this.marks.set(target, LEADER_MARK);
    if ((mark & INSN_MARK) === 0) this.#pending.push(target);
  }

  /** Marks the lines of all pending leaders, and of the leaders that these lines lead to. */
  #drain(): void {
    for (let at = this.#pending.pop(); at !== undefined; at = this.#pending.pop())
      if ((this.marks.get(at) & INSN_MARK) === 0) this.#walk(at);
  }

  /** Marks a straight line of instructions, and makes its targets pending. */
  #walk(start: Addr): void {
    const { marks } = this;
    let before: Insn | undefined;
    for (let at = start; ; ) {
      if ((marks.get(at) & INSN_MARK) !== 0) {
        // Two lines meet in mid-line only where code is decoded at two alignments.
        marks.set(at, LEADER_MARK);
        return;
      }
      const insn = this.#code.insnAt(at);
      if (insn === undefined) {
        const size = this.#code.lengthAt(at);
        if (size > 0) this.#reach(at + size);
        return;
      }
      marks.set(at, INSN_MARK | (this.#stage << STAGE_SHIFT));
      if (insn.size === 4) marks.set(at + 2, INSIDE_MARK);
      const ending = endingOf(insn);
      if (ending !== 'none') {
        const target = targetOf(insn, at) ?? (before && farTarget(before, at - before.size, insn));
        this.#leave(insn, ending, target, at + insn.size);
        return;
      }
      at += insn.size;
      if ((marks.get(at) & LEADER_MARK) !== 0) {
        if ((marks.get(at) & INSN_MARK) === 0) this.#pending.push(at);
        return;
      }
      before = insn;
    }
  }

  /** Follows control from the end of a line: to the target of its last instruction, and to the instruction behind. */
  #leave(insn: Insn, ending: Ending, target: Addr | undefined, behind: Addr): void {
    this.#reach(target);
    const calls = ending === 'call' || ending === 'indirect-call';
    if (calls && target !== undefined) this.callees.add(target);
    if (calls || ending === 'branch' || ending === 'syscall' || leavesLink(insn)) this.#reach(behind);
  }
}

/** Code addresses that aligned words of the loaded bytes hold or that code makes: in code, where data may lie too, also words of four bytes. */
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
  for (const place of places) for (const value of evenWords(image, place)) add(value);
  for (const { value } of imageConstants(image).all) add(value);
  return found;
}

/** Words at even places of code that can be addresses of code, of eight bytes or, if the image stays where it is linked, of four. */
function* evenWords(image: Image, { start, end }: CodeRange): Generator<number> {
  const segment = image.segments.find(({ address, bytes }) => start >= address && start < address + bytes.length);
  if (segment === undefined) return;
  const view = viewOf(segment.bytes);
  for (let at = start - segment.address; at + 4 <= Math.min(end - segment.address, view.byteLength); at += 2) {
    const value = view.getUint32(at, true);
    // The word of a four-byte instruction is odd.
    if (value % 2 !== 0) continue;
    if (!image.relocatable || (at + 8 <= view.byteLength && view.getUint32(at + 4, true) === 0)) yield value;
  }
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
