/** The ends of a socket pair (unix(7)): two channels, of bytes or of messages, one each way. */

import { alignUp } from '../../base/bits.ts';
import { type ByteCount, PAGE } from '../../base/units.ts';
import { ByteQueue } from './buffer.ts';
import { Blocked, E, Errno, fail } from './errno.ts';
import { O, OpenFile, POLL, READABLE, WRITABLE } from './openfile.ts';

export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, SEQPACKET: 5 } as const;
export type SocketKind = typeof SOCK.STREAM | typeof SOCK.DGRAM | typeof SOCK.SEQPACKET;
export const MSG = { OOB: 1, PEEK: 2, TRUNC: 0x20, DONTWAIT: 0x40, WAITALL: 0x100, NOSIGNAL: 0x4000 } as const;

/** Bytes of a socket's buffer (net.core.wmem_default). */
export const BUFFER: ByteCount = 212_992;
/** The bytes of a message beyond this many are in pages of their own (SKB_MAX_ALLOC), up to a limit. */
const LINEAR: ByteCount = 16_064;
const MAX_PAGED: ByteCount = 17 * 4096;

/** Bytes that a message takes of its sender's buffer (net/core/skbuff.c): a block, whose size is a power of two, and pages. */
function costOf(length: ByteCount): ByteCount {
  const [DESCRIPTION, BEHIND, SMALLEST] = [256, 320, 512];
  const paged = Math.min(alignUp(Math.max(0, length - LINEAR), PAGE), MAX_PAGED);
  const block = Math.max(SMALLEST, length - paged + BEHIND);
  return DESCRIPTION + paged + 2 ** Math.ceil(Math.log2(block));
}

const AWAITED_EVENTS = {
  receive: 'a read from a socket that it holds the other end of',
  send: 'a write into a full socket that it holds the other end of',
} as const;

/** One direction of a socket pair. */
class Channel {
  readonly bytes = new ByteQueue();
  readonly messages: Uint8Array[] = [];
  /** Bytes that the messages take of the sender's buffer. */
  cost = 0;
  /** No more data will come: the sender or the reader has shut the channel down. */
  ended = false;
  puts = 0;
  takes = 0;
  get empty(): boolean {
    return this.bytes.count === 0 && this.messages.length === 0;
  }
  shift(): void {
    this.cost -= costOf(this.messages.shift()!.length);
    this.takes++;
  }
  /** The reader is gone. */
  clear(): void {
    this.bytes.count = 0;
    this.messages.length = 0;
    this.cost = 0;
  }
}

/** The result of a receive: bytes put into the target, and the length of the whole message. */
export interface Received {
  readonly count: number;
  readonly length: number;
}

export class SocketEnd extends OpenFile {
  override readonly nameless = 'socket';
  readonly kind: SocketKind;
  readonly #in: Channel;
  readonly #out: Channel;
  /** The other end is gone. */
  #alone = false;
  /** The other end was closed with unread bytes from this end; reported once. */
  #reset = false;
  #peer: SocketEnd | undefined;
  /** SO_RCVTIMEO and SO_SNDTIMEO, nanoseconds; 0: none. */
  readonly limits = { receive: 0n, send: 0n };
  /** SO_SNDBUF, in bytes. */
  room = BUFFER;
  /** Words of the options that have been set, by number. */
  readonly options = new Map<number, readonly number[]>();

  private constructor(kind: SocketKind, flags: number, input: Channel, output: Channel) {
    super(flags | O.RDWR);
    this.kind = kind;
    this.#in = input;
    this.#out = output;
  }

  static pair(kind: SocketKind, flags: number): [SocketEnd, SocketEnd] {
    const [a, b] = [new Channel(), new Channel()];
    const ends: [SocketEnd, SocketEnd] = [new SocketEnd(kind, flags, a, b), new SocketEnd(kind, flags, b, a)];
    ends[0].#peer = ends[1];
    ends[1].#peer = ends[0];
    return ends;
  }

  /** Bytes that a read would get now, for FIONREAD. */
  get waiting(): number {
    const { bytes, messages } = this.#in;
    const lengths = messages.map(({ length }) => length);
    return this.kind === SOCK.DGRAM ? (lengths[0] ?? 0) : lengths.reduce((sum, length) => sum + length, bytes.count);
  }
  get connected(): boolean {
    return !this.#alone;
  }
  /** SO_ERROR: gives the pending error and clears it. */
  error(): number {
    const error = this.#reset ? E.CONNRESET : 0;
    this.#reset = false;
    return error;
  }

