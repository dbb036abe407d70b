/**
 * Runs superblocks on concrete states, straight from the form: the definition of what a pass and lowering must keep. Memory is the
 * whole 64-bit space, filled with noise, so that nothing ever faults.
 */
import { regsIn } from '../../src/base/regset.ts';
import { F0, REG_COUNT, type Reg, regName, SP } from '../../src/base/units.ts';
import { concrete } from '../../src/domain/concrete.ts';
import { softfloat } from '../../src/domain/softfloat.ts';
import type { FloatOp, Insn, Step } from '../../src/isa/row.ts';
import { CSR } from '../../src/isa/zicsr.ts';
import { type Exit, type Op, type Superblock, type Value, wanted } from '../../src/superblock/form.ts';
import { doublePatterns, INTEGER_EDGES, type Random, singlePatterns } from './random.ts';

/** Bytes by address; what was never written is noise that depends on the seed and the address only. */
export class NoiseMemory {
  readonly #seed: bigint;
  readonly #words = new Map<bigint, bigint>();
  constructor(seed: number) {
    this.#seed = BigInt(seed);
  }
  #word(at: bigint): bigint {
    return this.#words.get(at) ?? BigInt.asUintN(64, (at ^ (this.#seed << 7n)) * 0x9e3779b97f4a7c15n + (at >> 9n));
  }
  read(address: bigint, bytes: number): bigint {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) {
      const at = BigInt.asUintN(64, address + BigInt(i));
      value = (value << 8n) | ((this.#word(at >> 3n) >> ((at & 7n) * 8n)) & 0xffn);
    }
    return value;
  }
  write(address: bigint, bytes: number, value: bigint): void {
    for (let i = 0; i < bytes; i++) {
      const at = BigInt.asUintN(64, address + BigInt(i));
      const shift = (at & 7n) * 8n;
      const word = this.#word(at >> 3n) & ~(0xffn << shift);
      this.#words.set(at >> 3n, word | (((value >> BigInt(8 * i)) & 0xffn) << shift));
    }
  }
}

export interface State {
  /** By register, unsigned. */
  readonly registers: readonly bigint[];
  readonly frm: number;
  readonly fflags: number;
  /** Of the memory. */
  readonly seed: number;
}

export interface Left {
  /** `%id` of the op that left, or `final`. */
  readonly exit: string;
  readonly target: bigint;
  /** The live registers as the snapshot has them. */
  readonly registers: ReadonlyMap<Reg, bigint>;
  /** `address:bytes=value`, in order; atomics too. */
  readonly stores: readonly string[];
  /** What was last stored to each byte. */
  readonly written: ReadonlyMap<bigint, bigint>;
  /** The stack pointer. */
  readonly stack: bigint;
  readonly fcsr: number;
}

class ConcreteStep implements Step<bigint> {
  readonly memory: NoiseMemory;
  readonly stores: string[] = [];
  readonly written = new Map<bigint, bigint>();
  fflags: number;
  frm: number;
  insn!: Insn;
  at = 0n;
  operands: readonly (bigint | undefined)[] = [];
  result: bigint | undefined;
  taken = false;
  target: bigint | undefined;

