/**
 * Runs the core of core.ts: instructions enter in program order, and each issues as soon as the rules allow, never before its predecessor.
 * All predictions are right and all caches hit.
 */
import { REG_COUNT } from '../base/units.ts';
import type { Insn } from '../isa/row.ts';
import { type Producer, STAGES, type Timing, TURN, timingOf } from './core.ts';

/** The cause of a cycle: issue at full width, a pipe in use or instructions that cannot pair, a turn of the fetch, a wait for a result. */
export type Cause = 'issue' | 'pair' | 'turn' | Producer;

const WIDTH = 2;

export class Pipeline {
  /** The cycle in which the last instruction issued. */
  cycle = 0;
  /** Why the last instruction issued in a later cycle than its predecessor; `issue` if both issued in one cycle. */
  cause: Cause = 'issue';
  #issued = 0;
  #a = false;
  #b = false;
  #alone = false;
  /** No instruction issues before this cycle. */
  #from = 0;
  #free = 0;
  readonly #early: Int32Array;
  readonly #late: Int32Array;
  readonly #written: Int32Array;
  readonly #producer: Producer[];

  constructor(from?: Pipeline) {
    if (from === undefined) {
      this.#early = new Int32Array(REG_COUNT);
      this.#late = new Int32Array(REG_COUNT);
      this.#written = new Int32Array(REG_COUNT).fill(-1);
      this.#producer = new Array(REG_COUNT).fill('integer');
      return;
    }
    this.cycle = from.cycle;
    this.#issued = from.#issued;
    this.#a = from.#a;
    this.#b = from.#b;
    this.#alone = from.#alone;
    this.#from = from.#from;
    this.#free = from.#free;
    this.#early = from.#early.slice();
    this.#late = from.#late.slice();
    this.#written = from.#written.slice();
    this.#producer = from.#producer.slice();
  }

  /** The cycle in which an instruction would issue next; sets `cause`. */
  when(timing: Timing): number {
    const { early, late, busy, writes, pipe } = timing;
    let at = this.cycle;
    let cause: Cause = 'issue';
    if (this.#from > at) {
      at = this.#from;
      cause = 'turn';
    }
    for (let i = 0; i < early.length; i++) {
      const reg = early[i]!;
      if (this.#early[reg]! <= at) continue;
      at = this.#early[reg]!;
      cause = this.#producer[reg]!;
    }
    for (let i = 0; i < late.length; i++) {
      const reg = late[i]!;
      if (this.#late[reg]! <= at) continue;
      at = this.#late[reg]!;
      cause = this.#producer[reg]!;
    }
    if (busy > 0 && this.#free > at) {
      at = this.#free;
      cause = timing.producer;
    }
    if (writes !== undefined && this.#written[writes]! >= at) {
      at = this.#written[writes]! + 1;
      cause = 'pair';
    }
    if (at === this.cycle && this.#issued > 0) {
      if (this.#issued === WIDTH) {
        at++;
        cause = 'issue';
      } else if (this.#alone || pipe === 'alone' || (pipe === 'A' && this.#a) || (pipe === 'B' && this.#b)) {
        at++;
        cause = 'pair';
      }
    }
    // An instruction that issues in the very next cycle has missed nothing but the chance to pair.
    if (at === this.cycle + 1 && cause !== 'issue' && cause !== 'turn')
      cause = this.#issued === WIDTH ? 'issue' : 'pair';
    this.cause = cause;
    return at;
  }

  /** Issues an instruction. @returns the cycle */
  issue(timing: Timing): number {
    const at = this.when(timing);
    if (at > this.cycle) {
      this.cycle = at;
      this.#issued = 0;
      this.#a = false;
      this.#b = false;
      this.#alone = false;
    }
    this.#issued++;
    const { pipe, writes } = timing;
    if (pipe === 'A') this.#a = true;
    else if (pipe === 'B') this.#b = true;
    else if (pipe === 'alone') this.#alone = true;
    if (timing.busy > 0) this.#free = at + timing.busy;
    if (writes !== undefined) {
      const late = timing.flexible && timing.late.some((reg) => this.#early[reg]! > at);
      this.#early[writes] = at + timing.latency + (late ? STAGES : 0);
      this.#late[writes] = at + timing.lateLatency;
      this.#written[writes] = at;
      this.#producer[writes] = timing.producer;
    }
    return at;
  }

  /** The last instruction has transferred control. */
  turn(): void {
    this.#from = this.cycle + 1 + TURN;
  }
}

/** Cycles from the first issue of a straight line to the cycle after its last issue. */
export function cycles(insns: readonly Insn[]): number {
  const pipeline = new Pipeline();
  for (const insn of insns) pipeline.issue(timingOf(insn));
  return insns.length === 0 ? 0 : pipeline.cycle + 1;
}
