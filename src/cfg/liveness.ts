/**
 * Which registers are live: may a register's value still be read before it is written? A register that is not live at an exit of a
 * superblock need not hold its value there. A wrong "dead" breaks the program, a wrong "live" costs an instruction; so every unknown is
 * "live".
 *
 * Backward dataflow over all discovered code (code/discover.ts), not only over executed code. Direct jumps between functions are followed
 * like any other edge. Why each ending is safe:
 *
 * - *Direct call.* Live before: the callee's computed live-in, and of the registers that are live at the return point, the preserved and
 *   the kept ones. Live-in needs no list of argument registers, and has the t- or s-registers that a hand-written callee reads.
 *   Results (a0 ...) are live at returns, so a callee that does not write a result register on some path has it in its live-in. Millicode
 *   (__riscv_save_N, linked through t0) returns through t0, where all registers are live.
 * - *Return through ra.* A jump to ra is a return if on all known paths ra holds the link of a call, kept in registers or on the stack
 *   (`jumpsByLink`); a load of ra in a function that changes to another stack or frame is no return. Live: results, also those beyond the
 *   psABI's, preserved registers, kept registers. *Return through t0*: the same if no call links through t0 and the program has copied ra
 *   to t0. At any other jump to ra or t0 all registers are live.
 * - *Unknown call.* Live: argument registers, t2, preserved registers, and the link in ra, by which the callee returns. So preserved
 *   registers are live before any call that may unwind: landing pads of exceptions, which no edge leads to, can only count on these (and on
 *   a0, a1, which the unwinder passes in a return). At an unknown call through ra or t0, or with another link than ra, all registers are
 *   live: caller and callee may be coroutines.
 * - *Unknown jump* to an address that is loaded, passed or returned, in a function whose symbol has a size and whose bytes, with those of
 *   its parts, all decode. Live: registers that are read or live anywhere in that function, for a computed goto; registers live at the
 *   targets of tables that the jump is seen to read, in any function; registers that named functions without a known call read (parts of
 *   an interpreter written by hand); and arguments, t2, preserved registers and ra, for a tail call. All registers are live at an unknown
 *   jump elsewhere, at one that computes its target in an unseen way, and at one that may be a return by another link.
 * - *ecall.* Reads a0..a7, writes a0; the kernel preserves all other registers (Linux RISC-V system call ABI).
 * - *ebreak* does not go on. A handler may leave it by unwinding or longjmp. Live: arguments, t2, preserved registers, ra.
 * - *Bytes that do not decode, addresses where no code was found*: all registers are live.
 *
 * Kept registers, and results beyond the psABI's: liveness-kept.ts says which registers these are, and why they are enough.
 *
 * Named assumption A1, "calling convention" (emit/assumptions.ts): calls through pointers, returns, and unknown jumps that leave their
 * function keep to the psABI, and function symbols with sizes tell the truth. With `assumeAbi: false` A1 is not assumed: at every call,
 * return, ebreak and unknown jump all registers are live. fcsr is not tracked: it is always live, as are sp, gp and tp.
 */
import { derived } from '../base/derived.ts';
import { ALL_REGS, intersect, type RegSet, union, without } from '../base/regset.ts';
import type { Addr } from '../base/units.ts';
import { SYSCALL_READS } from '../code/endings.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { PASSED, POINTERS, PRESERVED, RESULTS, RETURN_ADDRESS, SYSCALL_RESULT } from './abi.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { LivenessGraph } from './liveness-graph.ts';
import { type LiveAtReturns, liveAtReturns } from './liveness-kept.ts';
import { Queue, Sets } from './sets.ts';

export interface Liveness {
  /** Registers live before the instruction at an address; all registers where no code is known. */
  liveIn(address: Addr): RegSet;
  /**
   * Registers live right after the control transfer at an address, for all its targets: for a call, the needs of callee and return point
   * together; for a return, the registers that a caller may count on. All registers if no block ends there.
   */
  liveAfter(site: Addr): RegSet;
}

export interface LivenessOptions {
  /** Assumption A1; default true. */
  readonly assumeAbi?: boolean;
}

const LIVE_AT_RETURN = union(RESULTS, PRESERVED);
/** At the entry of an unknown function: a call has just written ra, a tail call has left it as it was. */
const LIVE_AT_UNKNOWN_ENTRY = union(union(PASSED, PRESERVED), RETURN_ADDRESS);

/** The registers live before and behind each block: the least sets that satisfy all rules. */
class Solver {
  readonly liveIn: Sets;
  readonly liveOut: Sets;
  readonly #graph: LivenessGraph;
  readonly #atReturns: LiveAtReturns;
  /** By group of functions with unknown jumps, the registers that are read or live anywhere in it. */
  readonly #groupLive: Sets;

