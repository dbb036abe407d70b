/**
 * A counterexample as a test case file: the code that both forms run, and the state that they run on. The file is complete, so that a
 * case can be replayed with neither executable at hand.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cannotRead, cannotWrite, unsupported } from '../../base/errors.ts';
import { replaceFile } from '../../base/files.ts';
import { regSet, regsIn } from '../../base/regset.ts';
import { type Addr, hex, REG_COUNT, type Reg, regByName, regName } from '../../base/units.ts';
import { decodeAt } from '../../isa/decode.ts';
import { encodeBytes } from '../../isa/encode.ts';
import type { Insn } from '../../isa/row.ts';
import { differenceOn } from './concrete.ts';
import type { Counterexample } from './refute.ts';
import type { Sides } from './sides.ts';

type Text = Readonly<Record<string, string>>;

/** The contents of the file: numbers are hexadecimal text. */
export interface CounterexampleCase {
  readonly version: 1;
  /** SHA-256 of the original file. */
  readonly original: string;
  readonly head: string;
  readonly start: string;
  readonly difference: string;
  readonly registers: Text;
  readonly frm: number;
  /** Bytes of memory that are accessed, by address. */
  readonly memory: Text;
  /** Bytes of instructions that are run, by address. */
  readonly code: { readonly original: Text; readonly optimized: Text };
  /** Addresses of optimized code that stand for original ones: return points, and the exit. */
  readonly returns: Text;
  readonly exit: Text;
  /** Registers that count at the exit. */
  readonly counted: readonly string[];
  /** Assumption A8: memory below the stack pointer does not count. */
  readonly deadFrames: boolean;
}

