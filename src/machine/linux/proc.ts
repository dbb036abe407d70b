/** Files of /proc about the guest and about the machine, generated when they are opened, as in Linux. */
import { type Addr, PAGE, type RunAddr, SP } from '../../base/units.ts';
import { PERMISSION } from '../memory.ts';
import { limitOf } from './identity.ts';
import type { Kernel } from './kernel.ts';
import { RegularFile } from './nodefiles.ts';
import { type LinkNode, type LiveEntries, type Node, toBinary } from './nodes.ts';
import type { OpenFile } from './openfile.ts';
import type { Overlay } from './overlay.ts';
import { isSharedMemory, sharedAt } from './shared.ts';
import { SIG } from './signals.ts';

/** The parameters of the start of a process. */
export interface ProcParts {
  readonly kernel: Kernel;
  /** Path of the executable, as text. */
  readonly executable: string;
  /** argv and environment. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly stack: { readonly low: number; readonly top: number };
  /** Addresses whose pages `maps` shows as executable where they can be read. */
  readonly shownExecutable?: { readonly from: RunAddr; readonly to: RunAddr } | undefined;
}

const text = (lines: readonly string[]): Uint8Array => Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1');
const strings = (items: readonly string[]): Uint8Array =>
  Buffer.from(items.map((item) => `${item}\0`).join(''), 'utf8');
const kilobytes = (bytes: number): string => `${Math.floor(bytes / 1024)} kB`.padStart(11);

/** Puts the files of /proc into the overlay; none of them counts as a change. */
export function provideProc({ kernel, executable, args, env, stack, shownExecutable }: ProcParts): void {
  const { overlay, pid, uid } = kernel;
  const own = `/proc/${pid}`;
  const startStack = kernel.task.hart.number(SP);
  overlay.provided.link(`${own}/exe`, executable);
  const made: Readonly<Record<string, () => Uint8Array>> = {
    [`${own}/maps`]: () => {
      kernel.mapsRead = true;
      return text(maps(kernel, stack, shownExecutable));
    },
    [`${own}/cmdline`]: () => strings(args),
    [`${own}/environ`]: () => strings(env),
    [`${own}/comm`]: () => text([Buffer.from(kernel.traits.name).toString('latin1')]),
    [`${own}/status`]: () =>
      text([
        `Name:\t${Buffer.from(kernel.traits.name).toString('latin1')}`,
        'State:\tR (running)',
        ...[
          ['Tgid', pid],
          ['Pid', pid],
          ['PPid', kernel.parent],
          ['TracerPid', 0],
        ].map(([name, value]) => `${name}:\t${value}`),
        ...['Uid', 'Gid'].map((name) => `${name}:\t${[uid, uid, uid, uid].join('\t')}`),
        `VmSize:\t${kilobytes(mapped(kernel))}`,
        'Threads:\t1',
      ]),
    [`${own}/stat`]: () => text([stat(kernel, startStack).join(' ')]),
    [`${own}/statm`]: () => {
      const pages = mapped(kernel) / PAGE;
      return text([`${pages} ${pages} 0 0 0 ${pages} 0`]);
    },
    [`${own}/limits`]: () => text(limits(kernel)),
    [`${own}/mounts`]: () => text(['overlay / overlay rw,relatime 0 0', 'proc /proc proc rw,relatime 0 0']),
    // One processor, which is never idle.
    '/proc/uptime': () => text([`${(Number(kernel.clock.monotonic / 10_000_000n) / 100).toFixed(2)} 0.00`]),
    '/proc/cpuinfo': () =>
      text(['processor\t: 0', 'hart\t\t: 0', 'isa\t\t: rv64imafdc_zicntr_zicsr_zifencei', 'mmu\t\t: sv39', '']),
    '/proc/meminfo': () => {
      const free = kernel.memory.size - mapped(kernel);
      const rows = { MemTotal: kernel.memory.size, MemFree: free, MemAvailable: free, Buffers: 0, Cached: 0 };
      const more = { SwapTotal: 0, SwapFree: 0 };
      return text(
        Object.entries({ ...rows, ...more }).map(([name, size]) => `${`${name}:`.padEnd(13)}${kilobytes(size)}`),
      );
    },
  };
  for (const [path, contents] of Object.entries(made)) overlay.provided.made(path, contents);
  overlay.provided.live(`${own}/fd`, descriptorLinks(kernel));
  overlay.provided.link('/proc/self', `${pid}`);
  overlay.provided.link('/proc/mounts', 'self/mounts');
}

