/**
 * Which addresses are in private frames (assumption A10): those that the original accesses through the stack pointer or frame pointer in a
 * function that never takes its frame's address (cfg/frames.ts). An address that is also come by in another way is none of them.
 */
import type { Addr } from '../../base/units.ts';
import type { Frames } from '../../cfg/frames.ts';
import type { Term } from '../../domain/term.ts';
import type { State } from './step.ts';

export class FrameAddresses {
  readonly #frames: Frames | undefined;
  readonly #own = new Set<Term>();
  readonly #others = new Set<Term>();
  readonly #used = new Set<Term>();

  constructor(frames: Frames | undefined) {
    this.#frames = frames;
  }

  /** A new round, with what is known so far. */
  begin(): void {
    this.#used.clear();
  }
  /** How many addresses are known. */
  get known(): number {
    return this.#own.size + this.#others.size;
  }
  /** Something that was taken to be in a private frame, or not to be, in this round has turned out otherwise. */
  mistaken(): boolean {
    return [...this.#used].some((address) => this.#own.has(address) && this.#others.has(address));
  }

  /** Looks at a step of the original. */
  note(at: Addr, before: State, after: State): void {
    if (this.#frames === undefined || after.accesses === before.accesses) return;
    (this.#frames.accesses(at) ? this.#own : this.#others).add(after.accesses!.item.address);
  }

  /** Is the first in a private frame, where the second does not lead? Asking is using. */
  readonly apart = (own: Term, other: Term): boolean => {
    if (!this.#own.has(own) || this.#others.has(own) || !this.#others.has(other) || this.#own.has(other)) return false;
    this.#used.add(own).add(other);
    return true;
  };
}
