/** Files of /proc about the guest and about the machine, generated when they are opened, as in Linux. */
import type { Addr } from '../../base/units.ts';
import { PAGE, PERMISSION } from '../memory.ts';
import type { Kernel } from './kernel.ts';
import { toBinary } from './nodes.ts';
import { sharedAt } from './shared.ts';

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
  readonly shownExecutable?: { readonly from: Addr; readonly to: Addr } | undefined;
}

const text = (lines: readonly string[]): Uint8Array => Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1');
const strings = (items: readonly string[]): Uint8Array =>
  Buffer.from(items.map((item) => `${item}\0`).join(''), 'utf8');
const kilobytes = (bytes: number): string => `${Math.floor(bytes / 1024)} kB`.padStart(11);

/** Puts the files of /proc into the overlay; none of them counts as a change. */
export function provideProc({ kernel, executable, args, env, stack, shownExecutable }: ProcParts): void {
  const { overlay, pid, uid } = kernel;
  const own = `/proc/${pid}`;
  overlay.provideLink(`${own}/exe`, executable);
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
          ['PPid', 1],
          ['TracerPid', 0],
        ].map(([name, value]) => `${name}:\t${value}`),
        ...['Uid', 'Gid'].map((name) => `${name}:\t${[uid, uid, uid, uid].join('\t')}`),
        `VmSize:\t${kilobytes(mapped(kernel))}`,
        'Threads:\t1',
      ]),
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
  for (const [path, contents] of Object.entries(made)) overlay.provideMade(path, contents);
  overlay.provideLink('/proc/self', `${pid}`);
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
    const shared = kernel.shared.length > 0 ? sharedAt(kernel, start) : undefined;
    const part = shared ? { ...shared, offset: shared.view.offset } : kernel.backed.at(start);
    const flag = (bit: number, letter: string) => (bits & bit ? letter : '-');
    const area: Area = {
      start,
      end: start + PAGE,
      permissions: `${flag(PERMISSION.READ, 'r')}${flag(PERMISSION.WRITE, 'w')}${flag(PERMISSION.EXECUTE, 'x')}${shared ? 's' : 'p'}`,
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
