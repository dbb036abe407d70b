/**
 * A region as a wasm function. Control flow is rebuilt from the dominator tree (Ramsey, "Beyond Relooper: Recursive translation of
 * unstructured control flow to structured control flow", ICFP 2022): a block that is entered from several places is placed behind
 * the wasm block that its immediate dominator opens for it, a block that is entered from one place is placed there.
 */
import { NO_REGS, type RegSet, union } from '../../base/regset.ts';
import type { Code, Label } from '../../base/wasm-code.ts';
import { type AccessPlan, type Planned, planAccesses } from './accesses.ts';
import type { Edge, RegionCounts } from './counts.ts';
import { Emission } from './emission.ts';
import { Endings, type Ways } from './endings.ts';
import { Entries } from './entries.ts';
import type { Flow } from './flow.ts';
import type { Block, Successor } from './region.ts';
import { canLeave, type Placement, placeRegisters } from './registers.ts';
import { RegionStep, type Site } from './step.ts';
import type { Surroundings } from './surroundings.ts';

export function emitRegion(flow: Flow, surroundings: Surroundings): { code: Code; counts: RegionCounts } {
  const emitter = new RegionEmitter(flow, surroundings);
  emitter.emit();
  const { code, counts } = emitter.emission;
  return { code, counts };
}

class RegionEmitter implements Ways {
  readonly emission: Emission;
  readonly #flow: Flow;
  readonly #placement: Placement;
  readonly #plan: AccessPlan;
  readonly #site: Site;
  readonly #entries: Entries;
  readonly #endings: Endings;
  /** Labels by block: behind open wasm blocks, and of open loops. */
  readonly #labels = new Map<number, Label>();
  readonly #loops = new Map<number, Label>();
  /** The plan for the access of the instruction at hand. */
  #planned: Planned | undefined;

  constructor(flow: Flow, surroundings: Surroundings) {
    this.#flow = flow;
    this.#placement = placeRegisters(flow);
    this.#plan = planAccesses(flow.region, flow.order);
    const emission = new Emission(flow, surroundings, this.#placement.all);
    this.emission = emission;
    this.#entries = new Entries(emission, flow, { placement: this.#placement, plan: this.#plan }, this.#labels);
    this.#endings = new Endings(emission, this);
    this.#site = {
      frame: emission.frame,
      layout: surroundings.layout,
      local: (reg) => emission.registers.of(reg),
      planned: () => this.#planned,
      range: (permission, bytes) => {
        const { ranges, accessed } = surroundings;
        const range = ranges.around(accessed(emission.record), permission);
        return range && { low: range.low, limit: ranges.limit(range, bytes) };
      },
    };
  }

  emit(): void {
    const { code, registers } = this.emission;
    this.#entries.begin();
    if (this.#flow.loops.has(0)) registers.load(this.#placement.held[0]!);
    this.#tree(0);
    code.op('unreachable');
  }

  /** Emits a block with all that it dominates. */
  #tree(block: number): void {
    const { code } = this.emission;
    const { children, merges, rank, loops } = this.#flow;
    if (loops.has(block)) {
      this.#loops.set(block, code.loop());
      this.#meet(block);
    }
    const behind = children[block]!.filter((child) => merges.has(child)).sort((a, b) => rank[b]! - rank[a]!);
    for (const child of behind) this.#labels.set(child, code.block());
    this.#block(block);
    for (const child of behind.reverse()) {
      code.end();
      this.#meet(child);
      this.#tree(child);
    }
    if (loops.has(block)) code.op('unreachable').end();
  }
  /** Sets the state that holds at the start of a block that is entered from several places. */
  #meet(block: number): void {
    this.emission.owed = 0;
    this.emission.registers.meet(this.#placement.held[block]!, this.#placement.dirty[block]!);
  }

  #block(index: number): void {
    const { emission } = this;
    const { registers } = emission;
    const { region, checks } = this.#flow;
    const block = region.blocks[index]!;
    emission.block = index;
    if (checks.has(index)) this.#entries.checkBudget(index, block);
    const stays = this.#staying(index);
    let last: RegionStep | undefined;
    for (const [i, at] of block.insns.entries()) {
      emission.record = at.record;
      this.#planned = this.#plan.planned[index]![i];
      const leaves = canLeave(at) && (this.#planned === undefined || this.#planned.extent !== undefined);
      if (leaves) registers.flush(stays[i]!);
      registers.load(at.reads);
      last = new RegionStep(this.#site, at);
      last.emit();
      // An indirect jump writes its link at the end.
      if (at.ending !== 'jump') registers.wrote(at.writes);
      emission.owed++;
    }
    this.#end(index, block, last);
  }
  /** By instruction: the registers that need no storing before it: carried ones, and those that the block writes again. */
  #staying(index: number): RegSet[] {
    const { insns } = this.#flow.region.blocks[index]!;
    const stays: RegSet[] = [];
    let set = this.#placement.carried[index]!;
    for (let i = insns.length - 1; i >= 0; i--) {
      stays[i] = set;
      set = union(set, insns[i]!.writes);
    }
    return stays;
  }

  /** @param step of the block's last instruction */
  #end(index: number, block: Block, step: RegionStep | undefined): void {
    const { emission } = this;
    const [to] = block.successors;
    switch (block.ending) {
      case 'enter':
        this.#enterRegion(index, block);
        break;
      case 'fall':
      case 'goto':
        this.go(index, to!, emission.counts.exits[index]!.successors[0]!);
        break;
      case 'branch':
        this.#endings.branch(index, block, step!);
        break;
      case 'call':
        this.#endings.call(index, block, step!);
        break;
      case 'return':
        this.#endings.return(index, block, step!.goal!);
        break;
      case 'switch':
        this.#endings.switch(index, block, step!.goal!);
        break;
      default:
        emission.record = emission.around.recordFor(to!.pc);
        emission.leave();
    }
  }
  /** The block before all entries: goes to the head, or towards the entry that control is on its way to. */
  #enterRegion(index: number, { successors, dispatch = [] }: Block): void {
    const { code, goal } = this.emission;
    if (dispatch.length > 0) {
      code.get(goal);
      code.if(undefined, false);
      this.#entries.dispatch(index);
      code.end();
    }
    this.enter(index, successors[0]!);
  }

  go(from: number, to: Successor, edge: Edge): void {
    this.emission.count(edge);
    if (to.block < 0) {
      this.emission.registers.flush();
      this.emission.goOutside(to.pc);
    } else this.enter(from, to);
  }
  enter(from: number, to: Successor): void {
    const { code, registers } = this.emission;
    const { rank, merges } = this.#flow;
    const { block } = to;
    const back = rank[block]! <= rank[from]!;
    if (this.#meets(to)) {
      this.emission.charge();
      registers.flush(this.#placement.dirty[block]!);
      registers.load(this.#placement.held[block]!);
    }
    if (back) code.br(this.#loops.get(block)!);
    else if (merges.has(block)) code.br(this.#labels.get(block)!);
    else this.#tree(block);
  }
  keptBy(to: Successor): RegSet {
    if (to.block < 0) return NO_REGS;
    return this.#meets(to) ? this.#placement.dirty[to.block]! : this.emission.registers.pending;
  }
  /** Is a successor entered from elsewhere too? */
  #meets({ block }: Successor): boolean {
    const { merges, loops } = this.#flow;
    return merges.has(block) || loops.has(block);
  }
}
