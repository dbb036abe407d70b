/** Syscalls that move bytes: read, write and their variants, also from file to file. */
import type { Addr, ByteCount } from '../../base/units.ts';
import { GuestFault } from '../memory.ts';
import { Blocked, E, fail } from './errno.ts';
import { MAX_TRANSFER, TOP } from './guest.ts';
import type { Kernel } from './kernel.ts';
import { OpenDevice, OpenDirectory, RegularFile } from './nodefiles.ts';
import { isPipe, O, type OpenFile } from './openfile.ts';
import { OpenFifo, PipeReader, PipeWriter } from './pipe.ts';
import type { SyscallRow } from './row.ts';
import { broken } from './signals.ts';
import { SocketEnd } from './socket.ts';
import { type Move, move, moveParts, type Pause, PIECE, type Steps } from './steps.ts';

/** Bytes that are moved from file to file at a time. */
const CHUNK = 65536;

const reader = (kernel: Kernel, fd: number): OpenFile => {
  const file = kernel.descriptors.get(fd);
  if (!file.readable) fail(E.BADF);
  return file.canRead ? file : fail(E.INVAL);
};
const writer = (kernel: Kernel, fd: number): OpenFile => {
  const file = kernel.descriptors.get(fd);
  if (!file.writable) fail(E.BADF);
  return file.canWrite ? file : fail(E.INVAL);
};

/** The file of a read or write at an offset. Fails with EINVAL for a negative offset, with ESPIPE for a stream. */
function placedFile(kernel: Kernel, fd: number, offset: number, by: typeof reader): OpenFile {
  notNegative(offset);
  kernel.descriptors.get(fd).end();
  return by(kernel, fd);
}

const notNegative = (offset: number): number => (offset < 0 ? fail(E.INVAL) : offset);

/** Bytes that a read gives at most; undefined: unknown. @param at offset of the read; undefined: the position */
function ahead(file: OpenFile, at: number | undefined): ByteCount | undefined {
  if (file instanceof RegularFile) return Math.max(0, file.end() - (at ?? file.position));
  if (file instanceof PipeReader || file instanceof OpenFifo) return file.pipe.count;
  if (file instanceof SocketEnd) return file.waiting;
  if (file instanceof OpenDirectory || (file instanceof OpenDevice && file.node.device === 'null')) return 0;
  return undefined;
}

/**
 * The bytes of a buffer that a read may fill. Linux meets a bad page where bytes are stored, not before: a read ends in front of the page,
 * except that pipes and sockets keep bytes that do not fit.
 */
export function readTarget(kernel: Kernel, file: OpenFile, buffer: Addr, size: ByteCount, at?: number): Uint8Array {
  if (buffer + size > TOP) throw new GuestFault('store', buffer);
  const bytes = kernel.guest.outputBefore(buffer, size);
  if (bytes.length >= Math.min(size, MAX_TRANSFER)) return bytes;
  const most = ahead(file, at);
  // Nothing will be stored: the call ends, fails or waits.
  if (most === 0) return new Uint8Array(1);
  const fits = most !== undefined && most <= bytes.length;
  const keeps = isPipe(file) || file instanceof SocketEnd;
  if (bytes.length === 0 || (most !== undefined && keeps && !fits)) throw new GuestFault('store', buffer);
  return bytes;
}
/** The bytes of a buffer that a write may take: to a file, all in front of a bad page. */
function writeSource(kernel: Kernel, file: OpenFile, buffer: Addr, size: ByteCount): Uint8Array {
  if (!(file instanceof RegularFile)) return kernel.guest.input(buffer, size);
  if (buffer + size > TOP) throw new GuestFault('load', buffer);
  const bytes = kernel.guest.inputBefore(buffer, size);
  if (bytes.length === 0 && size > 0) throw new GuestFault('load', buffer);
  return bytes;
}

/** Writes; a broken pipe also raises SIGPIPE. */
function put(kernel: Kernel, write: () => number | Steps): number | Steps {
  try {
    const result = write();
    return typeof result === 'number' ? result : putRest(kernel, result);
  } catch (error) {
    return broken(kernel, error);
  }
}
function* putRest(kernel: Kernel, steps: Steps): Steps {
  try {
    return yield* steps;
  } catch (error) {
    return broken(kernel, error);
  }
}