  constructor(graph: LivenessGraph) {
    const size = graph.blocks.length;
    this.#graph = graph;
    this.#atReturns = graph.assumeAbi ? liveAtReturns(graph) : { kept: new Sets(size), results: new Sets(size) };
    this.liveIn = new Sets(size);
    this.liveOut = new Sets(size);
    const { group, reads } = graph;
    this.#groupLive = new Sets(graph.jumpsOfGroup.length);
    for (let i = 0; i < size; i++) if (group[i]! >= 0) this.#groupLive.add(group[i]!, reads.x[i]!, reads.f[i]!);
  }

  solve(): void {
    const { blocks, generated, killed, dependents, group, jumpsOfGroup } = this.#graph;
    const { liveIn, liveOut } = this;
    const queue = new Queue(blocks.length);
    for (let i = blocks.length - 1; i >= 0; i--) queue.push(i);
    for (let i = queue.shift(); i !== undefined; i = queue.shift()) {
      const out = this.#behind(i);
      const of = group[i]!;
      liveOut.add(i, out.x, out.f);
      if (of >= 0 && this.#groupLive.add(of, out.x, out.f)) for (const jump of jumpsOfGroup[of]!) queue.push(jump);
      const x = generated.x[i]! | (out.x & ~killed.x[i]!);
      const f = generated.f[i]! | (out.f & ~killed.f[i]!);
      if (liveIn.add(i, x, f))
        for (let k = dependents.starts[i]!; k < dependents.starts[i + 1]!; k++) queue.push(dependents.items[k]!);
    }
  }

  /** The registers live behind block i, from the sets so far. */
  #behind(i: number): RegSet {
    const { flow, holes, callee: callees, group, rules } = this.#graph;
    const { kept, results } = this.#atReturns;
    let x = 0;
    let f = 0;
    for (let k = flow.starts[i]!; k < flow.starts[i + 1]!; k++) {
      x |= this.liveIn.x[flow.items[k]!]!;
      f |= this.liveIn.f[flow.items[k]!]!;
    }
    const after = holes[i] === 1 ? ALL_REGS : { x, f };
    const callee = callees[i]!;
    switch (rules[i]!) {
      case 'flow':
        return after;
      case 'all':
        return ALL_REGS;
      case 'trap':
        return LIVE_AT_UNKNOWN_ENTRY;
      case 'syscall':
        return union(without(after, SYSCALL_RESULT), { x: SYSCALL_READS, f: 0 });
      case 'return':
        return union(LIVE_AT_RETURN, union(kept.get(i), results.get(i)));
      case 'call':
        return union(this.liveIn.get(callee), intersect(after, union(PRESERVED, kept.get(callee))));
      case 'linked-jump':
        return union(this.liveIn.get(callee), after);
      case 'unknown-call':
        return LIVE_AT_UNKNOWN_ENTRY;
      case 'unknown-jump':
        return union(
          union(after, union(kept.get(i), results.get(i))),
          union(LIVE_AT_UNKNOWN_ENTRY, this.#groupLive.get(group[i]!)),
        );
    }
  }
}

/** Solves liveness for the whole graph: time linear in the code for all that was measured (a megabyte of text in well under a second). */
export function livenessOf(cfg: Cfg, { assumeAbi = true }: LivenessOptions = {}): Liveness {
  const graph = new LivenessGraph(cfg, assumeAbi);
  const solver = new Solver(graph);
  solver.solve();
  return {
    liveIn(address) {
      const exact = graph.index.get(address);
      if (exact !== undefined) return union(POINTERS, solver.liveIn.get(exact));
      const block = cfg.blockOver(address);
      if (block === undefined) return ALL_REGS;
      let { x, f } = solver.liveOut.get(graph.index.get(block.start)!);
      for (const { insn } of insnsOf(cfg, { start: address, end: block.end }).reverse()) {
        const { reads, writes } = facts(insn);
        if (writes !== undefined && writes < 32) x &= ~(1 << writes);
        else if (writes !== undefined) f &= ~(1 << (writes - 32));
        for (const reg of reads)
          if (reg < 32) x |= 1 << reg;
          else f |= 1 << (reg - 32);
      }
      return union(POINTERS, { x, f });
    },
    liveAfter(site) {
      const block = cfg.blockOver(site);
      if (block?.site !== site) return ALL_REGS;
      return union(POINTERS, solver.liveOut.get(graph.index.get(block.start)!));
    },
  };
}

/**
 * Liveness of all code that is found in an image without a profile. Optimizer and prover must use the same sets, or a sound superblock
 * would not be proved.
 */
export const imageLiveness = derived('liveness', (image: Image): Liveness => livenessOf(imageCfg(image)));
