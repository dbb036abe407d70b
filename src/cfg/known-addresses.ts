/**
 * Addresses that registers hold, by a forward dataflow within functions. A block without known predecessors is taken for a target of its
 * function's unresolved jumps; callees preserve the registers that the psABI says. The result shows where code accesses data. It may be
 * wrong, and users must not depend on its soundness.
 */
import { type Addr, GP, REG_COUNT, type Reg } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { PRESERVED } from './abi.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';
import { imageConstants } from './constants.ts';
import { hasReg } from './regset.ts';
import { returning } from './returning.ts';

/** By register, the address of the image that it is known to hold. */
export type Known = ReadonlyMap<Reg, number>;

/** An upper part lies within this distance of its whole address. */
const UPPER_PART_BYTES = 4096;
/**
 * By block, the addresses that registers hold at its start on all paths.
 * @param shownTargets targets of a block's jump by the table that it reads; undefined if the known addresses show no table
 */
export function knownAddresses(
  cfg: Cfg,
  ownerOf: (address: Addr) => Addr,
  shownTargets: (block: CfgBlock, state: Known) => readonly Addr[] | undefined,
): {
  readonly states: ReadonlyMap<Addr, Known>;
  /** Blocks that read a register with a known address; from their middle on where a table leads there. */
  readonly using: ReadonlyMap<Addr, CfgBlock>;
} {
  const { blocks, image } = cfg;
  const comesBack = returning(cfg);
  const gp = globalPointer(image);
  const start: Known = new Map(gp === undefined ? [] : [[GP, gp]]);
  const led = new Set(blocks.flatMap(({ flow }) => flow));
  /** By function: blocks that no known edge leads to. */
  const orphans = new Map<Addr, Addr[]>();
  for (const block of blocks) {
    const owner = ownerOf(block.start);
    if (block.start === owner || led.has(block.start)) continue;
    const list = orphans.get(owner);
    if (list === undefined) orphans.set(owner, [block.start]);
    else list.push(block.start);
  }
  const states = new Map<Addr, Known>();
  const open = new Set<Addr>();
  const lead = (to: Addr, state: Known) => {
    const was = states.get(to);
    const now = to === ownerOf(to) ? start : was === undefined ? state : common(was, state);
    if (was !== undefined && now.size === was.size) return;
    states.set(to, now);
    open.add(to);
  };
  for (const { start: at } of blocks) if (at === ownerOf(at)) lead(at, start);
  const using = new Map<Addr, CfgBlock>();
  for (const at of open) {
    open.delete(at);
    const over = cfg.blockAt(at) ?? cfg.blockOver(at);
    if (over === undefined) continue;
    const block = over.start === at ? over : { ...over, start: at };
    const { after: state, uses } = stateBehind(cfg, block, states.get(at)!);
    if (uses) using.set(at, block);
    if (!comesBack(block)) continue;
    const unknown = block.ending === 'indirect' && block.target === undefined;
    const shown = unknown ? shownTargets(block, states.get(at)!) : block.flow;
    for (const to of shown ?? orphans.get(ownerOf(at)) ?? []) lead(to, state);
  }
  // In a block that no path has reached, only the global pointer is known.
  for (const block of blocks) {
    if (states.has(block.start)) continue;
    states.set(block.start, start);
    if (stateBehind(cfg, block, start).uses) using.set(block.start, block);
  }
  return { states, using };
}

/** The entry of the function that an address is in: the last call target or function symbol at or before the address. */
export function functionsBy({ image, blocks }: Cfg): (address: Addr) => Addr {
  const entries = new Set<Addr>([image.entry]);
  for (const { ending, target } of blocks) if (ending === 'call' && target !== undefined) entries.add(target);
  for (const { kind, address } of image.symbols) if (kind === 'function') entries.add(address);
  const rising = [...entries].sort((a, b) => a - b);
  return (address) => {
    let [low, high] = [0, rising.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rising[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return rising[low - 1] ?? 0;
  };
}

const common = (a: Known, b: Known): Known => new Map([...a].filter(([reg, value]) => b.get(reg) === value));

/** The addresses known behind a block (upper parts that are no address of the image are dropped), and whether the block reads one. */
function stateBehind(
  { code, image }: Cfg,
  block: CfgBlock,
  state: Known,
): { readonly after: Known; readonly uses: boolean } {
  const [low, high] = [BigInt(image.segments[0]!.address - UPPER_PART_BYTES), BigInt(image.end + UPPER_PART_BYTES)];
  let uses = false;
  const made: (bigint | undefined)[] = new Array(REG_COUNT).fill(undefined);
  for (const [reg, value] of state) made[reg] = BigInt(value);
  const operand = (reg: Reg): bigint | undefined => (reg === 0 ? 0n : made[reg]);
  for (let pc = block.start; pc < block.end; ) {
    const insn = code.insnAt(pc)!;
    const { pure, writes, reads } = facts(insn);
    uses ||= reads.some((reg) => made[reg] !== undefined && made[reg] >= low && made[reg] < high);
    if (writes !== undefined && writes !== GP) {
      const ready = pure && reads.every((reg) => made[reg] !== undefined);
      made[writes] = ready
        ? evaluate(insn, { rs1: operand(insn.rs1), rs2: operand(insn.rs2), rs3: operand(insn.rs3), pc: BigInt(pc) })
        : undefined;
    }
    pc += insn.size;
  }
  const after = new Map<Reg, number>();
  const calls = block.returnPoint !== undefined;
  for (const [reg, value] of made.entries()) {
    if (value === undefined || reg === 0 || (calls && !hasReg(PRESERVED, reg))) continue;
    if (value >= BigInt(image.segments[0]!.address) && value < BigInt(image.end)) after.set(reg, Number(value));
  }
  return { after, uses };
}

/** The global pointer's value, if the code makes one value for it only. */
function globalPointer(image: Image): number | undefined {
  const values = new Map<Addr, number>();
  for (const { reg, pc, value } of imageConstants(image).all) if (reg === GP) values.set(pc, value);
  // The upper part is four bytes before the instruction that completes it.
  const whole = [...values].filter(([pc]) => !values.has(pc + 4)).map(([, value]) => value);
  return new Set(whole).size === 1 ? whole[0] : undefined;
}
