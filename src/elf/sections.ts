/**
 * The sections of a file that is written anew: the contents of the sections that move, among them names, symbols and attributes, which
 * grow, and the headers of all sections, old and new.
 */

import { alignUp, concat } from '../base/bits.ts';
import { type Addr, type ByteCount, type FileOffset, PAGE } from '../base/units.ts';
import { withExtensions } from './attributes.ts';
import { SECTION_HEADER_SIZE, SHT, SYMBOL_SIZE } from './constants.ts';
import { ascii, getU64, setFields, setU64, viewOf } from './fields.ts';
import type { Image, SectionHeader } from './image.ts';
import { type SegmentRequest, SHF } from './segment.ts';

const STB_GLOBAL = 1;
const STT_FUNC = 2;

/** Does a section take bytes of the file? */
export const inFile = (s: SectionHeader): boolean => s.type !== SHT.NOBITS && s.type !== SHT.NULL && s.size > 0;

const isAttributes = (s: SectionHeader): boolean =>
  s.type === SHT.RISCV_ATTRIBUTES && inFile(s) && (s.flags & SHF.ALLOC) === 0;
const isSymbolTable = (s: SectionHeader): boolean => s.type === SHT.SYMTAB && s.entrySize === SYMBOL_SIZE;

/** Index of the table of section names. */
function namesIndex(image: Image): number {
  const index = viewOf(image.bytes).getUint16(62, true);
  return index === 0xffff ? (image.sections[0]?.link ?? 0) : index;
}

/**
 * Indexes of the tables of section names, symbols and symbol names and of the attributes, as far as there are such sections: these change,
 * so they are written anew wherever they were. An index may also be 0 or be no section's at all.
 */
export function changingSections(image: Image): number[] {
  const symbols = image.sections.findIndex(isSymbolTable);
  const attributes = image.sections.findIndex(isAttributes);
  return [
    namesIndex(image),
    ...(symbols < 0 ? [] : [symbols, image.sections[symbols]!.link]),
    ...(attributes < 0 ? [] : [attributes]),
  ];
}

export interface NewSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly address: Addr;
  readonly offset: FileOffset;
  readonly size: ByteCount;
}

/** A section that has moved. */
export interface MovedSection {
  readonly original: SectionHeader;
  readonly offset: FileOffset;
  readonly bytes: Uint8Array;
}

/** A string table to which names can be added: its last string ends, and its first one, which entries without names have, is empty. */
const closed = (strings: Uint8Array): Uint8Array => (strings.at(-1) === 0 ? strings : concat(strings, ascii('\0')));

/** A symbol for a place in code. @param name its name's place in the string table */
function symbolEntry(name: number, section: number, address: Addr, size: ByteCount): Uint8Array {
  const entry = new Uint8Array(SYMBOL_SIZE);
  const view = viewOf(entry);
  view.setUint32(0, name, true);
  view.setUint8(4, (STB_GLOBAL << 4) | STT_FUNC);
  view.setUint16(6, section, true);
  setFields(view, 8, [address, size]);
  return entry;
}

/** An image's sections while they change. The image itself stays as it is; changed contents are copies. */
export class Sections {
  readonly #image: Image;
  /** Contents of the sections that move, by index, in the order in which they are written. */
  readonly #contents: Map<number, Uint8Array>;
  readonly #headers: Uint8Array[];

  /** @param moving indexes of the sections that move, in the order in which they are written */
  constructor(image: Image, moving: readonly number[]) {
    const { bytes, sections } = image;
    this.#image = image;
    this.#contents = new Map(
      moving.map((index) => [index, bytes.subarray(sections[index]!.offset).subarray(0, sections[index]!.size)]),
    );
    const table = getU64(viewOf(bytes), 40);
    this.#headers = sections.map((_, index) =>
      bytes.slice(table + index * SECTION_HEADER_SIZE, table + (index + 1) * SECTION_HEADER_SIZE),
    );
  }

  get headers(): readonly Uint8Array[] {
    return this.#headers;
  }

  /** Adds a header behind all others, and the section's name. */
  add(section: NewSection): void {
    const header = new Uint8Array(SECTION_HEADER_SIZE);
    const view = viewOf(header);
    view.setUint32(0, this.#addName(section.name), true);
    view.setUint32(4, section.type, true);
    setFields(view, 8, [section.flags, section.address, section.offset, section.size]);
    setU64(view, 48, section.align);
    this.#headers.push(header);
  }

  /** @returns the name's place in the table of section names */
  #addName(name: string): number {
    const table = namesIndex(this.#image);
    const strings = this.#contents.get(table);
    // A file may have no table of section names; new sections then have no names.
    if (!strings) return 0;
    const old = closed(strings);
    this.#contents.set(table, concat(old, ascii(`${name}\0`)));
    return old.length;
  }

  /** Changes the size that a section's header tells. */
  resize(index: number, size: ByteCount): void {
    setU64(viewOf(this.#headers[index]!), 32, size);
  }

  /**
   * Adds names for places in a section of code, if there is a symbol table. New symbols are global and behind all old symbols, so that
   * neither old indexes nor the count of local symbols change.
   */
  addSymbols(symbols: NonNullable<SegmentRequest['symbols']>, section: number): void {
    const table = this.#image.sections.findIndex(isSymbolTable);
    const stringTable = this.#image.sections[table]?.link ?? -1;
    if (!this.#contents.has(table) || !this.#contents.has(stringTable)) return;
    const strings = closed(this.#contents.get(stringTable)!);
    const places = new Map<string, number>();
    let end = strings.length;
    const entries = symbols.map(({ name, address, size }) => {
      const known = places.get(name);
      const entry = symbolEntry(known ?? end, section, address, size);
      if (known === undefined) {
        places.set(name, end);
        end += ascii(name).length + 1;
      }
      return entry;
    });
    this.#contents.set(stringTable, concat(strings, ascii([...places.keys()].map((s) => `${s}\0`).join(''))));
    this.#contents.set(table, concat(this.#contents.get(table)!, ...entries));
  }

  /** Adds extensions to the image's attributes, if there are any. */
  addExtensions(extensions: readonly string[]): void {
    const index = this.#image.sections.findIndex(isAttributes);
    const attributes = this.#contents.get(index);
    if (attributes !== undefined) this.#contents.set(index, withExtensions(attributes, extensions));
  }

  /** Gives the sections that move their places from an offset on, and tells these in their headers. */
  place(from: FileOffset): MovedSection[] {
    let at = from;
    return [...this.#contents].map(([index, bytes]) => {
      const original = this.#image.sections[index]!;
      const offset = alignUp(at, Math.max(1, Math.min(original.align, PAGE)));
      at = offset + bytes.length;
      setU64(viewOf(this.#headers[index]!), 24, offset);
      this.resize(index, bytes.length);
      return { original, offset, bytes };
    });
  }
}
