/**
 * Which registers are live: may a register's value still be read before it is written? A register that is not live at an exit of a
 * superblock need not hold its value there. A wrong "dead" breaks the program, a wrong "live" costs an instruction; so every unknown is
 * "live".
 *
 * Backward dataflow over all discovered code (cfg/discover.ts), not only over executed code. Direct jumps between functions are followed
 * like any other edge. Why each ending is safe:
 *
 * - *Direct call.* Live before: the callee's computed live-in, and of the registers that are live at the return point, the preserved and
 *   the kept ones (see below). Live-in needs no list of argument registers, and has the t- or s-registers that a hand-written callee reads.
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
 * Kept registers: a compiler that knows a callee keeps values in caller-saved registers across the call if the callee does not touch
 * them (gcc -fipa-ra, on at -O2). So a register is live at a function's returns if it is live at a return point of a direct caller and if
 * the function and its known callees never write it. Writes are collected only from certain paths, and only from paths that reach a return:
 * a missing write makes more registers live. At an unknown jump, kept registers are carried to all blocks of its function.
 *
 * Results beyond the psABI's: functions written by hand may return values in any register. A register that is read behind a direct call
 * before it is written is live at the callee's returns, whether the callee writes it or not. Registers that the next call takes as
 * arguments, and reads behind an unknown jump, do not count.
 *
 * Named assumption A1, "calling convention" (emit/assumptions.ts): calls through pointers, returns, and unknown jumps that leave their
 * function keep to the psABI, and function symbols with sizes tell the truth. With `assumeAbi: false` A1 is not assumed: at every call,
 * return, ebreak and unknown jump all registers are live. fcsr is not tracked: it is always live, as are sp, gp and tp.
 */
import { derived } from '../base/derived.ts';
import { type Addr, isLink, RA, type Reg, T0, ZERO } from '../base/units.ts';
import { SYSCALL_READS } from '../code/endings.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { ARGUMENTS, CLOBBERED, PASSED, POINTERS, PRESERVED, RESULTS, RETURN_ADDRESS, SYSCALL_RESULT } from './abi.ts';
import { imageAccesses, targetsOf } from './accesses.ts';
import { type CfgBlock, entersUnknown } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { functionGroups } from './groups.ts';
import { ALL_REGS, intersect, type RegSet, union, without } from './regset.ts';
import { Lists, Queue, Sets } from './sets.ts';
import { uncalled } from './uncalled.ts';
import { jumpsByLink, mayReturnBy, unseen } from './unseen-jumps.ts';

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

/** Caller-saved registers that carry no results: only these can be kept registers. */
const KEEPABLE_REGS = without(CLOBBERED, RESULTS);
const KEEPABLE_NON_ARGUMENTS = without(KEEPABLE_REGS, ARGUMENTS);
const LIVE_AT_RETURN = union(RESULTS, PRESERVED);
/** At the entry of an unknown function: a call has just written ra, a tail call has left it as it was. */
const LIVE_AT_UNKNOWN_ENTRY = union(union(PASSED, PRESERVED), RETURN_ADDRESS);

/** How the live-out set of a block is computed, beyond the union over `flow`. */
type Rule = 'flow' | 'all' | 'trap' | 'return' | 'call' | 'unknown-call' | 'linked-jump' | 'unknown-jump' | 'syscall';

/** The blocks of one function, or of a range taken for one, and the unknown jumps that may lead to any of them. */
interface Region {
  readonly blocks: number[];
  readonly jumps: number[];
}

interface Siblings {
  readonly regions: readonly Region[];
  /** By block, the region of its unknown jump, else -1. */
  readonly jump: Int32Array;
  /** By block, the regions with unknown jumps that the block is in; other regions need no union of live registers. */
  readonly of: Lists;
}

