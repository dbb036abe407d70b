/** The standard streams of the guest: open files over functions that the host provides. */
import { PIPE_CAPACITY } from './buffer.ts';
import { E, fail } from './errno.ts';
import { O, OpenFile, READABLE, WRITABLE } from './openfile.ts';

/** Fills the target as far as possible. @returns bytes put there, 0 at the end */
export type Source = (target: Uint8Array) => number;
/** Takes bytes that are live in guest memory: a sink must use or copy them before it returns. */
export type Sink = (fd: 1 | 2, bytes: Uint8Array) => void;

/** Makes an error of the host's stream the guest's own: the same, or EIO if this Linux has none of that name. Other errors pass. */
function hostFailed(error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return fail((E as Readonly<Record<string, number>>)[code.slice(1)] ?? E.IO);
}

export class InputStream extends OpenFile {
  readonly #source: Source;
  /** Bytes that the source has given before the guest has read them. */
  #ahead = new Uint8Array(0);
  constructor(source: Source) {
    super(0);
    this.#source = source;
  }
  read(target: Uint8Array): number {
    if (target.length === 0) return 0;
    try {
      if (this.#ahead.length === 0) return this.#source(target);
    } catch (error) {
      return hostFailed(error);
    }
    const part = this.#ahead.subarray(0, target.length);
    target.set(part);
    this.#ahead = this.#ahead.subarray(part.length);
    return part.length;
  }
  /** Bytes that a read would get now, for FIONREAD; 0 at the end. The first byte is waited for: may throw NotYet. */
  get waiting(): number {
    if (this.#ahead.length === 0) {
      const room = new Uint8Array(PIPE_CAPACITY);
      this.#ahead = room.subarray(0, this.#source(room));
    }
    return this.#ahead.length;
  }
  write(): number {
    return fail(E.BADF);
  }
  override poll(): number {
    return READABLE;
  }
}

export class OutputStream extends OpenFile {
  readonly #fd: 1 | 2;
  readonly #sink: Sink;
  constructor(fd: 1 | 2, sink: Sink) {
    super(O.WRONLY);
    this.#fd = fd;
    this.#sink = sink;
  }
  read(): number {
    return fail(E.BADF);
  }
  write(source: Uint8Array): number {
    try {
      if (source.length > 0) this.#sink(this.#fd, source);
    } catch (error) {
      hostFailed(error);
    }
    return source.length;
  }
  override poll(): number {
    return WRITABLE;
  }
}
