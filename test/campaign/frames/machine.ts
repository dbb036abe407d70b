/** Both forms on one concrete state, with the assumptions A3 and A8 watched while the original runs. */
import { type Reg, regName, SP } from '../../../src/base/units.ts';
import type { Random } from '../../support/random.ts';
import { CALLEE_SAVED, type Code, HEAD, LOADS, START, STORES } from './code.ts';

export const TOP = 0x7fff0000;
const HEAP = 0x20000000;
/** Above this there is no memory. */
const MOST = 2n ** 40n;
/** So far below the stack pointer everything is dead. */
const BELOW = 65536;

export interface Start {
  readonly seed: number;
  readonly registers: readonly bigint[];
  /** Addresses that memory leads to. */
  readonly pool: readonly number[];
  /** At fences others store something. */
  readonly others: boolean;
}

export interface Assumed {
  /** Addresses of saves; undefined where A3 is not made. */
  readonly saves: readonly number[] | undefined;
  readonly deadFrames: boolean;
  readonly watched: boolean;
  readonly live: readonly Reg[] | undefined;
}

function mix(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return (x ^ (x >>> 15)) >>> 0;
}
const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Slots of the stack that accesses go to, from the stack pointer at the head, and distances that pointers are used with. */
export interface Hints {
  readonly slots: readonly number[];
  readonly offsets: readonly number[];
  readonly zeros: readonly Reg[];
}

export function randomStart(random: Random, { slots, offsets, zeros }: Hints, others: boolean): Start {
  const onStack = random.choose([20, 50, 80]);
  const pool: number[] = [];
  const pointer = (): number => {
    const kind = random.below(100);
    const nudge = random.oneIn(2) ? 0 : random.choose([-8, -7, -6, -4, -4, -3, -2, -1, 1, 2, 4, 4, 7, 8]);
    if (kind < onStack && slots.length > 0) return TOP + random.choose(slots) - random.choose(offsets) + nudge;
    if (kind < 90 && pool.length > 0) return random.choose(pool) + (random.oneIn(2) ? 0 : nudge);
    return HEAP + 64 * random.below(16);
  };
  for (let i = random.below(3) + 2; i > 0; i--) pool.push(pointer());
  const registers = Array.from({ length: 32 }, (_, reg) => {
    if (reg === 0) return 0n;
    if (zeros.includes(reg) && random.oneIn(2)) return 0n;
    if (reg >= 10 && reg <= 15) return BigInt(random.oneIn(3) ? pointer() : random.choose(pool));
    if (CALLEE_SAVED.includes(reg) && random.oneIn(4)) return BigInt(random.choose(pool));
    return random.bits64();
  });
  registers[SP] = BigInt(TOP);
  return { seed: random.next(), registers, pool, others };
}

/** A state that breaks an assumption, or leads where there is no memory. */
class Useless extends Error {}
/** The optimized form does what cannot be. */
class Wrong extends Error {}

/** What memory holds where nothing was stored. */
class Initial {
  readonly #start: Start;
  readonly #words = new Map<number, bigint>();
  constructor(start: Start) {
    this.#start = start;
  }
  byte(at: number): number {
    const index = Math.floor(at / 8);
    let word = this.#words.get(index);
    if (word === undefined) this.#words.set(index, (word = this.#word(index)));
    return Number((word >> BigInt(8 * (at % 8))) & 255n);
  }
  #word(index: number): bigint {
    const { seed, pool } = this.#start;
    const kind = mix(seed, index);
    switch (kind & 7) {
      case 0:
        return 0n;
      case 1:
        return BigInt((kind >>> 8) & 15);
      case 2:
      case 3:
      case 4:
        return BigInt(pool[(kind >>> 3) % pool.length]!);
      default:
        return (BigInt(mix(kind, 1)) << 32n) | BigInt(mix(kind, 2));
    }
  }
}

/** At a fence of the original: what memory was, what is dead there, and what others stored. */
interface Fence {
  readonly memory: ReadonlyMap<number, number>;
  readonly dead: (at: number) => boolean;
  readonly stored: readonly (readonly [number, number])[];
}

class Machine {
  readonly registers: bigint[];
  readonly memory = new Map<number, number>();
  readonly accesses: string[] = [];
  readonly #initial: Initial;

