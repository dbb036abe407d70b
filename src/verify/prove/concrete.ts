/**
 * Both forms of a superblock run on one concrete state, by the basic engine over real memories. A difference refutes the superblock;
 * no proof rests on this file. Memory is mapped where the forms access it, and filled with the state's bytes or with noise.
 */

import { ALL_REGS, hasReg, type RegSet, regSet, union } from '../../base/regset.ts';
import { type Addr, hex, PAGE, REG_COUNT, type Reg, regName, SP } from '../../base/units.ts';
import { facts } from '../../domain/record.ts';
import { makeBasic } from '../../engine/basic.ts';
import type { Engine } from '../../engine/engine.ts';
import { compress, encodeBytes } from '../../isa/encode.ts';
import type { Insn, InsnSource } from '../../isa/row.ts';
import { HART, type Hart } from '../../machine/hart.ts';
import { type Memory, PERMISSION } from '../../machine/memory.ts';
import { isNeeded } from './needed.ts';
import { linksAt } from './original.ts';
import type { Entry, Sides } from './sides.ts';
import { type Form, SPACE, type Space, Spaces } from './spaces.ts';
import { type Start, startByte } from './start.ts';

/** A run that cannot go on. */
class RunFailure extends Error {
  /** The access that failed, if an access has failed. */
  readonly access: string | undefined;
  constructor(what: string, access?: string) {
    super(what);
    this.access = access;
  }
}
/** The state is of no use: the forms cannot be compared on it. */
class UselessState extends Error {}

/** One form's run. */
class Run {
  readonly hart: Hart;
  readonly accesses = new Set<string>();
  readonly events: string[] = [];
  /** Addresses of bytes stored to. */
  readonly written = new Set<Addr>();
  /** The initial contents of accessed memory. */
  readonly first = new Map<bigint, number>();
  /** Address of the last linking transfer. */
  call: Addr | undefined;
  /** Code that was run. */
  readonly code = new Map<Addr, Insn>();
  readonly #form: Form;
  readonly #memory: Memory;
  readonly #engine: Engine;
  readonly #start: Start;
  readonly #pages = new Set<number>();
  readonly #isCode = new Set<Addr>();

  /** @param at address of the first instruction */
  constructor(form: Form, { memory, hart }: Space, start: Start, at: Addr) {
    this.#form = form;
    this.#memory = memory;
    this.hart = hart;
    this.#start = start;
    memory.protect(0, memory.size, 0);
    this.#engine = makeBasic(memory);
    start.registers.forEach((value, reg) => {
      hart.set(reg, value);
    });
    hart.frm = start.frm;
    hart.fflags = 0;
    hart.reservation = -1n;
    hart.pc = at;
  }

  /** The pc: any 64 bits. */
  get at(): bigint {
    return this.#memory.view.getBigUint64(this.hart.base + HART.PC, true);
  }
  byte(address: Addr): number {
    return this.#map(address) ? this.#memory.bytes[address]! : 0;
  }

  /** Maps the page of an address. @returns false where no page can be */
  #map(address: Addr): boolean {
    const page = Math.floor(address / PAGE);
    if (!(page >= 0 && page < SPACE / PAGE)) return false;
    if (this.#pages.has(page)) return true;
    this.#pages.add(page);
    const base = page * PAGE;
    this.#memory.protect(base, PAGE, PERMISSION.MAPPED | PERMISSION.READ | PERMISSION.WRITE | PERMISSION.EXECUTE);
    for (let at = base; at < base + PAGE; at++) this.#memory.bytes[at] = startByte(this.#start, BigInt(at));
    return true;
  }

  #place(insn: Insn, pc: Addr): void {
    if (this.code.has(pc)) return;
    if (insn.size === 2 && compress(insn) === undefined) throw new UselessState();
    if (!this.#map(pc) || !this.#map(pc + insn.size - 1)) throw new UselessState();
    const bytes = encodeBytes(insn, insn.size === 2);
    for (let i = 0; i < bytes.length; i++) {
      if (this.written.has(pc + i) || this.first.has(BigInt(pc + i))) throw new UselessState();
      this.#isCode.add(pc + i);
    }
    this.#memory.bytes.set(bytes, pc);
    this.code.set(pc, insn);
  }