class Solver {
  readonly cfg: Cfg;
  readonly blocks: readonly CfgBlock[];
  readonly index: Map<Addr, number>;
  readonly rules: Rule[];
  /** By block: indexes of its successors; of its callee (-1: none); of the group of functions of an unknown jump in it (-1: none). */
  readonly flow: Lists;
  readonly callee: Int32Array;
  readonly group: Int32Array;
  /** By block, the blocks whose sets depend on its live-in. */
  readonly dependents: Lists;
  readonly reads: Sets;
  readonly generated: Sets;
  readonly killed: Sets;
  readonly liveIn: Sets;
  readonly liveOut: Sets;
  /** By block, registers that are certainly written by some path from it to a return. */
  readonly written: Sets;
  /** By block, kept registers, carried forward from the entries of functions to their returns. */
  readonly kept: Sets;
  /** By block, result registers beyond the psABI's, carried in the same way. */
  readonly results: Sets;
  groupLive = new Sets(0);
  jumpsOfGroup: number[][] = [];
  readonly siblings: Siblings;
  /** By block, 1 if control may go on to bytes that do not decode: an unknown extension's instruction may read any register. */
  readonly holes: Uint8Array;
  /** By block, 1 if control may come from there to a return of its function. */
  readonly comes: Uint8Array;
  /** Index of the pseudo-block that stands for functions without a known call (uncalled.ts). */
  readonly pool: number;
  /** Does a jump compute its target in an unseen way? May a jump be a return against the psABI? */
  readonly isUnseen: (block: CfgBlock) => boolean;
  readonly mayReturn: (block: CfgBlock) => boolean;
  /** Does a block that ends like a return jump to anything else than a link? */
  readonly isJump: (block: CfgBlock) => boolean;
  readonly assumeAbi: boolean;
  /** Does any call link through t0? */
  readonly usesAlternateLink: boolean;
  /** Registers other than ra and t0 that jumps leave links in, against the psABI. */
  readonly otherLinks: ReadonlySet<Reg>;

  constructor(cfg: Cfg, assumeAbi: boolean) {
    const blocks = [...cfg.blocks, uncalled(cfg)];
    const size = blocks.length;
    this.cfg = cfg;
    this.assumeAbi = assumeAbi;
    this.blocks = blocks;
    this.pool = size - 1;
    this.index = new Map(blocks.map(({ start }, i) => [start, i]));
    this.reads = new Sets(size);
    this.generated = new Sets(size);
    this.killed = new Sets(size);
    this.liveIn = new Sets(size);
    this.liveOut = new Sets(size);
    this.written = new Sets(size);
    this.kept = new Sets(size);
    this.results = new Sets(size);
    this.callee = new Int32Array(size).fill(-1);
    this.group = new Int32Array(size).fill(-1);
    this.usesAlternateLink = blocks.some(
      ({ returnPoint, site }) => returnPoint !== undefined && facts(cfg.code.insnAt(site)!).writes !== RA,
    );
    this.otherLinks = new Set(
      blocks.flatMap(({ leavesLink, site }) => (leavesLink ? [facts(cfg.code.insnAt(site)!).writes!] : [])),
    );
    this.isJump = jumpsByLink(cfg, this.usesAlternateLink ? [RA] : [RA, T0]);
    this.isUnseen = unseen(cfg);
    this.mayReturn = mayReturnBy(cfg, this.otherLinks);
    this.rules = blocks.map((block, i) => {
      this.summarise(block, i);
      const rule = this.ruleOf(block, i);
      return assumeAbi || rule === 'flow' || rule === 'syscall' ? rule : 'all';
    });
    this.makeGroups();
    this.flow = this.makeFlow();
    const { starts, items } = this.flow;
    this.dependents = new Lists(size, (add) => {
      for (let i = 0; i < size; i++) {
        for (let k = starts[i]!; k < starts[i + 1]!; k++) add(items[k]!, i);
        if (this.callee[i]! >= 0) add(this.callee[i]!, i);
      }
    });
    this.holes = Uint8Array.from(blocks, (block) => Number(entersUnknown(block)));
    this.comes = this.comesBack();
    this.siblings = this.makeSiblings();
  }

  private summarise(block: CfgBlock, i: number): void {
    const { code } = this.cfg;
    for (let at = block.start; at < block.end; ) {
      const insn = code.insnAt(at)!;
      at += insn.size;
      const { reads, writes, control } = facts(insn);
      // The system call reads the kernel's argument registers besides the registers of the instruction.
      if (control === 'syscall') {
        this.reads.add(i, SYSCALL_READS, 0);
        this.generated.add(i, SYSCALL_READS & ~this.killed.x[i]!, 0);
      }
      for (const reg of reads) {
        const [x, f] = reg < 32 ? [1 << reg, 0] : [0, 1 << (reg - 32)];
        this.reads.add(i, x, f);
        this.generated.add(i, x & ~this.killed.x[i]!, f & ~this.killed.f[i]!);
      }
      if (writes !== undefined) this.killed.add(i, writes < 32 ? 1 << writes : 0, writes < 32 ? 0 : 1 << (writes - 32));
    }
  }