/** The fields of /proc/PID/stat (proc(5)), in their order; 0: unknown, or none. */
function stat(kernel: Kernel, startStack: Addr): (string | number | bigint)[] {
  const { traits, pid, parent, clock, heapStart } = kernel;
  const { nice, policy, group, session } = traits;
  const zeros = (count: number) => new Array<number>(count).fill(0);
  const size = mapped(kernel);
  return [
    ...[pid, `(${Buffer.from(traits.name).toString('latin1')})`, 'R', parent, group, session],
    // No terminal, no flags, no page faults; time in user mode.
    ...[0, -1, ...zeros(5), clock.elapsed / CLOCK_TICK, ...zeros(3)],
    // Threads, and the time of the start.
    ...[20 + nice, nice, 1, 0, (clock.monotonic - clock.elapsed) / CLOCK_TICK],
    ...[size, size / PAGE, 2n ** 64n - 1n, 0, 0, startStack],
    // Registers and signals; the parent gets SIGCHLD; processor, scheduling.
    ...[...zeros(9), SIG.CHLD, 0, 0, policy & 7],
    ...[...zeros(5), heapStart, ...zeros(5)],
  ];
}
/** Nanoseconds of a tick of USER_HZ. */
const CLOCK_TICK = 10_000_000n;

/** Rows of /proc/PID/limits by number of the resource. */
const LIMITS: readonly (readonly [string, string])[] = [
  ['Max cpu time', 'seconds'],
  ['Max file size', 'bytes'],
  ['Max data size', 'bytes'],
  ['Max stack size', 'bytes'],
  ['Max core file size', 'bytes'],
  ['Max resident set', 'bytes'],
  ['Max processes', 'processes'],
  ['Max open files', 'files'],
  ['Max locked memory', 'bytes'],
  ['Max address space', 'bytes'],
  ['Max file locks', 'locks'],
  ['Max pending signals', 'signals'],
  ['Max msgqueue size', 'bytes'],
  ['Max nice priority', ''],
  ['Max realtime priority', ''],
  ['Max realtime timeout', 'us'],
];
function limits(kernel: Kernel): string[] {
  const row = (name: string, soft: string, hard: string, unit: string) =>
    `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} ${unit.padEnd(10)}`;
  const shown = (limit: bigint) => (limit === 2n ** 64n - 1n ? 'unlimited' : `${limit}`);
  return [
    row('Limit', 'Soft Limit', 'Hard Limit', 'Units'),
    ...LIMITS.map(([name, unit], resource) => {
      const [soft, hard] = limitOf(kernel, resource);
      return row(name, shown(soft), shown(hard), unit);
    }),
  ];
}

/** /proc/PID/fd: a link for each descriptor, which leads to the open file itself. */
function descriptorLinks({ overlay, descriptors }: Kernel): LiveEntries {
  const links = new WeakMap<OpenFile, LinkNode>();
  return {
    names: () => descriptors.numbers.map(String),
    entry: (name) => {
      const file = /^(0|[1-9]\d{0,3})$/.test(name) ? descriptors.find(Number(name)) : undefined;
      if (!file) return undefined;
      const known =
        links.get(file) ??
        overlay.provided.magicLink(rightsOf(file), () => targetOf(overlay, file), nodeOf(overlay, file));
      links.set(file, known);
      return known;
    },
  };
}

