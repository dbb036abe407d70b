/**
 * Unseen jumps: jumps that compute their targets from parts that are not all seen, such as labels' distances in a table that was passed as
 * an argument or whose address was made too far away. Such a jump may lead to any instruction of its function. A jump to an unchanged
 * address that was loaded, returned or passed leads to code addresses that the data holds or code makes. A jump that reads one table on all
 * paths leads to the targets of the table's entries (`accesses.ts`; all known paths, past callees that keep to the psABI). The same search
 * tells a jump through a link register from a return.
 */
import { type Addr, RA, type Reg, S0, SP } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { Ending } from '../profile/flow.ts';
import { PRESERVED } from './abi.ts';
import { imageAccesses } from './accesses.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { functionGroups } from './groups.ts';
import { functionsBy } from './known-addresses.ts';
import { hasReg } from './regset.ts';
import { returning } from './returning.ts';

/** [start, end) */
export type Extent = readonly [Addr, Addr];

const INDIRECT_ENDINGS: ReadonlySet<Ending> = new Set(['indirect', 'indirect-call', 'return']);
/** Operands with which instructions are tried: an instruction whose result equals each of them is a copy. */
const TRIAL_VALUES = [0n, 0x1234n, 0xfedc_ba98_7654_3210n];

/** The extents in which the unseen jumps of an image may lead anywhere: their functions, with parts. */
export function unseenJumps(image: Image): readonly Extent[] {
  const cfg = imageCfg(image);
  const isUnseen = unseen(cfg);
  const ownerOf = functionsBy(cfg);
  const functions = new Set<Addr>();
  for (const block of cfg.blocks) if (isUnseen(block)) functions.add(ownerOf(block.site));
  if (functions.size === 0) return [];
  const all = extents(cfg, ownerOf);
  return [...withParts(cfg, ownerOf, functions)]
    .map((owner) => all.get(owner))
    .filter((extent) => extent !== undefined);
}

/** Does a block end in a jump, call or return whose target is computed in an unseen way? */
export function unseen(cfg: Cfg): (block: CfgBlock) => boolean {
  const resolved = new Set(imageAccesses(cfg.image).reads.map(({ site }) => site));
  const origins = originsIn(cfg);
  return (block) => {
    const { ending, target, site } = block;
    if (!INDIRECT_ENDINGS.has(ending) || target !== undefined || resolved.has(site)) return false;
    for (const { kind, insn, changed } of origins(block)) {
      // Pointers that are called may be disguised (glibc's PTR_MANGLE), which is no sum.
      if (kind === 'computed' && (ending !== 'indirect-call' || addsUp(insn!))) return true;
      // A changed constant is still a constant. If a path cannot be followed to its beginning, the target may be computed.
      if (kind !== 'computed' && kind !== 'constant' && changed) return true;
      if (kind === 'nowhere' && ending === 'indirect') return true;
    }
    return false;
  };
}

/** The extent of the function that has an address in its middle; undefined if the function begins there, or if no code is known. */
export function functionExtents(image: Image): (address: Addr) => Extent | undefined {
  const cfg = imageCfg(image);
  const ownerOf = functionsBy(cfg);
  let all: ReadonlyMap<Addr, Extent> | undefined;
  return (address) => {
    const owner = ownerOf(address);
    if (owner === address) return undefined;
    all ??= extents(cfg, ownerOf);
    return all.get(owner);
  };
}

/**
 * Is a jump to ra or t0 no return: is its target, on some path, anything else than the link that a call has left in one of these registers,
 * kept in registers or on the stack? An address that was passed, returned, computed or loaded from elsewhere may be any function's, which
 * then reads arguments.
 * @param links link registers of calls behind which only the psABI's results, and registers that are seen to be read there, are expected
 */
export function jumpsByLink(cfg: Cfg, links: readonly Reg[]): (block: CfgBlock) => boolean {
  const origins = originsIn(cfg, returning(cfg));
  const kept = linkSlots(cfg, links);
  return (block) => {
    if (block.ending !== 'return') return false;
    for (const { kind, reg, insn, changed, at } of origins(block)) {
      if (kind === 'constant' || kind === 'computed' || kind === 'result' || changed) return true;
      if (kind === 'loaded' ? !isOnStack(insn!) || !kept.get(at)!(insn!) : !links.includes(reg)) return true;
    }
    return false;
  };
}