  /**
   * Successors of blocks: the known ones; of an unknown jump also the targets outside its function of tables that it is seen to read, and
   * the functions without a known call. A jump with a target in the middle of a block elsewhere gets the rule 'all'.
   */
  private makeFlow(): Lists {
    const { cfg, blocks, index, group, rules } = this;
    const tables = new Map<Addr, Addr[]>();
    for (const read of imageAccesses(cfg.image).reads)
      tables.set(read.site, [...(tables.get(read.site) ?? []), ...targetsOf(cfg, read)]);
    const led = blocks.map((block, i) => {
      if (rules[i] !== 'unknown-jump') return [];
      const out = new Set<number>([this.pool]);
      for (const target of tables.get(block.site) ?? []) {
        const over = cfg.blockAt(target) ?? cfg.blockOver(target);
        const to = over && index.get(over.start)!;
        if (to !== undefined && group[to] === group[i]) continue;
        if (over?.start !== target) rules[i] = 'all';
        else if (!block.flow.includes(target)) out.add(to!);
      }
      return [...out];
    });
    return new Lists(blocks.length, (add) => {
      for (const [i, { flow }] of blocks.entries()) {
        for (const to of flow) add(i, index.get(to)!);
        for (const to of led[i]!) add(i, to);
      }
    });
  }

  private ruleOf(block: CfgBlock, i: number): Rule {
    if (i === this.pool) return 'flow';
    const { ending, target } = block;
    const last = this.cfg.code.insnAt(block.site)!;
    const linked = facts(last).writes;
    switch (ending) {
      case 'none':
      case 'branch':
      case 'jump':
        return block.flowKnown ? 'flow' : 'all';
      case 'syscall':
        return block.flowKnown ? 'syscall' : 'all';
      case 'trap':
        return 'trap';
      case 'return':
        if (last.imm !== 0 || this.isJump(block)) return 'all';
        return last.rs1 === RA || !this.usesAlternateLink ? 'return' : 'all';
      case 'call':
      case 'indirect-call': {
        const callee = target === undefined ? undefined : this.index.get(target);
        if (callee !== undefined) {
          this.callee[i] = callee;
          return linked === RA ? 'call' : 'linked-jump';
        }
        // A call through ra or t0, or with its link in another register than ra, may be a coroutine switch between caller and callee.
        if (ending === 'call' || target !== undefined || linked !== RA || isLink(last.rs1)) return 'all';
        return 'unknown-call';
      }
      case 'indirect':
        if (target !== undefined) return block.flowKnown ? 'flow' : 'all';
        // The jump may be a return to a link in another register, after which any register may be read.
        if (this.mayReturn(block) || this.isUnseen(block)) return 'all';
        return linked === undefined || linked === ZERO ? 'unknown-jump' : 'all';
    }
  }

  /**
   * Functions that an unknown jump may stay in, with their parts. All their bytes must be known to be code, else the jump's rule becomes
   * 'all'.
   */
  private makeGroups(): void {
    const { cfg, index, rules } = this;
    const jumps: number[][] = [];
    const groups: (readonly CfgBlock[])[] = [];
    for (const members of functionGroups(cfg).values()) {
      const own = members.map(({ start }) => index.get(start)!).filter((i) => rules[i] === 'unknown-jump');
      if (own.length === 0) continue;
      if (this.isWhole(members)) {
        groups.push(members);
        jumps.push(own);
      } else for (const i of own) rules[i] = 'all';
    }
    this.jumpsOfGroup = jumps;
    this.groupLive = new Sets(groups.length);
    for (const [group, members] of groups.entries())
      for (const { start } of members) {
        const i = index.get(start)!;
        this.group[i] = group;
        this.groupLive.add(group, this.reads.x[i]!, this.reads.f[i]!);
      }
  }

