/**
 * Searches for a concrete state that takes a given path: starts from noise and, decision by decision, changes an input so that the next
 * decision comes out as wanted. A search may miss a state; a state that is found is tried on both forms, so no verdict rests on a search.
 */
import { F0, REG_COUNT, regByName, SP } from '../../base/units.ts';
import { concrete } from '../../domain/concrete.ts';
import { softfloat } from '../../domain/softfloat.ts';
import type { Term } from '../../domain/term.ts';
import type { FloatOp } from '../../isa/row.ts';
import type { Fact, Facts } from './facts.ts';
import type { List } from './list.ts';
import { POINTERS, type Start, startByte } from './start.ts';
import type { Access } from './state.ts';
import { originOf, storedByte } from './stored.ts';

/** A small generator with a seed (xorshift32): the same search finds the same state. */
export function makeRandom(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 12345) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

type Random = (below: number) => number;

const wideValue = (random: Random): bigint =>
  (BigInt(random(2 ** 31)) << 33n) ^ (BigInt(random(2 ** 31)) << 11n) ^ BigInt(random(2048));

/** A double of moderate size, or a boxed single. */
function randomFloat(random: Random): bigint {
  const wide = wideValue(random);
  if (random(4) > 0) return (wide & 0x800fffff_ffffffffn) | ((1000n + BigInt(random(48))) << 52n);
  return 0xffffffff_00000000n | (wide & 0x807fffffn) | ((100n + BigInt(random(56))) << 23n);
}

const pointer = (random: Random): bigint =>
  BigInt(POINTERS.from + 8 * random(POINTERS.size / 8) + (random(8) === 0 ? random(8) : 0));

function randomValue(random: Random): bigint {
  switch (random(8)) {
    case 0:
      return BigInt(random(4));
    case 1:
      return BigInt.asUintN(64, -BigInt(random(200)));
    case 2:
      return BigInt(random(70_000));
    case 3:
      return BigInt.asUintN(64, BigInt.asIntN(32, wideValue(random)));
    case 4:
    case 5:
      return pointer(random);
    case 6:
      return randomFloat(random);
    default:
      return BigInt.asUintN(64, wideValue(random));
  }
}

interface Model {
  registers: bigint[];
  frm: number;
  bytes: Map<bigint, number>;
  seed: number;
  /** Terms that have been evaluated in the model. */
  work: number;
}

export function randomStart(seed: number): Start {
  const random = makeRandom(seed);
  const registers = Array.from({ length: REG_COUNT }, (_, reg) =>
    reg >= F0 && random(6) > 0 ? randomFloat(random) : random(5) > 1 ? pointer(random) : randomValue(random),
  );
  registers[0] = 0n;
  registers[SP] = pointer(random) & ~15n;
  // Once in a while an invalid rounding mode: some instructions are then illegal.
  return { registers, frm: seed % 12 === 11 ? 5 : random(5), bytes: new Map(), seed };
}

const LOAD = /^load([1248])$/;

/** Depth of evaluated terms; a deeper term counts as 0, so that a state found may be of no use. */
const MAX_DEPTH = 500;

