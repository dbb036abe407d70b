/** Syscalls on sockets. All sockets are pairs within the process: there is no network and no other process. */
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import { MAX_TRANSFER } from './guest.ts';
import type { Kernel } from './kernel.ts';
import { O } from './openfile.ts';
import type { ArgumentKind, SyscallRow } from './row.ts';
import { broken } from './signals.ts';
import { MSG, type Received, SOCK, SocketEnd, type SocketKind } from './socket.ts';
import { optionWords, setOption } from './socketoptions.ts';
import { readTarget } from './transfers.ts';

const AF = { UNIX: 1, INET: 2, INET6: 10 } as const;
const SOL_SOCKET = 1;
const SO = { TYPE: 3, ERROR: 4, PEERCRED: 17, ACCEPTCONN: 30, PROTOCOL: 38, DOMAIN: 39 } as const;

/** A descriptor that is a socket; fails with EBADF or ENOTSOCK. */
function socketOf(kernel: Kernel, fd: number): SocketEnd {
  const file = kernel.descriptors.get(fd);
  return file instanceof SocketEnd ? file : fail(E.NOTSOCK);
}

/** A call that fails for all sockets of pairs. */
const failingRow = (number: number, name: string, code: number, ...more: readonly ArgumentKind[]): SyscallRow => ({
  number,
  name,
  arguments: ['fd', ...more],
  run: (kernel, fd) => {
    socketOf(kernel, fd);
    return fail(code);
  },
});

function socketpair(kernel: Kernel, domain: number, type: number, protocol: number, at: Addr): number {
  const flags = type & ~0xf;
  const asked = type & 0xf;
  if (flags & ~(O.CLOEXEC | O.NONBLOCK)) fail(E.INVAL);
  kernel.guest.output(at, 8);
  if (domain === AF.INET || domain === AF.INET6) {
    if (asked !== SOCK.STREAM && asked !== SOCK.DGRAM && asked !== SOCK.RAW) fail(E.SOCKTNOSUPPORT);
    // Raw sockets need a protocol, other kinds have their own (0, TCP or UDP); none of them makes pairs.
    const own = protocol === 0 || protocol === { [SOCK.STREAM]: 6, [SOCK.DGRAM]: 17 }[asked as number];
    fail((asked === SOCK.RAW ? protocol !== 0 : own) ? E.OPNOTSUPP : E.PROTONOSUPPORT);
  }
  if (domain !== AF.UNIX) fail(E.AFNOSUPPORT);
  if (protocol !== 0 && protocol !== AF.UNIX) fail(E.PROTONOSUPPORT);
  // A raw Unix socket is a datagram socket (unix(7)).
  const kind = asked === SOCK.RAW ? SOCK.DGRAM : asked;
  if (kind !== SOCK.STREAM && kind !== SOCK.DGRAM && kind !== SOCK.SEQPACKET) return fail(E.SOCKTNOSUPPORT);
  for (const [index, end] of SocketEnd.pair(kind satisfies SocketKind, flags & O.NONBLOCK).entries())
    kernel.guest.setU32(at + 4 * index, kernel.descriptors.add(end, (flags & O.CLOEXEC) !== 0));
  return 0;
}

/** Sends; a broken pipe may also raise SIGPIPE. */
function put(kernel: Kernel, socket: SocketEnd, source: Uint8Array, flags: number): number {
  try {
    return socket.send(source, flags);
  } catch (error) {
    return broken(kernel, error);
  }
}

/** Refuses a destination: no socket has an address, and SEQPACKET sockets ignore the destination. */
function checkName(socket: SocketEnd, name: Addr): void {
  if (name !== 0 && socket.kind !== SOCK.SEQPACKET) fail(socket.kind === SOCK.STREAM ? E.ISCONN : E.CONNREFUSED);
}

function sendTo(kernel: Kernel, fd: number, buffer: Addr, size: number, flags: number, to: Addr): number {
  kernel.guest.inside(buffer, size);
  const socket = socketOf(kernel, fd);
  checkName(socket, to);
  return put(kernel, socket, kernel.guest.input(buffer, size), flags);
}

function receiveFrom(
  kernel: Kernel,
  fd: number,
  buffer: Addr,
  size: number,
  flags: number,
  from: Addr,
  fromSize: Addr,
): number {
  kernel.guest.inside(buffer, size);
  const socket = socketOf(kernel, fd);
  const whole = (flags & MSG.WAITALL) !== 0;
  const { count, length } = received(
    () => {
      const target = whole
        ? kernel.guest.output(buffer, size)
        : readTarget(kernel, socket, buffer, Math.min(size, MAX_TRANSFER));
      return socket.receive(target, flags);
    },
    // The sender has no address.
    () => {
      if (from !== 0 && fromSize !== 0) kernel.guest.setU32(fromSize, 0);
    },
  );
  return flags & MSG.TRUNC && socket.kind !== SOCK.STREAM ? length : count;
}

/** struct msghdr: name, its size, parts, their number, control data, its size, flags. */
function messageAt(kernel: Kernel, at: Addr) {
  const { guest } = kernel;
  const parts = guest.vectors(guest.word(at + 16), guest.word(at + 24), E.MSGSIZE);
  return { name: guest.word(at), parts, control: guest.word(at + 40) };
}

