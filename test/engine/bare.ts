/** A bare machine for tests of engines: code and data at fixed places, no kernel. */

import { PAGE } from '../../src/base/units.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { HART, Hart } from '../../src/machine/hart.ts';
import { Memory, PERMISSION } from '../../src/machine/memory.ts';

export const CODE = 0x10000;
export const CODE_SIZE = 2 * PAGE;
/** Three pages: writable, writable, read only; what lies around is not mapped. */
export const DATA = 0x40000;
export const DATA_SIZE = 3 * PAGE;

const { READ, WRITE, EXECUTE, MAPPED } = PERMISSION;

export interface Bare {
  readonly memory: Memory;
  readonly hart: Hart;
  readonly engine: Engine;
}

export function bare(make: (memory: Memory) => Engine, code: Uint8Array, permissions: number = READ | EXECUTE): Bare {
  const memory = new Memory(2 ** 24, 2 ** 26);
  memory.protect(CODE, CODE_SIZE, permissions | MAPPED);
  memory.protect(DATA, 2 * PAGE, READ | WRITE | MAPPED);
  memory.protect(DATA + 2 * PAGE, PAGE, READ | MAPPED);
  memory.bytes.set(code, CODE);
  const hart = new Hart(memory);
  hart.pc = CODE;
  return { memory, hart, engine: make(memory) };
}

/** Words as little-endian bytes. */
export function words(...list: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(list.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of list.entries()) view.setUint32(i * 4, word, true);
  return bytes;
}

/** The architectural state as text: registers, pc, fcsr, reservation. */
export function state({ memory, hart }: Bare): string {
  const at = hart.base;
  const slots: string[] = [];
  for (let offset: number = HART.X; offset <= HART.RESERVATION; offset += 8)
    if (offset !== HART.SINK) slots.push(memory.view.getBigUint64(at + offset, true).toString(16));
  return slots.join(' ');
}

/** Code and data. */
export const contents = ({ memory }: Bare): Uint8Array[] => [
  memory.bytes.subarray(CODE, CODE + CODE_SIZE),
  memory.bytes.subarray(DATA, DATA + DATA_SIZE),
];
