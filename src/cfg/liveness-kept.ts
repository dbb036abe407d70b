/**
 * Registers that are live at the returns of functions beyond those of the calling convention: a smaller liveness of its own, solved before
 * the liveness of all registers (liveness.ts).
 *
 * *Kept registers*: a compiler that knows a callee keeps values in caller-saved registers across the call if the callee does not touch them
 * (gcc -fipa-ra, on at -O2). So a register is live at a function's returns if it is live at a return point of a direct caller and if the
 * function and its known callees never write it. Writes are collected only from certain paths, and only from paths that reach a return: a
 * missing write makes more registers live. At an unknown jump, kept registers are carried to all blocks of its function.
 *
 * *Results beyond the psABI's*: functions written by hand may return values in any register. A register that is read behind a direct call
 * before it is written is live at the callee's returns, whether the callee writes it or not. Registers that the next call takes as
 * arguments, and reads behind an unknown jump, do not count.
 */

import { append } from '../base/lists.ts';
import { without } from '../base/regset.ts';
import { ARGUMENTS, CLOBBERED, RESULTS } from './abi.ts';
import type { CfgBlock } from './block.ts';
import { groupsByBlock } from './groups.ts';
import { type JumpRegions, jumpRegions } from './jump-regions.ts';
import { landingsByGroup } from './landings.ts';
import type { LivenessGraph } from './liveness-graph.ts';
import { Lists, Queue, Sets } from './sets.ts';

/** Caller-saved registers that carry no results: only these can be kept registers. */
const KEEPABLE_REGS = without(CLOBBERED, RESULTS);
const KEEPABLE_NON_ARGUMENTS = without(KEEPABLE_REGS, ARGUMENTS);

/** By block, the registers that are live at returns of its function, as far as control may come there from the function's entry. */
export interface LiveAtReturns {
  readonly kept: Sets;
  readonly results: Sets;
}

export function liveAtReturns(graph: LivenessGraph): LiveAtReturns {
  const comes = comesBack(graph);
  const written = certainlyWritten(graph, comes);
  const regions = jumpRegions(graph);
  return {
    kept: new ReadSolver({ graph, comes, written, regions, wanted: 'kept' }).solve(),
    results: new ReadSolver({ graph, comes, written, regions, wanted: 'results' }).solve(),
  };
}

/** By block, 1 if control may come from it to a return of its function. Code behind a call of a function that never returns is dead. */
function comesBack(graph: LivenessGraph): Uint8Array {
  const { blocks, rules, flow, callee, dependents, holes } = graph;
  const comes = new Uint8Array(blocks.length);
  const { padsOf, callsTo } = padEdges(graph);
  const queue = new Queue(blocks.length);
  for (let i = blocks.length - 1; i >= 0; i--) queue.push(i);
  for (let i = queue.shift(); i !== undefined; i = queue.shift()) {
    if (comes[i] === 1) continue;
    const rule = rules[i]!;
    const goes = rule !== 'call' || comes[callee[i]!] === 1;
    let may =
      rule === 'return' ||
      rule === 'unknown-jump' ||
      (rule === 'all' && blocks[i]!.returnPoint === undefined) ||
      (goes && holes[i] === 1);
    for (let k = flow.starts[i]!; goes && !may && k < flow.starts[i + 1]!; k++) may = comes[flow.items[k]!] === 1;
    may ||= padsOf.get(i)?.some((pad) => comes[pad] === 1) ?? false;
    if (!may) continue;
    comes[i] = 1;
    for (const call of callsTo.get(i) ?? []) queue.push(call);
    for (let k = dependents.starts[i]!; k < dependents.starts[i + 1]!; k++) queue.push(dependents.items[k]!);
  }
  return comes;
}

/** By a block with a call, the blocks with landing pads or labels of its function, where the call may come back; by such a block the calls. */
function padEdges({
  cfg,
  blocks,
  index,
}: LivenessGraph): Record<'padsOf' | 'callsTo', ReadonlyMap<number, readonly number[]>> {
  const groupOf = groupsByBlock(cfg);
  const pads = new Map(
    [...landingsByGroup(cfg)].map(([group, addresses]) => [
      group,
      addresses.map((pad) => index.get((cfg.blockAt(pad) ?? cfg.blockOver(pad))!.start)!),
    ]),
  );
  const padsOf = new Map<number, readonly number[]>();
  const callsTo = new Map<number, number[]>();
  for (const [i, { start, returnPoint }] of blocks.entries()) {
    const own = returnPoint === undefined ? undefined : pads.get(groupOf.get(start)!);
    if (own === undefined) continue;
    padsOf.set(i, own);
    for (const pad of own) append(callsTo, pad, i);
  }
  return { padsOf, callsTo };
}

