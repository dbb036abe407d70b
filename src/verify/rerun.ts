/**
 * Verification by rerun: the original and the optimized program run in step on the same input. At each syscall number, arguments,
 * result, output, the given registers, fcsr and memory must be equal under the address map; at the end exit status and files.
 *
 * A difference is reported with the superblock at fault, which is found by switching superblocks off (their first instruction becomes
 * a jump to the original code) and searching for the superblock without which the difference is gone.
 *
 * The original runs as its companion (setting.ts); the unchanged original runs too, and must give the same output and exit.
 */
import { createHash, type Hash } from 'node:crypto';
import { overLimit } from '../base/errors.ts';
import { A0, type Addr, type ByteCount, GP, hex, type InsnCount, regName, SP, TP } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { execute, type ProcessEvent, runToEvent, serve } from '../engine/execute.ts';
import type { Process } from '../machine/process.ts';
import { Comparison } from './compare.ts';
import { type Culprit, disable, findCulprit, superblocksRun } from './culprit.ts';
import {
  type Difference,
  describe,
  describeExit,
  eventDifference,
  filesDifference,
  filesOf,
  outputDifference,
} from './events.ts';
import { outsideProblem } from './prove/prove.ts';
import {
  makeSide,
  NO_STATISTICS,
  prepare,
  type RerunOptions,
  type RunStatistics,
  type Setting,
  type Side,
  statistics,
} from './setting.ts';

export type { Difference } from './events.ts';
export type { RerunOptions, RunStatistics } from './setting.ts';

export interface RerunResult {
  readonly verdict: 'equivalent' | 'different';
  /** The first difference; empty if there is none. */
  readonly differences: readonly Difference[];
  readonly original: RunStatistics;
  readonly optimized: RunStatistics;
  /** The most words of memory that differed at a syscall without any consequence: rests of frames that are gone. */
  readonly staleWords: number;
}

/** Instructions that an engine runs before its progress is checked. */
const SLICE: InsnCount = 2 ** 22;
/** Memory is compared at every syscall as long as the cost is small beside running: bytes compared in all, and for each instruction run. */
const FREE_BYTES = 2 ** 28;
const BYTES_PER_INSTRUCTION = 8;
/** ecall has no compressed form. */
const ECALL_SIZE: ByteCount = 4;
/** The optimized program may take longer to the next syscall than the original, but not for ever. */
const PATIENCE = { factor: 4, extra: 2 ** 22 };

/**
 * Throws unsupported if the second image is not an optimized form of the first, badOption if the input is unusable, limit if the
 * original does not end within `limitInstructions`.
 */
export function rerun(options: RerunOptions): RerunResult {
  const setting = prepare(options);
  const first = run(setting, { adopt: true, statistics: true, output: true });
  const { adopted } = first;
  if (first.difference === undefined) {
    if (adopted === undefined) return finish(setting, first);
    if (first.adoptable && companionDigest(setting) === first.events) return finish(setting, first);
  }
  const adopt = first.difference !== undefined && first.adoptable;
  // Memory may not have been compared for a while: find the exact syscall.
  const exact =
    adopted === undefined || adopt
      ? first
      : run(setting, { adopt, everyFrom: adopted.lastCompared + 1, statistics: true });
  const difference = exact.difference ?? first.difference ?? adopted!.difference;
  const {
    head: superblock,
    assumptions,
    cause,
  }: Culprit = options.localize === false
    ? { head: undefined, assumptions: [] }
    : findCulprit(
        setting,
        exact.ran,
        (disabled) => run(setting, { disabled, adopt, until: difference.syscall }).difference !== undefined,
        () => (exact.alarms && differsFromItself(setting, adopt) ? ALARM_IS_SEEN : undefined),
      );
  return {
    verdict: 'different',
    differences: [
      {
        ...difference,
        superblock: superblock,
        superblockSymbol: superblock === undefined ? undefined : symbolOf(options.original, superblock),
        assumptions,
        cause,
      },
    ],
    original: exact.original,
    optimized: exact.optimized,
    staleWords: exact.staleWords,
  };
}

const ALARM_IS_SEEN =
  'the program itself tells where an alarm interrupts it: the original differs from itself if the alarm comes at another instruction';
const MAPS_ARE_READ = 'the program reads /proc/self/maps, which shows the new segment';

/** Does the original differ from an original that gets its alarms elsewhere, as the optimized program does? */
const differsFromItself = (setting: Setting, adopt: boolean): boolean =>
  run({ ...setting, options: { ...setting.options, optimized: setting.companion } }, { adopt }).difference !==
  undefined;

