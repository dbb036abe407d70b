/** Pipes and FIFOs. One process holds all ends: a wait for another end lasts for ever. */
import type { ByteCount } from '../../base/units.ts';
import { type Inode, Pipe } from './buffer.ts';
import { Blocked, E, fail } from './errno.ts';
import type { MeetingNode } from './nodes.ts';
import { O, OpenFile, POLL, READABLE, WRITABLE } from './openfile.ts';

/** One end of a pipe: fstat and fchmod see both ends as one file. */
export abstract class PipeEnd extends OpenFile {
  readonly pipe: Pipe;
  constructor(pipe: Pipe, flags: number) {
    super(flags);
    this.pipe = pipe;
  }
  override get inode(): Inode {
    return this.pipe.inode;
  }
}

export class PipeReader extends PipeEnd {
  constructor(pipe: Pipe, flags: number) {
    super(pipe, flags);
    pipe.readers++;
  }
  read(target: Uint8Array): number {
    if (target.length === 0) return 0;
    if (this.pipe.count === 0) {
      if (this.pipe.writers === 0) return 0;
      if (this.blocking) throw new Blocked('a read from an empty pipe that it holds the other end of');
      fail(E.AGAIN);
    }
    return this.pipe.take(target);
  }
  write(): number {
    return fail(E.BADF);
  }
  override poll(): number {
    return (this.pipe.count > 0 ? READABLE : 0) | (this.pipe.writers === 0 ? POLL.HUP : 0);
  }
  override get arrivals(): number {
    return this.pipe.puts;
  }
  override close(): void {
    this.pipe.readers--;
    this.pipe.takes++;
  }
}

export class PipeWriter extends PipeEnd {
  constructor(pipe: Pipe, flags: number) {
    super(pipe, flags | O.WRONLY);
    pipe.writers++;
  }
  read(): number {
    return fail(E.BADF);
  }
  /** @param total bytes of the whole write, if the source holds only the first of them */
  write(source: Uint8Array, total: ByteCount = source.length): number {
    const { pipe } = this;
    if (total === 0) return 0;
    if (pipe.readers === 0) fail(E.PIPE);
    const done = pipe.put(source, total);
    if (done < total && pipe.full && this.blocking)
      throw new Blocked('a write into a full pipe that it holds the other end of', undefined, undefined, done);
    return done > 0 ? done : fail(pipe.full ? E.AGAIN : E.FAULT);
  }
  override poll(): number {
    return (this.pipe.full ? 0 : WRITABLE) | (this.pipe.readers === 0 ? POLL.ERR : 0);
  }
  override get arrivals(): number {
    return this.pipe.takes;
  }
  override close(): void {
    this.pipe.writers--;
    this.pipe.puts++;
  }
}

export function makePipe(flags: number): [PipeReader, PipeWriter] {
  const pipe = new Pipe();
  return [new PipeReader(pipe, flags), new PipeWriter(pipe, flags)];
}

/** A FIFO that was opened: as a reader, a writer, or both. */
export class OpenFifo extends OpenFile {
  override readonly node: MeetingNode;
  readonly #reader: PipeReader | undefined;
  readonly #writer: PipeWriter | undefined;
  readonly pipe: Pipe;
  constructor(node: MeetingNode, flags: number) {
    super(flags);
    const access = flags & O.ACCMODE;
    const pipe = node.pipe ?? new Pipe();
    if (access === O.WRONLY && pipe.readers === 0) {
      if (!this.blocking) fail(E.NXIO);
      throw new Blocked('the opening of a FIFO that nobody reads');
    }
    if (access === 0 && pipe.writers === 0 && this.blocking)
      throw new Blocked('the opening of a FIFO that nobody writes to');
    this.node = node;
    this.pipe = node.pipe = pipe;
    this.#reader = access === O.WRONLY ? undefined : new PipeReader(pipe, flags);
    this.#writer = access === 0 ? undefined : new PipeWriter(pipe, flags);
  }
  read(target: Uint8Array): number {
    if (this.#reader === undefined) return fail(E.BADF);
    this.#reader.flags = this.flags;
    return this.#reader.read(target);
  }
  write(source: Uint8Array, total?: ByteCount): number {
    if (this.#writer === undefined) return fail(E.BADF);
    this.#writer.flags = this.flags;
    return this.#writer.write(source, total);
  }
  override poll(): number {
    return (this.#reader?.poll() ?? 0) | (this.#writer?.poll() ?? 0);
  }
  override get arrivals(): number {
    return (this.#reader?.arrivals ?? 0) + (this.#writer?.arrivals ?? 0);
  }
  override close(): void {
    this.#reader?.close();
    this.#writer?.close();
    if (this.pipe.readers === 0 && this.pipe.writers === 0) this.node.pipe = undefined;
  }
}

/** The pipe behind a file. The standard streams, of which the guest holds one end only, have none here. */
export const pipeOf = (file: OpenFile): Pipe | undefined =>
  file instanceof PipeEnd || file instanceof OpenFifo ? file.pipe : undefined;
