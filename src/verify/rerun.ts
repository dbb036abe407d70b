/**
 * Verification by rerun: the original and the optimized program run in step on the same input. At each syscall number, arguments,
 * result, output, the given registers, fcsr and memory must be equal under the address map; at the end exit status and files.
 *
 * A difference is reported with the superblock at fault, which is found by switching superblocks off (their first instruction becomes
 * a jump to the original code) and searching for the superblock without which the difference is gone.
 *
 * The original runs as its companion (setting.ts); the unchanged original runs too, and must give the same output and exit.
 */
import { createHash } from 'node:crypto';
import { type Addr, hex } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import { execute } from '../engine/execute.ts';
import { type Culprit, findCulprit } from './culprit.ts';
import { type Difference, describeExit } from './events.ts';
import { companionHistory } from './history.ts';
import { type Attempt, runInStep } from './in-step.ts';
import { outsideProblem } from './prove/prove.ts';
import {
  makeSide,
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

/**
 * Throws unsupported if the second image is not an optimized form of the first, badOption if the input is unusable, limit if the
 * original does not end within `limitInstructions`.
 */
export function rerun(options: RerunOptions): RerunResult {
  const setting = prepare(options);
  const first = runInStep(setting, { adopt: true, statistics: true, output: true });
  const { adopted } = first;
  if (first.difference === undefined) {
    if (adopted === undefined) return finish(setting, first);
    if (first.adoptable && companionHistory(setting) === first.history) return finish(setting, first);
  }
  const adopt = first.difference !== undefined && first.adoptable;
  // Memory may not have been compared for a while: find the exact syscall.
  const exact =
    adopted === undefined || adopt
      ? first
      : runInStep(setting, { adopt, everyFrom: adopted.lastCompared + 1, statistics: true });
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
        (disabled) => runInStep(setting, { disabled, adopt, until: difference.syscall }).difference !== undefined,
        () => (exact.alarms && differsFromItself(setting, adopt) ? ALARM_IS_SEEN : undefined),
      );
  return {
    verdict: 'different',
    differences: [
      {
        ...difference,
        superblock,
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
  runInStep({ ...setting, options: { ...setting.options, optimized: setting.companion } }, { adopt }).difference !==
  undefined;

/** The equivalent case: does the unchanged original do the same as its companion? */
function finish(setting: Setting, attempt: Attempt): RerunResult {
  const { optimized, original, output, staleWords } = attempt;
  const result = { verdict: 'equivalent' as const, differences: [], original, optimized, staleWords };
  const side = makeSide(setting, setting.options.original);
  const digest = createHash('sha256');
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
        pc: side.process.place.toLinked(pc),
        symbol: side.process.symbolAt(pc),
        optimizedPc: 0,
        superblock: undefined,
        superblockSymbol: undefined,
        ...causeOutside(setting, side),
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

/** Why the original by itself differs from its companion. */
function causeOutside({ options, map }: Setting, { process }: Side): Pick<Difference, 'assumptions' | 'cause'> {
  if (process.kernel.mapsRead) return { assumptions: [], cause: MAPS_ARE_READ };
  return { assumptions: outsideProblem(options.original, options.optimized, map) === undefined ? ['A5'] : [] };
}

function symbolOf(image: Image, address: Addr): string | undefined {
  const symbol = image.symbols.find(
    (s) => s.kind === 'function' && s.address <= address && address < s.address + Math.max(s.size, 2),
  );
  if (!symbol) return undefined;
  return symbol.address === address ? symbol.name : `${symbol.name}+${hex(address - symbol.address)}`;
}