/** May a jump be a return by one of these registers, in which jumps link against the psABI, or by a copy of such a link on the stack? */
export function mayReturnBy(cfg: Cfg, links: ReadonlySet<Reg>): (block: CfgBlock) => boolean {
  if (links.size === 0) return () => false;
  const origins = originsIn(cfg);
  return (block) => {
    for (const { kind, reg, insn } of origins(block)) {
      if (kind === 'loaded' && isOnStack(insn!)) return true;
      if ((kind === 'passed' || kind === 'result' || kind === 'nowhere') && links.has(reg)) return true;
    }
    return false;
  };
}

const slotOf = ({ rs1, imm }: Insn): string => `${rs1},${imm}`;

/**
 * By block, may a load from the stack load a link that its function has stored there? In a function that stores no link (millicode), a
 * load of ra may load a link that another function has stored.
 */
function linkSlots(cfg: Cfg, links: readonly Reg[]): ReadonlyMap<Addr, (load: Insn) => boolean> {
  const found = new Map<Addr, (load: Insn) => boolean>();
  for (const blocks of functionGroups(cfg).values()) {
    const stored = { links: new Set<string>(), others: new Set<string>() };
    const mayHold = (load: Insn) =>
      !stored.others.has(slotOf(load)) && (stored.links.size === 0 ? load.rd === RA : stored.links.has(slotOf(load)));
    for (const block of blocks) {
      found.set(block.start, mayHold);
      for (const { insn } of insnsOf(cfg, block))
        if (isOnStack(insn) && facts(insn).store?.bytes === 8)
          stored[links.includes(insn.rs2) ? 'links' : 'others'].add(slotOf(insn));
    }
  }
  return found;
}

function predecessors(
  cfg: Cfg,
  comesBack: (block: CfgBlock) => boolean = () => true,
): ReadonlyMap<Addr, readonly CfgBlock[]> {
  const before = new Map<Addr, CfgBlock[]>();
  for (const block of cfg.blocks)
    for (const to of comesBack(block) && block.evidence !== 'guess' ? block.flow : []) {
      const list = before.get(to);
      if (list === undefined) before.set(to, [block]);
      else list.push(block);
    }
  return before;
}

/** The origin of a jump's target on one path. */
interface Origin {
  /**
   * constant; loaded, or the link of a jump; computed from more than one register; passed: in a register at the function's entry; result:
   * in a register behind a call; nowhere: the path cannot be followed further.
   */
  readonly kind: 'constant' | 'loaded' | 'computed' | 'passed' | 'result' | 'nowhere';
  readonly reg: Reg;
  /** The instruction that made the value; undefined for the kinds passed, result and nowhere. */
  readonly insn: Insn | undefined;
  /** Start of the block in which the search ended. */
  readonly at: Addr;
  /** An instruction has changed the value since. */
  readonly changed: boolean;
}

