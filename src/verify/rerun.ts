/**
 * Verification by rerun: the original and the optimized program run in step on the same input. At each syscall number, arguments,
 * result, output, the given registers, fcsr and memory must be equal under the address map; at the end exit status and files.
 *
 * What differs is reported with the superblock at fault. That is found by switching superblocks off (their first instruction becomes
 * a jump to the original code) and searching for the one without which the difference is gone.
 *
 * The original runs with the new segment's data, its program header and its unwind tables added, but none of its code (the
 * *companion*). For these change how a C library uses its heap: glibc makes an array of all PT_LOADs (_dl_find_object_init), libgcc
 * one of all frame descriptions. The original as it is runs too, and must give the same output and exit.
 */
import { createHash, type Hash } from 'node:crypto';
import { alignUp } from '../base/bits.ts';
import { badOption, unsupported } from '../base/errors.ts';
import { A0, type Addr, GP, hex, type InsnCount, type Reg, regName, SP, TP } from '../base/units.ts';
import { ELF_HEADER_SIZE, PROGRAM_HEADER_SIZE } from '../elf/constants.ts';
import type { Image, Segment } from '../elf/image.ts';
import { readNote, readOptimizedCode } from '../elf/write.ts';
import { type AddressMap, decodeMap } from '../emit/map.ts';
import { findFrames } from '../emit/unwind/index.ts';
import type { Engine } from '../engine/engine.ts';
import { makeEngine } from '../engine/engines.ts';
import { attach, execute, type ProcessEvent, runToEvent, serve } from '../engine/execute.ts';
import { takenBranches } from '../engine/statistics.ts';
import { encodeBytes } from '../isa/encode.ts';
import { jumpInsn, reachesJump } from '../isa/idioms.ts';
import { HEAP_GAP, HEAP_ROUND, PIE_BIAS } from '../machine/layout.ts';
import { SYSCALLS } from '../machine/linux/table.ts';
import { createProcess, type Exit, type Process, type ProcessOptions, type Source } from '../machine/process.ts';
import { Comparison, type NewSegment } from './compare.ts';

export interface RerunOptions {
  readonly original: Image;
  readonly optimized: Image;
  /** What the program runs on: the same for both. */
  readonly input: Omit<ProcessOptions, 'image' | 'heapStart' | 'sink' | 'strace' | 'report'>;
  /** Default: dispatch. */
  readonly engine?: string;
  /**
   * Registers that must be equal at a syscall, by the original address behind the ecall (as linked). Default: sp, gp, tp. A register
   * that no longer matters may differ; one that matters comes to light in what it changes.
   */
  readonly liveAt?: (address: Addr) => Iterable<Reg>;
  /** Of the original; what goes over it is a difference of neither. */
  readonly limitInstructions?: InsnCount;
  /** Look for the superblock at fault; default true. */
  readonly localize?: boolean;
  /** Gets what the original writes to standard output and error. */
  readonly sink?: ProcessOptions['sink'];
  readonly report?: (message: string) => void;
}