  constructor(state: State) {
    this.memory = new NoiseMemory(state.seed);
    this.fflags = state.fflags;
    this.frm = state.frm;
  }
  #operand(index: number): bigint {
    const value = this.operands[index];
    if (value === undefined) throw new Error(`${this.insn.row.name} reads an operand it does not have`);
    return value;
  }
  rs1 = (): bigint => this.#operand(0);
  rs2 = (): bigint => this.#operand(1);
  fs1 = this.rs1;
  fs2 = this.rs2;
  fs3 = (): bigint => this.#operand(2);
  rd = (value: bigint): void => {
    this.result = value;
  };
  fd = this.rd;
  imm = (): bigint => concrete.const(BigInt(this.insn.imm));
  pc = (): bigint => this.at;
  link = (): bigint => this.at + BigInt(this.insn.size);
  load(address: bigint, bytes: 1 | 2 | 4 | 8, signed: boolean): bigint {
    const raw = this.memory.read(address, bytes);
    return signed ? BigInt.asUintN(64, BigInt.asIntN(bytes * 8, raw)) : raw;
  }
  store(address: bigint, bytes: 1 | 2 | 4 | 8, value: bigint): void {
    this.memory.write(address, bytes, value);
    for (let i = 0n; i < BigInt(bytes); i++)
      this.written.set(BigInt.asUintN(64, address + i), (value >> (8n * i)) & 0xffn);
    this.stores.push(`0x${address.toString(16)}:${bytes}=0x${BigInt.asUintN(bytes * 8, value).toString(16)}`);
  }
  branch(condition: bigint): void {
    this.taken = condition !== 0n;
  }
  goto(): void {}
  jump(target: bigint): void {
    this.target = target;
  }
  float(op: FloatOp, a: bigint, b?: bigint, c?: bigint): bigint {
    const { value, flags } = softfloat(op, this.insn.rm === 7 ? this.frm : this.insn.rm, a, b, c);
    this.fflags |= flags;
    return value;
  }
  csr(write: ((old: bigint) => bigint) | undefined): bigint {
    const { csr } = this.insn;
    const old = csr === CSR.fflags ? this.fflags : csr === CSR.frm ? this.frm : (this.frm << 5) | this.fflags;
    if (csr > CSR.fcsr) throw new Error(`csr ${csr} is not modelled`);
    if (write !== undefined) {
      const value = Number(write(BigInt(old)) & 0xffn);
      if (csr !== CSR.frm) this.fflags = value & 31;
      if (csr !== CSR.fflags) this.frm = (csr === CSR.frm ? value : value >> 5) & 7;
    }
    return BigInt(old);
  }
  writesCsr = (): boolean => this.insn.rs1 !== 0 || this.insn.imm !== 0;
  loadReserved = (): never => this.#not();
  storeConditional = (): never => this.#not();
  atomic(address: bigint, bytes: 4 | 8, update: (old: bigint) => bigint): bigint {
    const old = this.load(address, bytes, true);
    this.store(address, bytes, update(old));
    return old;
  }
  ecall = (): never => this.#not();
  ebreak = (): never => this.#not();
  fence(): void {}
  fenceI(): void {}
  #not(): never {
    throw new Error(`${this.insn.row.name} within a superblock`);
  }
}

/** Runs a superblock from a state until it leaves. The image stands where it is linked. */
export function evaluateSuperblock(superblock: Superblock, state: State): Left {
  const results = new Map<number, bigint>();
  const step = new ConcreteStep(state);
  const valueOfOperand = (value: Value, own: ReadonlyMap<number, bigint> = results): bigint => {
    switch (value.kind) {
      case 'head':
        return state.registers[value.reg]!;
      case 'const':
        return value.value;
      case 'code':
      case 'link':
        return BigInt(value.address);
      case 'op': {
        const result = own.get(value.id) ?? results.get(value.id);
        if (result === undefined) throw new Error(`%${value.id} has no result yet`);
        return result;
      }
    }
  };
  const run = (op: Op, own?: ReadonlyMap<number, bigint>): bigint | undefined => {
    step.insn = op.insn;
    step.at = BigInt(op.pc);
    step.result = undefined;
    step.target = undefined;
    step.operands = [op.rs1, op.rs2, op.rs3].map((value) => value && valueOfOperand(value, own));
    op.insn.row.semantics(step, concrete);
    return step.result;
  };
  const leave = (name: string, exit: Exit, target: bigint): Left => {
    const own = new Map<number, bigint>();
    const before = [step.fflags, step.frm].join();
    for (const op of exit.sunk) own.set(op.id, run(op, own)!);
    if ([step.fflags, step.frm].join() !== before) throw new Error('a sunk op has an effect');
    const registers = new Map<Reg, bigint>();
    for (const reg of regsIn(exit.live)) registers.set(reg, valueOfOperand(wanted(exit, reg), own));
    const stack = valueOfOperand(wanted(exit, SP), own);
    return {
      exit: name,
      target,
      registers,
      stores: step.stores,
      written: step.written,
      stack,
      fcsr: (step.frm << 5) | step.fflags,
    };
  };
  for (const op of superblock.ops) {
    const result = run(op);
    if (result !== undefined) results.set(op.id, result);
    if (op.exit === undefined) continue;
    const leaves = op.expect === undefined ? step.taken === (op.leaves === 'taken') : step.target !== BigInt(op.expect);
    if (leaves) return leave(`%${op.id}`, op.exit, op.expect === undefined ? BigInt(op.exit.target!) : step.target!);
  }
  const { final } = superblock;
  if (final.op !== undefined) run(final.op);
  return leave('final', final.exit, final.exit.target === undefined ? step.target! : BigInt(final.exit.target));
}

