/**
 * Addresses that registers hold on all paths, by a forward dataflow within functions. A jump whose target is not known, or is an address in a
 * table of whole ones, may lead to any block of its function without known predecessors, to every label that the data or the code shows,
 * and, if its target is computed, to any block; functions count with all their parts. A landing pad is entered from the calls of its
 * function, and a label whose address its function makes from anywhere. Code that only the sweep found, and that nothing of this leads to,
 * is not entered.
 */

import { append } from '../base/lists.ts';
import { hasReg, type RegSet } from '../base/regset.ts';
import { type Addr, GP, REG_COUNT, type Reg } from '../base/units.ts';
import { imageConstants } from '../code/constants.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, insnsOf } from './build.ts';
import { groupsByBlock } from './groups.ts';
import { isOpenJump, madeLabels, orphansOf, padsByGroup } from './landings.ts';
import { preservation } from './preserved.ts';
import { returning } from './returning.ts';

/** By register, the address of the image that it is known to hold. */
export type Known = ReadonlyMap<Reg, number>;

/** An upper part lies within this distance of its whole address. */
const UPPER_PART_BYTES = 4096;

/** What the dataflow asks about jumps. */
export interface JumpKnowledge {
  /** Targets of a block's jump by the table that it reads, and whether these are all; undefined if the known addresses show no table. */
  shownTargets(
    block: CfgBlock,
    state: Known,
  ): { readonly targets: readonly Addr[]; readonly exact: boolean } | undefined;
  /** Is the target of a block's jump computed, or may it be? */
  isComputed(block: CfgBlock): boolean;
  /** Labels that the data or the code shows. */
  readonly labels: ReadonlySet<Addr>;
}

export interface KnownAddresses {
  /** By block, or by a place in a block's middle that something leads to: the addresses that registers hold there on all paths. */
  readonly states: ReadonlyMap<Addr, Known>;
  /** The addresses that registers hold at the start of blocks that nothing is seen to lead to. */
  readonly elsewhere: Known;
}

export function knownAddresses(cfg: Cfg, isEntry: (address: Addr) => boolean, jumps: JumpKnowledge): KnownAddresses {
  return new Dataflow(cfg, isEntry, jumps).solve();
}

class Dataflow {
  readonly #cfg: Cfg;
  readonly #isEntry: (address: Addr) => boolean;
  readonly #jumps: JumpKnowledge;
  readonly #comesBack: (block: CfgBlock) => boolean;
  readonly #preserved: (block: CfgBlock) => RegSet;
  /** Nothing is known but the global pointer. */
  readonly #nothing: Known;
  readonly #states = new Map<Addr, Known>();
  readonly #open = new Set<Addr>();
  /** By block, the group of functions that the block belongs to. */
  readonly #groupOf: ReadonlyMap<Addr, Addr>;
  /** By group of functions: all blocks; those that no known edge leads to; labels. */
  readonly #blocks = new Map<Addr, Addr[]>();
  readonly #orphans: ReadonlyMap<Addr, readonly Addr[]>;
  readonly #labels = new Map<Addr, Addr[]>();
  /** By group: landing pads, and orphans that no jump was found to lead to, which are taken for some. */
  readonly #pads: Map<Addr, readonly Addr[]>;

