/**
 * Where things lie in a guest's address space. Everything but the image and the heap is placed from the top down, so that it does
 * not depend on the file: the signal trampoline, the stack, then mappings.
 */
import type { Addr, ByteCount } from '../base/units.ts';

/** Where an ET_DYN image's address 0 goes (or the next multiple of its alignment). Not 0, so that null pointers fault; fixed, so that runs are alike. */
export const PIE_BIAS: Addr = 0x10000;

/** RLIMIT_STACK: all of it is mapped at the start (pages nobody touches cost nothing). */
export const STACK_SIZE: ByteCount = 2 ** 23;
/** Unmapped bytes below the stack, for runaway recursion to fault in. */
const STACK_GUARD: ByteCount = 2 ** 20;
/** From the end of the image, rounded up to HEAP_ROUND, to the first address of the heap: room for what an optimizer adds. */
export const HEAP_GAP: ByteCount = 2 ** 24;
export const HEAP_ROUND: ByteCount = 2 ** 20;

export interface Layout {
  /** One page, `li a7,139; ecall`: where signal handlers return to. */
  readonly trampoline: Addr;
  /** First address behind the stack. */
  readonly stackTop: Addr;
  readonly stackLow: Addr;
  /** Mappings are placed below this. */
  readonly mappingTop: Addr;
}

/** @param size of guest memory */
export function layoutOf(size: ByteCount): Layout {
  const trampoline = size - 0x10000;
  const stackTop = size - 0x20000;
  const stackLow = stackTop - STACK_SIZE;
  return { trampoline, stackTop, stackLow, mappingTop: stackLow - STACK_GUARD };
}