  constructor(start: Start, initial: Initial) {
    this.registers = [...start.registers];
    this.#initial = initial;
  }
  get stack(): number {
    return Number(this.registers[SP]!);
  }
  byte(at: number): number {
    return this.memory.get(at) ?? this.#initial.byte(at);
  }
  value(at: number, bytes: number): bigint {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.byte(at + i));
    return value;
  }
  set(reg: Reg, value: bigint): void {
    if (reg !== 0) this.registers[reg] = unsigned(value);
  }

  /** @param on what is told, and what loads give where others store in between */
  run(code: Code, from: number, on: Watcher): number {
    const { registers } = this;
    for (let pc = from, steps = 0; ; steps++) {
      const line = code.get(pc);
      if (line === undefined) return pc;
      if (steps > 500) throw new Wrong('it does not end');
      const { op, rd, rs1, rs2, imm, to } = line;
      const [a, b] = [registers[rs1]!, registers[rs2]!];
      let next = pc + 4;
      const load = LOADS[op];
      const width = STORES[op];
      if (load !== undefined) {
        const at = this.#address(a, imm, on);
        this.accesses.push(`load ${load.bytes} ${at}`);
        on.access('load', at, load.bytes, rs1 === SP);
        const raw = on.loads?.(at, load.bytes) ?? this.value(at, load.bytes);
        this.set(rd, load.signed ? BigInt.asIntN(8 * load.bytes, raw) : raw);
      } else if (width !== undefined) {
        const at = this.#address(a, imm, on);
        this.accesses.push(
          on.loads === undefined ? `store ${width} ${at}` : `store ${width} ${at} ${BigInt.asUintN(8 * width, b)}`,
        );
        on.access('store', at, width, rs1 === SP, width === 8 ? pc : undefined);
        for (let i = 0; i < width; i++) this.memory.set(at + i, Number((b >> BigInt(8 * i)) & 255n));
      } else
        switch (op) {
          case 'jal':
            next = to;
            break;
          case 'beq':
            if (a === b) next = to;
            break;
          case 'bne':
            if (a !== b) next = to;
            break;
          case 'fence':
            on.fence();
            break;
          case 'csrrs':
            this.set(rd, 3n);
            break;
          case 'addi':
            this.set(rd, a + BigInt(imm));
            if (rd === SP) on.moved();
            break;
          case 'addiw':
            this.set(rd, BigInt.asIntN(32, a + BigInt(imm)));
            break;
          case 'andi':
            this.set(rd, a & unsigned(BigInt(imm)));
            break;
          case 'slli':
            this.set(rd, a << BigInt(imm));
            break;
          case 'srli':
            this.set(rd, a >> BigInt(imm));
            break;
          case 'srai':
            this.set(rd, BigInt.asIntN(64, a) >> BigInt(imm));
            break;
          case 'add':
            this.set(rd, a + b);
            break;
          case 'xor':
            this.set(rd, a ^ b);
            break;
          default:
            throw new Error(`what is ${op}?`);
        }
      pc = next;
    }
  }
  #address(base: bigint, imm: number, on: Watcher): number {
    const at = unsigned(base + BigInt(imm));
    if (at >= MOST) return on.wild(at);
    return Number(at);
  }
}

interface Watcher {
  access(kind: 'load' | 'store', at: number, bytes: number, byStack: boolean, pc?: number): void;
  moved(): void;
  fence(): void;
  wild(at: bigint): number;
  readonly loads?: ((at: number, bytes: number) => bigint) | undefined;
}

export type Outcome =
  | { readonly kind: 'same' }
  | { readonly kind: 'useless' }
  | { readonly kind: 'differs'; readonly how: string };

