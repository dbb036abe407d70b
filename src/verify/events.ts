/** Compares the syscalls, faults, output, files and ends of two processes, and puts differences in words. */
import { createHash } from 'node:crypto';
import { type Addr, hex } from '../base/units.ts';
import type { AssumptionId } from '../emit/assumptions.ts';
import type { ProcessEvent } from '../engine/execute.ts';
import { Errno, errnoName } from '../machine/linux/errno.ts';
import { fromBinary } from '../machine/linux/nodes.ts';
import { SYSCALLS } from '../machine/linux/table.ts';
import type { Bytes, Exit, Process } from '../machine/process.ts';
import type { Comparison } from './compare.ts';
import type { Side } from './setting.ts';

/** The place where the two programs first differ. */
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
  /** The original's pc (as linked) at the difference, and its symbol. */
  readonly pc: Addr;
  readonly symbol: string | undefined;
  /** The optimized program's pc (as linked). */
  readonly optimizedPc: Addr;
  /** Head of the superblock at fault, if it was found. */
  readonly superblock: Addr | undefined;
  readonly superblockSymbol: string | undefined;
  /** If all of the code at fault is proved: the assumptions of which one does not hold. */
  readonly assumptions: readonly AssumptionId[];
  /** Why the program differs though no code is at fault, in words. */
  readonly cause?: string | undefined;
  /** The thing that is different, in words. */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** The kinds of arguments that are 32 bits wide: the upper 32 bits have no meaning. */
const NARROW_KINDS: ReadonlySet<string> = new Set(['fd', 'int', 'signal', 'flags', 'mode']);

type Finding = readonly [Difference['kind'], string, string | bigint, string | bigint];

export function eventDifference(
  expected: ProcessEvent,
  found: ProcessEvent,
  comparison: Comparison,
): Finding | undefined {
  if (expected.kind !== 'syscall' || found.kind !== 'syscall') {
    const same =
      expected.kind === 'fault' &&
      found.kind === 'fault' &&
      JSON.stringify(expected.fault, bigints) === JSON.stringify(found.fault, bigints);
    return same ? undefined : ['fault', 'what happens next', describe(expected), describe(found)];
  }
  const [call, other] = [expected.call, found.call];
  if (call.number !== other.number) return ['syscall', 'the syscall', describe(expected), describe(found)];
  const row = SYSCALLS.get(call.number);
  const kinds = row?.arguments;
  const unused = row?.unused?.(...call.args.map((value) => Number(BigInt.asUintN(32, value)))) ?? [];
  for (const [index, value] of call.args.entries()) {
    if (unused.includes(index)) continue;
    const narrow = kinds !== undefined && NARROW_KINDS.has(kinds[index]!);
    const [a, b] = narrow
      ? [BigInt.asUintN(32, value), BigInt.asUintN(32, other.args[index]!)]
      : [value, other.args[index]!];
    if (!comparison.same(a, b))
      return ['argument', `argument ${index + 1} of ${call.name ?? `syscall ${call.number}`}`, a, b];
  }
  return undefined;
}

const bigints = (_: string, value: unknown) => (typeof value === 'bigint' ? hex(value) : value);

export function describe(event: ProcessEvent): string {
  if (event.kind === 'syscall')
    return `${event.call.name ?? `syscall ${event.call.number}`}(${event.call.args.map(hex).join(', ')})`;
  if (event.kind === 'budget') return 'no event';
  const { fault } = event;
  if (fault.kind === 'fault') return `a ${fault.access} fault at ${hex(fault.address)}`;
  return fault.kind === 'misaligned' ? `a misaligned access at ${hex(fault.address)}` : `an ${fault.kind}`;
}

export function describeExit(exit: Exit | 'continue'): string {
  if (exit === 'continue') return 'it goes on';
  if (exit.kind === 'status') return `exit status ${exit.status}`;
  if (exit.kind === 'limit') return exit.message;
  return `${exit.name}${exit.address === undefined ? '' : ` at ${hex(exit.address)}`}`;
}

/** Compares the output of both since the last call, and drops it. */
export function outputDifference(original: Side, optimized: Side): readonly [string, string] | undefined {
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

export function filesDifference(
  differ: (kind: 'files', what: string, expected: string, found: string) => Difference,
  original: Process,
  optimized: Process,
): Difference | undefined {
  const [expected, found] = [filesOf(original), filesOf(optimized)];
  for (let index = 0; index < Math.max(expected.length, found.length); index++)
    if (expected[index] !== found[index])
      return differ('files', 'a file', expected[index] ?? 'no change', found[index] ?? 'no change');
  return undefined;
}

/** The files that a process has changed, a line each. */
export const filesOf = (process: Process): readonly string[] =>
  Array.from(process.changes(), (change) => {
    const path = fromBinary(change.path);
    if (change.kind === 'deleted') return JSON.stringify({ path, kind: change.kind });
    const { kind, made, mode, times } = change;
    const contents = kind === 'file' && change.contents ? digest(change.contents) : undefined;
    const target = kind === 'link' ? change.target : undefined;
    return JSON.stringify({ path, kind, made, mode, times, target, contents }, bigints);
  });

const PAGE_OF_ZEROS = Buffer.alloc(4096);

/** Size and bytes of a file in few words; holes and zeros are the same. */
function digest(bytes: Bytes): string {
  const hash = createHash('sha256');
  const page = Buffer.alloc(PAGE_OF_ZEROS.length);
  for (const { from, to } of bytes.data())
    for (let at = from; at < to; at += page.length) {
      let part: Buffer;
      try {
        part = page.subarray(0, bytes.read(at, page));
      } catch (error) {
        // The bytes may lie in a host file that cannot be read.
        if (error instanceof Errno) return errnoName(error.code);
        throw error;
      }
      if (part.compare(PAGE_OF_ZEROS, 0, part.length) !== 0) hash.update(`${at}:`).update(part);
    }
  return `${bytes.size} bytes, ${hash.digest('hex')}`;
}