  /** Are all bytes of the functions that these blocks make up known to be code, as their symbols' sizes tell? */
  private isWhole(members: readonly CfgBlock[]): boolean {
    const { functions } = this.cfg;
    const covered = new Map<Addr, Addr>();
    for (const { start, end, function: owner } of members) {
      const to = covered.get(owner) ?? owner;
      covered.set(owner, start <= to ? Math.max(to, end) : to);
    }
    return [...covered].every(([entry, to]) => to >= entry + (functions.get(entry)!.size ?? Number.POSITIVE_INFINITY));
  }

  /**
   * The region in which an unknown jump may stay: its group, or else all code from one called address to the next, which is taken for a
   * function where no symbol tells.
   */
  private makeSiblings(): Siblings {
    const { blocks, callee, group, rules } = this;
    const regions: Region[] = this.jumpsOfGroup.map(() => ({ blocks: [], jumps: [] }));
    const jump = new Int32Array(blocks.length).fill(-1);
    const nearest = new Int32Array(blocks.length);
    const isEntry = new Uint8Array(blocks.length);
    for (const i of callee) if (i >= 0) isEntry[i] = 1;
    let near: number | undefined;
    blocks.forEach((block, i) => {
      if (i === this.pool) return;
      if (near === undefined || isEntry[i] === 1) near = regions.push({ blocks: [], jumps: [] }) - 1;
      nearest[i] = near;
      if (group[i]! >= 0) regions[group[i]!]!.blocks.push(i);
      regions[near]!.blocks.push(i);
      if (block.ending !== 'indirect' || block.target !== undefined) return;
      jump[i] = rules[i] === 'unknown-jump' ? group[i]! : near;
      regions[jump[i]]!.jumps.push(i);
    });
    const of = new Lists(blocks.length, (add) => {
      for (let i = 0; i < blocks.length; i++) {
        if (group[i]! >= 0 && regions[group[i]!]!.jumps.length > 0) add(i, group[i]!);
        if (regions[nearest[i]!]!.jumps.length > 0) add(i, nearest[i]!);
      }
    });
    return { regions, jump, of };
  }

  /** The fixpoint of `written`. Only certain paths that reach a return count: under-approximation is the safe side. */
  private solveWritten(): void {
    const { written, killed, blocks, flow, callee } = this;
    const sources = new Lists(blocks.length, (add) => {
      for (let i = 0; i < blocks.length; i++) {
        for (let k = flow.starts[i]!; k < flow.starts[i + 1]!; k++)
          if (this.certain(blocks[i]!, blocks[flow.items[k]!]!)) add(i, flow.items[k]!);
        if (callee[i]! >= 0) add(i, callee[i]!);
      }
    });
    const users = new Lists(blocks.length, (add) => {
      for (let i = 0; i < blocks.length; i++)
        for (let k = sources.starts[i]!; k < sources.starts[i + 1]!; k++) add(sources.items[k]!, i);
    });
    const queue = new Queue(blocks.length);
    for (let i = blocks.length - 1; i >= 0; i--) {
      if (this.comes[i] === 0) continue;
      written.add(i, killed.x[i]!, killed.f[i]!);
      if (this.rules[i] === 'unknown-call') written.add(i, CLOBBERED.x, CLOBBERED.f);
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
  }

  /**
   * Is the edge between two blocks certain? Branches and jumps are; falling through or returning from a call or ecall is so within a
   * function, if the function has a size or the next block ran.
   */
  private certain(block: CfgBlock, next: CfgBlock): boolean {
    if (!block.flow.includes(next.start) || block === this.blocks[this.pool]) return false;
    if (next.start === block.behindUnknown) return false;
    if (block.returnPoint === undefined && block.ending !== 'none' && block.ending !== 'syscall') return true;
    // The code behind a call that does not return may belong to another function.
    const leaves = next.function !== block.function;
    return !leaves && (next.count > 0 || this.cfg.functions.get(block.function)!.size !== undefined);
  }

  /** By block, 1 if control may come from it to a return of its function. Code behind a call of a function that never returns is dead. */
  private comesBack(): Uint8Array {
    const { blocks, rules, flow, callee, dependents } = this;
    const comes = new Uint8Array(blocks.length);
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
        (goes && this.holes[i] === 1);
      for (let k = flow.starts[i]!; goes && !may && k < flow.starts[i + 1]!; k++) may = comes[flow.items[k]!] === 1;
      if (!may) continue;
      comes[i] = 1;
      for (let k = dependents.starts[i]!; k < dependents.starts[i + 1]!; k++) queue.push(dependents.items[k]!);
    }
    return comes;
  }

