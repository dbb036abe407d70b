/**
 * The search for entries: addresses at which the image alone shows that code may be entered. Code is found by a sweep over the executable
 * sections, and by following every entry at the entry's own alignment: streams of instructions may overlap, and the targets of every
 * stream count.
 */
import { derived } from '../base/derived.ts';
import { type Addr, type ByteCount, GP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import { type Code, codeOf } from './code.ts';
import { codePointers, tableStarts } from './code-pointers.ts';
import { imageConstants } from './constants.ts';
import { followConstant, LINKS, type Made, type TableJump } from './flowing.ts';
import { Marks } from './marks.ts';
import { codePlaces } from './places.ts';

/**
 * Code addresses that an image's data holds, whole or as distances in tables, or that its code makes: what a jump to an address in a register
 * may lead to, as far as the code shows without a graph of it. Some are mere numbers.
 */
export const imageLabels = (image: Image): ReadonlySet<Addr> => searched(image).labels;

/** Starts of tables of distances from the table's start that jumps are seen to read, as far as the code shows without a graph of it. */
export const imageTableStarts = (image: Image): ReadonlySet<Addr> => searched(image).tables;

const searched = derived('labels', (image: Image) => {
  const finder = new EntryFinder(image);
  const labels = new Set<Addr>();
  do {
    finder.follow();
    for (const address of finder.pointers()) {
      labels.add(address);
      finder.enter(address);
    }
  } while (finder.waits);
  for (const address of finder.madeEntries()) labels.add(address);
  return { labels, tables: tableStarts(finder.jumps.values()) };
});

/** Marks of a halfword: an instruction of some stream begins there; it is an entry. */
const INSN_MARK = 1;
const ENTRY_MARK = 2;
/** No instruction, known or not, is longer (`Code.lengthAt`). */
const MAX_INSN_BYTES = 8;
/** Largest distance of an address from its upper part. */
const LOW_PART_BYTES = 2048;

export class EntryFinder {
  /** Ranges in which a mere number in the data or code is taken for a code address. */
  readonly places: readonly { readonly start: Addr; readonly end: Addr }[];
  /** Constants that instructions make. */
  readonly made = new Set<number>();
  /** Code addresses that code adds a variable to, not yet handled. */
  readonly bases: Addr[] = [];
  /** Jumps that read tables, each once for equal reads. */
  readonly jumps = new Map<string, TableJump>();
  readonly #image: Image;
  readonly #code: Code;
  readonly #marks: Marks;
  readonly #pending: Addr[] = [];
  /** Instructions that make a constant without operands, not yet followed. */
  readonly #makers: Addr[] = [];
  /** Instructions that add to gp, not yet followed; gp is known if the code gives it one value only. */
  readonly #gpUsers: Addr[] = [];
  /** Instructions that add to ra or t0, not yet followed: the register may hold a link, unless a constant was seen to reach it. */
  readonly #linkUsers: Addr[] = [];
  /** Instructions that were seen to read a followed constant. */
  readonly #explained = new Set<Addr>();
  readonly #gp = new Set<number>();
  /** Constants that are more than an upper part. */
  readonly #whole = new Set<number>();
  /** Return points of calls, and the distances from them at which functions are seen to return. */
  readonly #returns = new Set<Addr>();
  readonly #skips = new Set<number>();

  /** Begins with the image's entry, its symbols, the constants of its code, and a sweep. */
  constructor(image: Image) {
    this.#image = image;
    this.#code = codeOf(image);
    this.#marks = new Marks(this.#code);
    this.places = codePlaces(image);
    this.enter(image.entry);
    for (const { address } of image.symbols) this.enter(address);
    for (const { value } of imageConstants(image).all) this.make(value);
    this.#sweep();
  }

  /** Code addresses that the data holds, as far as the tables' jumps are seen by now. */
  pointers(): Set<Addr> {
    return codePointers(this.#image, this.places, this.made, this.jumps.values());
  }

  /** Entries among the constants that code makes. */
  madeEntries(): Addr[] {
    return [...this.made].map((value) => value - (value % 2)).filter((address) => this.has(address));
  }

  has(address: Addr): boolean {
    return (this.#marks.get(address) & ENTRY_MARK) !== 0;
  }

  begins(address: Addr): boolean {
    return (this.#marks.get(address) & INSN_MARK) !== 0;
  }

  into(start: Addr, size: ByteCount): Addr | undefined {
    for (let by = 2; by < MAX_INSN_BYTES; by += 2)
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

  /** Makes an address an entry. Its lowest bit is ignored, as by jumps. */
  enter(address: Addr): void {
    const at = address - (address % 2);
    if (this.has(at) || !this.#code.isExecutable(at)) return;
    this.#marks.set(at, ENTRY_MARK);
    this.#pending.push(at);
  }

  /** Makes every instruction of an extent an entry: a jump may lead to any of them. */
  enterAll([start, end]: readonly [start: Addr, end: Addr]): void {
    for (let at = start; at < end; at += 2) if (this.begins(at)) this.enter(at);
  }

  /** Decodes all ranges of code, one instruction behind the other. */
  #sweep(): void {
    for (const { start, end } of this.places)
      for (let at = start; at < end; ) {
        const insn = this.#look(at, true);
        // Bytes that do not decode may be an instruction of an unknown extension, or data, of any length.
        const size = insn?.size ?? (this.#code.lengthAt(at) || 2);
        if (insn === undefined) {
          this.#past(at);
          if (size > 2) this.#line(at + 2);
        }
        at += size;
      }
  }

  /** Follows all entries, and the constants that the code reached makes. */
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
      followConstant(this.#code, maker, this.#gp.size === 1 ? gp : undefined, {
        nearCode: (value) => this.#isPlace(value, LOW_PART_BYTES),
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

  /** Notes a constant that code makes. A mere constant is an entry only within `places`, not in text that sections call data. */
  make(value: number): void {
    this.made.add(value);
    if (this.#isPlace(value, 0)) this.enter(value);
  }

  #isPlace(address: number, near: number): boolean {
    return this.places.some(({ start, end }) => address >= start - near && address < end + near);
  }

  /** Follows a straight line up to its end or to an instruction that has been seen. */
  #line(start: Addr): void {
    for (let at = start; !this.begins(at); ) {
      const insn = this.#look(at, false);
      if (insn === undefined) {
        this.#past(at);
        return;
      }
      const { control } = facts(insn);
      // The instructions behind calls and ecall are entries of their own.
      if (control !== 'none' && control !== 'branch') return;
      at += insn.size;
    }
  }

  /** Enters behind bytes that do not decode: they may be an instruction of an unknown extension, behind which code goes on. */
  #past(at: Addr): void {
    const size = this.#code.lengthAt(at);
    if (size > 0) this.enter(at + size);
  }

  /**
   * Notes the entries and constants that one instruction shows.
   * @param swept the sweep found the instruction. Only swept ones may show a return past the return point, since such a return makes an
   * entry behind every call: a stream that begins at a number in the data is too weak evidence for that.
   */
  #look(at: Addr, swept: boolean): Insn | undefined {
    const insn = this.#code.insnAt(at);
    if (this.begins(at)) return insn;
    this.#marks.set(at, INSN_MARK);
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