  read(target: Uint8Array): number {
    // A read of 0 bytes takes no message (net/socket.c, sock_read_iter).
    return target.length === 0 ? 0 : this.receive(target, 0).count;
  }
  write(source: Uint8Array): number {
    return this.send(source, 0);
  }

  receive(target: Uint8Array, flags: number): Received {
    const input = this.#in;
    const stream = this.kind === SOCK.STREAM;
    if (flags & MSG.OOB) fail(E.OPNOTSUPP);
    if (stream && target.length === 0) return { count: 0, length: 0 };
    if (input.empty) {
      if (this.#reset) fail(this.error());
      if (input.ended) return { count: 0, length: 0 };
      this.#wait(flags, 'receive', () => !input.empty || input.ended);
    }
    if (stream) {
      if (flags & MSG.PEEK) {
        const count = input.bytes.peek(target);
        return { count, length: count };
      }
      const count = input.bytes.take(target);
      input.takes++;
      if (flags & MSG.WAITALL && count < target.length && !input.ended && this.#waits(flags))
        throw new Blocked(
          'a read from a socket of more than it has sent',
          undefined,
          this.limits.receive || undefined,
          count,
        );
      return { count, length: count };
    }
    const message = input.messages[0]!;
    const part = message.subarray(0, target.length);
    target.set(part);
    if ((flags & MSG.PEEK) === 0) input.shift();
    return { count: part.length, length: message.length };
  }

  send(source: Uint8Array, flags: number): number {
    const output = this.#out;
    if (flags & MSG.OOB) fail(E.OPNOTSUPP);
    if (this.kind === SOCK.DGRAM && this.#alone) fail(E.CONNREFUSED);
    // Only writes to a stream raise SIGPIPE (net/unix/af_unix.c).
    if (output.ended) throw new Errno(E.PIPE, this.kind !== SOCK.STREAM || (flags & MSG.NOSIGNAL) !== 0);
    if (this.kind === SOCK.STREAM) {
      if (source.length === 0) return 0;
      const free = () => Math.max(0, this.room - output.bytes.count);
      if (free() === 0) this.#wait(flags, 'send', () => free() > 0);
      const part = source.subarray(0, free());
      output.bytes.put(part);
      output.puts++;
      if (part.length < source.length && this.#waits(flags))
        throw new Blocked(AWAITED_EVENTS.send, undefined, this.limits.send || undefined, part.length);
      return part.length;
    }
    if (source.length > this.room - 32) fail(E.MSGSIZE);
    // The last message may take more of the buffer than is left (net/core/sock.c, sock_alloc_send_pskb).
    if (output.cost >= this.room) this.#wait(flags, 'send', () => output.cost < this.room);
    output.messages.push(Uint8Array.from(source));
    output.cost += costOf(source.length);
    output.puts++;
    return source.length;
  }

  /** shutdown(2). @param how 0: reading, 1: writing, 2: both */
  shutdown(how: number): void {
    if (how !== 1) this.#end(this.#in);
    if (how !== 0) this.#end(this.#out);
  }

  override poll(): number {
    const [input, output] = [this.#in, this.#out];
    const datagrams = this.kind === SOCK.DGRAM;
    const full = (output.bytes.count + output.cost) * 4 > this.room;
    const shut = input.ended && (output.ended || (datagrams && this.#alone));
    return (
      (!input.empty || input.ended ? READABLE : 0) |
      (input.ended ? POLL.RDHUP : 0) |
      (full ? 0 : WRITABLE | POLL.WRBAND) |
      (shut ? POLL.HUP : 0) |
      (this.#reset ? POLL.ERR : 0)
    );
  }
  override get arrivals(): number {
    return this.#in.puts + this.#out.takes;
  }

  override close(): void {
    const peer = this.#peer!;
    peer.#alone = true;
    if (!this.#in.empty && this.kind !== SOCK.DGRAM) peer.#reset = true;
    this.#in.clear();
    if (this.kind === SOCK.DGRAM) return;
    this.#end(this.#in);
    this.#end(this.#out);
  }

  #end(channel: Channel): void {
    channel.ended = true;
    channel.puts++;
    channel.takes++;
  }
  #waits(flags: number): boolean {
    return this.blocking && (flags & MSG.DONTWAIT) === 0;
  }
  #wait(flags: number, what: 'receive' | 'send', ready: () => boolean): never {
    if (this.#waits(flags)) throw new Blocked(AWAITED_EVENTS[what], ready, this.limits[what] || undefined);
    return fail(E.AGAIN);
  }
}