const bytesOf = (text: string): number[] => (text.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
const bytesText = (bytes: Iterable<number>): string =>
  [...bytes].map((byte) => (byte & 0xff).toString(16).padStart(2, '0')).join('');

function codeText(code: ReadonlyMap<Addr, Insn>): Text {
  const sorted = [...code].sort(([a], [b]) => a - b);
  return Object.fromEntries(sorted.map(([at, insn]) => [hex(at), bytesText(encodeBytes(insn, insn.size === 2))]));
}

/** Memory as runs of adjacent bytes. */
function memoryText(bytes: ReadonlyMap<bigint, number>): Text {
  const runs: { at: bigint; bytes: number[] }[] = [];
  for (const [at, byte] of [...bytes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const last = runs.at(-1);
    if (last !== undefined && last.at + BigInt(last.bytes.length) === at) last.bytes.push(byte);
    else runs.push({ at, bytes: [byte] });
  }
  return Object.fromEntries(runs.map((run) => [hex(run.at), bytesText(run.bytes)]));
}

/** @param original SHA-256 of the original file */
export function caseOf(original: string, example: Counterexample): CounterexampleCase {
  const { start, difference, found, sides, entry } = example;
  const links = new Set([...found.original].map(([at, insn]) => at + insn.size));
  const returns = [...sides.returns].filter(([, link]) => links.has(link));
  return {
    version: 1,
    original,
    head: hex(entry.head),
    start: hex(entry.start),
    difference,
    registers: Object.fromEntries(start.registers.map((value, reg) => [regName(reg), hex(value)]).slice(1)),
    frm: start.frm,
    memory: memoryText(start.bytes),
    code: { original: codeText(found.original), optimized: codeText(found.optimized) },
    returns: Object.fromEntries(returns.map(([at, link]) => [hex(at), hex(link)])),
    exit: found.exit === undefined ? {} : { [hex(found.exit.at)]: hex(found.exit.to) },
    counted: regsIn(found.counted).map(regName),
    deadFrames: sides.deadFrames,
  };
}

/** Writes a case into a folder, which is made if need be. Throws cannotWrite. @returns the file's name */
export function saveCase(folder: string, data: CounterexampleCase): string {
  const file = join(folder, `${data.original.slice(0, 12)}-${data.head}.json`);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw cannotWrite(folder, error);
  }
  replaceFile(file, `${JSON.stringify(data, null, 2)}\n`);
  return file;
}

const isNumber = (text: unknown): text is string => typeof text === 'string' && /^0x[0-9a-f]{1,16}$/.test(text);
const isAddress = (text: unknown): text is string => isNumber(text) && Number.isSafeInteger(Number(text));
const isRegister = (text: unknown): text is string => typeof text === 'string' && regByName(text) !== undefined;
const isText = (isKey: (key: string) => boolean, isValue: (value: string, key: string) => boolean) => (data: unknown) =>
  typeof data === 'object' &&
  data !== null &&
  !Array.isArray(data) &&
  Object.entries(data).every(([key, value]) => isKey(key) && typeof value === 'string' && isValue(value, key));
const isRun = (bytes: string, at: string): boolean =>
  /^(?:[0-9a-f]{2})+$/.test(bytes) && BigInt(at) + BigInt(bytes.length / 2) <= 1n << 64n;
const isInsn = (bytes: string, at: string): boolean =>
  isRun(bytes, at) && decodeAt(Uint8Array.from(bytesOf(bytes)), 0)?.size === bytes.length / 2;
const isCode = isText(isAddress, isInsn);

/** The check of each field. */
const FIELDS: { readonly [Name in keyof CounterexampleCase]: (value: unknown) => boolean } = {
  version: (value) => value === 1,
  original: (value) => typeof value === 'string' && /^[0-9a-f]+$/.test(value),
  head: isAddress,
  start: isAddress,
  difference: (value) => typeof value === 'string',
  registers: isText(isRegister, isNumber),
  frm: (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 7,
  memory: isText(isNumber, isRun),
  code: (value) => {
    const code = value as CounterexampleCase['code'] | null | undefined;
    return isCode(code?.original) && isCode(code?.optimized);
  },
  returns: isText(isAddress, isAddress),
  exit: isText(isAddress, isAddress),
  counted: (value) => Array.isArray(value) && value.every(isRegister),
  deadFrames: (value) => typeof value === 'boolean',
};

/** Reads a case back. Throws cannotRead, or unsupported where the file is no case. */
export function readCase(file: string): CounterexampleCase {
  let data: CounterexampleCase | null;
  try {
    data = JSON.parse(readFileSync(file, 'utf8')) as CounterexampleCase | null;
  } catch (error) {
    throw cannotRead(file, error instanceof SyntaxError ? { code: 'it is no JSON' } : error);
  }
  for (const [name, isRight] of Object.entries(FIELDS))
    if (!isRight(data?.[name as keyof CounterexampleCase]))
      throw unsupported(`${file}: is no counterexample of this version: '${name}' is not what it should be`);
  return data!;
}

function codeIn(text: Text): ReadonlyMap<Addr, Insn> {
  const code = new Map<Addr, Insn>();
  for (const [at, bytes] of Object.entries(text)) {
    const insn = decodeAt(Uint8Array.from(bytesOf(bytes)), 0);
    if (insn !== undefined) code.set(Number(at), insn);
  }
  return code;
}

const addresses = (text: Text): ReadonlyMap<Addr, Addr> =>
  new Map(Object.entries(text).map(([from, to]) => [Number(from), Number(to)]));

/** Runs both forms of a case again. @returns the difference; undefined if there is none any more */
export function replayCase(data: CounterexampleCase): string | undefined {
  const [original, optimized] = [codeIn(data.code.original), codeIn(data.code.optimized)];
  const [returns, exit] = [addresses(data.returns), addresses(data.exit)];
  const inside = (at: Addr) => optimized.has(at) || exit.has(at);
  const sides: Sides = {
    original: { insnAt: (at) => original.get(at) },
    optimized: { insnAt: (at) => optimized.get(at) },
    returns,
    relocatable: false,
    liveness: undefined,
    jumpTables: false,
    deadFrames: data.deadFrames,
    standsFor: (at) => exit.get(at) ?? (inside(at) ? undefined : at),
    inside,
  };
  const registers = Array.from({ length: REG_COUNT }, (_, reg) => BigInt(data.registers[regName(reg)] ?? '0x0'));
  const bytes = new Map<bigint, number>();
  for (const [at, text] of Object.entries(data.memory))
    bytesOf(text).forEach((byte, i) => {
      bytes.set(BigInt(at) + BigInt(i), byte);
    });
  const counted = regSet(data.counted.map(regByName).filter((reg): reg is Reg => reg !== undefined));
  const entry = { head: Number(data.head), start: Number(data.start), first: true, progress: true };
  return differenceOn(sides, entry, { registers, frm: data.frm, bytes, seed: 0 }, counted)?.text;
}