  /**
   * First phase: `kept`, and `results`. A smaller liveness of its own: keepable registers that are seen to be read, or that unknown
   * instructions may read. An unknown jump adds no reads from outside its function, or one jump would make every function keep everything.
   * @param kept receives the registers that functions keep, or the registers that they return
   * @param results true: collects returned registers, which the callee may write; false: kept registers, which the callee does not write. A
   * read in an unknown jump's region asks for no result, nor does a read behind a call that never returns, nor the next call's arguments.
   */
  private solveKept(kept: Sets, results: boolean): void {
    const { blocks, generated, killed, written, callee, siblings, flow, dependents } = this;
    const { of } = siblings;
    const { comes, holes } = this;
    const read = new Sets(blocks.length);
    const regionLive = new Sets(siblings.regions.length);
    for (let i = 0; i < blocks.length && !results; i++)
      for (let k = of.starts[i]!; k < of.starts[i + 1]!; k++)
        regionLive.add(of.items[k]!, this.reads.x[i]! & KEEPABLE_REGS.x, this.reads.f[i]! & KEEPABLE_REGS.f);
    const backward = new Queue(blocks.length);
    const forward = new Queue(blocks.length);
    for (let i = blocks.length - 1; i >= 0; i--) backward.push(i);
    // Kept registers are carried forward only when the backward queue is empty: in few large steps, not in many small ones.
    for (;;) {
      const i = backward.shift();
      if (i === undefined) {
        if (!this.carryKept(kept, forward, backward)) break;
        continue;
      }
      let x = holes[i] === 1 ? KEEPABLE_REGS.x : 0;
      let f = holes[i] === 1 ? KEEPABLE_REGS.f : 0;
      for (let k = flow.starts[i]!; k < flow.starts[i + 1]!; k++) {
        x |= read.x[flow.items[k]!]!;
        f |= read.f[flow.items[k]!]!;
      }
      const rule = this.rules[i]!;
      const jumpsIn = siblings.jump[i]!;
      const to = callee[i]!;
      if (rule === 'call') {
        if (comes[to] === 0) x = f = 0;
        const given = results ? { x, f } : { x: x & ~written.x[to]!, f: f & ~written.f[to]! };
        if (kept.add(to, given.x, given.f)) forward.push(to);
        x &= ~written.x[to]!;
        f &= ~written.f[to]!;
      } else if (rule === 'unknown-call') {
        x = 0;
        f = 0;
      } else if (rule === 'return' || jumpsIn >= 0) {
        x |= kept.x[i]!;
        f |= kept.f[i]!;
      }
      if (to >= 0) {
        // A variadic function stores all argument registers, whether the call before has left something in them or not.
        x |= results ? read.x[to]! & ~ARGUMENTS.x : read.x[to]!;
        f |= results ? read.f[to]! & ~ARGUMENTS.f : read.f[to]!;
      }
      if (jumpsIn >= 0) {
        x |= regionLive.x[jumpsIn]!;
        f |= regionLive.f[jumpsIn]!;
      }
      // Argument registers that functions without a known call read have been set by their unknown callers.
      x &= i === this.pool ? KEEPABLE_NON_ARGUMENTS.x : KEEPABLE_REGS.x;
      f &= i === this.pool ? KEEPABLE_NON_ARGUMENTS.f : KEEPABLE_REGS.f;
      for (let k = of.starts[i]!; k < of.starts[i + 1]! && !results; k++)
        if (regionLive.add(of.items[k]!, x, f))
          for (const jump of siblings.regions[of.items[k]!]!.jumps) backward.push(jump);
      const inX = (generated.x[i]! & KEEPABLE_REGS.x) | (x & ~killed.x[i]!);
      const inF = (generated.f[i]! & KEEPABLE_REGS.f) | (f & ~killed.f[i]!);
      if (read.add(i, inX, inF))
        for (let k = dependents.starts[i]!; k < dependents.starts[i + 1]!; k++) backward.push(dependents.items[k]!);
    }
  }

