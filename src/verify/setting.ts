/**
 * The setting of a rerun: the two images, checked to belong together, and processes of both that get the same of everything.
 *
 * The original runs with the new segment's data, its program header and its unwind tables added, but none of its code (the
 * *companion*). For header and tables change how a C library uses its heap: glibc makes an array of all PT_LOADs
 * (_dl_find_object_init), libgcc an array of all frame descriptions.
 */

import { alignUp } from '../base/bits.ts';
import { badOption, unsupported } from '../base/errors.ts';
import { type Addr, type InsnCount, PAGE, type Reg, type RunAddr } from '../base/units.ts';
import { ELF_HEADER_SIZE, PROGRAM_HEADER_SIZE } from '../elf/constants.ts';
import type { Image, Segment } from '../elf/image.ts';
import { readFrames } from '../elf/unwind/index.ts';
import { readOptimizedCode } from '../elf/write.ts';
import type { AddressMap } from '../emit/map.ts';
import type { Engine } from '../engine/engine.ts';
import { makeEngine } from '../engine/engines.ts';
import { attach } from '../engine/execute.ts';
import { DEFAULT_ENGINE } from '../engine/names.ts';
import { takenBranches } from '../engine/statistics.ts';
import { heapStartOf, placeFor } from '../machine/layout.ts';
import { createProcess, type Exit, type Process, type ProcessOptions, type Source } from '../machine/process.ts';
import type { NewSegment } from './compare.ts';
import { mapOf } from './prove/prove.ts';

export interface RerunOptions {
  readonly original: Image;
  readonly optimized: Image;
  /** The program's input, the same for both. */
  readonly input: Omit<ProcessOptions, 'image' | 'heapStart' | 'sink' | 'strace' | 'report'>;
  /** Default: DEFAULT_ENGINE. */
  readonly engine?: string | undefined;
  /**
   * Registers that must be equal at a syscall, by the original address behind the ecall (as linked). Default: sp, gp, tp. A dead
   * register may differ; a wrong live register shows in later events.
   */
  readonly liveAt?: (address: Addr) => Iterable<Reg>;
  /** Limit for the original; a run beyond the limit is an error, not a difference. */
  readonly limitInstructions?: InsnCount | undefined;
  /** Look for the superblock at fault; default true. */
  readonly localize?: boolean;
  /** Gets the original's standard output and error. */
  readonly sink?: ProcessOptions['sink'];
  readonly report?: (message: string) => void;
}

export interface RunStatistics {
  readonly instructions: InsnCount;
  readonly takenBranches: number;
  readonly syscalls: number;
  readonly exit: Exit | undefined;
}

export interface Setting {
  readonly options: RerunOptions;
  readonly map: AddressMap;
  readonly segment: NewSegment;
  /** The original with the new data. */
  readonly companion: Image;
  readonly heapStart: Addr;
  readonly input: RerunOptions['input'];
}

export function prepare(options: RerunOptions): Setting {
  const { original, optimized } = options;
  const map = mapOf(original, optimized);
  const code = readOptimizedCode(optimized)!;
  if (original.relocatable !== optimized.relocatable) throw unsupported(`${optimized.file}: is of another kind`);
  const own = optimized.segments.find((s) => code.address >= s.address && code.address < s.address + s.size)!;
  const place = placeFor(original);
  const segment = {
    start: place.toRun(own.address),
    codeStart: place.toRun(code.address),
    codeEnd: place.toRun(code.address + code.bytes.length),
    end: place.toRun(alignUp(own.address + own.size, PAGE)),
  };
  const { stdin } = options.input;
  return {
    options,
    map,
    segment,
    companion: companionOf(original, optimized, own),
    heapStart: heapStartOf(original, optimized),
    input: typeof stdin === 'function' ? { ...options.input, stdin: readAll(stdin) } : options.input,
  };
}

/** Standard input is needed more than once. */
function readAll(source: Source): Uint8Array {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = new Uint8Array(65536);
    const size = source(part);
    if (size <= 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, size));
    if (parts.length > 16384) throw badOption('more than a gigabyte of standard input');
  }
}

function companionOf(original: Image, optimized: Image, added: Segment): Image {
  const last = readFrames(original)?.last;
  const { programHeaders, programHeaderOffset } = optimized;
  // The bytes of the file that emission changes beside code and jump tables: the ELF header, the program headers where they stay in place,
  // and the link to the new unwind tables.
  const changed = [{ offset: 0, size: ELF_HEADER_SIZE }];
  if (programHeaderOffset === original.programHeaderOffset)
    changed.push({ offset: programHeaderOffset, size: programHeaders.length * PROGRAM_HEADER_SIZE });
  const frames = last && original.segments.find((s) => last.address >= s.address && last.end <= s.address + s.size);
  if (last && frames) changed.push({ offset: frames.offset + (last.address - frames.address), size: 8 });
  const segments = original.segments.map((segment) => {
    const bytes = Uint8Array.from(segment.bytes);
    for (const { offset, size } of changed) {
      const from = Math.max(offset, segment.offset);
      const to = Math.min(offset + size, segment.offset + bytes.length);
      if (from < to) bytes.set(optimized.bytes.subarray(from, to), from - segment.offset);
    }
    return { ...segment, bytes };
  });
  const data = { ...added, flags: { read: true, write: false, execute: false } };
  // The file that the program finds as its own: as long as the optimized file and with the same end, but with the original's code.
  const bytes = optimized.bytes.slice();
  for (const segment of segments) bytes.set(segment.bytes, segment.offset);
  return {
    ...original,
    bytes,
    programHeaders,
    programHeaderOffset,
    segments: [...segments, data],
    end: added.address + added.size,
  };
}

/** One of the two programs as it runs. */
export interface Side {
  readonly process: Process;
  readonly engine: Engine;
  /** Output since the last comparison. */
  output: { fd: 1 | 2; bytes: Uint8Array }[];
  syscalls: number;
  exit: Exit | undefined;
  /** Superblocks that are switched off by a breakpoint: its address, and the address to go on at. */
  off: ReadonlyMap<RunAddr, RunAddr>;
}

export function makeSide(setting: Setting, image: Image): Side {
  const { options, input, heapStart, segment } = setting;
  const output: Side['output'] = [];
  const process = createProcess({
    ...input,
    // A clock that depended on retired instructions would differ; so would the file's name.
    image: { ...image, file: options.original.file },
    programName: input.programName ?? options.original.file,
    clock: { ...input.clock, steady: true },
    heapStart,
    // The companion's maps look like those of the optimized program.
    shownExecutable: image === setting.companion ? { from: segment.start, to: segment.end } : undefined,
    sink: (fd, bytes) => side.output.push({ fd, bytes: Uint8Array.from(bytes) }),
  });
  const engine = makeEngine(options.engine ?? DEFAULT_ENGINE, process.memory);
  attach(process, engine);
  const side: Side = { process, engine, output, syscalls: 0, exit: undefined, off: new Map() };
  return side;
}

export const statistics = ({ process, engine, syscalls, exit }: Side): RunStatistics => ({
  instructions: process.harts.reduce((sum, hart) => sum + hart.retired, 0),
  takenBranches: takenBranches(engine.transfers(), process.memory),
  syscalls,
  exit,
});

export const NO_STATISTICS: RunStatistics = { instructions: 0, takenBranches: 0, syscalls: 0, exit: undefined };
