/**
 * Both forms of a superblock run on one concrete state. A difference refutes the superblock; nothing here is needed to believe that
 * another one is proved. Memory is the whole address space, filled with what the state says or with noise, so that nothing faults.
 */
import { type Addr, hex, REG_COUNT, type Reg, regName } from '../../base/units.ts';
import { ALL_REGS, hasReg, type RegSet, union } from '../../cfg/regset.ts';
import { concrete } from '../../domain/concrete.ts';
import { softfloat } from '../../domain/softfloat.ts';
import type { FloatOp, Insn, Step } from '../../isa/row.ts';
import { CSR } from '../../isa/zicsr.ts';
import { isNeeded } from './needed.ts';
import { linksAt } from './paths.ts';
import type { Entry, Sides } from './superblock.ts';

/** A state to begin with. */
export interface Start {
  /** By register, unsigned; entry 0 is 0. */
  readonly registers: readonly bigint[];
  readonly frm: number;
  /** Memory where it is not noise: a byte by address. */
  readonly bytes: ReadonlyMap<bigint, number>;
  readonly seed: number;
}

const mix = (value: bigint): bigint => {
  let x = BigInt.asUintN(64, value * 0x9e3779b97f4a7c15n);
  x ^= x >> 29n;
  x = BigInt.asUintN(64, x * 0xbf58476d1ce4e5b9n);
  return x ^ (x >> 32n);
};

/** What memory holds where nobody has written: often small numbers, lest no branch on it ever goes both ways. */
function noise(seed: number, address: bigint): number {
  const word = mix((address >> 3n) ^ (BigInt(seed) << 40n));
  const kind = word & 3n;
  const at = address & 7n;
  if (kind === 0n) return at === 0n ? Number((word >> 8n) & 7n) : 0;
  if (kind === 1n) return at < 4n ? Number((word >> (8n + 8n * at)) & 0xffn) : 0;
  // Of the rest every other word is a double of moderate size.
  const value = kind === 2n ? (mix(word) & 0x800fffff_ffffffffn) | ((1000n + ((word >> 8n) & 31n)) << 52n) : mix(word);
  return Number((value >> (8n * at)) & 0xffn);
}

export const startByte = (start: Start, address: bigint): number =>
  start.bytes.get(address) ?? noise(start.seed, address);

class Trouble extends Error {
  /** The original has it as well. */
  readonly both: boolean;
  constructor(what: string, both = false) {
    super(what);
    this.both = both;
  }
}

/** A hart of its own, over bigint. */
class Hart implements Step<bigint> {
  readonly registers: bigint[];
  readonly written = new Map<bigint, number>();
  readonly accesses = new Set<string>();
  readonly events: string[] = [];
  frm: number;
  fflags = 0;
  /** Of the last transfer that linked. */
  call: Addr | undefined;
  readonly #start: Start;
  #insn!: Insn;
  at: Addr;
  /** Where control goes: any 64 bits. */
  next = 0n;

  constructor(start: Start, at: Addr) {
    this.#start = start;
    this.registers = [...start.registers];
    this.frm = start.frm;
    this.at = at;
  }