  /** Carries kept registers forward to the returns that they may reach. @returns whether there was anything to do */
  private carryKept(kept: Sets, forward: Queue, backward: Queue): boolean {
    const { siblings, flow } = this;
    let some = false;
    for (let at = forward.shift(); at !== undefined; at = forward.shift()) {
      some = true;
      const region = siblings.jump[at]!;
      if (this.rules[at] === 'return' || region >= 0) backward.push(at);
      const only = at === this.pool ? KEEPABLE_NON_ARGUMENTS : KEEPABLE_REGS;
      for (let k = flow.starts[at]!; k < flow.starts[at + 1]!; k++)
        if (kept.add(flow.items[k]!, kept.x[at]! & only.x, kept.f[at]! & only.f)) forward.push(flow.items[k]!);
      if (region < 0) continue;
      for (const to of siblings.regions[region]!.blocks) if (kept.add(to, kept.x[at]!, kept.f[at]!)) forward.push(to);
    }
    return some;
  }

  solve(): void {
    if (this.assumeAbi) {
      this.solveWritten();
      this.solveKept(this.kept, false);
      this.solveKept(this.results, true);
    }
    const { blocks, liveIn, liveOut, generated, killed, groupLive, dependents } = this;
    const backward = new Queue(blocks.length);
    for (let i = blocks.length - 1; i >= 0; i--) backward.push(i);
    for (let i = backward.shift(); i !== undefined; i = backward.shift()) {
      const out = this.after(i);
      const group = this.group[i]!;
      liveOut.add(i, out.x, out.f);
      if (group >= 0 && groupLive.add(group, out.x, out.f))
        for (const jump of this.jumpsOfGroup[group]!) backward.push(jump);
      const x = generated.x[i]! | (out.x & ~killed.x[i]!);
      const f = generated.f[i]! | (out.f & ~killed.f[i]!);
      if (liveIn.add(i, x, f))
        for (let k = dependents.starts[i]!; k < dependents.starts[i + 1]!; k++) backward.push(dependents.items[k]!);
    }
  }

  /** Second phase: the live-out set of block i, from the sets so far. */
  private after(i: number): RegSet {
    let x = 0;
    let f = 0;
    const { starts, items } = this.flow;
    for (let k = starts[i]!; k < starts[i + 1]!; k++) {
      x |= this.liveIn.x[items[k]!]!;
      f |= this.liveIn.f[items[k]!]!;
    }
    const after = this.holes[i] === 1 ? ALL_REGS : { x, f };
    const callee = this.callee[i]!;
    switch (this.rules[i]!) {
      case 'flow':
        return after;
      case 'all':
        return ALL_REGS;
      case 'trap':
        return LIVE_AT_UNKNOWN_ENTRY;
      case 'syscall':
        return union(without(after, SYSCALL_RESULT), { x: SYSCALL_READS, f: 0 });
      case 'return':
        return union(LIVE_AT_RETURN, union(this.kept.get(i), this.results.get(i)));
      case 'call':
        return union(this.liveIn.get(callee), intersect(after, union(PRESERVED, this.kept.get(callee))));
      case 'linked-jump':
        return union(this.liveIn.get(callee), after);
      case 'unknown-call':
        return LIVE_AT_UNKNOWN_ENTRY;
      case 'unknown-jump':
        return union(
          union(after, union(this.kept.get(i), this.results.get(i))),
          union(LIVE_AT_UNKNOWN_ENTRY, this.groupLive.get(this.group[i]!)),
        );
    }
  }
}

/** Solves liveness for the whole graph: time linear in the code for all that was measured (a megabyte of text in well under a second). */
export function livenessOf(cfg: Cfg, { assumeAbi = true }: LivenessOptions = {}): Liveness {
  const solver = new Solver(cfg, assumeAbi);
  solver.solve();
  return {
    liveIn(address) {
      const exact = solver.index.get(address);
      if (exact !== undefined) return union(POINTERS, solver.liveIn.get(exact));
      const block = cfg.blockOver(address);
      if (block === undefined) return ALL_REGS;
      let { x, f } = solver.liveOut.get(solver.index.get(block.start)!);
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
      return union(POINTERS, solver.liveOut.get(solver.index.get(block.start)!));
    },
  };
}

/**
 * Liveness of all code that is found in an image without a profile. Optimizer and prover must use the same sets, or a sound superblock
 * would not be proved.
 */
export const imageLiveness = derived('liveness', (image: Image): Liveness => livenessOf(imageCfg(image)));
