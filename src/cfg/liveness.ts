/**
 * Which registers are live: may their value still be read before it is written? What is not live at an exit of a superblock need
 * not be there. A wrong "dead" breaks the program, a wrong "live" costs an instruction; so every unknown is "live".
 *
 * Backward dataflow over all discovered code (cfg/discover.ts), not only over what ran. Direct jumps between functions are followed
 * like any other. Why each ending is safe:
 *
 * - *Direct call.* Live before: the callee's real live-in, and of what is live at the return point: the preserved registers, and the
 *   kept ones (see there). The callee's real live-in needs no list of argument
 *   registers: hand-written callees that read t- or s-registers have them in it. Results (a0 ...) are live at returns, so a callee that
 *   leaves one alone on some path has it live-in. Millicode (__riscv_save_N, linked through t0) returns through t0, where all is live.
 * - *Return through ra*: to what a call has left in it, kept in registers or on the stack, on all ways that are seen (`jumpsByLink`). Live: results,
 *   also those beyond the psABI's, preserved registers, kept registers. *Through t0*: the same where nothing is called with that link (then someone has put ra
 *   there). Anything else that jumps to ra or t0: all.
 * - *Unknown call.* Arguments and preserved registers. So preserved registers are live before any call that may unwind: landing pads
 *   of exceptions, which no edge leads to, can only count on those (and on a0, a1, which the unwinder passes in a return). Through ra or t0, with another link:
 *   all, for whoever is called may change places with the caller.
 * - *Unknown jump* to an address that is loaded, passed or returned, in a function whose symbol has a size and whose bytes, with those of its
 *   parts, all decode: everything read or live anywhere in that function, for a computed goto; what is live where tables lead that it is seen to read, in whatever
 *   function; what functions read that symbols name and nobody is seen to call (an interpreter's, written by hand); and arguments, preserved registers
 *   and ra, for a tail call. One that computes its target so that it is not seen, or that may be a return by another link, or elsewhere: all.
 * - *ecall.* Reads a0..a7, writes a0; the kernel keeps the rest (Linux RISC-V system call ABI).
 * - *ebreak* does not go on. A handler may leave it by unwinding or longjmp: arguments, preserved registers, ra.
 * - *Bytes that are no instruction, addresses where no code was found*: all.
 *
 * Kept registers: a compiler that knows a callee keeps values in caller-saved registers across the call if the callee does not touch
 * them (gcc -fipa-ra, on at -O2). So a register that is live at a return point of a function's direct callers, and that the function
 * (with all it is seen to call) never writes, is live at the function's returns. What a function writes is taken from certain paths only:
 * too few writes means more registers live; so does what is only written where nobody comes back from. Behind an unknown jump they are carried to all of its function.
 *
 * Results beyond the psABI's: functions written by hand may return in any register. What is seen to be read behind a direct call, before it is
 * written, is live at the returns of the function that is called, whether it writes it or not; but for what the next call takes as arguments,
 * and what is read behind an unknown jump.
 *
 * Named assumption A1, "calling convention" (emit/assumptions.ts): calls through pointers, returns, and unknown jumps that leave their function keep to the
 * psABI, and function symbols with sizes tell the truth. With `assumeAbi: false` nothing of that is assumed: at every call, return and unknown jump
 * all registers are live. fcsr is not tracked: it is always live, as are sp, gp and tp.
 */
import type { Addr, Reg } from '../base/units.ts';
import { RA, ZERO } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { isLink, SYSCALL_READS, T0 } from '../profile/flow.ts';
import { ARGUMENTS, CLOBBERED, PASSED, POINTERS, PRESERVED, RESULTS, RETURN_ADDRESS, SYSCALL_RESULT } from './abi.ts';
import { imageAccesses, targetsOf } from './accesses.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { functionGroups } from './groups.ts';
import { ALL_REGS, intersect, type RegSet, union, without } from './regset.ts';
import { Lists, Queue, Sets } from './sets.ts';
import { uncalled } from './uncalled.ts';
import { jumpsByLink, mayReturnBy, unseen } from './unseen-jumps.ts';

export interface Liveness {
  /** Live before the instruction at this address. All registers where no code is known. */
  liveIn(address: Addr): RegSet;
  /**
   * Live right after the control transfer at this address, wherever it went: for a call, what callee and return point need together; for
   * a return, what a caller may count on. All registers if no block ends there.
   */
  liveAfter(site: Addr): RegSet;
}

export interface LivenessOptions {
  /** Assumption A1; default true. */
  readonly assumeAbi?: boolean;
}