const rightsOf = (file: OpenFile): number => (file.readable ? 0o500 : 0) | (file.writable ? 0o300 : 0);

function nodeOf(overlay: Overlay, { node, nameless, inode }: OpenFile): () => Node {
  const known = node ?? overlay.provided.nameless(nameless === 'pipe' ? 'fifo' : 'socket', inode.rights ?? 0o600);
  return () => known;
}

/** As readlink shows it. */
function targetOf(overlay: Overlay, file: OpenFile): string {
  const { node, nameless, where } = file;
  if (node?.kind === 'directory') return overlay.pathOf(node) ?? '/ (deleted)';
  const path = file instanceof RegularFile ? file.path : where?.();
  if (path === undefined)
    return nameless === 'anonymous' ? 'anon_inode:[unknown]' : `${nameless}:[${file.inode.number}]`;
  return node?.links === 0 && !path.endsWith(' (deleted)') ? `${path} (deleted)` : path;
}

/** Bytes of the guest's address space that are mapped. */
function mapped({ memory: { permissions } }: Kernel): number {
  let pages = 0;
  for (let page = 0; page < permissions.length; page++) if (permissions[page] !== 0) pages++;
  return pages * PAGE;
}

/** A line of /proc/PID/maps: adjacent pages with equal attributes are one area. */
interface Area {
  readonly start: number;
  end: number;
  readonly permissions: string;
  /** Device and inode of the file, and the offset of the first page in the file. */
  readonly file: string;
  readonly offset: number;
  readonly name: string;
}

/** /proc/PID/maps (proc(5)). The permission table is the record of mapped pages; `shared` and `backed` record their files. */
function maps(kernel: Kernel, stack: ProcParts['stack'], shown: ProcParts['shownExecutable']): string[] {
  const { memory } = kernel;
  const areas: Area[] = [];
  for (let page = 0; page < memory.permissions.length; page++) {
    const start = page * PAGE;
    const own = kernel.beyond.get(start) ?? memory.permissions[page]!;
    const isShown = shown && start < shown.to && start + PAGE > shown.from && (own & PERMISSION.READ) !== 0;
    const bits = isShown ? own | PERMISSION.EXECUTE : own;
    if (bits === 0) continue;
    const shared = sharedAt(kernel, start);
    const part = shared
      ? { file: shared.file, address: shared.from, offset: shared.view.from }
      : kernel.backed.at(start);
    const flag = (bit: number, letter: string) => (bits & bit ? letter : '-');
    const area: Area = {
      start,
      end: start + PAGE,
      permissions: `${flag(PERMISSION.READ, 'r')}${flag(PERMISSION.WRITE, 'w')}${flag(PERMISSION.EXECUTE, 'x')}${shared || isSharedMemory(kernel, start) ? 's' : 'p'}`,
      file: part ? `08:01 ${part.file.ino}` : '00:00 0',
      offset: part ? part.offset + start - part.address : 0,
      name: part?.file.path ?? nameOf(kernel, stack, start),
    };
    const last = areas.at(-1);
    const adjacent = last?.end === start && last.permissions === area.permissions && last.name === area.name;
    const continued =
      adjacent && last.file === area.file && (!part || last.offset + start - last.start === area.offset);
    if (continued) last.end = area.end;
    else areas.push(area);
  }
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  return areas.map(({ start, end, permissions, file, offset, name }) => {
    const line = `${hex(start)}-${hex(end)} ${permissions} ${hex(offset)} ${file}`;
    // Lines with a name are as wide as on 64-bit Linux.
    return name === '' ? `${line} ` : `${line.padEnd(72)} ${toBinary(name)}`;
  });
}

function nameOf(kernel: Kernel, stack: ProcParts['stack'], at: number): string {
  if (at >= kernel.heapStart && at < kernel.brk) return '[heap]';
  if (at >= stack.low && at < stack.top) return '[stack]';
  return at === kernel.trampoline ? '[vdso]' : '';
}
