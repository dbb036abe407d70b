/**
 * The oracle: fetches, decodes and executes one instruction at a time over bigint. Slow and obvious; the other engines are compared
 * with it. Where the manual leaves room, all engines decide alike:
 *   - a fault names the first byte of the access (or of the instruction, for a fetch), wherever in it the offending page begins;
 *   - LR, SC and AMO check alignment first, then permissions; AMO and SC need a writable page, SC even when it is going to fail;
 *   - SC succeeds if and only if the reservation is on the same address, whatever has been stored since;
 *   - cycle and instret are the instructions retired before this one, time is the hart's own;
 *   - a rounding mode of 7 with a reserved frm is illegal, also where the operation never rounds.
 */
import type { Addr, InsnCount, RunAddr } from '../base/units.ts';
import { concrete } from '../domain/concrete.ts';
import { softfloat } from '../domain/softfloat.ts';
import { decodeAt, lengthOf } from '../isa/decode.ts';
import type { FloatOp, Insn, Step } from '../isa/row.ts';
import { CSR } from '../isa/zicsr.ts';
import { HART, type Hart } from '../machine/hart.ts';
import { type Memory, PERMISSION } from '../machine/memory.ts';
import type { Engine, Stop, Transfer } from './engine.ts';

/** Thrown by a step that cannot be done; caught in `run`. No state has changed by then: every row accesses memory at most once. */
class Trap {
  readonly stop: Stop;
  constructor(stop: Stop) {
    this.stop = stop;
  }
}

/** Instructions between two looks at the clock. */
const CLOCK_INTERVAL = 1024;

/** How the instruction at hand ends. A branch that is not taken is a transfer too. */
type Ending = 'next' | 'transfer' | 'ecall' | 'fence.i';

class BasicStep implements Step<bigint> {
  readonly #hart: Hart;
  readonly #memory: Memory;
  #insn!: Insn;
  #pc: Addr = 0;
  #retired = 0;
  ending: Ending = 'next';
  /** The target of a transfer: any 64 bits. */
  target = 0n;

  constructor(hart: Hart) {
    this.#hart = hart;
    this.#memory = hart.memory;
  }

  /** @param retired instructions retired in this run so far */
  execute(insn: Insn, pc: Addr, retired: InsnCount): void {
    this.#insn = insn;
    this.#pc = pc;
    this.#retired = retired;
    this.ending = 'next';
    insn.row.semantics(this, concrete);
  }

