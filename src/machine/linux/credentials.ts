/** Syscalls about users, groups, sessions and capabilities. There is one user without privileges, whose ids are all the same. */
import type { Addr } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { ArgumentKind, SyscallRow } from './row.ts';

/** The id that setreuid and the like leave as it is. */
const UNCHANGED = -1;

/** Sets ids of the process: to what they are already. */
const setIdsRow = (number: number, name: string, kinds: readonly ArgumentKind[]): SyscallRow => ({
  number,
  name,
  arguments: kinds,
  run: (kernel, ...ids) => {
    if (ids.length === 1 && ids[0] === UNCHANGED) fail(E.INVAL);
    return ids.every((id) => id === UNCHANGED || id === kernel.uid) ? 0 : fail(E.PERM);
  },
});
/** setfsuid and setfsgid give the id before, whatever happens. */
const fileIdRow = (number: number, name: string): SyscallRow => ({
  number,
  name,
  arguments: ['int'],
  run: (kernel) => kernel.uid,
});
const getIdsRow = (number: number, name: string): SyscallRow => ({
  number,
  name,
  arguments: ['address', 'address', 'address'],
  run: (kernel, ...at) => {
    for (const address of at) kernel.guest.setU32(address, kernel.uid);
    return 0;
  },
});
const idRow = (number: number, name: string, id: (kernel: Kernel) => number): SyscallRow => ({
  number,
  name,
  arguments: [],
  run: id,
});
const uid = (kernel: Kernel) => kernel.uid;

function ownProcess(kernel: Kernel, pid: number): void {
  if (pid !== 0 && pid !== kernel.pid) fail(E.SRCH);
}

function setGroup(kernel: Kernel, pid: number, group: number): number {
  if (group < 0 || (group === 0 && pid < 0)) fail(E.INVAL);
  ownProcess(kernel, pid);
  const { traits } = kernel;
  // Other groups of the session are unknown.
  if (traits.session === kernel.pid || ![0, kernel.pid, traits.group].includes(group)) fail(E.PERM);
  traits.group = group === 0 ? kernel.pid : group;
  return 0;
}

function makeSession(kernel: Kernel): number {
  const { traits } = kernel;
  if (traits.group === kernel.pid) fail(E.PERM);
  traits.session = traits.group = kernel.pid;
  return kernel.pid;
}

/** _LINUX_CAPABILITY_VERSION_n, and the number of structs __user_cap_data_struct that go with each. */
const CAPABILITY_VERSIONS: ReadonlyMap<number, number> = new Map([
  [0x19980330, 1],
  [0x20071026, 2],
  [0x20080522, 2],
]);
const CAPABILITY_VERSION = 0x20080522;
const CAPABILITY_SIZE = 12;

/** The process has no capabilities. */
function capabilities(kernel: Kernel, header: Addr, data: Addr): number {
  const { guest } = kernel;
  const count = CAPABILITY_VERSIONS.get(guest.u32(header));
  if (count === undefined) {
    guest.setU32(header, CAPABILITY_VERSION);
    return data === 0 ? 0 : fail(E.INVAL);
  }
  const pid = guest.i32(header + 4);
  if (pid < 0) fail(E.INVAL);
  ownProcess(kernel, pid);
  guest.output(data, count * CAPABILITY_SIZE).fill(0);
  return 0;
}

export const CREDENTIAL_ROWS: readonly SyscallRow[] = [
  { number: 90, name: 'capget', arguments: ['address', 'address'], run: capabilities },
  setIdsRow(143, 'setregid', ['int', 'int']),
  setIdsRow(144, 'setgid', ['int']),
  setIdsRow(145, 'setreuid', ['int', 'int']),
  setIdsRow(146, 'setuid', ['int']),
  setIdsRow(147, 'setresuid', ['int', 'int', 'int']),
  getIdsRow(148, 'getresuid'),
  setIdsRow(149, 'setresgid', ['int', 'int', 'int']),
  getIdsRow(150, 'getresgid'),
  fileIdRow(151, 'setfsuid'),
  fileIdRow(152, 'setfsgid'),
  { number: 154, name: 'setpgid', arguments: ['int', 'int'], run: setGroup },
  {
    number: 155,
    name: 'getpgid',
    arguments: ['int'],
    run: (k, pid) => {
      ownProcess(k, pid);
      return k.traits.group;
    },
  },
  {
    number: 156,
    name: 'getsid',
    arguments: ['int'],
    run: (k, pid) => {
      ownProcess(k, pid);
      return k.traits.session;
    },
  },
  { number: 157, name: 'setsid', arguments: [], run: makeSession },
  {
    number: 158,
    name: 'getgroups',
    arguments: ['int', 'address'],
    run: (_, size) => (size < 0 ? fail(E.INVAL) : 0),
  },
  { number: 159, name: 'setgroups', arguments: ['int', 'address'], run: () => fail(E.PERM) },
  idRow(172, 'getpid', (k) => k.pid),
  idRow(173, 'getppid', (k) => k.parent),
  idRow(174, 'getuid', uid),
  idRow(175, 'geteuid', uid),
  idRow(176, 'getgid', uid),
  idRow(177, 'getegid', uid),
];
