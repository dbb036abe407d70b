/**
 * A small encoder of WebAssembly modules (WebAssembly core specification 2.0, chapter 5 "Binary Format", plus tail calls, relaxed SIMD
 * and branch hints): code of one function at a time (wasm-code.ts), then a module around it. The encoder knows bytes, not meanings, and
 * validates nothing.
 */

import { concat } from './bits.ts';
import { internal } from './errors.ts';
import { nameBytes, putSigned32, putUnsigned, unsignedBytes } from './wasm-bytes.ts';
import type { Code } from './wasm-code.ts';
import type { ValueType } from './wasm-opcodes.ts';

const SECTION = { CUSTOM: 0, TYPE: 1, IMPORT: 2, FUNCTION: 3, EXPORT: 7, ELEMENT: 9, CODE: 10 } as const;
/** Name of the custom section with branch hints. */
const HINTS_NAME = 'metadata.code.branch_hint';

/** A module: imports first (module name `m`), then functions; one imported memory; at most one imported table. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: number[][] = [];
  readonly #imports: number[][] = [];
  readonly #functionTypes: number[] = [];
  readonly #bodies: (Code | undefined)[] = [];
  readonly #exports: number[][] = [];
  readonly #elements: number[][] = [];
  #importedFunctions = 0;

  /** The index of a function type. */
  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters}>${results}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#types.push(key);
    this.#typeBytes.push([0x60, parameters.length, ...parameters, results.length, ...results]);
    return this.#types.length - 1;
  }
  /** Imports the memory `m.memory` of exactly so many pages of 64 KiB. */
  importMemory(pages: number): void {
    const bytes = [...nameBytes('m'), ...nameBytes('memory'), 0x02, 0x01];
    putUnsigned(bytes, pages);
    putUnsigned(bytes, pages);
    this.#imports.push(bytes);
  }
  /** Imports the function table `m.table` of at least so many entries. */
  importTable(entries: number): void {
    const bytes = [...nameBytes('m'), ...nameBytes('table'), 0x01, 0x70, 0x00];
    putUnsigned(bytes, entries);
    this.#imports.push(bytes);
  }
  /** @returns the function's index. All imports come before the first function. */
  importFunction(importName: string, type: number): number {
    if (this.#functionTypes.length > 0) throw internal('wasm: an import behind a function');
    const bytes = [...nameBytes('m'), ...nameBytes(importName), 0x00];
    putUnsigned(bytes, type);
    this.#imports.push(bytes);
    return this.#importedFunctions++;
  }
  /** Declares a function, so that it can be called before its code is there. @returns its index */
  declare(type: number): number {
    this.#functionTypes.push(type);
    this.#bodies.push(undefined);
    return this.#importedFunctions + this.#functionTypes.length - 1;
  }
  define(func: number, code: Code): void {
    this.#bodies[func - this.#importedFunctions] = code;
  }
  export(exportName: string, func: number): void {
    const bytes = [...nameBytes(exportName), 0x00];
    putUnsigned(bytes, func);
    this.#exports.push(bytes);
  }
  /** Puts functions into table 0, from entry `at` on. */
  elements(at: number, functions: readonly number[]): void {
    const bytes = [0x00, 0x41];
    putSigned32(bytes, at);
    bytes.push(0x0b);
    putUnsigned(bytes, functions.length);
    for (const func of functions) putUnsigned(bytes, func);
    this.#elements.push(bytes);
  }

  bytes(): Uint8Array {
    const parts: ArrayLike<number>[] = [[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]];
    const section = (id: number, entries: readonly ArrayLike<number>[]): void => {
      if (entries.length === 0) return;
      const count = unsignedBytes(entries.length);
      const length = entries.reduce((sum, entry) => sum + entry.length, count.length);
      parts.push([id], unsignedBytes(length), count, ...entries);
    };
    section(SECTION.TYPE, this.#typeBytes);
    section(SECTION.IMPORT, this.#imports);
    section(SECTION.FUNCTION, this.#functionTypes.map(unsignedBytes));
    section(SECTION.EXPORT, this.#exports);
    section(SECTION.ELEMENT, this.#elements);
    // Offsets of hints count from the function's local declarations (branch hinting proposal, section "Custom section").
    const hints = this.#bodies.flatMap((code, i) => {
      const entry = code?.hints(this.#importedFunctions + i);
      return entry === undefined ? [] : [entry];
    });
    if (hints.length > 0) {
      const content = concat(nameBytes(HINTS_NAME), unsignedBytes(hints.length), ...hints);
      parts.push([SECTION.CUSTOM], unsignedBytes(content.length), content);
    }
    section(
      SECTION.CODE,
      this.#bodies.map((code) => {
        if (code === undefined) throw internal('wasm: a function is declared but not defined');
        const body = code.body();
        return concat(unsignedBytes(body.length), body);
      }),
    );
    return concat(...parts);
  }
}