  /** Runs the instruction at `at`. @throws Trouble where that cannot be */
  run(insn: Insn): void {
    this.#insn = insn;
    this.next = BigInt(this.at + insn.size);
    insn.row.semantics(this, concrete);
    this.registers[0] = 0n;
  }
  byte(address: bigint): number {
    return this.written.get(address) ?? startByte(this.#start, address);
  }

  rs1 = (): bigint => this.registers[this.#insn.rs1]!;
  rs2 = (): bigint => this.registers[this.#insn.rs2]!;
  fs1 = this.rs1;
  fs2 = this.rs2;
  fs3 = (): bigint => this.registers[this.#insn.rs3]!;
  rd(value: bigint): void {
    this.registers[this.#insn.rd] = value;
  }
  fd(value: bigint): void {
    this.rd(value);
  }
  imm = (): bigint => concrete.const(BigInt(this.#insn.imm));
  pc = (): bigint => BigInt(this.at);
  link = (): bigint => BigInt(this.at + this.#insn.size);
  load(address: bigint, bytes: 1 | 2 | 4 | 8, signed: boolean): bigint {
    this.accesses.add(`load of ${bytes} bytes at ${hex(address)}`);
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(this.byte(BigInt.asUintN(64, address + BigInt(i))));
    return signed ? concrete.const(BigInt.asIntN(8 * bytes, value)) : value;
  }
  store(address: bigint, bytes: 1 | 2 | 4 | 8, value: bigint): void {
    this.accesses.add(`store of ${bytes} bytes at ${hex(address)}`);
    for (let i = 0; i < bytes; i++)
      this.written.set(BigInt.asUintN(64, address + BigInt(i)), Number((value >> BigInt(8 * i)) & 0xffn));
  }
  branch(condition: bigint): void {
    if (condition !== 0n) this.goto();
  }
  goto(): void {
    this.next = concrete.const(BigInt(this.at + this.#insn.imm));
  }
  jump(target: bigint): void {
    this.next = target;
  }
  float(op: FloatOp, a: bigint, b?: bigint, c?: bigint): bigint {
    const rounding = this.#insn.rm === 7 ? this.frm : this.#insn.rm;
    if (rounding > 4) throw new Trouble('a reserved rounding mode', true);
    const { value, flags } = softfloat(op, rounding, a, b, c);
    this.fflags |= flags;
    return value;
  }
  writesCsr(): boolean {
    return this.#insn.rs1 !== 0 || this.#insn.imm !== 0;
  }
  csr(write: ((old: bigint) => bigint) | undefined): bigint {
    const { csr } = this.#insn;
    const old =
      csr === CSR.fflags
        ? this.fflags
        : csr === CSR.frm
          ? this.frm
          : csr === CSR.fcsr
            ? (this.frm << 5) | this.fflags
            : this.events.length * 7 + csr;
    const value = write?.(BigInt(old));
    this.events.push(`csr ${csr} ${old} ${value ?? ''}`);
    if (value !== undefined) {
      const bits = Number(value & 0xffn);
      if (csr === CSR.fflags || csr === CSR.fcsr) this.fflags = bits & 31;
      if (csr === CSR.frm) this.frm = bits & 7;
      if (csr === CSR.fcsr) this.frm = bits >> 5;
    }
    return BigInt(old);
  }
  atomic(address: bigint, bytes: 4 | 8, update: (old: bigint) => bigint): bigint {
    const old = this.load(address, bytes, true);
    this.store(address, bytes, update(old));
    this.events.push(`atomic ${hex(address)} ${bytes} ${this.#insn.rm}`);
    return old;
  }
  fence(): void {
    this.events.push(`fence ${this.#insn.imm}`);
  }
  fenceI(): void {
    this.events.push('fence.i');
  }
  loadReserved = (): bigint => refuse();
  storeConditional = (): bigint => refuse();
  ecall = (): void => void refuse();
  ebreak = (): void => void refuse();
}

const refuse = (): never => {
  throw new Trouble('an instruction that no superblock holds');
};

/** Instructions a run may have. */
const MOST = 3000;

/** Where the optimized form leaves: an address of the original, or any value of a computed jump. */
interface Left {
  readonly hart: Hart;
  readonly to: bigint;
  /** It left by a jump to a computed address that is not in the optimized code. */
  readonly computed: boolean;
}

function runOptimized(sides: Sides, entry: Entry, start: Start): Left {
  const hart = new Hart(start, entry.start);
  for (let steps = 0; steps < MOST; steps++) {
    const to = steps === 0 && entry.first ? undefined : sides.standsFor(hart.at);
    if (to !== undefined) return { hart, to: BigInt(to), computed: false };
    if (!sides.inside(hart.at)) return { hart, to: BigInt(hart.at), computed: false };
    const insn = sides.optimized.insnAt(hart.at);
    if (insn === undefined) throw new Trouble(`there is no instruction at ${hex(hart.at)}`);
    hart.run(insn);
    if (hart.next >= 1n << 48n) return { hart, to: hart.next, computed: true };
    const next = Number(hart.next);
    if (!sides.inside(next) && sides.standsFor(next) === undefined) return { hart, to: hart.next, computed: true };
    hart.at = next;
  }
  throw new Trouble('it does not end');
}

/** Says how the two forms differ on a state; undefined where they do not, or where that cannot be told. */
export function differenceOn(sides: Sides, entry: Entry, start: Start): string | undefined {
  let left: Left;
  try {
    left = runOptimized(sides, entry, start);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    // No superblock holds such a thing; only a rounding mode that the program has set may be wrong in both.
    return error.both ? undefined : error.message;
  }
  const { hart: is, to } = left;
  const was = new Hart(start, entry.head);
  /** Without assumption A1 every register counts. Behind a computed jump what the convention says of it does, besides what is read there. */
  const neededFrom = (place: Addr, jump?: Addr) => (reg: Reg) =>
    sides.liveness === undefined ||
    isNeeded(sides.original, place, reg) ||
    (jump !== undefined && isNeeded(sides.original, jump, reg));
  let nearest: string | undefined;
  try {
    for (let retired = 0; retired < MOST; retired++) {
      const insn = sides.original.insnAt(was.at);
      if (BigInt(was.at) === to && retired >= (entry.progress ? 1 : 0) && !left.computed) {
        nearest = compare(sides, was, is, sides.liveness?.liveIn(was.at) ?? ALL_REGS, neededFrom(was.at));
        if (nearest === undefined) return undefined;
      }
      if (insn === undefined) break;
      const site = was.at;
      was.run(insn);
      if (linksAt(sides.original, site)) was.call = site;
      if (left.computed && was.next === to) {
        nearest = compare(
          sides,
          was,
          is,
          sides.liveness?.liveAfter(site) ?? ALL_REGS,
          neededFrom(was.next < 1n << 48n ? Number(was.next) : -1, site),
        );
        if (nearest === undefined) return undefined;
      }
      if (was.next >= 1n << 48n) break;
      was.at = Number(was.next);
    }
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
  }
  return nearest ?? `the original does not come to ${hex(to)}`;
}

function compare(
  sides: Sides,
  was: Hart,
  is: Hart,
  liveThere: RegSet,
  needed: (reg: Reg) => boolean,
): string | undefined {
  let live = liveThere;
  const unequal: Reg[] = [];
  for (let reg = 1; reg < REG_COUNT; reg++) {
    const [a, b] = [was.registers[reg]!, is.registers[reg]!];
    if (a === b) continue;
    if (b < 1n << 48n && sides.returns.get(Number(b)) === Number(a) && was.call !== undefined) {
      if (sides.liveness !== undefined) live = union(live, sides.liveness.liveAfter(was.call));
    } else unequal.push(reg);
  }
  const wrong = unequal.find((reg) => hasReg(live, reg) && needed(reg));
  if (wrong !== undefined)
    return `${regName(wrong)} is ${hex(is.registers[wrong]!)}, not ${hex(was.registers[wrong]!)}`;
  for (const at of [...was.written.keys(), ...is.written.keys()])
    if (was.byte(at) !== is.byte(at)) return `the byte at ${hex(at)} is ${hex(is.byte(at))}, not ${hex(was.byte(at))}`;
  if (was.fflags !== is.fflags || was.frm !== is.frm) return 'fcsr differs';
  if (was.events.join() !== is.events.join()) return 'the order of events differs';
  for (const access of is.accesses)
    if (!was.accesses.has(access)) return `it has a ${access} that the original has not`;
  return undefined;
}