/** Follows the target of a jump backward, on all paths within its function. */
function originsIn(cfg: Cfg, comesBack?: (block: CfgBlock) => boolean): (jump: CfgBlock) => Generator<Origin> {
  const before = predecessors(cfg, comesBack);
  const ownerOf = functionsBy(cfg);
  return function* (jump) {
    const last = cfg.code.insnAt(jump.site)!;
    const seen = new Set<string>();
    const open: { readonly block: CfgBlock; readonly reg: Reg; readonly end: Addr; readonly changed: boolean }[] = [
      { block: jump, reg: last.rs1, end: jump.site, changed: last.imm !== 0 },
    ];
    for (let way = open.pop(); way !== undefined; way = open.pop()) {
      const { block } = way;
      let { reg, changed } = way;
      const made = (kind: Origin['kind'], insn?: Insn): Origin => ({ kind, reg, insn, at: block.start, changed });
      // A callee that returns through one link register preserves the other, so ra is followed past a call that links in t0.
      const calls = way.end === block.end && block.returnPoint !== undefined;
      if (calls && !hasReg(PRESERVED, reg) && (reg !== RA || facts(cfg.code.insnAt(block.site)!).writes === RA)) {
        yield made('result');
        continue;
      }
      let found: Origin | undefined;
      for (const { insn } of insnsOf(cfg, { start: block.start, end: way.end }).reverse()) {
        if (facts(insn).writes !== reg) continue;
        const from = sourceOf(insn);
        if (typeof from === 'string') {
          found = made(from, insn);
          break;
        }
        reg = from.reg;
        changed ||= from.changed;
      }
      if (found !== undefined) {
        yield found;
        continue;
      }
      if (block.start === ownerOf(block.start)) {
        yield made('passed');
        continue;
      }
      const ways = before.get(block.start) ?? [];
      if (ways.length === 0) yield made('nowhere');
      for (const from of ways) {
        const key = `${from.start},${reg},${changed}`;
        if (seen.has(key)) continue;
        seen.add(key);
        open.push({ block: from, reg, end: from.end, changed });
      }
    }
  };
}

/** Does an instruction load from a frame or store to one, through sp or the frame pointer? */
const isOnStack = (insn: Insn): boolean =>
  (insn.rs1 === SP || insn.rs1 === S0) && (facts(insn).load !== undefined || facts(insn).store !== undefined);

/** The source of an instruction's result: one register (`changed` unless the result is a copy), no operands, a load, or a computation. */
function sourceOf(insn: Insn): 'constant' | 'loaded' | 'computed' | { readonly reg: Reg; readonly changed: boolean } {
  const { pure, reads, load, control } = facts(insn);
  if (load !== undefined || control !== 'none') return 'loaded';
  if (reads.length === 0) return pure ? 'constant' : 'loaded';
  if (!pure || reads.length > 1) return 'computed';
  const [from] = reads;
  const value = (role: Reg, tried: bigint) => (role === from ? tried : undefined);
  const copies = (tried: bigint) => {
    const [rs1, rs2] = [value(insn.rs1, tried), value(insn.rs2, tried)];
    return evaluate(insn, { ...(rs1 !== undefined && { rs1 }), ...(rs2 !== undefined && { rs2 }) }) === tried;
  };
  return { reg: from!, changed: !TRIAL_VALUES.every(copies) };
}

/** Does the result grow by one with rs1, for all trial values of rs1 and rs2? */
function addsUp(insn: Insn): boolean {
  const grows = (one: bigint, other: bigint) => {
    const [less, more] = [0n, 1n].map((by) => evaluate(insn, { rs1: one + by, rs2: other }));
    return less !== undefined && more !== undefined && BigInt.asUintN(64, more - less) === 1n;
  };
  return TRIAL_VALUES.every((one) => TRIAL_VALUES.every((other) => grows(one, other)));
}

/** Functions with their other parts, such as `.cold` ones: functions into whose middle they jump, or that jump into theirs. */
function withParts(
  { blocks, code }: Cfg,
  ownerOf: (address: Addr) => Addr,
  functions: ReadonlySet<Addr>,
): ReadonlySet<Addr> {
  const all = new Set(functions);
  for (const { site, ending } of blocks) {
    if (ending !== 'branch' && ending !== 'jump') continue;
    const to = targetOf(code.insnAt(site)!, site);
    if (to === undefined) continue;
    const [here, there] = [ownerOf(site), ownerOf(to)];
    if (here === there || to === there || (!functions.has(here) && !functions.has(there))) continue;
    all.add(here).add(there);
  }
  return all;
}

function extents({ blocks }: Cfg, ownerOf: (address: Addr) => Addr): ReadonlyMap<Addr, Extent> {
  const found = new Map<Addr, [Addr, Addr]>();
  for (const { start, end } of blocks) {
    const extent = found.get(ownerOf(start));
    if (extent === undefined) found.set(ownerOf(start), [start, end]);
    else extent[1] = Math.max(extent[1], end);
  }
  return found;
}
