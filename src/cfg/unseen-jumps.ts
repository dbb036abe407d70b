/**
 * Jumps that compute where they lead, by something that is not seen whole: labels' distances from a table that was handed over, or is found too far
 * away. Such a jump may lead to any instruction of its function. A jump to an address that is loaded, returned or passed as it is leads where code
 * addresses in the data, or those that code makes, lead; a jump that goes by one table on all ways leads where its entries lead (`accesses.ts`; all
 * ways are those that are known, past callees that keep to the psABI). By the same search a jump through a link register is told from a return.
 */
import { type Addr, type Reg, S0, SP } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { Ending } from '../profile/flow.ts';
import { PRESERVED } from './abi.ts';
import { imageAccesses } from './accesses.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { functionsBy } from './known-addresses.ts';
import { hasReg } from './regset.ts';

/** [start, end) */
export type Extent = readonly [Addr, Addr];

const LEADING: ReadonlySet<Ending> = new Set(['indirect', 'indirect-call', 'return']);
/** A copy gives back each of these. */
const TRIED = [0n, 0x1234n, 0xfedc_ba98_7654_3210n];

/** Where the jumps of an image may lead that are not seen to lead elsewhere. */
export function unseenJumps(image: Image): readonly Extent[] {
  const cfg = imageCfg(image);
  const resolved = new Set(imageAccesses(image).reads.map(({ site }) => site));
  const before = predecessors(cfg);
  const ownerOf = functionsBy(cfg);
  const functions = new Set<Addr>();
  for (const block of cfg.blocks) {
    const { ending, target, site } = block;
    if (!LEADING.has(ending) || target !== undefined || resolved.has(site)) continue;
    if (isComputed(cfg, before, ownerOf, block)) functions.add(ownerOf(site));
  }
  if (functions.size === 0) return [];
  const all = extents(cfg, ownerOf);
  return [...withParts(cfg, ownerOf, functions)]
    .map((owner) => all.get(owner))
    .filter((extent) => extent !== undefined);
}

/** The function that an address is in the middle of; undefined where it begins there, or no code is known. */
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

/** Is a jump to ra or t0 no return: was what it goes to computed on some way, or loaded from elsewhere than the stack? */
export function jumpsByLink(cfg: Cfg): (block: CfgBlock) => boolean {
  const before = predecessors(cfg);
  const ownerOf = functionsBy(cfg);
  return (block) => block.ending === 'return' && isComputed(cfg, before, ownerOf, block, true);
}

function predecessors({ blocks }: Cfg): ReadonlyMap<Addr, readonly CfgBlock[]> {
  const before = new Map<Addr, CfgBlock[]>();
  for (const block of blocks)
    for (const to of block.flow) {
      const list = before.get(to);
      if (list === undefined) before.set(to, [block]);
      else list.push(block);
    }
  return before;
}

/** Does some way to this jump compute its target? Where a way cannot be followed to its beginning, it may. */
function isComputed(
  cfg: Cfg,
  before: ReadonlyMap<Addr, readonly CfgBlock[]>,
  ownerOf: (address: Addr) => Addr,
  jump: CfgBlock,
  onlyStack = false,
): boolean {
  const last = cfg.code.insnAt(jump.site)!;
  const seen = new Set<string>();
  /** `changed`: something was done to what is in the register before it was jumped to; a constant still is one then. */
  const open: { readonly block: CfgBlock; readonly reg: Reg; readonly end: Addr; readonly changed: boolean }[] = [
    { block: jump, reg: last.rs1, end: jump.site, changed: last.imm !== 0 },
  ];
  for (let way = open.pop(); way !== undefined; way = open.pop()) {
    const { block } = way;
    let { changed } = way;
    let reg: Reg | undefined = way.reg;
    // What a callee returns is an address as it is.
    if (way.end === block.end && block.returnPoint !== undefined && !hasReg(PRESERVED, reg)) {
      if (changed) return true;
      continue;
    }
    for (const { insn } of insnsOf(cfg, { start: block.start, end: way.end }).reverse()) {
      if (facts(insn).writes !== reg) continue;
      const made = origin(insn);
      if (made === 'constant') {
        if (onlyStack) return true;
        reg = undefined;
      } else if (made === 'whole') {
        if (changed || (onlyStack && !isRestore(insn))) return true;
        reg = undefined;
      } else if (made === 'computed') {
        // Pointers that are called may be disguised (glibc's PTR_MANGLE), which is no sum.
        if (jump.ending !== 'indirect-call' || addsUp(insn)) return true;
        reg = undefined;
      } else {
        reg = made.from;
        changed ||= made.changed;
      }
      if (reg === undefined) break;
    }
    if (reg === undefined) continue;
    const ways = before.get(block.start) ?? [];
    if (block.start === ownerOf(block.start)) {
      if (changed) return true;
      continue;
    }
    // Who jumps to a link is taken to return, where nothing shows that it was computed.
    if (ways.length === 0 && jump.ending === 'indirect') return true;
    for (const from of ways) {
      const key = `${from.start},${reg},${changed}`;
      if (seen.has(key)) continue;
      seen.add(key);
      open.push({ block: from, reg, end: from.end, changed });
    }
  }
  return false;
}

/** A load from a frame, by sp or the frame pointer. */
const isRestore = (insn: Insn): boolean => facts(insn).load !== undefined && (insn.rs1 === SP || insn.rs1 === S0);

type Origin = 'constant' | 'whole' | 'computed' | { readonly from: Reg; readonly changed: boolean };

/** Where the result of an instruction comes from: one register, perhaps with something done to it, nothing, somewhere as it is, or it is computed. */
function origin(insn: Insn): Origin {
  const { pure, reads, load, control } = facts(insn);
  if (load !== undefined || control !== 'none') return 'whole';
  if (reads.length === 0) return pure ? 'constant' : 'whole';
  if (!pure || reads.length > 1) return 'computed';
  const [from] = reads;
  const value = (role: Reg, tried: bigint) => (role === from ? tried : undefined);
  const copies = (tried: bigint) => {
    const [rs1, rs2] = [value(insn.rs1, tried), value(insn.rs2, tried)];
    return evaluate(insn, { ...(rs1 !== undefined && { rs1 }), ...(rs2 !== undefined && { rs2 }) }) === tried;
  };
  return { from: from!, changed: !TRIED.every(copies) };
}

/** Does the result grow with an operand, whatever the other one is? */
function addsUp(insn: Insn): boolean {
  const grows = (one: bigint, other: bigint) => {
    const [less, more] = [0n, 1n].map((by) => evaluate(insn, { rs1: one + by, rs2: other }));
    return less !== undefined && more !== undefined && BigInt.asUintN(64, more - less) === 1n;
  };
  return TRIED.every((one) => TRIED.every((other) => grows(one, other)));
}

/** And other parts of these functions, such as a `.cold` one: what their jumps lead into the middle of, and what jumps into theirs. */
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
