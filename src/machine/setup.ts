/** Sets a guest process up to its first instruction: memory, the loaded image, files, the kernel, the standard streams. */
import { realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { badOption } from '../base/errors.ts';
import { type Addr, type ByteCount, PAGE, type RunAddr, SP } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { LinkMap } from '../place/link-map.ts';
import { Hart } from './hart.ts';
import { layoutOf } from './layout.ts';
import { backedBy, type MappedFile } from './linux/backed.ts';
import { Clock, type ClockOptions, makeRandom } from './linux/clock.ts';
import { Kernel, type KernelParts } from './linux/kernel.ts';
import { Overlay } from './linux/overlay.ts';
import { provideProc } from './linux/proc.ts';
import { unshare } from './linux/shared.ts';
import { InputStream, OutputStream, type Sink, type Source } from './linux/stdio.ts';
import { load } from './load.ts';
import { Memory } from './memory.ts';
import { AddressSpace } from './space.ts';

export interface ProcessOptions {
  readonly image: Image;
  /** The guest's arguments, without the program's name. */
  readonly args?: readonly string[];
  /** argv[0]; default: the image's path. Two forms of one program must get the same to be comparable. */
  readonly programName?: string;
  /** The whole environment, `NAME=value`; default: empty. */
  readonly env?: readonly string[] | undefined;
  /** Standard input: bytes, or a function that fills a target and returns how many it put there, 0 at the end. Default: empty. */
  readonly stdin?: Uint8Array | Source | undefined;
  /** Receives the bytes of standard output (1) and error (2), live: use or copy them at once. Default: the bytes are dropped. */
  readonly sink?: Sink | undefined;
  /** Host directories that the guest can read; default: the working directory. */
  readonly grants?: readonly string[] | undefined;
  /** The guest's working directory; default: the host's. */
  readonly cwd?: string;
  /** Guest memory in bytes, a multiple of 64 KiB; default 1 GiB. */
  readonly memorySize?: ByteCount | undefined;
  /** First address of the heap; default: behind the image. An optimized file needs that of its original (`Process.heapStart`). */
  readonly heapStart?: Addr | undefined;
  readonly clock?: ClockOptions | undefined;
  /** Addresses whose pages /proc/self/maps shows as executable where they can be read. */
  readonly shownExecutable?: { readonly from: RunAddr; readonly to: RunAddr } | undefined;
  /** Seed of getrandom, /dev/urandom and AT_RANDOM. */
  readonly seed?: bigint;
  /** Gets one line a syscall, as strace prints it. */
  readonly strace?: ((line: string) => void) | undefined;
  /** Gets messages for the user, each once: requests of the guest that are not supported. */
  readonly report?: ((message: string) => void) | undefined;
}

const DEFAULT_SIZE: ByteCount = 2 ** 30;
/** In a smaller memory not even the stack fits. */
const SMALLEST_MEMORY: ByteCount = 2 ** 24;
const LARGEST_MEMORY: ByteCount = 3 * 2 ** 30;
const MEMORY_STEP: ByteCount = 2 ** 16;
const DEFAULT_SEED = 0x69736f666f726dn;
/** Bytes that the guest finds at AT_RANDOM. */
const SEED_SIZE: ByteCount = 16;
/** Bytes of a task's name (linux/sched.h, TASK_COMM_LEN) without the final NUL. */
const NAME_LENGTH: ByteCount = 15;
const PID = 1000;
const UID = 1000;

/** A process before its first instruction. */
export interface FreshProcess {
  readonly memory: Memory;
  readonly kernel: Kernel;
  readonly links: LinkMap;
  readonly heapStart: Addr;
  readonly entry: RunAddr;
}

/**
 * @param diverted called when the kernel, not the guest's code, moves control
 * @throws IsoformError if the image does not fit, or an option is bad
 */
export function setUp(options: ProcessOptions, diverted: KernelParts['diverted']): FreshProcess {
  const { image, env = [] } = options;
  const memory = new Memory(memorySize(options));
  const hart = new Hart(memory);
  const layout = layoutOf(memory.size);
  const space = new AddressSpace(memory, layout.mappingTop);
  const clock = new Clock(options.clock);
  hart.time = (retired) => clock.ticks(retired);
  const random = makeRandom(options.seed ?? DEFAULT_SEED);
  const { overlay, cwd, executable } = filesOf(options, clock);
  const seedBytes = new Uint8Array(SEED_SIZE);
  random(seedBytes);
  const fileName = options.programName ?? image.file;
  const args = [fileName, ...(options.args ?? [])];
  const { heapStart } = options;
  const loaded = load(space, { image, layout, heapStart, args, env, fileName, random: seedBytes, uid: UID });
  hart.pc = loaded.entry;
  hart.set(SP, BigInt(loaded.sp));
  const kernel = new Kernel({
    memory,
    space,
    overlay,
    clock,
    random,
    cwd: overlay.ensureDirectory(cwd),
    heapStart: loaded.heapStart,
    heapLimit: layout.mappingTop,
    trampoline: layout.trampoline,
    uid: UID,
    pid: PID,
    hart,
    diverted,
    report: options.report ?? (() => {}),
  });
  space.onRelease = (address, length) => releasePages(kernel, address, length);
  kernel.backed.push(...backedBy(loaded.place, executable));
  kernel.traits.name = Buffer.from(basename(fileName)).subarray(0, NAME_LENGTH);
  const stack = { low: layout.stackLow, top: layout.stackTop };
  const { shownExecutable } = options;
  provideProc({ kernel, executable: executable.path, args, env, stack, shownExecutable });
  openStreams(kernel, options);
  return { memory, kernel, links: new LinkMap([loaded.place]), heapStart: loaded.heapStart, entry: loaded.entry };
}

function memorySize({ memorySize: size = DEFAULT_SIZE }: ProcessOptions): ByteCount {
  if (size < SMALLEST_MEMORY || size > LARGEST_MEMORY || size % MEMORY_STEP !== 0)
    throw badOption(`guest memory of ${size} bytes`, '16 MiB to 3 GiB, a multiple of 64 KiB');
  return size;
}

/** The guest's files with its executable, and the path of its working directory. @throws bad-option for a grant that is no directory */
function filesOf(options: ProcessOptions, clock: Clock): { overlay: Overlay; cwd: string; executable: MappedFile } {
  const { image } = options;
  const cwd = resolve(options.cwd ?? process.cwd());
  const grants = (options.grants ?? [cwd]).map((dir) => resolve(cwd, dir));
  const overlay = new Overlay(grants, () => clock.realtime);
  const path = realPath(resolve(cwd, image.file));
  const { ino } = overlay.provided.file(path, image.bytes);
  return { overlay, cwd, executable: { path, ino } };
}

/** The real path on the host; the path itself if nothing is there. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Forgets all that the kernel knows about pages that are unmapped or mapped anew. */
function releasePages(kernel: Kernel, address: Addr, length: ByteCount): void {
  if (kernel.shared.size > 0) unshare(kernel, address, length);
  kernel.backed.release(address, length);
  if (!kernel.sharedMemory.empty) kernel.sharedMemory.remove(address, address + length);
  if (kernel.beyond.size > 0)
    for (let page = address; page < address + length; page += PAGE) kernel.beyond.delete(page);
}

function openStreams({ descriptors }: Kernel, { stdin, sink = () => {} }: ProcessOptions): void {
  descriptors.add(new InputStream(asSource(stdin)), false);
  descriptors.add(new OutputStream(1, sink), false);
  descriptors.add(new OutputStream(2, sink), false);
}

function asSource(stdin: Uint8Array | Source | undefined): Source {
  if (typeof stdin === 'function') return stdin;
  let rest = stdin ?? new Uint8Array(0);
  return (target) => {
    const part = rest.subarray(0, target.length);
    target.set(part);
    rest = rest.subarray(part.length);
    return part.length;
  };
}