/** The parts of an iovec that are not empty, up to MAX_TRANSFER bytes in all. */
function* partsOf(
  vectors: readonly { address: Addr; length: ByteCount }[],
  view: (address: Addr, length: ByteCount, done: ByteCount) => Uint8Array,
): Generator<Uint8Array> {
  let left = MAX_TRANSFER;
  for (const { address, length } of vectors) {
    if (length === 0) continue;
    if (left === 0) return;
    const part = view(address, Math.min(length, left), MAX_TRANSFER - left);
    left -= part.length;
    yield part;
    if (part.length < length && left > 0) throw new GuestFault('load', address + part.length);
  }
}

/** Does readv read one message into all parts together? True for files without a node except pipes: sockets, eventfd and the like. */
const readsMessages = ({ nameless, node }: OpenFile): boolean => node === undefined && nameless !== 'pipe';

function readMessage({ guest }: Kernel, vector: Addr, count: number, file: OpenFile): number {
  const parts = guest.vectors(vector, count);
  const bytes = new Uint8Array(guest.room(parts));
  if (bytes.length === 0) return 0;
  const got = file.read(bytes);
  guest.spread(parts, bytes.subarray(0, got));
  return got;
}

/** @param offset of the read; undefined: the position */
function readParts(kernel: Kernel, file: OpenFile, vector: Addr, count: number, offset?: number): Steps {
  const parts = partsOf(kernel.guest.vectors(vector, count), (at, length, done) =>
    readTarget(kernel, file, at, length, offset === undefined ? undefined : offset + done),
  );
  const transfer: Move = (part, done) => (offset === undefined ? file.read(part) : file.readAt(offset + done, part));
  return moveParts(parts, transfer, false);
}
function writeParts(kernel: Kernel, file: OpenFile, vector: Addr, count: number, transfer: Move): number | Steps {
  const parts = partsOf(kernel.guest.vectors(vector, count), (at, length) => writeSource(kernel, file, at, length));
  return put(kernel, () => moveParts(parts, transfer, true));
}

/** Writes parts: a pipe or a socket takes all parts as one write. */
function writeVector(kernel: Kernel, vector: Addr, count: number, file: OpenFile): number | Steps {
  const { guest } = kernel;
  if (file.nameless === 'socket') return put(kernel, () => file.write(guest.gather(guest.vectors(vector, count))));
  if (!(file instanceof PipeWriter || file instanceof OpenFifo))
    return writeParts(kernel, file, vector, count, (part) => file.write(part));
  const { bytes, total } = guest.gatherReadable(guest.vectors(vector, count));
  return put(kernel, () => file.write(bytes, total));
}

/**
 * Moves bytes from file to file; an error counts only if no bytes were moved. The source's position moves by as many bytes as
 * the target has taken.
 * @param from, to offsets to read and write at; undefined: the positions of the files
 */
function* transfer(
  source: OpenFile,
  target: OpenFile,
  asked: number,
  from?: number,
  to?: number,
): Generator<Pause, number> {
  const count = Math.min(asked, MAX_TRANSFER);
  const buffer = new Uint8Array(Math.min(CHUNK, count));
  let total = 0;
  const begin = from ?? source.position;
  const read: Move = (bytes) => source.readAt(begin + total, bytes);
  const write: Move = (bytes, done) =>
    to === undefined ? target.write(bytes) : target.writeAt(to + total + done, bytes);
  const moved = (bytes: number): void => {
    total += bytes;
    if (from === undefined && source instanceof RegularFile) source.position = begin + total;
  };
  try {
    for (let looked = 0; total < count; ) {
      const got = yield* moveParts([buffer.subarray(0, count - total)], read, false);
      if (got === 0) break;
      const taken = yield* moveParts([buffer.subarray(0, got)], write, true);
      moved(taken);
      if (taken < got) break;
      if (total - looked < PIECE) continue;
      looked = total;
      yield 'look';
    }
  } catch (error) {
    const before = total;
    if (error instanceof Blocked) {
      moved(error.done);
      // A pipe takes as much as it has room for (fs/splice.c, splice_file_to_pipe); a write to another target waits with the rest.
      if (total === 0 || !isPipe(target)) throw error.after(before);
    } else if (total === 0) throw error;
  }
  return total;
}

function sendFile(kernel: Kernel, out: number, input: number, offset: Addr, count: number): Steps | number {
  const asked = offset === 0 ? undefined : Number(kernel.guest.i64(offset));
  const source = reader(kernel, input);
  const from = asked === undefined ? undefined : notNegative(asked);
  if (from !== undefined) source.end();
  const target = writer(kernel, out);
  if (target.flags & O.APPEND) fail(E.INVAL);
  if (count === 0) return 0;
  // The source must be a file, or a device that gives bytes (fs/splice.c, splice_direct_to_actor).
  const givesBytes = source instanceof RegularFile || (source instanceof OpenDevice && source.node.device !== 'null');
  if (!givesBytes) fail(E.INVAL);
  return put(kernel, function* () {
    const advance = (moved: number): void => {
      if (from !== undefined && moved > 0) kernel.guest.setU64(offset, from + moved);
    };
    try {
      const moved = yield* transfer(source, target, count, from);
      advance(moved);
      return moved;
    } catch (error) {
      if (error instanceof Blocked) advance(error.done);
      throw error;
    }
  });
}