/** Caller-saved registers that carry no results: only these can be kept registers. */
const KEEPABLE = without(CLOBBERED, RESULTS);
const NO_ARGUMENTS = without(KEEPABLE, ARGUMENTS);
const AT_RETURN = union(RESULTS, PRESERVED);
const AT_UNKNOWN_CALL = union(PASSED, PRESERVED);
const AT_TAIL_CALL = union(AT_UNKNOWN_CALL, RETURN_ADDRESS);

/** How the set after a block is made up, beyond the union over `flow`. */
type Rule = 'flow' | 'all' | 'trap' | 'return' | 'call' | 'unknown-call' | 'linked-jump' | 'unknown-jump' | 'syscall';

/** Blocks of (what is taken to be) one function, and the unknown jumps that may lead to any of them. */
interface Region {
  readonly blocks: number[];
  readonly jumps: number[];
}

interface Siblings {
  readonly regions: readonly Region[];
  /** For an unknown jump its region, else -1. */
  readonly jump: Int32Array;
  /** The regions each block is in, of those that something jumps about in: others need no sums. */
  readonly of: Lists;
}

class Solver {
  readonly cfg: Cfg;
  readonly blocks: readonly CfgBlock[];
  readonly index: Map<Addr, number>;
  readonly rules: Rule[];
  /** Indexes of `flow`; of the callee (-1: none); of the group of functions an unknown jump stays in (-1: none). */
  readonly flow: Lists;
  readonly callee: Int32Array;
  readonly group: Int32Array;
  /** Blocks whose sets depend on this one's live-in. */
  readonly dependents: Lists;
  readonly reads: Sets;
  readonly generated: Sets;
  readonly killed: Sets;
  readonly liveIn: Sets;
  readonly liveOut: Sets;
  /** What is certainly written somewhere from here to the return. */
  readonly written: Sets;
  /** Kept registers on the way from an entry to its returns. */
  readonly kept: Sets;
  /** In the same way what they return beyond the psABI's results. */
  readonly results: Sets;
  groupLive = new Sets(0);
  jumpsOfGroup: number[][] = [];
  readonly siblings: Siblings;
  /** By block, 1 if control may go on to what is no instruction that is known: an extension's, which may read anything. */
  readonly holes: Uint8Array;
  /** By block, 1 if control may come from there to a return of its function. */
  readonly comes: Uint8Array;
  /** The index of what stands for functions that nobody is seen to call. */
  readonly pool: number;
  /** Does a jump compute where it leads? May it be a return against the psABI? */
  readonly isUnseen: (block: CfgBlock) => boolean;
  readonly mayReturn: (block: CfgBlock) => boolean;
  /** Is this return seen to be none? */
  readonly isJump: (block: CfgBlock) => boolean;
  readonly assumeAbi: boolean;
  /** Does any call link through t0? */
  readonly usesAlternateLink: boolean;
  /** Registers that are linked through besides, against the psABI. */
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
    this.holes = Uint8Array.from(blocks, ({ flowKnown, ending, target }) =>
      Number(
        !flowKnown &&
          ending !== 'return' &&
          ending !== 'trap' &&
          !((ending === 'indirect' || ending === 'indirect-call') && target === undefined),
      ),
    );
    this.comes = this.comesBack();
    this.siblings = this.makeSiblings();
  }

  private summarise(block: CfgBlock, i: number): void {
    const { code } = this.cfg;
    for (let at = block.start; at < block.end; ) {
      const insn = code.insnAt(at)!;
      at += insn.size;
      const { reads, writes, control } = facts(insn);
      // The system call reads what is its own as well as what the instruction says.
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
   * Where control may go: by what is known; from an unknown jump also to where tables lead that it is seen to read, out of its function, and to the
   * functions that nobody is seen to call. What leads into the middle of a block elsewhere is not followed.
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
        // Whoever jumps to a link and leaves another may change places with who has called it.
        if (ending === 'call' || target !== undefined || linked !== RA || isLink(last.rs1)) return 'all';
        return 'unknown-call';
      }
      case 'indirect':
        if (target !== undefined) return block.flowKnown ? 'flow' : 'all';
        // It may be a return to where a jump has left a link in this register, with what registers ever.
        if (this.mayReturn(block) || this.isUnseen(block)) return 'all';
        return linked === undefined || linked === ZERO ? 'unknown-jump' : 'all';
    }
  }

  /**
   * Functions that an unknown jump may stay in, with their parts: all of those must be known to the last byte, else the jump's rule becomes
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
   * Where an unknown jump may lead within its function: its group, or else all code from one called address to the next, which is
   * what a function is taken to be where no symbol tells.
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

  /** The fixpoint of `written`. Only certain paths count, and of those the ones that come back: under-approximation is the safe side. */
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

  /** Does control that comes to the end of a block certainly go on to the next, as long as it stays in the function? */
  private certain(block: CfgBlock, next: CfgBlock): boolean {
    if (!block.flow.includes(next.start) || block === this.blocks[this.pool]) return false;
    if (block.returnPoint === undefined && block.ending !== 'none' && block.ending !== 'syscall') return true;
    // Behind a call that does not return may lie another function.
    const leaves = next.function !== block.function;
    return !leaves && (next.count > 0 || this.cfg.functions.get(block.function)!.size !== undefined);
  }

  /** By block, 1 if control may come from there to a return of its function: some functions never come back, and what lies behind a call of those is not run. */
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
   * First phase: `kept`, and `results`. A smaller liveness of its own, of keepable registers that are seen to be read, or may be by an instruction
   * that is not known. An unknown jump adds nothing from elsewhere than its function, or one would make every function keep everything.
   * @param kept what functions are found to keep, or to return
   * @param results what they return, which they write; else what they keep, which they do not. A read behind an unknown jump asks for no
   * result, nor does one behind a call that does not come back, nor a function that is called then of its arguments.
   */
  private solveKept(kept: Sets, results: boolean): void {
    const { blocks, generated, killed, written, callee, siblings, flow, dependents } = this;
    const { of } = siblings;
    const { comes, holes } = this;
    const read = new Sets(blocks.length);
    const regionLive = new Sets(siblings.regions.length);
    for (let i = 0; i < blocks.length && !results; i++)
      for (let k = of.starts[i]!; k < of.starts[i + 1]!; k++)
        regionLive.add(of.items[k]!, this.reads.x[i]! & KEEPABLE.x, this.reads.f[i]! & KEEPABLE.f);
    const backward = new Queue(blocks.length);
    const forward = new Queue(blocks.length);
    for (let i = blocks.length - 1; i >= 0; i--) backward.push(i);
    // Kept registers go forward only when nothing is left to do backward: in few large steps, not in many small ones.
    for (;;) {
      const i = backward.shift();
      if (i === undefined) {
        if (!this.carryKept(kept, forward, backward)) break;
        continue;
      }
      let x = holes[i] === 1 ? KEEPABLE.x : 0;
      let f = holes[i] === 1 ? KEEPABLE.f : 0;
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
      // What functions that are not seen to be called read of their arguments somebody has put there.
      x &= i === this.pool ? NO_ARGUMENTS.x : KEEPABLE.x;
      f &= i === this.pool ? NO_ARGUMENTS.f : KEEPABLE.f;
      for (let k = of.starts[i]!; k < of.starts[i + 1]! && !results; k++)
        if (regionLive.add(of.items[k]!, x, f))
          for (const jump of siblings.regions[of.items[k]!]!.jumps) backward.push(jump);
      const inX = (generated.x[i]! & KEEPABLE.x) | (x & ~killed.x[i]!);
      const inF = (generated.f[i]! & KEEPABLE.f) | (f & ~killed.f[i]!);
      if (read.add(i, inX, inF))
        for (let k = dependents.starts[i]!; k < dependents.starts[i + 1]!; k++) backward.push(dependents.items[k]!);
    }
  }

  /** Takes kept registers on to where they may return. @returns whether there was anything to do */
  private carryKept(kept: Sets, forward: Queue, backward: Queue): boolean {
    const { siblings, flow } = this;
    let some = false;
    for (let at = forward.shift(); at !== undefined; at = forward.shift()) {
      some = true;
      const region = siblings.jump[at]!;
      if (this.rules[at] === 'return' || region >= 0) backward.push(at);
      const only = at === this.pool ? NO_ARGUMENTS : KEEPABLE;
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

  /** Second phase: the set right behind block i, from what is known so far. */
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
        return AT_TAIL_CALL;
      case 'syscall':
        return union(without(after, SYSCALL_RESULT), { x: SYSCALL_READS, f: 0 });
      case 'return':
        return union(AT_RETURN, union(this.kept.get(i), this.results.get(i)));
      case 'call':
        return union(this.liveIn.get(callee), intersect(after, union(PRESERVED, this.kept.get(callee))));
      case 'linked-jump':
        return union(this.liveIn.get(callee), after);
      case 'unknown-call':
        return AT_UNKNOWN_CALL;
      case 'unknown-jump':
        return union(
          union(after, union(this.kept.get(i), this.results.get(i))),
          union(AT_TAIL_CALL, this.groupLive.get(this.group[i]!)),
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

const known = new WeakMap<Image, Liveness>();

/**
 * Liveness of all of an image's code, as far as it is found without a profile; the same object for the same image. What optimizes
 * and what proves must go by the same sets, or what is right would not be proved.
 */
export function imageLiveness(image: Image): Liveness {
  let liveness = known.get(image);
  if (liveness === undefined) {
    liveness = livenessOf(imageCfg(image));
    known.set(image, liveness);
  }
  return liveness;
}