/** Values of terms in a state. A term that has no meaning outside a run (a CSR's contents) is 0. */
class Evaluator {
  readonly model: Model;
  readonly #known = new Map<Term, bigint>();
  #depth = 0;
  constructor(model: Model) {
    this.model = model;
  }
  of(term: Term): bigint {
    if (term.value !== undefined) return term.value;
    this.model.work++;
    let value = this.#known.get(term);
    if (value === undefined) {
      if (this.#depth > MAX_DEPTH) return 0n;
      this.#depth++;
      value = this.#compute(term);
      this.#depth--;
      this.#known.set(term, value);
    }
    return value;
  }
  #compute(term: Term): bigint {
    const { op, args, name } = term;
    if (op === 'input') {
      const reg = regByName(name!);
      return reg !== undefined ? this.model.registers[reg]! : name === 'frm' ? BigInt(this.model.frm) : 0n;
    }
    if (op === 'apply') return this.#apply(name!, args);
    const [a, b, c] = args.map((arg) => this.of(arg));
    const extension = /^([sz]ext)(8|16|32)$/.exec(op);
    if (extension) return concrete[extension[1] as 'sext' | 'zext'](a!, Number(extension[2]) as 8 | 16 | 32);
    if (op === 'select') return concrete.select(a!, b!, c!);
    return concrete[op as 'add'](a!, b!);
  }
  #apply(name: string, args: readonly Term[]): bigint {
    const load = LOAD.exec(name);
    if (load) {
      let value = 0n;
      const at = this.of(args[1]!);
      for (let i = Number(load[1]) - 1; i >= 0; i--)
        value = (value << 8n) | BigInt(this.#byte(args[0]!, BigInt.asUintN(64, at + BigInt(i))));
      return value;
    }
    const [op, rm] = name.split(':') as [FloatOp, string | undefined];
    if (!/^f(?:32|64)\./.test(op)) return 0n;
    const values = args.map((arg) => this.of(arg));
    const exact = op === 'f64.from.i32' || op === 'f64.from.u32';
    const rounding = rm !== undefined ? Number(rm) : exact ? 0 : Number(values.pop());
    return softfloat(op, rounding > 4 ? 0 : rounding, values[0]!, values[1], values[2]).value;
  }
  #byte(memory: Term, address: bigint): number {
    for (let at = memory; ; ) {
      const stored = storedByte(at, address, (term) => this.of(term));
      if (stored !== undefined) return Number((this.of(stored.value) >> BigInt(8 * stored.at)) & 0xffn);
      const origin = originOf(at);
      if (origin.name !== 'barrier') return startByte(this.model, address);
      at = origin.args[0]!;
    }
  }
}

/** Changes the state so that a term gets a value. @returns false if no input was found to change */
function make(term: Term, want: bigint, evaluator: Evaluator, random: Random): boolean {
  const { model } = evaluator;
  const value = BigInt.asUintN(64, want);
  const { op, args, name } = term;
  const constant = args[1]?.value;
  switch (op) {
    case 'input': {
      const reg = regByName(name!);
      if (reg === undefined || reg === 0) return false;
      model.registers[reg] = value;
      return true;
    }
    case 'apply': {
      const load = LOAD.exec(name!);
      if (!load) return false;
      const at = evaluator.of(args[1]!);
      for (let i = 0n; i < BigInt(load[1]!); i++)
        model.bytes.set(BigInt.asUintN(64, at + i), Number((value >> (8n * i)) & 0xffn));
      return true;
    }
    case 'add':
    case 'sub':
    case 'xor': {
      const first = constant !== undefined || random(2) === 0;
      const other = evaluator.of(args[first ? 1 : 0]!);
      if (op === 'xor') return make(args[first ? 0 : 1]!, value ^ other, evaluator, random);
      if (op === 'add') return make(args[first ? 0 : 1]!, value - other, evaluator, random);
      return first
        ? make(args[0]!, value + other, evaluator, random)
        : make(args[1]!, other - value, evaluator, random);
    }
    case 'and':
      if (constant === undefined) return make(args[random(2)]!, value, evaluator, random);
      return make(args[0]!, (evaluator.of(args[0]!) & ~constant) | (value & constant), evaluator, random);
    case 'or':
      return make(args[constant !== undefined ? 0 : random(2)]!, value, evaluator, random);
    case 'shl':
      return constant !== undefined && make(args[0]!, value >> (constant & 63n), evaluator, random);
    case 'shr':
    case 'sar':
      return constant !== undefined && make(args[0]!, value << (constant & 63n), evaluator, random);
    case 'sext8':
    case 'sext16':
    case 'sext32':
    case 'zext8':
    case 'zext16':
    case 'zext32':
      return make(args[0]!, value, evaluator, random);
    case 'select':
      return make(args[evaluator.of(args[0]!) !== 0n ? 1 : 2]!, value, evaluator, random);
    case 'eq':
    case 'ltS':
    case 'ltU':
      return decide(term, (value & 1n) !== 0n, evaluator, random);
    default:
      return args.length > 0 && make(args[random(args.length)]!, randomValue(random), evaluator, random);
  }
}

