/** What one function, with all its parts, saves, changes and gives back (saves.ts says what counts as a save, and why). */

import { hasReg, intersect, NO_REGS, type RegSet, regSet, regsIn, union, without } from '../base/regset.ts';
import { type Addr, RA, type Reg, S0, SP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { RETURN_ADDRESS } from './abi.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, insnsOf } from './build.ts';
import {
  afterCall,
  ENTRY_STATE,
  isSum,
  meet,
  type StackUse,
  type State,
  stateAfter,
  TRACKED_REGS,
  UNKNOWN_STATE,
} from './entry-values.ts';
import { isOpenJump } from './landings.ts';

/** A function that loads sp and at least this many preserved registers, which it does not save, sets up another context. */
const MIN_CONTEXT_LOADS = 8;

interface Save {
  readonly at: Addr;
  readonly reg: Reg;
}

/** The findings of one function with all its parts. */
export interface Found {
  readonly saves: readonly Save[];
  /** Preserved registers that the function changes and never stores to the stack. */
  readonly lost: RegSet;
  /** Registers that the function stores to the stack while they hold their values at entry. */
  readonly stored: RegSet;
  /** The function makes an address in its frame. */
  readonly exposed: boolean;
  /** Preserved registers that the function changes and never stores to the stack, or whose values at entry it uses. */
  readonly careless: RegSet;
}

/** Where a jump to an address in a register may lead: to these; to a label or a block that no edge leads to; anywhere in its function. */
export type JumpTargets = readonly Addr[] | 'labels' | 'anywhere';

/** The blocks of one function with all its parts. */
export interface FunctionCode {
  readonly cfg: Cfg;
  readonly blocks: readonly CfgBlock[];
  /** Entries of all functions. */
  readonly entered: ReadonlySet<Addr>;
  /** Does control seem to return from a block's callee? */
  readonly comesBack: (block: CfgBlock) => boolean;
  readonly jumpTargets: (block: CfgBlock) => JumpTargets;
  /** Landing pads of all functions; blocks with such a pad in their middle, or with a label to which others may come. */
  readonly pads: ReadonlySet<Addr>;
  readonly enteredWithin: ReadonlySet<Addr>;
  /** Labels that the data or the code shows. */
  readonly labels: ReadonlySet<Addr>;
  /** Preserved registers that a call's callee may change. */
  readonly changedBy: (block: CfgBlock) => RegSet;
}

export function analyseFunction(code: FunctionCode): Found {
  const flow = new FunctionFlow(code);
  flow.solve();
  const findings = new Findings(code, flow);
  for (const i of code.blocks.keys()) findings.addBlock(i);
  return findings.found();
}

/** Where one jump to an address in a register may lead, as indexes of blocks: to their starts, and into their middles. */
interface Leads {
  readonly known: 'listed' | 'labels' | 'anywhere';
  readonly starts: readonly number[];
  readonly within: readonly number[];
}

/** The dataflow over a function: the facts before each of its blocks, which the function's entries and its own edges lead to. */
class FunctionFlow {
  /** Landing pads, and blocks without predecessors, which may be some or targets of jump tables. Calls of the function may lead there. */
  readonly loose: readonly number[];
  /** Blocks that jumps may lead to of which no more is known: loose ones and labels. */
  readonly #labels: readonly number[];
  readonly #all: readonly number[];
  /** By block that ends in a jump to an address in a register. */
  readonly #jumps: ReadonlyMap<number, Leads>;
  readonly #code: FunctionCode;
  readonly #index: ReadonlyMap<Addr, number>;
  /** Starts of the blocks at which the function is entered. */
  readonly #entries: ReadonlySet<Addr>;
  /** By block, the facts before it; undefined as long as nothing leads there. */
  readonly #before: (State | undefined)[];
  /** The facts that jumps share which may lead to any instruction; undefined if there is none. */
  #anywhere: State | undefined;
  /** Blocks whose facts have changed since they were last followed. */
  readonly #waiting: Set<number>;

  constructor(code: FunctionCode) {
    const { blocks, entered } = code;
    const index = new Map(blocks.map((block, i) => [block.start, i]));
    const into = new Set(blocks.flatMap(({ flow }) => flow).filter((to) => index.has(to)));
    const known = new Set(blocks.filter(({ start }) => entered.has(start)).map(({ start }) => start));
    // A function without a known call is entered at its blocks without predecessors.
    const entries =
      known.size > 0 ? known : new Set(blocks.filter(({ start }) => !into.has(start)).map(({ start }) => start));
    this.#code = code;
    this.#index = index;
    this.#entries = entries;
    this.loose = blocks.flatMap(({ start }, i) =>
      code.pads.has(start) || !(entries.has(start) || into.has(start)) ? [i] : [],
    );
    const isLoose = new Set(this.loose);
    this.#all = [...blocks.keys()];
    this.#labels = this.#all.filter(
      (i) => isLoose.has(i) || (code.labels.has(blocks[i]!.start) && !entries.has(blocks[i]!.start)),
    );
    this.#jumps = new Map(
      blocks.flatMap((block, i) => (isOpenJump(code.cfg, block) ? [[i, this.#leadsOf(block)] as const] : [])),
    );
    this.#before = blocks.map((block) =>
      code.enteredWithin.has(block.start) ? UNKNOWN_STATE : entries.has(block.start) ? ENTRY_STATE : undefined,
    );
    this.#waiting = new Set(blocks.flatMap((_, i) => (this.#before[i] === undefined ? [] : [i])));
  }

  solve(): void {
    const { blocks } = this.#code;
    /** By the blocks that they may lead to: the facts that calls, or jumps to addresses in registers, share. */
    const around = new Map<readonly number[], State>();
    for (let next = this.#waiting.values().next(); !next.done; next = this.#waiting.values().next()) {
      const i = next.value;
      this.#waiting.delete(i);
      const block = blocks[i]!;
      const state = this.#behind(i);
      for (const to of block.flow)
        if (this.has(to)) this.#come(this.#index.get(to)!, to === block.behindUnknown ? UNKNOWN_STATE : state);
      for (const target of this.#jumps.get(i)?.within ?? []) this.#come(target, UNKNOWN_STATE);
      const to = block.returnPoint !== undefined ? this.loose : this.#leadsTo(i, state);
      if (to.length === 0) continue;
      const was = around.get(to);
      const now = meet(was, state);
      if (now === was) continue;
      around.set(to, now);
      if (to === this.#all) this.#enterAnywhere(now);
      for (const at of to) this.#come(at, now);
    }
  }

  #leadsOf(block: CfgBlock): Leads {
    const targets = this.#code.jumpTargets(block);
    if (typeof targets === 'string')
      return { known: targets, starts: targets === 'labels' ? this.#labels : this.#all, within: [] };
    const { blocks } = this.#code;
    const inside = targets.filter((target) => !this.#index.has(target));
    const isWithin = ({ start, end }: CfgBlock) => inside.some((target) => start < target && target < end);
    return {
      known: 'listed',
      starts: targets.flatMap((target) => this.#index.get(target) ?? []),
      within: inside.length === 0 ? [] : this.#all.filter((i) => isWithin(blocks[i]!)),
    };
  }

  /** A jump with the stack pointer of the entry leaves the function, if nothing else is seen. */
  #leadsTo(i: number, { sp }: State): readonly number[] {
    const jump = this.#jumps.get(i);
    return jump === undefined || (jump.known === 'labels' && sp === 0) ? [] : jump.starts;
  }

  /** Jumps may come to any instruction with these facts. */
  #enterAnywhere(state: State): void {
    this.#anywhere = state;
    for (const i of this.#all) if (this.#before[i] !== undefined) this.#waiting.add(i);
  }

  /** May the jump of block i to an address in a register leave the function? */
  mayLeave(i: number, { sp }: State): boolean {
    const jump = this.#jumps.get(i);
    return jump !== undefined && (sp === 0 || (jump.known === 'labels' && this.#labels.length === 0));
  }

  /** Does a block of the function start at an address? */
  has(address: Addr): boolean {
    return this.#index.has(address);
  }

  /** The facts before a block. In a block that was never reached nothing is known, and so no register is given back. */
  before(i: number): State {
    return this.#before[i] ?? UNKNOWN_STATE;
  }

  /** The facts behind a block's last instruction, before a call's callee runs. @param see called with all uses of the stack in the block */
  through(i: number, see?: (at: Addr, use: StackUse) => void): State {
    let state = this.before(i);
    for (const { at, insn } of insnsOf(this.#code.cfg, this.#code.blocks[i]!)) {
      if (this.#anywhere !== undefined) state = meet(state, this.#anywhere);
      state = stateAfter(state, insn, see && ((use) => see(at, use)));
    }
    return state;
  }

  /** Starts of the blocks that edges reach from the entries; no landing pads, which find registers as a call has left them. */
  straight(): ReadonlySet<Addr> {
    const { blocks, comesBack } = this.#code;
    const straight = new Set(this.#entries);
    for (const start of straight) {
      const block = blocks[this.#index.get(start)!]!;
      for (const to of comesBack(block) ? block.flow : []) if (this.has(to)) straight.add(to);
    }
    return straight;
  }

  #behind(i: number): State {
    const { cfg, blocks } = this.#code;
    const { returnPoint, leavesLink, site } = blocks[i]!;
    const state = this.through(i);
    if (returnPoint !== undefined) return afterCall(state, cfg.code.insnAt(site)!, this.#code.changedBy(blocks[i]!));
    return leavesLink ? UNKNOWN_STATE : state;
  }

  #come(i: number, state: State): void {
    const now = meet(this.#before[i], state);
    if (now === this.#before[i]) return;
    this.#before[i] = now;
    this.#waiting.add(i);
  }
}

/** What the blocks of a function do with the stack and with registers that hold values at entry. */
class Findings {
  readonly #code: FunctionCode;
  readonly #flow: FunctionFlow;
  readonly #straight: ReadonlySet<Addr>;
  /** The function is called, or has a symbol: it is no data that decodes. */
  readonly #isFunction: boolean;
  /** s0 is a frame pointer in this function: some instruction makes it from sp. */
  readonly #framed: boolean;
  readonly #keeps: { at: Addr; slot: number; reg: Reg }[] = [];
  /** Slots and registers that the function loads again (`keyOf`). */
  readonly #restored = new Set<string>();
  readonly #others: { slot: number; bytes: number }[] = [];
  /** Registers that hold their values at entry on all ways out. */
  #given: RegSet = TRACKED_REGS;
  /** Registers that are written, but for restoring; whose values at entry are used; that are loaded from elsewhere than through sp. */
  #changed: RegSet = NO_REGS;
  #used: RegSet = NO_REGS;
  #loaded: RegSet = NO_REGS;
  /** Registers that are stored through sp with their values at entry, and with others; that are loaded through sp. */
  #stored: RegSet = NO_REGS;
  #passed: RegSet = NO_REGS;
  #got: RegSet = NO_REGS;
  /** Only a function that calls or returns has registers that concern other functions. */
  #matters = false;
  #exposed = false;

  constructor(code: FunctionCode, flow: FunctionFlow) {
    this.#code = code;
    this.#flow = flow;
    this.#straight = flow.straight();
    this.#isFunction = code.blocks.some(({ start }) => code.entered.has(start));
    this.#framed = code.blocks.some((block) =>
      insnsOf(code.cfg, block).some(({ insn }) => insn.rd === S0 && insn.rs1 === SP && isSum(insn)),
    );
  }

  addBlock(i: number): void {
    const restoring = new Set<Addr>();
    const state = this.#flow.through(i, (at, use) => {
      if (use.kind === 'restore') restoring.add(at);
      this.#addUse(at, use);
    });
    this.#addRegisters(i, restoring);
    this.#addEnd(i, state);
  }

  #addUse(at: Addr, use: StackUse): void {
    if (use.kind === 'keep') this.#keeps.push({ at, slot: use.slot, reg: use.reg });
    else if (use.kind === 'restore') this.#restored.add(keyOf(use.slot, use.reg));
    else if (use.kind === 'address') this.#exposed ||= use.from === SP || this.#framed;
    else this.#others.push(use);
  }

  /** @param restoring the block's instructions that restore a register */
  #addRegisters(i: number, restoring: ReadonlySet<Addr>): void {
    const block = this.#code.blocks[i]!;
    let now = this.#straight.has(block.start) ? this.#flow.before(i) : UNKNOWN_STATE;
    for (const { at, insn } of insnsOf(this.#code.cfg, block)) {
      const { writes, store, load, reads } = facts(insn);
      // A store only keeps a register's value, for this function or another context; every other read uses the value.
      for (const reg of reads)
        if ((store === undefined || reg === insn.rs1) && hasReg(now.held, reg)) this.#used = withReg(this.#used, reg);
      // A register that is stored to the stack after a change, and never loaded back, passes a variable's value: such a store is no save.
      if (store !== undefined && insn.rs1 === SP) {
        if (hasReg(now.held, insn.rs2)) this.#stored = withReg(this.#stored, insn.rs2);
        else this.#passed = withReg(this.#passed, insn.rs2);
      }
      if (load !== undefined && writes !== undefined) {
        if (insn.rs1 === SP) this.#got = withReg(this.#got, writes);
        else this.#loaded = withReg(this.#loaded, writes);
      }
      now = stateAfter(now, insn);
      if (writes !== undefined && !restoring.has(at)) this.#changed = withReg(this.#changed, writes);
    }
  }

  /** @param state the facts at the block's end */
  #addEnd(i: number, state: State): void {
    const { returnPoint, ending, evidence, flow } = this.#code.blocks[i]!;
    const ends = ending === 'return' || this.#flow.mayLeave(i, state);
    if (ends || returnPoint !== undefined) this.#matters ||= this.#isFunction || evidence !== 'swept';
    const leaves = returnPoint === undefined && flow.some((to) => !this.#flow.has(to));
    if (ends || leaves) this.#given = intersect(this.#given, state.held);
  }

  found(): Found {
    const kept = without(TRACKED_REGS, RETURN_ADDRESS);
    const givenBack = union(this.#stored, intersect(this.#passed, this.#got));
    const unsaved = this.#matters ? without(intersect(this.#changed, kept), givenBack) : NO_REGS;
    // A switch to another context also loads sp, from where that context's registers are.
    const loads = regsIn(intersect(unsaved, this.#loaded)).length;
    const lost = hasReg(this.#loaded, SP) && loads >= MIN_CONTEXT_LOADS ? NO_REGS : unsaved;
    return {
      saves: this.#keeps.filter((keep) => this.#isSave(keep)),
      lost,
      stored: this.#stored,
      exposed: this.#exposed,
      careless: union(lost, intersect(this.#used, kept)),
    };
  }

  /** Is the register loaded from the slot again, given back on all ways out, and nothing else done with the slot? */
  #isSave({ slot, reg }: { slot: number; reg: Reg }): boolean {
    return (
      hasReg(this.#given, reg) &&
      this.#restored.has(keyOf(slot, reg)) &&
      (reg === RA || hasReg(this.#changed, reg)) &&
      !this.#others.some((other) => overlaps(slot, other.slot, other.bytes)) &&
      !this.#keeps.some((other) => overlaps(slot, other.slot, 8) && (other.slot !== slot || other.reg !== reg))
    );
  }
}

const keyOf = (slot: number, reg: Reg): string => `${slot},${reg}`;
const withReg = (set: RegSet, reg: Reg): RegSet => union(set, regSet([reg]));
/** Does a slot of eight bytes overlap so many bytes at a distance? */
const overlaps = (slot: number, at: number, bytes: number): boolean => at < slot + 8 && slot < at + bytes;
