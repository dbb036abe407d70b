/** Sockets: there are none, and nothing that is open is one. */
import { E, fail } from './errno.ts';
import type { ArgumentKind, SyscallRow } from './row.ts';

const onNone = (number: number, name: string, ...more: readonly ArgumentKind[]): SyscallRow => ({
  number,
  name,
  arguments: ['fd', ...more],
  run: (kernel, fd) => {
    kernel.descriptors.get(fd);
    return fail(E.NOTSOCK);
  },
});

export const SOCKET_ROWS: readonly SyscallRow[] = [
  { number: 198, name: 'socket', arguments: ['int', 'int', 'int'], run: () => fail(E.AFNOSUPPORT) },
  { number: 199, name: 'socketpair', arguments: ['int', 'int', 'int', 'address'], run: () => fail(E.AFNOSUPPORT) },
  onNone(200, 'bind', 'address', 'int'),
  onNone(201, 'listen', 'int'),
  onNone(202, 'accept', 'address', 'address'),
  onNone(203, 'connect', 'address', 'int'),
  onNone(204, 'getsockname', 'address', 'address'),
  onNone(205, 'getpeername', 'address', 'address'),
  onNone(206, 'sendto', 'address', 'size', 'flags', 'address', 'int'),
  onNone(207, 'recvfrom', 'address', 'size', 'flags', 'address', 'address'),
  onNone(208, 'setsockopt', 'int', 'int', 'address', 'int'),
  onNone(209, 'getsockopt', 'int', 'int', 'address', 'address'),
  onNone(210, 'shutdown', 'int'),
  onNone(211, 'sendmsg', 'address', 'flags'),
  onNone(212, 'recvmsg', 'address', 'flags'),
  onNone(242, 'accept4', 'address', 'address', 'flags'),
];