function* copyRange(
  kernel: Kernel,
  input: number,
  inAt: Addr,
  out: number,
  outAt: Addr,
  count: number,
  flags: number,
): Steps {
  const [source, target] = [kernel.descriptors.get(input), kernel.descriptors.get(out)];
  if (flags !== 0) fail(E.INVAL);
  for (const file of [source, target]) if (file instanceof OpenDirectory) fail(E.ISDIR);
  for (const file of [source, target]) if (!(file instanceof RegularFile)) fail(E.INVAL);
  if (!source.readable || !target.writable || target.flags & O.APPEND) fail(E.BADF);
  const from = inAt === 0 ? undefined : notNegative(Number(kernel.guest.i64(inAt)));
  const to = outAt === 0 ? undefined : notNegative(Number(kernel.guest.i64(outAt)));
  const [begin, into] = [from ?? source.position, to ?? target.position];
  const length = Math.max(0, Math.min(count, MAX_TRANSFER, source.end() - begin));
  if (source.node === target.node && begin < into + length && into < begin + length) fail(E.INVAL);
  const moved = yield* transfer(source, target, length, from, to);
  if (from !== undefined) kernel.guest.setU64(inAt, from + moved);
  if (to !== undefined) kernel.guest.setU64(outAt, to + moved);
  return moved;
}

export const TRANSFER_ROWS: readonly SyscallRow[] = [
  {
    number: 63,
    name: 'read',
    arguments: ['fd', 'buffer', 'size'],
    run: (k, fd, buffer, size) => {
      const file = reader(k, fd);
      return move(readTarget(k, file, buffer, size), (part) => file.read(part));
    },
  },
  {
    number: 64,
    name: 'write',
    arguments: ['fd', 'buffer', 'size'],
    run: (k, fd, buffer, size) =>
      put(k, () => {
        const file = writer(k, fd);
        return move(writeSource(k, file, buffer, size), (part) => file.write(part), true);
      }),
  },
  {
    number: 65,
    name: 'readv',
    arguments: ['fd', 'address', 'int'],
    run: (k, fd, vector, count) => {
      const file = reader(k, fd);
      return readsMessages(file) ? readMessage(k, vector, count, file) : readParts(k, file, vector, count);
    },
  },
  {
    number: 66,
    name: 'writev',
    arguments: ['fd', 'address', 'int'],
    run: (k, fd, vector, count) => writeVector(k, vector, count, writer(k, fd)),
  },
  {
    number: 67,
    name: 'pread64',
    arguments: ['fd', 'buffer', 'size', 'offset'],
    run: (k, fd, buffer, size, offset) => {
      const file = placedFile(k, fd, offset, reader);
      return move(readTarget(k, file, buffer, size, offset), (part, done) => file.readAt(offset + done, part));
    },
  },
  {
    number: 68,
    name: 'pwrite64',
    arguments: ['fd', 'buffer', 'size', 'offset'],
    run: (k, fd, buffer, size, offset) =>
      put(k, () => {
        const file = placedFile(k, fd, offset, writer);
        return move(writeSource(k, file, buffer, size), (part, done) => file.writeAt(offset + done, part), true);
      }),
  },
  {
    number: 69,
    name: 'preadv',
    arguments: ['fd', 'address', 'int', 'offset'],
    run: (k, fd, vector, count, offset) => {
      const file = placedFile(k, fd, offset, reader);
      return readParts(k, file, vector, count, offset);
    },
  },
  {
    number: 70,
    name: 'pwritev',
    arguments: ['fd', 'address', 'int', 'offset'],
    run: (k, fd, vector, count, offset) => {
      const file = placedFile(k, fd, offset, writer);
      return writeParts(k, file, vector, count, (part, done) => file.writeAt(offset + done, part));
    },
  },
  { number: 71, name: 'sendfile', arguments: ['fd', 'fd', 'address', 'size'], run: sendFile },
  {
    number: 285,
    name: 'copy_file_range',
    arguments: ['fd', 'address', 'fd', 'address', 'size', 'flags'],
    run: copyRange,
  },
];