function sendMessage(kernel: Kernel, fd: number, at: Addr, flags: number): number {
  const socket = socketOf(kernel, fd);
  const { name, parts, control } = messageAt(kernel, at);
  checkName(socket, name);
  if (control !== 0) {
    kernel.report('the guest sent control data over a socket, which is not supported: sendmsg fails with EINVAL');
    fail(E.INVAL);
  }
  return put(kernel, socket, kernel.guest.gather(parts), flags);
}

/** Receives; a read that waits for more bytes gives the bytes that it has before it waits. */
function received(receive: () => Received, give: (received: Received) => void): Received {
  try {
    const result = receive();
    give(result);
    return result;
  } catch (error) {
    if (error instanceof Blocked && error.done > 0) give({ count: error.done, length: error.done });
    throw error;
  }
}

function receiveMessage(kernel: Kernel, fd: number, at: Addr, flags: number): number {
  const { guest } = kernel;
  const socket = socketOf(kernel, fd);
  const { name, parts } = messageAt(kernel, at);
  const bytes = new Uint8Array(guest.room(parts));
  const give = ({ count, length }: Received): void => {
    guest.spread(parts, bytes.subarray(0, count));
    if (name !== 0) guest.setU32(at + 8, 0);
    guest.setU64(at + 40, 0);
    guest.setU32(at + 48, length > count ? MSG.TRUNC : 0);
  };
  const { count, length } = received(() => socket.receive(bytes, flags), give);
  return flags & MSG.TRUNC && socket.kind !== SOCK.STREAM ? length : count;
}

/** Writes the address of a socket without a name: its family alone. */
function putName(kernel: Kernel, fd: number, at: Addr, sizeAt: Addr): number {
  const { guest } = kernel;
  socketOf(kernel, fd);
  const room = guest.i32(sizeAt);
  if (room < 0) fail(E.INVAL);
  guest.output(at, Math.min(room, 2)).set([AF.UNIX, 0].slice(0, room));
  guest.setU32(sizeAt, 2);
  return 0;
}

const nameRow = (number: number, name: string): SyscallRow => ({
  number,
  name,
  arguments: ['fd', 'address', 'address'],
  run: putName,
});

function getOption(kernel: Kernel, fd: number, level: number, option: number, at: Addr, sizeAt: Addr): number {
  const { guest } = kernel;
  const socket = socketOf(kernel, fd);
  const room = guest.i32(sizeAt);
  if (level !== SOL_SOCKET) fail(E.OPNOTSUPP);
  if (room < 0) fail(E.INVAL);
  const put = (...words: readonly number[]): number => {
    const bytes = new Uint8Array(Uint32Array.from(words).buffer).subarray(0, room);
    guest.output(at, bytes.length).set(bytes);
    guest.setU32(sizeAt, bytes.length);
    return 0;
  };
  switch (option) {
    case SO.TYPE:
      return put(socket.kind);
    case SO.ERROR:
      return put(socket.error());
    case SO.PEERCRED:
      return put(kernel.pid, kernel.uid, kernel.uid);
    case SO.DOMAIN:
      return put(AF.UNIX);
    case SO.ACCEPTCONN:
    case SO.PROTOCOL:
      return put(0);
    default:
      return put(...optionWords(socket, option));
  }
}

export const SOCKET_ROWS: readonly SyscallRow[] = [
  { number: 198, name: 'socket', arguments: ['int', 'int', 'int'], run: () => fail(E.AFNOSUPPORT) },
  { number: 199, name: 'socketpair', arguments: ['int', 'int', 'int', 'address'], run: socketpair },
  failingRow(200, 'bind', E.INVAL, 'address', 'int'),
  {
    number: 201,
    name: 'listen',
    arguments: ['fd', 'int'],
    run: (k, fd) => fail(socketOf(k, fd).kind === SOCK.DGRAM ? E.OPNOTSUPP : E.INVAL),
  },
  failingRow(202, 'accept', E.INVAL, 'address', 'address'),
  failingRow(203, 'connect', E.ISCONN, 'address', 'int'),
  nameRow(204, 'getsockname'),
  nameRow(205, 'getpeername'),
  {
    number: 206,
    name: 'sendto',
    arguments: ['fd', 'buffer', 'size', 'flags', 'address', 'int'],
    run: sendTo,
  },
  {
    number: 207,
    name: 'recvfrom',
    arguments: ['fd', 'buffer', 'size', 'flags', 'address', 'address'],
    run: receiveFrom,
  },
  {
    number: 208,
    name: 'setsockopt',
    arguments: ['fd', 'int', 'int', 'address', 'int'],
    run: (k, fd, level, option, at, size) => {
      const socket = socketOf(k, fd);
      if (level !== SOL_SOCKET) return fail(E.OPNOTSUPP);
      setOption(k.guest, socket, option, at, size);
      return 0;
    },
  },
  { number: 209, name: 'getsockopt', arguments: ['fd', 'int', 'int', 'address', 'address'], run: getOption },
  {
    number: 210,
    name: 'shutdown',
    arguments: ['fd', 'int'],
    run: (k, fd, how) => {
      const socket = socketOf(k, fd);
      if (how < 0 || how > 2) return fail(E.INVAL);
      socket.shutdown(how);
      return 0;
    },
  },
  { number: 211, name: 'sendmsg', arguments: ['fd', 'address', 'flags'], run: sendMessage },
  { number: 212, name: 'recvmsg', arguments: ['fd', 'address', 'flags'], run: receiveMessage },
  failingRow(242, 'accept4', E.INVAL, 'address', 'address', 'flags'),
];