/** Where the two programs part. */
export interface Difference {
  readonly kind:
    | 'syscall'
    | 'argument'
    | 'result'
    | 'register'
    | 'memory'
    | 'output'
    | 'fault'
    | 'progress'
    | 'exit'
    | 'files';
  /** The number of the syscall, counted from 1. */
  readonly syscall: number;
  /** Original address (as linked) where the original is then, and its symbol. */
  readonly pc: Addr;
  readonly symbol: string | undefined;
  /** Optimized address (as linked). */
  readonly optimizedPc: Addr;
  /** Head of the superblock at fault, if it was found. */
  readonly superblock: Addr | undefined;
  readonly superblockSymbol: string | undefined;
  /** What is different, in words. */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

export interface RunStatistics {
  readonly instructions: InsnCount;
  readonly takenBranches: number;
  readonly syscalls: number;
  readonly exit: Exit | undefined;
}

export interface RerunResult {
  readonly verdict: 'equivalent' | 'different';
  /** The first difference; empty if there is none. */
  readonly differences: readonly Difference[];
  readonly original: RunStatistics;
  readonly optimized: RunStatistics;
  /** The most words of stack that differed at a syscall without any consequence: left behind by frames that are gone. */
  readonly staleStackWords: number;
}

/** An engine's share before its progress is looked at. */
const SLICE: InsnCount = 2 ** 22;
/** Memory is compared at every syscall as long as it costs little beside running: so many bytes, and so many an instruction. */
const FREE_BYTES = 2 ** 28;
const BYTES_PER_INSTRUCTION = 8;
/** The optimized program may take longer to the next syscall than the original, but not for ever. */
const PATIENCE = { factor: 4, extra: 2 ** 22 };

/**
 * Throws unsupported if the second image is not an optimized form of the first, badOption if the input is unusable, limit if the
 * original does not end within `limitInstructions`.
 */
export function rerun(options: RerunOptions): RerunResult {
  const setting = prepare(options);
  const first = run(setting, { disabled: new Set(), everyFrom: undefined, main: true });
  if (first.difference === undefined) return finish(setting, first);
  // The memory may not have been looked at for a while: find the very syscall.
  let exact = first;
  if (first.difference.kind === 'memory' && first.lastCompared < first.difference.syscall - 1)
    exact = run(setting, { disabled: new Set(), everyFrom: first.lastCompared + 1, main: false });
  const difference = exact.difference ?? first.difference;
  const superblock = options.localize === false ? undefined : findCulprit(setting);
  return {
    verdict: 'different',
    differences: [
      {
        ...difference,
        superblock: superblock,
        superblockSymbol: superblock === undefined ? undefined : symbolOf(options.original, superblock),
      },
    ],
    original: first.original,
    optimized: first.optimized,
    staleStackWords: first.staleStackWords,
  };
}

interface Setting {
  readonly options: RerunOptions;
  readonly map: AddressMap;
  readonly segment: NewSegment;
  /** The original with the new data. */
  readonly companion: Image;
  readonly heapStart: Addr;
  readonly input: RerunOptions['input'];
}

function prepare(options: RerunOptions): Setting {
  const { original, optimized } = options;
  const note = readNote(optimized);
  const code = readOptimizedCode(optimized);
  if (!note || !code)
    throw unsupported(`${optimized.file}: has no address map`, 'give a file that isoform has optimized');
  const map = decodeMap(note, optimized.file);
  if (map.data.original !== original.hash)
    throw unsupported(`${optimized.file}: is the optimized form of another file than ${original.file}`);
  if (original.relocatable !== optimized.relocatable) throw unsupported(`${optimized.file}: is of another kind`);
  const own = optimized.segments.find((s) => code.address >= s.address && code.address < s.address + s.size)!;
  const bias = original.relocatable ? PIE_BIAS : 0;
  const segment = {
    start: own.address + bias,
    codeStart: code.address + bias,
    codeEnd: code.address + code.bytes.length + bias,
    end: alignUp(own.address + own.size, 4096) + bias,
  };
  const { stdin } = options.input;
  return {
    options,
    map,
    segment,
    companion: companionOf(original, optimized, own),
    heapStart: alignUp(bias + Math.max(original.end, optimized.end), HEAP_ROUND) + HEAP_GAP,
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
  const last = findFrames(original)?.last;
  const { programHeaders, programHeaderOffset } = optimized;
  // The bytes of the file that emission changes beside code and jump tables: the headers, and the link to the new unwind tables.
  const changed = [{ offset: 0, size: programHeaderOffset + programHeaders.length * PROGRAM_HEADER_SIZE }];
  if (programHeaderOffset !== original.programHeaderOffset) changed[0]!.size = ELF_HEADER_SIZE;
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
  return {
    ...original,
    programHeaders,
    programHeaderOffset,
    segments: [...segments, data],
    end: added.address + added.size,
  };
}

/** One of the two programs as it runs. */
interface Side {
  readonly process: Process;
  readonly engine: Engine;
  /** Output since it was last looked at. */
  output: { fd: 1 | 2; bytes: Uint8Array }[];
  syscalls: number;
  exit: Exit | undefined;
}

function makeSide(setting: Setting, image: Image): Side {
  const { options, input, heapStart } = setting;
  const output: Side['output'] = [];
  const process = createProcess({
    ...input,
    // Time that depended on retired instructions would differ; so would a name.
    image: { ...image, file: options.original.file },
    programName: input.programName ?? options.original.file,
    clock: { ...input.clock, perInstruction: 0 },
    heapStart,
    sink: (fd, bytes) => side.output.push({ fd, bytes: Uint8Array.from(bytes) }),
  });
  const engine = makeEngine(options.engine ?? 'dispatch', process.memory);
  attach(process, engine);
  const side: Side = { process, engine, output, syscalls: 0, exit: undefined };
  return side;
}

const statistics = ({ process, engine, syscalls, exit }: Side): RunStatistics => ({
  instructions: process.harts.reduce((sum, hart) => sum + hart.retired, 0),
  takenBranches: takenBranches(engine.transfers(), process.memory),
  syscalls,
  exit,
});

interface Attempt {
  readonly difference: Difference | undefined;
  /** The last syscall at which memory was found equal. */
  readonly lastCompared: number;
  readonly original: RunStatistics;
  readonly optimized: RunStatistics;
  /** Digest of all output. */
  readonly output: string;
  readonly staleStackWords: number;
}

interface How {
  /** Superblocks that are switched off. */
  readonly disabled: ReadonlySet<Addr>;
  /** Compare memory at each syscall from this one on. */
  readonly everyFrom: number | undefined;
  /** Statistics and output are wanted. */
  readonly main: boolean;
}

function run(setting: Setting, how: How): Attempt {
  const { options, map, segment } = setting;
  const original = makeSide(setting, setting.companion);
  const optimized = makeSide(setting, options.optimized);
  disable(setting, optimized.process, how.disabled);
  const comparison = new Comparison(original.process, optimized.process, map, segment);
  const { bias } = original.process;
  const limit = options.limitInstructions ?? Number.POSITIVE_INFINITY;
  const live = options.liveAt ?? (() => [SP, GP, TP]);
  const digest = createHash('sha256');
  let lastCompared = 0;
  let syscall = 0;

  const differ = (
    kind: Difference['kind'],
    what: string,
    expected: string | bigint | number,
    found: string | bigint | number,
  ): Difference => {
    const { pc } = original.process.hart;
    const show = (value: string | bigint | number) => (typeof value === 'string' ? value : hex(value));
    return {
      kind,
      syscall,
      pc: pc - bias,
      symbol: original.process.symbolAt(pc),
      optimizedPc: optimized.process.hart.pc - bias,
      superblock: undefined,
      superblockSymbol: undefined,
      what,
      expected: show(expected),
      found: show(found),
    };
  };

  const memory = (always: boolean): Difference | undefined => {
    const allowed = FREE_BYTES + BYTES_PER_INSTRUCTION * original.process.hart.retired;
    const exact = how.everyFrom !== undefined && syscall >= how.everyFrom;
    if (!always && !exact && comparison.compared > allowed) return undefined;
    const found = comparison.memory();
    if (found) return differ('memory', `memory at ${hex(found.address)}`, found.original, found.optimized);
    lastCompared = syscall;
    return undefined;
  };

  const state = (): Difference | undefined => {
    const [o, p] = [original.process.hart, optimized.process.hart];
    const register = comparison.register(live(o.pc - bias));
    if (register !== undefined)
      return differ('register', `register ${regName(register)}`, o.get(register), p.get(register));
    const fcsr = (hart: typeof o) => (hart.frm << 5) | hart.fflags;
    if (fcsr(o) !== fcsr(p)) return differ('register', 'register fcsr', fcsr(o), fcsr(p));
    return undefined;
  };

  const step = (): Difference | 'ended' | undefined => {
    const before = original.process.hart.retired;
    const expected = toEvent(original, Math.max(0, limit - before));
    syscall++;
    if (expected.kind === 'budget')
      throw unsupported(`${options.original.file}: has run ${limit} instructions, the limit`, 'raise the limit');
    const took = original.process.hart.retired - before;
    const found = toEvent(optimized, PATIENCE.factor * took + PATIENCE.extra);
    const [o, p] = [original.process, optimized.process];
    comparison.pairPlaces();
    if (found.kind === 'budget')
      return differ('progress', 'the optimized program does not get to the next syscall', describe(expected), 'a loop');
    const kinds = eventDifference(expected, found, comparison);
    if (kinds) return differ(...kinds);
    if (expected.kind === 'syscall') {
      const difference = state() ?? memory(false);
      if (difference) return difference;
    }
    const sp = Number(o.hart.get(SP));
    const [result, other] = [serve(o, expected), serve(p, found)];
    original.syscalls++;
    optimized.syscalls++;
    for (const { fd, bytes } of original.output) {
      digest.update(`${fd}:${bytes.length}:`).update(bytes);
      if (how.main) options.sink?.(fd, bytes);
    }
    const text = outputDifference(original, optimized);
    if (text) return differ('output', 'output', text[0], text[1]);
    if (result !== 'continue' || other !== 'continue') {
      if (result !== 'continue') original.exit = result;
      if (other !== 'continue') optimized.exit = other;
      const [a, b] = [describeExit(result), describeExit(other)];
      if (a !== b) return differ('exit', 'the end', a, b);
      return memory(true) ?? filesDifference(differ, o, p) ?? 'ended';
    }
    comparison.noteFrame(sp);
    if (expected.kind === 'syscall' && !comparison.same(o.hart.get(A0), p.hart.get(A0)))
      return differ('result', 'the result of the syscall', o.hart.get(A0), p.hart.get(A0));
    return undefined;
  };

  let outcome: Difference | 'ended' | undefined;
  while (outcome === undefined) outcome = step();
  return {
    difference: outcome === 'ended' ? undefined : outcome,
    lastCompared,
    original: statistics(original),
    optimized: statistics(optimized),
    output: digest.digest('hex'),
    staleStackWords: comparison.stackWords,
  };
}

function toEvent(side: Side, budget: InsnCount): ProcessEvent {
  for (let left = budget; ; ) {
    const before = side.process.hart.retired;
    const event = runToEvent(side.process, side.engine, Math.min(SLICE, left));
    left -= side.process.hart.retired - before;
    if (event.kind !== 'budget' || left <= 0) return event;
  }
}

/** The kinds of an argument that are 32 bits wide: what is above them has no meaning. */
const NARROW: ReadonlySet<string> = new Set(['fd', 'int', 'signal', 'flags', 'mode']);

type Finding = readonly [Difference['kind'], string, string | bigint, string | bigint];

function eventDifference(expected: ProcessEvent, found: ProcessEvent, comparison: Comparison): Finding | undefined {
  if (expected.kind !== 'syscall' || found.kind !== 'syscall') {
    const same =
      expected.kind === 'fault' &&
      found.kind === 'fault' &&
      JSON.stringify(expected.fault, bigints) === JSON.stringify(found.fault, bigints);
    return same ? undefined : ['fault', 'what happens next', describe(expected), describe(found)];
  }
  const [call, other] = [expected.call, found.call];
  if (call.number !== other.number) return ['syscall', 'the syscall', describe(expected), describe(found)];
  const kinds = SYSCALLS.get(call.number)?.arguments;
  for (const [index, value] of call.args.entries()) {
    const narrow = kinds !== undefined && NARROW.has(kinds[index]!);
    const [a, b] = narrow
      ? [BigInt.asUintN(32, value), BigInt.asUintN(32, other.args[index]!)]
      : [value, other.args[index]!];
    if (!comparison.same(a, b))
      return ['argument', `argument ${index + 1} of ${call.name ?? `syscall ${call.number}`}`, a, b];
  }
  return undefined;
}

const bigints = (_: string, value: unknown) => (typeof value === 'bigint' ? hex(value) : value);

function describe(event: ProcessEvent): string {
  if (event.kind === 'syscall')
    return `${event.call.name ?? `syscall ${event.call.number}`}(${event.call.args.map(hex).join(', ')})`;
  if (event.kind === 'budget') return 'no event';
  const { fault } = event;
  if (fault.kind === 'fault') return `a ${fault.access} fault at ${hex(fault.address)}`;
  return fault.kind === 'misaligned' ? `a misaligned access at ${hex(fault.address)}` : `an ${fault.kind}`;
}

function describeExit(exit: Exit | 'continue'): string {
  if (exit === 'continue') return 'it goes on';
  if (exit.kind === 'status') return `exit status ${exit.status}`;
  if (exit.kind === 'limit') return exit.message;
  return `${exit.name}${exit.address === undefined ? '' : ` at ${hex(exit.address)}`}`;
}

/** Compares what both have written since the last time, and forgets it. */
function outputDifference(original: Side, optimized: Side): readonly [string, string] | undefined {
  const text = ({ output }: Side) => output.map(({ fd, bytes }) => `${fd}: ${Buffer.from(bytes).toString('latin1')}`);
  const equal =
    original.output.length === optimized.output.length &&
    original.output.every(
      ({ fd, bytes }, i) => optimized.output[i]!.fd === fd && Buffer.compare(bytes, optimized.output[i]!.bytes) === 0,
    );
  const found = equal ? undefined : ([cut(text(original)), cut(text(optimized))] as const);
  original.output = [];
  optimized.output = [];
  return found;
}
const cut = (parts: readonly string[]): string => JSON.stringify(parts.join('').slice(0, 200));

function filesDifference(
  differ: (kind: 'files', what: string, expected: string, found: string) => Difference,
  original: Process,
  optimized: Process,
): Difference | undefined {
  const list = (process: Process) =>
    process.changes().map((change) =>
      JSON.stringify(change, (_, value) => {
        if (typeof value === 'bigint') return hex(value);
        return value instanceof Uint8Array ? createHash('sha256').update(value).digest('hex') : value;
      }),
    );
  const [expected, found] = [list(original), list(optimized)];
  for (let index = 0; index < Math.max(expected.length, found.length); index++)
    if (expected[index] !== found[index])
      return differ('files', 'a file', expected[index] ?? 'no change', found[index] ?? 'no change');
  return undefined;
}

/** The equivalent case: does the original as it is do the same as its companion? */
function finish(setting: Setting, attempt: Attempt): RerunResult {
  const { optimized, original, output, staleStackWords } = attempt;
  const result = { verdict: 'equivalent' as const, differences: [], original, optimized, staleStackWords };
  const side = makeSide(setting, setting.options.original);
  const digest: Hash = createHash('sha256');
  const { exit } = execute(side.process, side.engine);
  for (const { fd, bytes } of side.output) digest.update(`${fd}:${bytes.length}:`).update(bytes);
  side.exit = exit;
  side.syscalls = original.syscalls;
  const plain = statistics(side);
  const same = describeExit(exit) === describeExit(original.exit!) && digest.digest('hex') === output;
  if (same) return { ...result, original: plain };
  const { pc } = side.process.hart;
  return {
    verdict: 'different',
    differences: [
      {
        kind: 'output',
        syscall: original.syscalls,
        pc: pc - side.process.bias,
        symbol: side.process.symbolAt(pc),
        optimizedPc: 0,
        superblock: undefined,
        superblockSymbol: undefined,
        what: 'output or exit of the original without the new data',
        expected: describeExit(exit),
        found: describeExit(original.exit!),
      },
    ],
    original: plain,
    optimized,
    staleStackWords,
  };
}

/** Switches superblocks off: their first instruction becomes a jump to the original head, where the patch, if any, is undone. */
function disable(setting: Setting, process: Process, heads: ReadonlySet<Addr>): void {
  const { map, options } = setting;
  const { memory, bias } = process;
  for (const { head, start } of map.data.superblocks) {
    if (!heads.has(head)) continue;
    memory.bytes.set(encodeBytes(jumpInsn(head - start), false), start + bias);
    for (const [address, size] of map.data.patches) {
      if (address !== head) continue;
      const segment = options.original.segments.find((s) => address >= s.address && address < s.address + s.size)!;
      memory.bytes.set(segment.bytes.subarray(address - segment.address).subarray(0, size), address + bias);
    }
  }
}

/**
 * The superblock without which there would be no difference: of those that can be switched off, in the order of their addresses,
 * the first that brings a difference when it joins those before it. Undefined if there is a difference with all of them off.
 */
function findCulprit(setting: Setting): Addr | undefined {
  const heads = setting.map.data.superblocks
    .filter(({ head, start, end }) => end - start >= 4 && reachesJump(head - start))
    .map(({ head }) => head);
  const differs = (enabled: number) =>
    run(setting, { disabled: new Set(heads.slice(enabled)), everyFrom: undefined, main: false }).difference !==
    undefined;
  if (heads.length === 0 || differs(0)) return undefined;
  let [good, bad] = [0, heads.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (differs(middle)) bad = middle;
    else good = middle;
  }
  return heads[bad - 1];
}

function symbolOf(image: Image, address: Addr): string | undefined {
  const symbol = image.symbols.find(
    (s) => s.kind === 'function' && s.address <= address && address < s.address + Math.max(s.size, 2),
  );
  if (!symbol) return undefined;
  return symbol.address === address ? symbol.name : `${symbol.name}+${hex(address - symbol.address)}`;
}