interface Attempt {
  readonly difference: Difference | undefined;
  /** The first words of memory that differed and were adopted, and the last syscall before at which memory was found equal. */
  readonly adopted: { readonly difference: Difference; readonly lastCompared: number } | undefined;
  /** Words that differ may be without consequence (`Comparison.adoptable`). */
  readonly adoptable: boolean;
  /** Alarms have come, to each program at an instruction of its own. */
  readonly alarms: boolean;
  /** With `output`: digest of the original's syscalls, results, faults, output and changed files. */
  readonly events: string;
  readonly original: RunStatistics;
  readonly optimized: RunStatistics;
  /** Heads of the superblocks that were entered. */
  readonly ran: ReadonlySet<Addr>;
  /** Digest of all output. */
  readonly output: string;
  readonly staleWords: number;
}

interface RunRequest {
  /** Superblocks that are switched off. */
  readonly disabled?: ReadonlySet<Addr>;
  /**
   * Words of memory that differ, other than on the first thread's stack, are copied to the original, and both go on. Where code runs on
   * other stacks too, such words may be rests of dead frames and saved contexts; whether they matter shows in the original's later events.
   */
  readonly adopt: boolean;
  /** Compare memory at each syscall from this one on. */
  readonly everyFrom?: number;
  readonly statistics?: boolean;
  /** Hand on the original's output. */
  readonly output?: boolean;
  /** Stop behind this syscall, as if there were no difference. */
  readonly until?: number;
}

