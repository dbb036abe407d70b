/** Looks at which files are ready, through epolls that watch one another. */
import type { OpenFile } from './openfile.ts';

/** The state of an epoll within one look, as far as the epoll has been asked. */
export interface Seen {
  ready?: boolean;
  arrivals?: number;
}

/**
 * A look asks each epoll once, however many paths lead to the epoll. Without this table a look would walk all paths through nested
 * epolls, of which there may be far more than epolls.
 */
export class Looks {
  /** Undefined between looks. */
  #seen: Map<OpenFile, Seen> | undefined;

  /** Runs a look, or a part of the look that is going on. */
  once<T>(look: () => T): T {
    if (this.#seen) return look();
    this.#seen = new Map();
    try {
      return look();
    } finally {
      this.#seen = undefined;
    }
  }

  /** The state of an epoll in the look that is going on, to be filled in. */
  of(epoll: OpenFile): Seen {
    const seen = this.#seen!.get(epoll) ?? {};
    this.#seen!.set(epoll, seen);
    return seen;
  }
}