/**
 * By block, registers that are certainly written by some path from it to a return. Only certain paths that reach a return count:
 * under-approximation is the safe side.
 */
function certainlyWritten(graph: LivenessGraph, comes: Uint8Array): Sets {
  const { killed, blocks, flow, callee, rules } = graph;
  const written = new Sets(blocks.length);
  const sources = new Lists(blocks.length, (add) => {
    for (let i = 0; i < blocks.length; i++) {
      for (let k = flow.starts[i]!; k < flow.starts[i + 1]!; k++)
        if (isCertain(graph, blocks[i]!, blocks[flow.items[k]!]!)) add(i, flow.items[k]!);
      if (callee[i]! >= 0) add(i, callee[i]!);
    }
  });
  const users = new Lists(blocks.length, (add) => {
    for (let i = 0; i < blocks.length; i++)
      for (let k = sources.starts[i]!; k < sources.starts[i + 1]!; k++) add(sources.items[k]!, i);
  });
  const queue = new Queue(blocks.length);
  for (let i = blocks.length - 1; i >= 0; i--) {
    if (comes[i] === 0) continue;
    written.add(i, killed.x[i]!, killed.f[i]!);
    if (rules[i] === 'unknown-call') written.add(i, CLOBBERED.x, CLOBBERED.f);
    queue.push(i);
  }
  for (let i = queue.shift(); i !== undefined; i = queue.shift()) {
    let grew = false;
    for (let k = sources.starts[i]!; k < sources.starts[i + 1]!; k++) {
      const from = sources.items[k]!;
      grew = written.add(i, written.x[from]!, written.f[from]!) || grew;
    }
    if (grew) for (let k = users.starts[i]!; k < users.starts[i + 1]!; k++) queue.push(users.items[k]!);
  }
  return written;
}

/**
 * Is the edge between two blocks certain? Branches and jumps are; falling through or returning from a call or ecall is so within a
 * function, if the function has a size or the next block ran.
 */
function isCertain({ blocks, pool, cfg }: LivenessGraph, block: CfgBlock, next: CfgBlock): boolean {
  if (!block.flow.includes(next.start) || block === blocks[pool]) return false;
  if (next.start === block.behindUnknown) return false;
  if (block.returnPoint === undefined && block.ending !== 'none' && block.ending !== 'syscall') return true;
  // The code behind a call that does not return may belong to another function.
  const leaves = next.function !== block.function;
  return !leaves && (next.count > 0 || cfg.functions.get(block.function)!.size !== undefined);
}

interface ReadRequest {
  readonly graph: LivenessGraph;
  readonly comes: Uint8Array;
  readonly written: Sets;
  readonly regions: JumpRegions;
  /**
   * Collected are `kept` registers, which the callee does not write, or registers of `results`, which the callee may write. A read in an
   * unknown jump's region asks for no result, nor does a read behind a call that never returns, nor the next call's arguments.
   */
  readonly wanted: keyof LiveAtReturns;
}

/**
 * Where keepable registers are seen to be read, or may be read by unknown instructions: backward from reads to the calls before them, then
 * forward from the entries of the functions called to their returns, and so on. An unknown jump adds no reads from outside its function, or
 * one jump would make every function keep everything.
 */
class ReadSolver {
  readonly #graph: LivenessGraph;
  readonly #comes: Uint8Array;
  readonly #written: Sets;
  readonly #regions: JumpRegions;
  readonly #forResults: boolean;
  /** By block, the keepable registers that are live before it. */
  readonly #read: Sets;
  /** By region, the keepable registers that are live or read anywhere in it. */
  readonly #regionLive: Sets;
  /** By block, the registers wanted at returns, carried forward from the entries of functions. */
  readonly #wanted: Sets;
  readonly #backward: Queue;
  readonly #forward: Queue;

  constructor({ graph, comes, written, regions, wanted }: ReadRequest) {
    const size = graph.blocks.length;
    this.#graph = graph;
    this.#comes = comes;
    this.#written = written;
    this.#regions = regions;
    this.#forResults = wanted === 'results';
    this.#read = new Sets(size);
    this.#regionLive = new Sets(regions.regions.length);
    this.#wanted = new Sets(size);
    this.#backward = new Queue(size);
    this.#forward = new Queue(size);
  }

