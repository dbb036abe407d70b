/**
 * Two engines side by side, as one engine. The first runs the process's own harts and memory, the second a shadow of them. Every few
 * thousand instructions and at each stop both must agree on the stop, the instructions retired, pc, registers, floating-point state and
 * reservation; at the end of each slice, and at syscalls, also on every page that the guest can touch. At the first difference, both
 * go back to the start of the slice and a bisection of the budget finds the exact instruction; the report is thrown as an internal error.
 *
 * The shadow follows the machine by copies: before each slice, pages that differ from the process's are copied, so that it does not
 * matter how and where the kernel wrote. The comparison reads all of the guest's pages a few times a syscall: lockstep is a tool for
 * finding faults of engines, not for running programs.
 */
import { internal } from '../base/errors.ts';
import { type Addr, hex, type InsnCount, PAGE, regName } from '../base/units.ts';
import { decodeAt } from '../isa/decode.ts';
import { print } from '../isa/text.ts';
import { HART, Hart } from '../machine/hart.ts';
import { Memory, PERMISSION } from '../machine/memory.ts';
import type { Engine, Stop, Transfer } from './engine.ts';

/** Reads of the time may change it: the shadow's reads get what the first hart's reads got, at the same instruction. */
function shareTime(hart: Hart, shadow: Hart): void {
  const read = hart.time;
  const reads = new Map<InsnCount, bigint>();
  hart.time = (retired) => {
    const time = read(retired);
    reads.set(retired, time);
    return time;
  };
  shadow.time = (retired) => {
    const time = reads.get(retired) ?? read(retired);
    reads.delete(retired);
    return time;
  };
}

type MakeEngine = (memory: Memory) => Engine;

/** Instructions between comparisons of memory: enough to hide their cost, few enough to find the place again soon. */
const SLICE: InsnCount = 2 ** 20;
/** Instructions between comparisons of registers: a difference that is overwritten before the next comparison is not seen. */
const STEP: InsnCount = 2 ** 12;
/** The part of a hart's block that is architectural and in one piece; RETIRED is beside it. */
const STATE = { FROM: HART.X, TO: HART.STOP_KIND } as const;
const ANY_PERMISSION = PERMISSION.READ | PERMISSION.WRITE | PERMISSION.EXECUTE;

interface Side {
  readonly engine: Engine;
  readonly hart: Hart;
  readonly memory: Memory;
}
interface End {
  readonly stop: Stop;
  readonly retired: InsnCount;
}

class Lockstep implements Engine {
  readonly name: string;
  readonly #memory: Memory;
  readonly #shadow: Memory;
  readonly #first: Engine;
  readonly #second: Engine;
  readonly #harts = new Map<Hart, Hart>();
  /** The guest's pages at the start of the slice. */
  readonly #saved: Uint8Array;

  constructor(memory: Memory, first: MakeEngine, second: MakeEngine) {
    this.#memory = memory;
    this.#shadow = new Memory(memory.size);
    this.#first = first(memory);
    this.#second = second(this.#shadow);
    this.#saved = new Uint8Array(memory.size);
    this.name = `lockstep:${this.#first.name},${this.#second.name}`;
  }

