/** The address spaces in which the forms of superblocks run, when states are tried on them. */
import { derived } from '../../base/derived.ts';
import type { Image } from '../../elf/image.ts';
import { Hart } from '../../machine/hart.ts';
import { Memory } from '../../machine/memory.ts';

/** Size of a guest's address space; all code must lie below. */
export const SPACE = 2 ** 30;
const HOST_BYTES = 2 ** 20;

/** The original form of a superblock, and the optimized one. */
export type Form = 'was' | 'is';

export interface Space {
  readonly memory: Memory;
  readonly hart: Hart;
}

/**
 * A space for each form, made when it is first needed and then used for one run after the other: reserving a memory costs far more than a
 * run, as V8 collects garbage for it. A run finds nothing of the runs before.
 */
export class Spaces {
  readonly #made = new Map<Form, Space>();

  of(form: Form): Space {
    let space = this.#made.get(form);
    if (space === undefined) {
      const memory = new Memory(SPACE, HOST_BYTES);
      space = { memory, hart: new Hart(memory) };
      this.#made.set(form, space);
    }
    return space;
  }
}

/** The spaces for proofs against an original: one file is proved in many forms. */
export const spacesOf = derived('spaces', (_original: Image): Spaces => new Spaces());