  solve(): Sets {
    const { blocks, reads } = this.#graph;
    const { of } = this.#regions;
    for (let i = 0; i < blocks.length && !this.#forResults; i++)
      for (let k = of.starts[i]!; k < of.starts[i + 1]!; k++)
        this.#regionLive.add(of.items[k]!, reads.x[i]! & KEEPABLE_REGS.x, reads.f[i]! & KEEPABLE_REGS.f);
    for (let i = blocks.length - 1; i >= 0; i--) this.#backward.push(i);
    // Registers are carried forward only when the backward queue is empty: in few large steps, not in many small ones.
    do {
      for (let i = this.#backward.shift(); i !== undefined; i = this.#backward.shift()) this.#goBack(i);
    } while (this.#carryForward());
    return this.#wanted;
  }

  /** Updates the registers that are live before a block. */
  #goBack(i: number): void {
    const { generated, killed, callee, flow, dependents, rules, holes, pool } = this.#graph;
    const read = this.#read;
    const written = this.#written;
    const wanted = this.#wanted;
    let x = holes[i] === 1 ? KEEPABLE_REGS.x : 0;
    let f = holes[i] === 1 ? KEEPABLE_REGS.f : 0;
    for (let k = flow.starts[i]!; k < flow.starts[i + 1]!; k++) {
      x |= read.x[flow.items[k]!]!;
      f |= read.f[flow.items[k]!]!;
    }
    const rule = rules[i]!;
    const jumpsIn = this.#regions.jump[i]!;
    const to = callee[i]!;
    if (rule === 'call') {
      if (this.#comes[to] === 0) x = f = 0;
      const keptX = x & ~written.x[to]!;
      const keptF = f & ~written.f[to]!;
      if (this.#forResults ? wanted.add(to, x, f) : wanted.add(to, keptX, keptF)) this.#forward.push(to);
      x = keptX;
      f = keptF;
    } else if (rule === 'unknown-call') {
      x = 0;
      f = 0;
    } else if (rule === 'return' || jumpsIn >= 0) {
      x |= wanted.x[i]!;
      f |= wanted.f[i]!;
    }
    if (to >= 0) {
      // A variadic function stores all argument registers, whether the call before has left something in them or not.
      x |= this.#forResults ? read.x[to]! & ~ARGUMENTS.x : read.x[to]!;
      f |= this.#forResults ? read.f[to]! & ~ARGUMENTS.f : read.f[to]!;
    }
    if (jumpsIn >= 0) {
      x |= this.#regionLive.x[jumpsIn]!;
      f |= this.#regionLive.f[jumpsIn]!;
    }
    // Argument registers that functions without a known call read have been set by their unknown callers.
    const only = i === pool ? KEEPABLE_NON_ARGUMENTS : KEEPABLE_REGS;
    x &= only.x;
    f &= only.f;
    if (!this.#forResults) this.#noteInRegions(i, x, f);
    const inX = (generated.x[i]! & KEEPABLE_REGS.x) | (x & ~killed.x[i]!);
    const inF = (generated.f[i]! & KEEPABLE_REGS.f) | (f & ~killed.f[i]!);
    if (read.add(i, inX, inF))
      for (let k = dependents.starts[i]!; k < dependents.starts[i + 1]!; k++) this.#backward.push(dependents.items[k]!);
  }

  /** Registers that are live behind a block are live at the unknown jumps of its regions. */
  #noteInRegions(i: number, x: number, f: number): void {
    const { of, regions } = this.#regions;
    for (let k = of.starts[i]!; k < of.starts[i + 1]!; k++)
      if (this.#regionLive.add(of.items[k]!, x, f))
        for (const jump of regions[of.items[k]!]!.jumps) this.#backward.push(jump);
  }

  /** Carries wanted registers forward to the returns that they may reach. @returns whether there was anything to do */
  #carryForward(): boolean {
    const { flow, rules, pool } = this.#graph;
    const { jump, regions } = this.#regions;
    const wanted = this.#wanted;
    const forward = this.#forward;
    let some = false;
    for (let at = forward.shift(); at !== undefined; at = forward.shift()) {
      some = true;
      const region = jump[at]!;
      if (rules[at] === 'return' || region >= 0) this.#backward.push(at);
      const only = at === pool ? KEEPABLE_NON_ARGUMENTS : KEEPABLE_REGS;
      for (let k = flow.starts[at]!; k < flow.starts[at + 1]!; k++)
        if (wanted.add(flow.items[k]!, wanted.x[at]! & only.x, wanted.f[at]! & only.f)) forward.push(flow.items[k]!);
      if (region < 0) continue;
      for (const to of regions[region]!.blocks) if (wanted.add(to, wanted.x[at]!, wanted.f[at]!)) forward.push(to);
    }
    return some;
  }
}