function run(setting: Setting, how: RunRequest): Attempt {
  const { options, map, segment } = setting;
  const original = makeSide(setting, setting.companion);
  const optimized = makeSide(setting, options.optimized);
  optimized.off = disable(setting, optimized.process, how.disabled ?? new Set());
  const comparison = new Comparison(original.process, optimized.process, map, segment);
  const { bias } = original.process;
  const limit = options.limitInstructions ?? Number.POSITIVE_INFINITY;
  const live = options.liveAt ?? (() => [SP, GP, TP]);
  const digest = createHash('sha256');
  const events = createHash('sha256');
  let lastCompared = 0;
  let adopted: Attempt['adopted'];
  let syscall = 0;
  /** Instructions that the original ran before alarms since the last event. */
  let behind: InsnCount = 0;
  let alarms = false;

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
      assumptions: [],
      what,
      expected: show(expected),
      found: show(found),
    };
  };

  const memory = (always: boolean): Difference | undefined => {
    const allowed = FREE_BYTES + BYTES_PER_INSTRUCTION * original.process.hart.retired;
    const exact = how.everyFrom !== undefined && syscall >= how.everyFrom;
    if (!always && !exact && syscall !== how.until && comparison.compared > allowed) return undefined;
    const found = comparison.memory(how.adopt);
    if (found) {
      const difference = differ('memory', `memory at ${hex(found.address)}`, found.original, found.optimized);
      if (!how.adopt || found.permission) return difference;
      adopted ??= { difference, lastCompared };
    }
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

  /**
   * Delivers the original's alarm, which came `instructions` after the last event. The optimized program gets the alarm somewhere on the
   * same path, where it may have computed more or less: neither memory nor the place is compared.
   */
  const alarm = (instructions: InsnCount): Difference | 'ended' | undefined => {
    const [o, p] = [original.process, optimized.process];
    behind += instructions;
    alarms = true;
    const found = toEvent(optimized, Math.ceil(instructions / PATIENCE.factor));
    // The optimized program is further: the alarm comes before its syscall, which is made again behind the handler.
    if (found.kind === 'syscall') p.hart.pc -= ECALL_SIZE;
    if (found.kind === 'fault') return differ('fault', 'what happens next', 'SIGALRM', describe(found));
    comparison.pairPlaces();
    comparison.adoptable = true;
    const sp = Number(o.hart.get(SP));
    const [result, other] = [o.alarm(), p.alarm()];
    addToDigest(events, o);
    const [a, b] = [describeExit(result), describeExit(other)];
    if (a !== b) return differ('exit', 'the end', a, b);
    if (result !== 'continue' && other !== 'continue') {
      original.exit = result;
      optimized.exit = other;
      return filesDifference(differ, o, p) ?? 'ended';
    }
    comparison.noteFrame(sp);
    return undefined;
  };

  const step = (): Difference | 'ended' | undefined => {
    const before = original.process.hart.retired;
    const expected = toEvent(original, Math.max(0, limit - before), true);
    if (expected.kind === 'budget' && original.process.alarmDue()) return alarm(original.process.hart.retired - before);
    syscall++;
    if (expected.kind === 'budget')
      throw overLimit(`${options.original.file}: has run ${limit} instructions, the limit`, 'raise the limit');
    const took = behind + original.process.hart.retired - before;
    behind = 0;
    const found = toEvent(optimized, PATIENCE.factor * took + PATIENCE.extra);
    const [o, p] = [original.process, optimized.process];
    comparison.pairPlaces();
    if (found.kind === 'budget')
      return differ('progress', 'the optimized program does not get to the next syscall', describe(expected), 'a loop');
    const kinds = eventDifference(expected, found, comparison);
    if (kinds) return differ(...kinds);
    // rt_sigreturn has no result: the interrupted code goes on, where a0 is a register like any other.
    const results = expected.kind === 'syscall' && expected.call.name !== 'rt_sigreturn';
    if (expected.kind === 'syscall') {
      const difference = state() ?? memory(false);
      if (difference) return difference;
    }
    const sp = Number(o.hart.get(SP));
    addToDigest(events, o, expected);
    const [result, other] = [serve(o, expected), serve(p, found)];
    original.syscalls++;
    optimized.syscalls++;
    for (const { fd, bytes } of original.output) {
      digest.update(`${fd}:${bytes.length}:`).update(bytes);
      events.update(bytes);
      if (how.output) options.sink?.(fd, bytes);
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
    if (results && !comparison.same(o.hart.get(A0), p.hart.get(A0)))
      return differ('result', 'the result of the syscall', o.hart.get(A0), p.hart.get(A0));
    return undefined;
  };

  let outcome: Difference | 'ended' | undefined;
  while (outcome === undefined && syscall !== how.until) outcome = step();
  return {
    difference: outcome === 'ended' ? undefined : outcome,
    adopted,
    adoptable: comparison.adoptable,
    alarms,
    events: how.output ? endOf(events, original) : '',
    original: how.statistics ? statistics(original) : NO_STATISTICS,
    optimized: how.statistics ? statistics(optimized) : NO_STATISTICS,
    ran: how.statistics ? superblocksRun(setting, optimized) : new Set(),
    output: digest.digest('hex'),
    staleWords: comparison.staleWords,
  };
}

/** Adds to the digest the event that is to be served next, or an alarm that has been served. */
function addToDigest(events: Hash, { hart }: Process, event?: ProcessEvent): void {
  const what = event === undefined || event.kind === 'budget' ? 'alarm' : describe(event);
  // a0 holds the result of the event before.
  events.update(`${what} ${hart.get(A0)} ${hart.pc}\n`);
}

function endOf(events: Hash, { process, exit }: Side): string {
  events.update(exit === undefined ? '' : describeExit(exit));
  for (const line of filesOf(process)) events.update(`${line}\n`);
  return events.digest('hex');
}

/** The digest of the events of the original (as its companion) run by itself. */
function companionDigest(setting: Setting): string {
  const side = makeSide(setting, setting.companion);
  const { process } = side;
  const events = createHash('sha256');
  while (side.exit === undefined) {
    const event = toEvent(side, Number.POSITIVE_INFINITY, true);
    if (event.kind !== 'budget') addToDigest(events, process, event);
    const result = event.kind === 'budget' ? process.alarm() : serve(process, event);
    if (event.kind === 'budget') addToDigest(events, process);
    for (const { bytes } of side.output.splice(0)) events.update(bytes);
    if (result !== 'continue') side.exit = result;
  }
  return endOf(events, side);
}

/** Runs to the next syscall or fault, for at most `budget` instructions, or until an alarm is due. */
function toEvent(side: Side, budget: InsnCount, alarms = false): ProcessEvent {
  for (let left = budget; ; ) {
    const before = side.process.hart.retired;
    const event = runToEvent(side.process, side.engine, Math.min(SLICE, left));
    left -= side.process.hart.retired - before;
    if (event.kind === 'fault' && event.fault.kind === 'ebreak') {
      const instead = side.off.get(side.process.hart.pc);
      if (instead !== undefined) {
        side.process.hart.pc = instead;
        continue;
      }
    }
    if (event.kind !== 'budget' || left <= 0 || (alarms && side.process.alarmDue())) return event;
  }
}

/** The equivalent case: does the unchanged original do the same as its companion? */
function finish(setting: Setting, attempt: Attempt): RerunResult {
  const { optimized, original, output, staleWords } = attempt;
  const result = { verdict: 'equivalent' as const, differences: [], original, optimized, staleWords };
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
        ...(side.process.kernel.mapsRead
          ? { assumptions: [], cause: MAPS_ARE_READ }
          : {
              assumptions: outsideProblem(setting.options.original, setting.options.optimized, setting.map)
                ? []
                : ['A5'],
            }),
        what: 'output or exit of the original without the new data',
        expected: describeExit(exit),
        found: describeExit(original.exit!),
      },
    ],
    original: plain,
    optimized,
    staleWords,
  };
}

function symbolOf(image: Image, address: Addr): string | undefined {
  const symbol = image.symbols.find(
    (s) => s.kind === 'function' && s.address <= address && address < s.address + Math.max(s.size, 2),
  );
  if (!symbol) return undefined;
  return symbol.address === address ? symbol.name : `${symbol.name}+${hex(address - symbol.address)}`;
}