  run(hart: Hart, budget: InsnCount, until?: number): End {
    let shadowHart = this.#harts.get(hart);
    if (shadowHart === undefined) {
      shadowHart = new Hart(this.#shadow);
      shareTime(hart, shadowHart);
      this.#harts.set(hart, shadowHart);
    }
    const first: Side = { engine: this.#first, hart, memory: this.#memory };
    const second: Side = { engine: this.#second, hart: shadowHart, memory: this.#shadow };
    const before = hart.retired;
    try {
      let done = 0;
      for (;;) {
        // An engine's counters start from hart.retired; the machine adds to hart.retired only when this call has returned.
        hart.retired = before + done;
        const end = this.#slice(first, second, Math.min(SLICE, budget - done), until);
        done += end.retired;
        if (end.stop.kind !== 'budget' || done >= budget) return { stop: end.stop, retired: done };
      }
    } finally {
      hart.retired = before;
    }
  }

  #slice(first: Side, second: Side, budget: InsnCount, until?: number): End {
    this.#mirror();
    const start = stateOf(first.hart);
    setState(second.hart, start);
    const before = first.hart.retired;
    let done = 0;
    for (;;) {
      const step = Math.min(STEP, budget - done);
      const end = first.engine.run(first.hart, step);
      const other = second.engine.run(second.hart, step);
      const late = until !== undefined && performance.now() >= until;
      const last = late || end.stop.kind !== 'budget' || done + end.retired >= budget;
      const seen = this.#differences(first, second, end, other, last);
      if (seen.length > 0) {
        const most = done + Math.min(step, Math.max(end.retired, other.retired) + 1);
        throw this.#report(first, second, start, most, seen);
      }
      done += end.retired;
      if (last) {
        const early = end.stop.kind === 'budget' && done < budget;
        return { stop: early ? { kind: 'pause' } : end.stop, retired: done };
      }
      for (const { hart } of [first, second]) hart.retired = before + done;
    }
  }

  /** Makes the shadow and the saved pages equal to the process's. */
  #mirror(): void {
    this.#shadow.protectLike(this.#memory);
    for (const [from, to] of this.#ranges()) {
      const pages = this.#memory.bytes;
      for (const copy of [this.#shadow.bytes, this.#saved])
        for (const page of differingPages(pages, copy, from, to)) {
          if (copy === this.#shadow.bytes) this.#shadow.touch(page, PAGE);
          copy.set(pages.subarray(page, page + PAGE), page);
        }
    }
  }

  #restore(first: Side, second: Side, start: Uint8Array): void {
    for (const { memory, hart } of [first, second]) {
      for (const [from, to] of this.#ranges()) {
        memory.touch(from, to - from);
        memory.bytes.set(this.#saved.subarray(from, to), from);
      }
      setState(hart, start);
    }
  }

  /** Address ranges that the guest can touch. */
  *#ranges(): Generator<readonly [Addr, Addr]> {
    const { permissions } = this.#memory;
    for (let page = 0; page < permissions.length; page++) {
      if ((permissions[page]! & ANY_PERMISSION) === 0) continue;
      const from = page;
      while (page < permissions.length && (permissions[page]! & ANY_PERMISSION) !== 0) page++;
      yield [from * PAGE, page * PAGE];
    }
  }

  /** The differences, a phrase each: stops first, then registers, then memory. */
  #differences(first: Side, second: Side, end: End, other: End, withMemory: boolean): string[] {
    const found: string[] = [];
    const differ = (what: string, a: string | number, b: string | number) => {
      if (a !== b) found.push(`${what} is ${a} and ${b}`);
    };
    differ('the stop', stopText(end.stop), stopText(other.stop));
    differ('the number of instructions retired', end.retired, other.retired);
    const [a, b] = [first.hart, second.hart];
    differ('pc', hex(pcOf(a)), hex(pcOf(b)));
    for (let reg = 1; reg < 64; reg++) differ(regName(reg), hex(a.get(reg)), hex(b.get(reg)));
    differ('fflags', hex(a.fflags), hex(b.fflags));
    differ('frm', a.frm, b.frm);
    differ('the reservation', hex(BigInt.asUintN(64, a.reservation)), hex(BigInt.asUintN(64, b.reservation)));
    if (!withMemory) return found;
    const [pages, others] = [first.memory.bytes, second.memory.bytes];
    for (const [from, to] of this.#ranges()) {
      for (const page of differingPages(pages, others, from, to)) {
        let at = page;
        while (pages[at] === others[at]) at++;
        differ(`the byte at ${hex(at)}`, hex(pages[at]!), hex(others[at]!));
      }
    }
    return found;
  }

  /** @param most a budget with which the engines are known to differ; with a budget of 0 they are equal */
  #report(first: Side, second: Side, start: Uint8Array, most: InsnCount, seen: readonly string[]): Error {
    const attempt = (budget: InsnCount): string[] => {
      this.#restore(first, second, start);
      const end = first.engine.run(first.hart, budget);
      return this.#differences(first, second, end, second.engine.run(second.hart, budget), true);
    };
    const names = `engines ${first.engine.name} and ${second.engine.name} differ`;
    let same = 0;
    let different = most;
    if (attempt(different).length === 0) {
      this.#restore(first, second, start);
      const many = `${names} somewhere in the ${most} instructions from here, but not when they run again`;
      return internal(`${many}: ${listed(seen)}`, first.hart.pc);
    }
    while (different - same > 1) {
      const middle = Math.floor((same + different) / 2);
      if (attempt(middle).length === 0) same = middle;
      else different = middle;
    }
    attempt(same);
    const pc: number = first.hart.pc;
    const insn = this.#memory.allows(pc, 2, PERMISSION.EXECUTE) ? decodeAt(this.#memory.bytes, pc) : undefined;
    const text = insn === undefined ? 'no instruction' : print(insn, pc);
    const retired = first.hart.retired + same;
    return internal(`${names} after ${text} (instruction ${retired + 1}): ${listed(attempt(different))}`, pc);
  }

  /** The first engine's counts. @throws internal() if the second has counted differently */
  transfers(): Transfer[] {
    const [mine, others] = [this.#first.transfers(), this.#second.transfers()];
    const text = (one: Transfer | undefined) =>
      one === undefined ? 'none' : `${hex(one.from)} -> ${hex(one.to)} x ${one.count}`;
    for (let i = 0; i < Math.max(mine.length, others.length); i++)
      if (text(mine[i]) !== text(others[i]))
        throw internal(
          `engines ${this.#first.name} and ${this.#second.name} count differently: ${text(mine[i])} and ${text(others[i])}`,
        );
    return mine;
  }

  invalidate(address: Addr, length: number): void {
    this.#shadow.protectLike(this.#memory);
    this.#first.invalidate(address, length);
    this.#second.invalidate(address, length);
  }

  flush(): void {
    // The kernel's writes must be in the shadow before.
    this.#mirror();
    this.#first.flush();
    this.#second.flush();
  }
}

/** Addresses of the pages of a range whose contents differ. Halves the range, so that equal stretches are one comparison. */
function* differingPages(a: Uint8Array, b: Uint8Array, from: Addr, to: Addr): Generator<Addr> {
  if (Buffer.compare(a.subarray(from, to), b.subarray(from, to)) === 0) return;
  if (to - from <= PAGE) {
    yield from;
    return;
  }
  const middle = from + Math.floor((to - from) / PAGE / 2) * PAGE;
  yield* differingPages(a, b, from, middle);
  yield* differingPages(a, b, middle, to);
}

const blockOf = (hart: Hart): Uint8Array => hart.memory.bytes.subarray(hart.base, hart.base + HART.SIZE);
/** A copy of a hart's block. */
const stateOf = (hart: Hart): Uint8Array => blockOf(hart).slice();
/** Copies the architectural part of a block into a hart. */
const setState = (hart: Hart, block: Uint8Array): void => {
  const to = blockOf(hart);
  to.set(block.subarray(STATE.FROM, STATE.TO), STATE.FROM);
  to.set(block.subarray(HART.RETIRED, HART.RETIRED + 8), HART.RETIRED);
};
const pcOf = (hart: Hart): bigint => hart.memory.view.getBigUint64(hart.base + HART.PC, true);

const stopText = (stop: Stop): string => {
  if (stop.kind === 'fault') return `a ${stop.access} fault at ${hex(stop.address)}`;
  return stop.kind === 'misaligned' ? `misaligned at ${hex(stop.address)}` : stop.kind;
};
const listed = (differences: readonly string[]): string => {
  const shown = differences.slice(0, 6).join(', ');
  return differences.length > 6 ? `${shown}, and ${differences.length - 6} more` : shown;
};

/**
 * @param memory the process's memory; a second memory of the same size is made for the shadow
 * @param first makes the engine that runs the process itself, and whose counts are given
 * @param second makes the engine that runs the shadow
 * @returns an engine whose run() throws internal() at the first difference, naming the instruction and the differences after it
 */
export const makeLockstep = (memory: Memory, first: MakeEngine, second: MakeEngine): Engine =>
  new Lockstep(memory, first, second);