  rs1(): bigint {
    return this.#hart.get(this.#insn.rs1);
  }
  rs2(): bigint {
    return this.#hart.get(this.#insn.rs2);
  }
  rd(value: bigint): void {
    this.#hart.set(this.#insn.rd, value);
  }
  fs1(): bigint {
    return this.#hart.get(this.#insn.rs1);
  }
  fs2(): bigint {
    return this.#hart.get(this.#insn.rs2);
  }
  fs3(): bigint {
    return this.#hart.get(this.#insn.rs3);
  }
  fd(value: bigint): void {
    this.#hart.set(this.#insn.rd, value);
  }
  imm(): bigint {
    return concrete.const(BigInt(this.#insn.imm));
  }
  pc(): bigint {
    return BigInt(this.#pc);
  }
  link(): bigint {
    return BigInt(this.#pc + this.#insn.size);
  }

  /** The address as an offset in the linear memory. */
  #check(address: bigint, bytes: number, access: 'load' | 'store'): Addr {
    const permission = access === 'load' ? PERMISSION.READ : PERMISSION.WRITE;
    if (address >= BigInt(this.#memory.size) || !this.#memory.allows(Number(address), bytes, permission))
      throw new Trap({ kind: 'fault', access, address });
    return Number(address);
  }
  #checkAtomic(address: bigint, bytes: number, access: 'load' | 'store'): Addr {
    if (address % BigInt(bytes) !== 0n) throw new Trap({ kind: 'misaligned', address });
    return this.#check(address, bytes, access);
  }
  #read(at: Addr, bytes: 1 | 2 | 4 | 8, signed: boolean): bigint {
    const { view } = this.#memory;
    if (bytes === 8) return view.getBigUint64(at, true);
    const raw = bytes === 1 ? view.getUint8(at) : bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
    const value = BigInt(raw);
    return signed ? concrete.const(BigInt.asIntN(bytes * 8, value)) : value;
  }
  #write(at: Addr, bytes: 1 | 2 | 4 | 8, value: bigint): void {
    const { view } = this.#memory;
    if (bytes === 8) view.setBigUint64(at, value, true);
    else if (bytes === 4) view.setUint32(at, Number(value & 0xffffffffn), true);
    else if (bytes === 2) view.setUint16(at, Number(value & 0xffffn), true);
    else view.setUint8(at, Number(value & 0xffn));
  }
  load(address: bigint, bytes: 1 | 2 | 4 | 8, signed: boolean): bigint {
    return this.#read(this.#check(address, bytes, 'load'), bytes, signed);
  }
  store(address: bigint, bytes: 1 | 2 | 4 | 8, value: bigint): void {
    this.#write(this.#check(address, bytes, 'store'), bytes, value);
  }

  branch(condition: bigint): void {
    if (condition !== 0n) this.goto();
    else this.jump(this.link());
  }
  goto(): void {
    this.jump(concrete.add(this.pc(), this.imm()));
  }
  jump(target: bigint): void {
    this.ending = 'transfer';
    this.target = target;
  }

  float(op: FloatOp, a: bigint, b?: bigint, c?: bigint): bigint {
    const { rm } = this.#insn;
    const rounding = rm === 7 ? this.#hart.frm : rm;
    if (rounding > 4) throw new Trap({ kind: 'illegal' });
    const { value, flags } = softfloat(op, rounding, a, b, c);
    if (flags !== 0) this.#hart.fflags |= flags;
    return value;
  }

  writesCsr(): boolean {
    return this.#insn.rs1 !== 0 || this.#insn.imm !== 0;
  }
  csr(write: ((old: bigint) => bigint) | undefined): bigint {
    const hart = this.#hart;
    const instret = BigInt(hart.retired + this.#retired);
    switch (this.#insn.csr) {
      case CSR.fflags: {
        const old = BigInt(hart.fflags);
        if (write) hart.fflags = Number(write(old) & 31n);
        return old;
      }
      case CSR.frm: {
        const old = BigInt(hart.frm);
        if (write) hart.frm = Number(write(old) & 7n);
        return old;
      }
      case CSR.fcsr: {
        const old = BigInt((hart.frm << 5) | hart.fflags);
        if (write) {
          const value = Number(write(old) & 255n);
          hart.fflags = value & 31;
          hart.frm = value >> 5;
        }
        return old;
      }
      case CSR.cycle:
      case CSR.instret:
        if (!write) return instret;
        break;
      case CSR.time:
        if (!write) return hart.time(hart.retired + this.#retired);
        break;
    }
    throw new Trap({ kind: 'illegal' });
  }

  loadReserved(address: bigint, bytes: 4 | 8): bigint {
    const at = this.#checkAtomic(address, bytes, 'load');
    this.#hart.reservation = address;
    return this.#read(at, bytes, true);
  }
  storeConditional(address: bigint, bytes: 4 | 8, value: bigint): bigint {
    const at = this.#checkAtomic(address, bytes, 'store');
    const holds = this.#hart.reservation === address;
    this.#hart.reservation = -1n;
    if (holds) this.#write(at, bytes, value);
    return holds ? 0n : 1n;
  }
  atomic(address: bigint, bytes: 4 | 8, update: (old: bigint) => bigint): bigint {
    const at = this.#checkAtomic(address, bytes, 'store');
    const old = this.#read(at, bytes, true);
    this.#write(at, bytes, update(old));
    return old;
  }

  ecall(): void {
    this.ending = 'ecall';
  }
  ebreak(): void {
    throw new Trap({ kind: 'ebreak' });
  }
  fence(): void {
    // One hart, in order: there is nothing to order.
  }
  fenceI(): void {
    this.ending = 'fence.i';
  }
}

class Basic implements Engine {
  readonly name = 'basic';
  readonly #memory: Memory;
  readonly #decoded = new Map<Addr, Insn>();
  readonly #counts = new Map<Addr, Map<Addr, InsnCount>>();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  run(hart: Hart, budget: InsnCount, until?: number): { stop: Stop; retired: InsnCount } {
    const step = new BasicStep(hart);
    // A guest may jump anywhere in 64 bits: a target outside its address space is kept in `far`, until the fetch faults. So is an odd pc;
    // no instruction and no kernel makes one.
    const { view, size } = this.#memory;
    const slot = hart.base + HART.PC;
    const start = view.getBigUint64(slot, true);
    let pc: Addr = Number(start);
    let far = start < BigInt(size) && start % 2n === 0n ? undefined : start;
    let retired = 0;
    let stop: Stop = { kind: 'budget' };
    try {
      while (retired < budget) {
        if (until !== undefined && retired % CLOCK_INTERVAL === CLOCK_INTERVAL - 1 && performance.now() >= until) {
          stop = { kind: 'pause' };
          break;
        }
        if (far !== undefined) throw new Trap({ kind: 'fault', access: 'fetch', address: far });
        const insn = this.#fetch(pc);
        step.execute(insn, pc, retired);
        retired++;
        if (step.ending === 'next') {
          pc += insn.size;
          continue;
        }
        if (step.ending === 'fence.i') {
          this.#decoded.clear();
          pc += insn.size;
          continue;
        }
        const target = step.ending === 'ecall' ? step.link() : step.target;
        this.#count(pc, Number(target));
        pc = Number(target);
        far = target < BigInt(size) ? undefined : target;
        if (step.ending === 'ecall') {
          stop = { kind: 'ecall' };
          break;
        }
      }
    } catch (error) {
      if (!(error instanceof Trap)) throw error;
      stop = error.stop;
    }
    view.setBigUint64(slot, far ?? BigInt(pc), true);
    return { stop, retired };
  }

  #fetch(pc: Addr): Insn {
    const { view, bytes } = this.#memory;
    const known = this.#decoded.get(pc);
    // Permissions are checked each time, so that a decoded instruction never outlives them.
    const length = known?.size ?? lengthOf(view.getUint8(pc));
    if (!this.#memory.allows(pc, length, PERMISSION.EXECUTE))
      throw new Trap({ kind: 'fault', access: 'fetch', address: BigInt(pc) });
    const insn = known ?? decodeAt(bytes, pc);
    if (insn === undefined) throw new Trap({ kind: 'illegal' });
    if (known === undefined) this.#decoded.set(pc, insn);
    return insn;
  }

  #count(from: Addr, to: Addr): void {
    let targets = this.#counts.get(from);
    if (targets === undefined) {
      targets = new Map();
      this.#counts.set(from, targets);
    }
    targets.set(to, (targets.get(to) ?? 0) + 1);
  }

  transfers(): Transfer[] {
    const all: Transfer[] = [];
    for (const [from, targets] of this.#counts)
      for (const [to, count] of targets)
        all.push({ from: from as number as RunAddr, to: to as number as RunAddr, count });
    return all.sort((a, b) => a.from - b.from || a.to - b.to);
  }

  invalidate(): void {
    this.#decoded.clear();
  }
  flush(): void {
    this.#decoded.clear();
  }
}

/** @param memory the memory of every hart that this engine will run */
export const makeBasic = (memory: Memory): Engine => new Basic(memory);
