/**
 * Where code can be seen to be entered, from the image alone: what a patch must not lie across (assumption A2). Code is what a sweep over
 * the executable sections decodes, and what is reached from every entry at the alignment that the entry has: streams of instructions may
 * overlap, and what one leads to counts as much as what another does.
 *
 * Entries are the image's own, every symbol, targets of direct branches, jumps and calls, what stands behind calls, ecall and ebreak, code
 * addresses that instructions make or jump to (flowing.ts), and those that data holds (code-pointers.ts). Where a jump computes its target and does not
 * show from what, every instruction of its function is one (unseen-jumps.ts), and so is every one of a function where code adds to a place in its middle: what
 * it adds up to may be kept and jumped to anywhere. Too many cost patches, too few would cost correctness.
 */
import { type Addr, type ByteCount, GP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import { type Code, codeOf } from '../profile/code.ts';
import { imageAccesses } from './accesses.ts';
import { codePointers } from './code-pointers.ts';
import { imageConstants } from './constants.ts';
import { Marks } from './discover.ts';
import { flow, LINKS, type Made, type TableJump } from './flowing.ts';
import { codePlaces } from './places.ts';
import { type Extent, functionExtents, unseenJumps } from './unseen-jumps.ts';

export interface Entries {
  /** Is something seen to enter here? */
  has(address: Addr): boolean;
  /** Does an instruction begin here, in one of the streams that are seen? */
  begins(address: Addr): boolean;
  /**
   * The first place, if there is one, where code is seen to come into the middle of so many bytes: by an entry behind their first, or along an
   * instruction that begins before them and reaches into them.
   */
  into(start: Addr, size: ByteCount): Addr | undefined;
  /** Is something seen to return so many bytes behind a return point, or before it? Then assumption A7 does not hold. */
  readonly returnsBehind: boolean;
}

/** @param more entries that are known from elsewhere, such as landing pads */
export function findEntries(image: Image, more: Iterable<Addr> = []): Entries {
  const finder = new Finder(image);
  finder.enter(image.entry);
  for (const { address } of image.symbols) finder.enter(address);
  for (const address of more) finder.enter(address);
  for (const { value } of imageConstants(image).all) finder.make(value);
  finder.sweep();
  const unseen = [...unseenJumps(image)];
  const extentOf = functionExtents(image);
  // What these leave out goes by a table, whose place was followed over any distance.
  for (const { at, width, base } of imageAccesses(image).reads)
    finder.read({ table: at, bytes: width, signed: true, one: false, times: 1, base });
  do {
    finder.follow();
    for (const base of finder.bases.splice(0)) {
      const extent = extentOf(base);
      if (extent !== undefined && !unseen.includes(extent)) unseen.push(extent);
    }
    for (const address of codePointers(image, finder.places, finder.made, finder.jumps.values())) finder.enter(address);
    for (const extent of unseen) finder.enterAll(extent);
  } while (finder.waits);
  return finder;
}

/** In some stream an instruction begins here; something enters here. */
const BEGINS = 1;
const ENTERED = 2;
/** Instructions are no longer, known or not (`Code.lengthAt`). */
const LONGEST = 8;
/** How far an address is from its upper part. */
const NEAR = 2048;

class Finder implements Entries {
  /** Where code is held to be, for what is no more than a number in the data. */
  readonly places: readonly { readonly start: Addr; readonly end: Addr }[];
  /** Constants that instructions make. */
  readonly made = new Set<number>();
  /** Places in the middle of code that something is added to, not looked at yet. */
  readonly bases: Addr[] = [];
  /** Jumps that read tables, by what they read. */
  readonly jumps = new Map<string, TableJump>();
  readonly #code: Code;
  readonly #marks: Marks;
  readonly #pending: Addr[] = [];
  /** Instructions that make a constant out of nothing, not yet followed; those that add to gp, which one place sets. */
  readonly #makers: Addr[] = [];
  readonly #gpUsers: Addr[] = [];
  /** Those that add to what may be a link, if nothing else is seen to be in that register. */
  readonly #linkUsers: Addr[] = [];
  /** Instructions that were seen to work on constants, when these were followed. */
  readonly #explained = new Set<Addr>();
  readonly #gp = new Set<number>();
  /** Constants that are more than an upper part. */
  readonly #whole = new Set<number>();
  /** What stands behind calls, and how far behind it functions are seen to return. */
  readonly #returns = new Set<Addr>();
  readonly #skips = new Set<number>();

  constructor(image: Image) {
    this.#code = codeOf(image);
    this.#marks = new Marks(this.#code);
    this.places = codePlaces(image);
  }

  has(address: Addr): boolean {
    return (this.#marks.get(address) & ENTERED) !== 0;
  }

  begins(address: Addr): boolean {
    return (this.#marks.get(address) & BEGINS) !== 0;
  }

  into(start: Addr, size: ByteCount): Addr | undefined {
    for (let by = 2; by < LONGEST; by += 2)
      if (this.begins(start - by) && this.#code.lengthAt(start - by) > by) return start;
    for (let at = start + 2; at < start + size; at += 2) if (this.has(at)) return at;
    return undefined;
  }

  get returnsBehind(): boolean {
    return this.#skips.size > 0;
  }

  get waits(): boolean {
    return this.#pending.length > 0;
  }

  /** The lowest bit of an address that is jumped to plays no part. */
  enter(address: Addr): void {
    const at = address - (address % 2);
    if (this.has(at) || !this.#code.isExecutable(at)) return;
    this.#marks.set(at, ENTERED);
    this.#pending.push(at);
  }

  /** Every instruction that begins here is entered: a jump may lead to any of them. */
  enterAll([start, end]: Extent): void {
    for (let at = start; at < end; at += 2) if (this.begins(at)) this.enter(at);
  }

  /** All that decodes, one instruction behind the other. */
  sweep(): void {
    for (const { start, end } of this.places)
      for (let at = start; at < end; ) {
        const insn = this.#look(at, true);
        // What does not decode may be an instruction of an extension that is not known here, of any length, or data of any.
        const size = insn?.size ?? (this.#code.lengthAt(at) || 2);
        if (insn === undefined) {
          this.#past(at);
          if (size > 2) this.#line(at + 2);
        }
        at += size;
      }
  }

  /** All that is reached from the entries, and what constants made there lead to. */
  follow(): void {
    for (;;) {
      const entry = this.#pending.pop();
      if (entry !== undefined) {
        this.#line(entry);
        continue;
      }
      const maker =
        this.#makers.pop() ?? (this.#gp.size === 1 ? this.#gpUsers.pop() : undefined) ?? this.#linkUsers.pop();
      if (maker === undefined) return;
      if (this.#explained.has(maker)) continue;
      const [gp] = this.#gp;
      flow(this.#code, maker, this.#gp.size === 1 ? gp : undefined, {
        nearCode: (value) => this.#isPlace(value, NEAR),
        explains: (pc) => this.#explained.add(pc),
        made: (made) => this.#note(made),
        sums: (base, entry) => {
          if (!this.#whole.has(base) || !this.#isPlace(base, 0)) return;
          if (entry === undefined) this.bases.push(base);
          else this.read({ ...entry, base });
        },
        enters: (target) => this.enter(target),
        skips: (by) => this.#skip(by),
        reads: (jump) => this.read(jump),
      });
    }
  }

  read(jump: TableJump): void {
    this.jumps.set(Object.values(jump).join(), jump);
  }

  #note({ value, reg, sum }: Made): void {
    if (reg === GP && sum) this.#gp.add(value);
    if (sum) this.#whole.add(value);
    this.make(value);
  }

  /** Code makes this constant. What is no more than that enters what is held to be code, not the texts beside it. */
  make(value: number): void {
    this.made.add(value);
    if (this.#isPlace(value, 0)) this.enter(value);
  }

  #isPlace(address: number, near: number): boolean {
    return this.places.some(({ start, end }) => address >= start - near && address < end + near);
  }

  /** A straight line, up to where it ends or comes to what has been looked at. */
  #line(start: Addr): void {
    for (let at = start; !this.begins(at); ) {
      const insn = this.#look(at, false);
      if (insn === undefined) {
        this.#past(at);
        return;
      }
      const { control } = facts(insn);
      // Behind calls and ecall there are entries of their own.
      if (control !== 'none' && control !== 'branch') return;
      at += insn.size;
    }
  }

  /** Behind what does not decode: it may be an instruction of an extension that is not known here, and go on. */
  #past(at: Addr): void {
    const size = this.#code.lengthAt(at);
    if (size > 0) this.enter(at + size);
  }

  /**
   * What one instruction shows.
   * @param swept one of the sweep's. Only these may tell how returns go past return points, which would be an entry behind every call: a stream that a
   * number in the data begins is too little for that.
   */
  #look(at: Addr, swept: boolean): Insn | undefined {
    const insn = this.#code.insnAt(at);
    if (this.begins(at)) return insn;
    this.#marks.set(at, BEGINS);
    if (insn === undefined) return undefined;
    const { control, reads, writes, pure } = facts(insn);
    const target = targetOf(insn, at);
    if (target !== undefined) this.enter(target);
    const behind = at + insn.size;
    if (control === 'syscall' || control === 'trap') this.enter(behind);
    if ((control === 'jump' || control === 'indirect') && writes !== undefined) this.#calls(behind);
    const adds = insn.imm !== 0 && reads.length === 1 && reads[0] === insn.rs1;
    if (swept && adds && (control === 'indirect' || pure) && LINKS.includes(insn.rs1)) this.#linkUsers.push(at);
    if (pure && writes !== undefined && insn.row.format === 'U') this.#makers.push(at);
    if (pure && adds && insn.rs1 === GP) this.#gpUsers.push(at);
    return insn;
  }

  #calls(behind: Addr): void {
    this.enter(behind);
    this.#returns.add(behind);
    for (const by of this.#skips) this.enter(behind + by);
  }

  #skip(by: number): void {
    if (this.#skips.has(by)) return;
    this.#skips.add(by);
    for (const behind of this.#returns) this.enter(behind + by);
  }
}