  constructor(cfg: Cfg, isEntry: (address: Addr) => boolean, jumps: JumpKnowledge) {
    this.#cfg = cfg;
    this.#isEntry = isEntry;
    this.#jumps = jumps;
    this.#comesBack = returning(cfg);
    this.#preserved = preservation(cfg);
    const gp = globalPointer(cfg);
    this.#nothing = new Map(gp === undefined ? [] : [[GP, gp]]);
    this.#groupOf = groupsByBlock(cfg);
    this.#orphans = orphansOf(cfg);
    this.#pads = new Map(padsByGroup(cfg));
    for (const { start } of cfg.blocks) append(this.#blocks, this.#groupAt(start), start);
    for (const label of jumps.labels) append(this.#labels, this.#groupAt(label), label);
  }

  #groupAt(address: Addr): Addr {
    const block = this.#cfg.blockAt(address) ?? this.#cfg.blockOver(address);
    return block === undefined ? address : this.#groupOf.get(block.start)!;
  }

  solve(): KnownAddresses {
    const { blocks } = this.#cfg;
    for (const { start } of blocks) if (this.#isEntry(start)) this.#lead(start, this.#nothing);
    for (const labels of madeLabels(this.#cfg).values()) for (const label of labels) this.#lead(label, this.#nothing);
    this.#run();
    const calling = new Set(
      blocks.filter(({ returnPoint }) => returnPoint !== undefined).map(({ start }) => this.#groupAt(start)),
    );
    const more = new Set<Addr>();
    for (const group of calling) {
      const found = (this.#orphans.get(group) ?? []).filter((orphan) => !this.#states.has(orphan));
      if (found.length === 0) continue;
      this.#pads.set(group, [...(this.#pads.get(group) ?? []), ...found]);
      more.add(group);
    }
    for (const at of this.#states.keys()) if (more.has(this.#groupAt(at))) this.#open.add(at);
    this.#run();
    for (const { start, evidence } of blocks)
      if (!this.#states.has(start) && evidence !== 'guess' && evidence !== 'swept') this.#lead(start, this.#nothing);
    this.#run();
    return { states: this.#states, elsewhere: this.#nothing };
  }

  /** Notes that control may come to an address in a state. */
  #lead(to: Addr, state: Known): void {
    const was = this.#states.get(to);
    const now = this.#isEntry(to) ? this.#nothing : was === undefined ? state : common(was, state);
    if (was !== undefined && now.size === was.size) return;
    this.#states.set(to, now);
    this.#open.add(to);
  }

  #run(): void {
    for (const at of this.#open) {
      this.#open.delete(at);
      const block = blockFrom(this.#cfg, at);
      if (block !== undefined) this.#follow(block);
    }
  }

  #follow(block: CfgBlock): void {
    const group = this.#groupAt(block.start);
    const before = this.#states.get(block.start)!;
    const state = stateBehind(this.#cfg, block, before, this.#preserved(block));
    if (block.returnPoint !== undefined) for (const pad of this.#pads.get(group) ?? []) this.#lead(pad, state);
    if (!this.#comesBack(block)) return;
    for (const to of block.flow) this.#lead(to, to === block.behindUnknown ? this.#nothing : state);
    if (!isOpenJump(this.#cfg, block)) return;
    const shown = this.#jumps.shownTargets(block, before);
    for (const to of shown?.targets ?? []) this.#lead(to, state);
    if (shown?.exact) return;
    const anywhere = shown === undefined && this.#jumps.isComputed(block);
    for (const list of anywhere ? [this.#blocks] : [this.#orphans, this.#labels])
      for (const to of list.get(group) ?? []) this.#lead(to, state);
  }
}

/** The block at an address, or the rest of the block that the address is in the middle of. */
export function blockFrom(cfg: Cfg, at: Addr): CfgBlock | undefined {
  const over = cfg.blockAt(at) ?? cfg.blockOver(at);
  return over === undefined || over.start === at ? over : { ...over, start: at };
}

const common = (a: Known, b: Known): Known => new Map([...a].filter(([reg, value]) => b.get(reg) === value));

/** The values of registers behind a block that is entered in a state, and whether the block reads an address, or the upper part of one. */
function runBlock(
  { code, image }: Cfg,
  block: CfgBlock,
  state: Known,
): { readonly values: readonly (bigint | undefined)[]; readonly readsAddress: boolean } {
  const [low, high] = [BigInt(image.segments[0]!.address - UPPER_PART_BYTES), BigInt(image.end + UPPER_PART_BYTES)];
  let readsAddress = false;
  const values: (bigint | undefined)[] = new Array(REG_COUNT).fill(undefined);
  for (const [reg, value] of state) values[reg] = BigInt(value);
  const operand = (reg: Reg): bigint | undefined => (reg === 0 ? 0n : values[reg]);
  for (let pc = block.start; pc < block.end; ) {
    const insn = code.insnAt(pc)!;
    const { pure, writes, reads } = facts(insn);
    readsAddress ||= reads.some((reg) => values[reg] !== undefined && values[reg] >= low && values[reg] < high);
    if (writes !== undefined && writes !== GP) {
      const ready = pure && reads.every((reg) => values[reg] !== undefined);
      values[writes] = ready
        ? evaluate(insn, { rs1: operand(insn.rs1), rs2: operand(insn.rs2), rs3: operand(insn.rs3), pc: BigInt(pc) })
        : undefined;
    }
    pc += insn.size;
  }
  return { values, readsAddress };
}

/** Does a block, entered in a state, read a register with a known address, or the upper part of one? */
export const readsAddress = (cfg: Cfg, block: CfgBlock, state: Known): boolean =>
  runBlock(cfg, block, state).readsAddress;

/**
 * The addresses known behind a block; upper parts that are no address of the image are dropped.
 * @param preserved registers that the block's last instruction, or its callee, leaves as they are
 */
function stateBehind(cfg: Cfg, block: CfgBlock, state: Known, preserved: RegSet): Known {
  const [low, high] = [BigInt(cfg.image.segments[0]!.address), BigInt(cfg.image.end)];
  const after = new Map<Reg, number>();
  for (const [reg, value] of runBlock(cfg, block, state).values.entries()) {
    if (value === undefined || reg === 0 || (reg !== GP && !hasReg(preserved, reg))) continue;
    if (value >= low && value < high) after.set(reg, Number(value));
  }
  return after;
}

/** The global pointer's value, if the code makes one value for it only, and nothing else writes the register. */
function globalPointer(cfg: Cfg): number | undefined {
  const values = new Map<Addr, number>();
  for (const { reg, pc, value } of imageConstants(cfg.image).all) if (reg === GP) values.set(pc, value);
  for (const block of cfg.blocks)
    for (const { at, insn } of block.evidence === 'guess' ? [] : insnsOf(cfg, block))
      if (facts(insn).writes === GP && !values.has(at)) return undefined;
  // The upper part is four bytes before the instruction that completes it.
  const whole = [...values].filter(([pc]) => !values.has(pc + 4)).map(([, value]) => value);
  return new Set(whole).size === 1 ? whole[0] : undefined;
}
