/**
 * The layout of a guest's address space. The signal trampoline, the stack and then mappings are placed from the top down, so that their
 * addresses do not depend on the file; only image and heap are at the bottom.
 */
import { alignUp } from '../base/bits.ts';
import { type Addr, type ByteCount, PAGE } from '../base/units.ts';
import { PT } from '../elf/constants.ts';
import type { Image } from '../elf/image.ts';
import { Place } from '../place/place.ts';

/** Run-time address of an ET_DYN image's address 0, before rounding up to its alignment. Not 0, so that null pointers fault. */
const PIE_BIAS: Addr = 0x10000;
const MAX_ALIGNMENT: ByteCount = 2 ** 26;

/** Where an image is loaded: the same in every run. */
export const placeFor = (image: Image): Place => new Place(image, biasOf(image));

function biasOf(image: Image): ByteCount {
  if (!image.relocatable) return 0;
  const alignments = image.programHeaders.filter((h) => h.type === PT.LOAD).map((h) => h.align);
  const sensible = alignments.filter((align) => align <= MAX_ALIGNMENT && Number.isInteger(Math.log2(align)));
  return alignUp(PIE_BIAS, Math.max(PAGE, ...sensible));
}

/** RLIMIT_STACK. The whole stack is mapped at the start (untouched pages cost nothing). */
export const STACK_SIZE: ByteCount = 2 ** 23;
/** Unmapped bytes below the stack, for runaway recursion to fault in. */
const STACK_GUARD: ByteCount = 2 ** 20;
/** From the end of the image, rounded up to HEAP_ROUND, to the first address of the heap: room for an optimizer's additions. */
const HEAP_GAP: ByteCount = 2 ** 24;
const HEAP_ROUND: ByteCount = 2 ** 20;

/**
 * The first address of an image's heap at run time.
 * @param form an optimized form of the image, which must fit below the same heap
 */
export const heapStartOf = (image: Image, form: Image = image): Addr =>
  Math.max(
    alignUp(placeFor(image).toRun(image.end), HEAP_ROUND) + HEAP_GAP,
    alignUp(placeFor(image).toRun(form.end), HEAP_ROUND),
  );

export interface Layout {
  /** One page, `li a7,139; ecall`: the return address of signal handlers. */
  readonly trampoline: Addr;
  /** First address behind the stack. */
  readonly stackTop: Addr;
  readonly stackLow: Addr;
  /** Mappings are placed below this address. */
  readonly mappingTop: Addr;
}

/** @param size of guest memory */
export function layoutOf(size: ByteCount): Layout {
  const trampoline = size - 0x10000;
  const stackTop = size - 0x20000;
  const stackLow = stackTop - STACK_SIZE;
  return { trampoline, stackTop, stackLow, mappingTop: stackLow - STACK_GUARD };
}