/** Runs both, and compares them where they leave. */
export function compare(original: Code, optimized: Code, start: Start, assumed: Assumed): Outcome {
  const initial = new Initial(start);
  const { saves, deadFrames, watched, live } = assumed;
  const was = new Machine(start, initial);
  /** Slots in which registers are kept. */
  let kept: number[] = [];
  /** Bytes stored in a frame that is still there, and those left of frames that were given back. */
  const inFrame = new Set<number>();
  const left = new Set<number>();
  let before = TOP;
  const fences: Fence[] = [];
  const loaded: bigint[] = [];
  const isKept = (at: number) => kept.some((slot) => at >= slot && at < slot + 8);
  const deadNow = () => {
    const [there, stack] = [new Set(left), was.stack];
    return (at: number) => deadFrames && ((at < stack && at >= stack - BELOW) || there.has(at));
  };
  const on: Watcher = {
    access(kind, at, bytes, byStack, pc) {
      if (!byStack && kept.some((slot) => at < slot + 8 && slot < at + bytes)) throw new Useless('A3');
      for (let i = at; i < at + bytes; i++) {
        if (kind === 'load') {
          if (deadFrames && !watched && left.has(i)) throw new Useless('A8');
          continue;
        }
        left.delete(i);
        if (i >= was.stack) inFrame.add(i);
      }
      if (kind === 'load') return;
      if (byStack) kept = kept.filter((slot) => at >= slot + 8 || slot >= at + bytes);
      if (pc !== undefined && saves?.includes(pc)) kept.push(at);
    },
    moved() {
      const { stack } = was;
      if (stack > before) {
        for (const at of inFrame)
          if (at < stack && at >= stack - BELOW) {
            inFrame.delete(at);
            left.add(at);
          }
        kept = kept.filter((slot) => slot >= stack);
      }
      before = stack;
    },
    fence() {
      const stored: [number, number][] = [];
      const memory = new Map(was.memory);
      const dead = deadNow();
      if (start.others && !watched)
        start.pool.forEach((address, index) => {
          for (let i = 0; i < 8; i++) {
            const noise = mix(start.seed + fences.length, index * 8 + i);
            if ((noise & 7) >= 3 || isKept(address + i)) continue;
            stored.push([address + i, noise >>> 24]);
            was.memory.set(address + i, noise >>> 24);
            left.delete(address + i);
          }
        });
      fences.push({ memory, dead, stored });
    },
    wild() {
      throw new Useless('no memory');
    },
    loads: watched
      ? (at, bytes) => {
          let value = 0n;
          for (let i = bytes - 1; i >= 0; i--)
            value =
              (value << 8n) |
              BigInt(
                isKept(at + i)
                  ? was.byte(at + i)
                  : initial.byte((mix(start.seed, loaded.length) & 0xffff) * 8 + (i % 8)),
              );
          loaded.push(value);
          return value;
        }
      : undefined,
  };
  let exit: number;
  try {
    exit = was.run(original, HEAD, on);
  } catch (error) {
    if (error instanceof Useless) return { kind: 'useless' };
    throw error;
  }
  const dead = deadNow();

  const is = new Machine(start, initial);
  let [fenced, loads] = [0, 0];
  const same = (memory: ReadonlyMap<number, number>, isDead: (at: number) => boolean, where: string) => {
    const now = new Set([...memory.keys(), ...is.memory.keys()]);
    for (const at of now) {
      const [a, b] = [memory.get(at) ?? initial.byte(at), is.byte(at)];
      if (a !== b && !isDead(at))
        throw new Wrong(`the byte at sp${at < TOP ? '' : '+'}${at - TOP} is ${b}, not ${a}${where}`);
    }
  };
  const there: Watcher = {
    access() {},
    moved() {},
    fence() {
      const fence = fences[fenced++];
      if (fence === undefined) throw new Wrong('a fence more');
      if (watched) return;
      same(fence.memory, fence.dead, ` at fence ${fenced}`);
      for (const [at, byte] of fence.stored) is.memory.set(at, byte);
    },
    wild(at) {
      throw new Wrong(`it accesses ${at}`);
    },
    loads: watched ? () => loaded[loads++] ?? 0n : undefined,
  };
  try {
    const to = is.run(optimized, START, there);
    if (to !== exit) throw new Wrong(`it leaves to 0x${to.toString(16)}, not 0x${exit.toString(16)}`);
    for (let reg = 1; reg < 32; reg++)
      if ((live === undefined || live.includes(reg)) && was.registers[reg] !== is.registers[reg])
        throw new Wrong(
          `${regName(reg)} is 0x${is.registers[reg]!.toString(16)}, not 0x${was.registers[reg]!.toString(16)}`,
        );
    if (fenced !== fences.length) throw new Wrong('a fence less');
    if (watched) {
      if (was.accesses.join() !== is.accesses.join())
        throw new Wrong(`it accesses ${is.accesses}, not ${was.accesses}`);
    } else {
      same(was.memory, dead, '');
      const all = new Set(was.accesses);
      for (const access of is.accesses)
        if (!all.has(access)) throw new Wrong(`it makes an access that the original does not: ${access}`);
    }
  } catch (error) {
    if (error instanceof Wrong) return { kind: 'differs', how: error.message };
    throw error;
  }
  return { kind: 'same' };
}