/** The largest frame that is given back in any test. */
const FRAME = 4096n;

/** Is what was stored the same, but for what lies below the stack pointer? */
function sameWritten(before: Left, after: Left): boolean {
  const dead = (address: bigint) => BigInt.asUintN(64, before.stack - 1n - address) < FRAME;
  return [...new Set([...before.written.keys(), ...after.written.keys()])].every(
    (address) => dead(address) || before.written.get(address) === after.written.get(address),
  );
}

/**
 * What of two ways out differs, as text; undefined if nothing that matters. Registers are compared where the first has them.
 * @param deadStores stores may have gone that nobody looks at; else they are the same, in the same order
 */
export function differenceOf(before: Left, after: Left, deadStores = false): string | undefined {
  if (before.exit !== after.exit) return `left at ${after.exit}, not at ${before.exit}`;
  if (before.target !== after.target) return `${before.exit} leads to ${after.target}, not to ${before.target}`;
  if (deadStores ? !sameWritten(before, after) : before.stores.join() !== after.stores.join())
    return `${before.exit}: stores ${after.stores.join()}, not ${before.stores.join()}`;
  if (before.fcsr !== after.fcsr) return `${before.exit}: fcsr ${after.fcsr}, not ${before.fcsr}`;
  for (const [reg, value] of before.registers) {
    const found = after.registers.get(reg);
    if (found !== value) return `${before.exit}: ${regName(reg)} is ${found?.toString(16)}, not ${value.toString(16)}`;
  }
  return undefined;
}

/** A state with registers at edges, equal to one another, or random; floating-point ones of all classes. */
export function randomState(random: Random): State {
  const registers: bigint[] = [0n];
  for (let reg = 1; reg < REG_COUNT; reg++) {
    const earlier = registers[1 + random.below(reg - 1)] ?? 0n;
    if (reg >= F0)
      registers.push(
        random.oneIn(4)
          ? random.bits64()
          : random.oneIn(2)
            ? random.choose(doublePatterns(random))
            : 0xffffffff00000000n | random.choose(singlePatterns(random)),
      );
    else if (reg < 5) registers.push(BigInt.asUintN(64, (random.bits64() >> 12n) & ~0xfn));
    else
      registers.push(
        random.oneIn(4)
          ? earlier
          : random.oneIn(3)
            ? BigInt(random.below(4))
            : random.oneIn(2)
              ? random.choose(INTEGER_EDGES)
              : random.bits64(),
      );
  }
  return { registers, frm: random.below(5), fflags: random.below(32), seed: random.next() };
}

/**
 * Compares two superblocks on random states.
 * @param prepare changes a state before it is used, for example to make a guard hold
 * @param deadStores as for `differenceOf`
 * @returns the first difference
 */
export function compareSuperblocks(
  before: Superblock,
  after: Superblock,
  random: Random,
  states: number,
  prepare: (state: State) => State = (state) => state,
  deadStores = false,
): string | undefined {
  for (let i = 0; i < states; i++) {
    const state = prepare(randomState(random));
    const wrong = differenceOf(evaluateSuperblock(before, state), evaluateSuperblock(after, state), deadStores);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