  /** Runs the instruction at the pc. @throws RunFailure where it cannot run, UselessState where the state is of no use */
  step(source: InsnSource): Insn {
    const pc = Number(this.at);
    const insn = source.insnAt(pc);
    if (insn === undefined) throw new RunFailure(`there is no instruction at ${hex(pc)}`);
    this.#place(insn, pc);
    const { load, store, ordered, control } = facts(insn);
    if (control === 'syscall' || control === 'trap') throw new RunFailure('it comes to what no superblock holds');
    const address = BigInt.asUintN(64, this.hart.get(insn.rs1) + BigInt(insn.imm));
    if (ordered) this.events.push(`${insn.row.name} ${insn.csr} ${insn.rm} ${load || store ? hex(address) : insn.imm}`);
    if (load) this.#access('load', address, load.bytes);
    if (store) this.#access('store', address, store.bytes);
    const { stop, retired } = this.#engine.run(this.hart, 1);
    if (retired === 1) return insn;
    if (stop.kind === 'fault') {
      const access = load
        ? accessText('load', address, load.bytes)
        : store && accessText('store', address, store.bytes);
      throw new RunFailure(`it has a fault at ${hex(pc)}: a ${access ?? 'fetch'}`, access);
    }
    // An invalid rounding mode: an instruction that the original does not get past shows nothing.
    const mode = stop.kind === 'illegal' && insn.row.operands.includes('rm') && insn.rm === 7;
    if (mode && this.#form === 'was') throw new UselessState();
    throw new RunFailure(`it stops at ${hex(pc)}: ${stop.kind}`);
  }

  #access(kind: 'load' | 'store', address: bigint, bytes: number): void {
    this.accesses.add(accessText(kind, address, bytes));
    if (address >= BigInt(SPACE)) return;
    for (let i = 0; i < bytes; i++) {
      const at = Number(address) + i;
      if (this.#isCode.has(at)) throw new UselessState();
      if (!this.#map(at)) return;
      if (!this.written.has(at)) this.first.set(BigInt(at), this.#memory.bytes[at]!);
      if (kind === 'store') this.written.add(at);
    }
  }
}

const accessText = (kind: string, address: bigint, bytes: number): string =>
  `${kind} of ${bytes} bytes at ${hex(address)}`;

/** Instructions that a run may have, however short its code. */
const MOST_INSNS = 3000;
/** The bound of a run: long lines may run for longer. */
const runBound = (...runs: readonly Run[]): number => runs.reduce((most, { code }) => most + 2 * code.size, MOST_INSNS);

/** The exit of the optimized form: to an address of the original, or to any value of a computed jump. */
interface Left {
  readonly to: bigint;
  /** The address of optimized code at which it was left, if that address stands for `to`. */
  readonly at?: Addr;
  /** The exit is a jump to a computed address outside of the optimized code. */
  readonly computed: boolean;
}

const isAddress = (value: bigint): boolean => value < BigInt(SPACE);

function runOptimized(sides: Sides, entry: Entry, run: Run): Left {
  for (let steps = 0; steps < runBound(run); steps++) {
    const at = Number(run.at);
    const to = steps === 0 && entry.first ? undefined : sides.standsFor(at);
    if (to !== undefined) return { to: BigInt(to), at, computed: false };
    if (!sides.inside(at)) return { to: run.at, computed: false };
    run.step(sides.optimized);
    const next = run.at;
    if (!isAddress(next) || (!sides.inside(Number(next)) && sides.standsFor(Number(next)) === undefined))
      return { to: next, computed: true };
  }
  throw new RunFailure('it does not end');
}

export interface Difference {
  readonly text: string;
  /** The state with all bytes of memory that were accessed; other bytes do not matter. */
  readonly start: Start;
  /** The instructions that were run, by address. */
  readonly original: ReadonlyMap<Addr, Insn>;
  readonly optimized: ReadonlyMap<Addr, Insn>;
  /** Registers that count at the exit. */
  readonly counted: RegSet;
  /** The address of the optimized code at which it was left, if that address stands for an original one. */
  readonly exit: { readonly at: Addr; readonly to: Addr } | undefined;
}

/** Which registers count where the forms are compared. */
type Counted = (reg: Reg) => boolean;

/**
 * The difference of the two forms on a state; undefined if there is none, or if the forms cannot be compared.
 * @param counted registers that count at the exit, where they are known; otherwise liveness tells
 */
export function differenceOn(sides: Sides, entry: Entry, start: Start, counted?: RegSet): Difference | undefined {
  const comparison = new Comparison(sides, entry, start, counted);
  try {
    return comparison.difference();
  } catch (error) {
    if (error instanceof UselessState) return undefined;
    throw error;
  }
}

class Comparison {
  readonly #sides: Sides;
  readonly #entry: Entry;
  readonly #start: Start;
  readonly #given: RegSet | undefined;
  readonly #is: Run;
  readonly #was: Run;
  #counted: Counted = () => true;

  constructor(sides: Sides, entry: Entry, start: Start, counted: RegSet | undefined) {
    this.#sides = sides;
    this.#entry = entry;
    this.#start = start;
    this.#given = counted;
    const spaces = sides.spaces ?? new Spaces();
    this.#is = new Run('is', spaces.of('is'), start, entry.start);
    this.#was = new Run('was', spaces.of('was'), start, entry.head);
  }

  difference(): Difference | undefined {
    const [was, is] = [this.#was, this.#is];
    let left: Left | undefined;
    let trouble: RunFailure | undefined;
    try {
      left = runOptimized(this.#sides, this.#entry, is);
    } catch (error) {
      if (!(error instanceof RunFailure)) throw error;
      trouble = error;
    }
    const found = this.#follow(left);
    const text = trouble === undefined ? found : trouble.message;
    if (text === undefined) return undefined;
    const regs = Array.from({ length: REG_COUNT - 1 }, (_, index) => index + 1);
    return {
      text,
      start: { ...this.#start, bytes: new Map([...is.first, ...was.first].sort(([a], [b]) => Number(a - b))) },
      original: was.code,
      optimized: is.code,
      counted: regSet(regs.filter((reg) => this.#counted(reg))),
      exit: left?.at === undefined ? undefined : { at: left.at, to: Number(left.to) },
    };
  }

  /** Runs the original to the exit of the optimized form, or to the bound. @returns the difference at the last such place */
  #follow(left: Left | undefined): string | undefined {
    const { original, liveness } = this.#sides;
    const was = this.#was;
    let nearest = left && `the original does not come to ${hex(left.to)}`;
    /** The original has been at the exit of the optimized form. */
    let came = false;
    try {
      for (let retired = 0; retired < runBound(was, this.#is); retired++) {
        if (left !== undefined && was.at === left.to && retired >= (this.#entry.progress ? 1 : 0) && !left.computed) {
          const at = Number(was.at);
          nearest = this.#compare(liveness?.liveIn(at), (reg) => isNeeded(original, at, reg));
          if (nearest === undefined) return undefined;
          came = true;
        }
        const site = Number(was.at);
        if (!isAddress(was.at) || original.insnAt(site) === undefined) break;
        was.step(original);
        if (linksAt(original, site)) was.call = site;
        if (left?.computed && was.at === left.to) {
          const to = Number(was.at);
          // Registers that the calling convention needs at the jump, besides those read at its target.
          const needed = (reg: Reg) =>
            (isAddress(was.at) && isNeeded(original, to, reg)) || isNeeded(original, site, reg);
          nearest = this.#compare(liveness?.liveAfter(site), needed);
          if (nearest === undefined) return undefined;
          came = true;
        }
      }
    } catch (error) {
      if (!(error instanceof RunFailure)) throw error;
      // The order of two faults does not count, and an unneeded load may be left out: a fault of the original before the exit shows
      // nothing, and a fault behind the exit does not undo the difference found there.
      if (error.access !== undefined && !came) throw new UselessState();
    }
    return nearest;
  }

  /** Is this byte part of a saved return address, the optimized one in the stead of the original one (A7)? Such slots are aligned. */
  #isLink(at: Addr): boolean {
    const word = (run: { byte(at: Addr): number }) => {
      let value = 0n;
      for (let i = 7; i >= 0; i--) value = (value << 8n) | BigInt(run.byte(at - (at % 8) + i));
      return value;
    };
    const [a, b] = [word(this.#was), word(this.#is)];
    return isAddress(a) && isAddress(b) && this.#sides.returns.get(Number(b)) === Number(a);
  }

  /** @param liveThere undefined without assumption A1: every register counts */
  #compare(liveThere: RegSet | undefined, needed: (reg: Reg) => boolean): string | undefined {
    const { returns, liveness, deadFrames } = this.#sides;
    const [was, is] = [this.#was, this.#is];
    let live = liveThere ?? ALL_REGS;
    const unequal: Reg[] = [];
    for (let reg = 1; reg < REG_COUNT; reg++) {
      const [a, b] = [was.hart.get(reg), is.hart.get(reg)];
      if (a === b) continue;
      if (isAddress(b) && isAddress(a) && returns.get(Number(b)) === Number(a) && was.call !== undefined) {
        if (liveness !== undefined) live = union(live, liveness.liveAfter(was.call));
      } else unequal.push(reg);
    }
    const given = this.#given;
    this.#counted =
      given !== undefined
        ? (reg) => hasReg(given, reg)
        : (reg) => hasReg(live, reg) && (liveness === undefined || needed(reg));
    const wrong = unequal.find(this.#counted);
    if (wrong !== undefined) return `${regName(wrong)} is ${hex(is.hart.get(wrong))}, not ${hex(was.hart.get(wrong))}`;
    const stack = was.hart.get(SP);
    for (const at of new Set([...was.written, ...is.written])) {
      if (deadFrames && BigInt(at) < stack && stack - BigInt(at) < DEAD_FRAME_BYTES) continue;
      const [a, b] = [was.byte(at), is.byte(at)];
      if (a !== b && !this.#isLink(at)) return `the byte at ${hex(at)} is ${hex(b)}, not ${hex(a)}`;
    }
    if (was.hart.fflags !== is.hart.fflags || was.hart.frm !== is.hart.frm) return 'fcsr differs';
    if (was.events.join() !== is.events.join()) return 'the order of events differs';
    for (const access of is.accesses)
      if (!was.accesses.has(access)) return `it has a ${access} that the original has not`;
    return undefined;
  }
}

/** Bytes below the stack pointer in which frames may lie that were given back (assumption A8). */
const DEAD_FRAME_BYTES = 65536n;