/** Makes a comparison come out as wanted. */
function decide(condition: Term, holds: boolean, evaluator: Evaluator, random: Random): boolean {
  const { op, args } = condition;
  if (op !== 'eq' && op !== 'ltS' && op !== 'ltU')
    return (
      make(condition, holds ? 1n : 0n, evaluator, random) || make(condition, randomValue(random), evaluator, random)
    );
  const left = args[0]!.value === undefined && (args[1]!.value !== undefined || random(2) === 0);
  const [target, other] = left ? [args[0]!, evaluator.of(args[1]!)] : [args[1]!, evaluator.of(args[0]!)];
  const step = [1n, 1n, 2n, 8n, BigInt(1 + random(1000)), randomValue(random)][random(6)]!;
  if (op === 'eq') return make(target, holds ? other : other + (random(2) === 0 ? step : -step), evaluator, random);
  // The target goes below the other operand where it is the left one and must be less, or the right one and must not be greater.
  const below = left === holds;
  const distance = holds ? step : random(2) === 0 ? 0n : step;
  return make(target, below ? other - distance : other + distance, evaluator, random);
}

const TRIES = 120;
/** Terms looked at in one search. */
const MOST_WORK = 500_000;

/** Terms that may still be evaluated in searches, all together. */
export interface Budget {
  left: number;
}

/** A condition on a state: a decision, or an access whose address must be where memory can be. */
type Wanted = Fact | { readonly address: Term };

const MEMORY_END = BigInt(POINTERS.from + POINTERS.size);
const canBeMapped = (address: bigint): boolean => address < MEMORY_END;

/** A state that takes the path of these facts, if one is found, with its accesses where memory can be, as far as possible. */
export function searchStart(
  facts: Facts,
  accesses: readonly (List<Access> | undefined)[],
  seed: number,
  budget: Budget = { left: Number.POSITIVE_INFINITY },
): Start | undefined {
  if (budget.left <= 0) return undefined;
  const decisions: Wanted[] = [];
  for (let at = facts; at !== undefined; at = at.rest) decisions.unshift(at.item);
  const addresses = new Set<Term>();
  for (const list of accesses) for (let at = list; at !== undefined; at = at.rest) addresses.add(at.item.address);
  const wanted = [...decisions, ...[...addresses].reverse().map((address) => ({ address }))];
  const random = makeRandom(seed + 7);
  const first = randomStart(seed);
  let model: Model = { ...first, registers: [...first.registers], bytes: new Map(), work: 0 };
  let reached = firstWrong(model, wanted);
  let best = { model, reached };
  const tries = TRIES + 4 * addresses.size;
  let work = model.work;
  for (let tried = 0; tried < tries && reached < wanted.length && work < MOST_WORK; tried++) {
    const next: Model = { ...model, work: 0, registers: [...model.registers], bytes: new Map(model.bytes) };
    const want = wanted[reached]!;
    const evaluator = new Evaluator(next);
    const changed =
      'address' in want
        ? make(want.address, pointer(random), evaluator, random)
        : decide(want.condition, want.holds, evaluator, random);
    if (!changed) continue;
    const now = firstWrong(next, wanted);
    work += next.work;
    if (now > reached || (now === reached && random(3) === 0) || random(20) === 0) {
      model = next;
      reached = now;
      if (now > best.reached) best = { model, reached };
    }
  }
  budget.left -= work;
  return best.reached >= decisions.length ? best.model : undefined;
}

function firstWrong(model: Model, wanted: readonly Wanted[]): number {
  const evaluator = new Evaluator(model);
  const at = wanted.findIndex((want) =>
    'address' in want ? !canBeMapped(evaluator.of(want.address)) : (evaluator.of(want.condition) !== 0n) !== want.holds,
  );
  return at < 0 ? wanted.length : at;
}
