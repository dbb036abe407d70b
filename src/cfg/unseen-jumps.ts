/**
 * Jumps that compute where they lead, by something that is not seen whole: labels' distances from a table that was handed over, or is found too far
 * away. Such a jump may lead to any instruction of its function. A jump to an address that is loaded, returned or passed as it is leads where code
 * addresses in the data, or those that code makes, lead; a jump that goes by one table on all ways leads where its entries lead (`accesses.ts`; all
 * ways are those that are known, past callees that keep to the psABI).
 */
import type { Addr, Reg } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import { imageAccesses } from './accesses.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg, insnsOf } from './build.ts';
import { functionsBy } from './known-addresses.ts';

/** A copy gives back each of these. */
const TRIED = [0n, 0x1234n, 0xfedc_ba98_7654_3210n];

/** [start, end) */
export type Extent = readonly [Addr, Addr];

/** Where the jumps of an image may lead that are not seen to lead elsewhere. */
export function unseenJumps(image: Image): readonly Extent[] {
  const cfg = imageCfg(image);
  const resolved = new Set(imageAccesses(image).reads.map(({ site }) => site));
  const before = predecessors(cfg);
  const ownerOf = functionsBy(cfg);
  const functions = new Set<Addr>();
  for (const block of cfg.blocks) {
    const { ending, target, site } = block;
    if ((ending !== 'indirect' && ending !== 'return') || target !== undefined || resolved.has(site)) continue;
    if (isComputed(cfg, before, ownerOf, block)) functions.add(ownerOf(site));
  }
  for (const owner of [...functions]) for (const part of partsOf(cfg, ownerOf, owner)) functions.add(part);
  return functions.size === 0 ? [] : extents(cfg, ownerOf, functions);
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
): boolean {
  const last = cfg.code.insnAt(jump.site)!;
  const seen = new Set<string>();
  const open: { readonly block: CfgBlock; readonly reg: Reg; readonly end: Addr }[] = [
    { block: jump, reg: last.rs1, end: jump.site },
  ];
  for (let way = open.pop(); way !== undefined; way = open.pop()) {
    const { block } = way;
    let reg: Reg | undefined = way.reg;
    // What a callee returns is an address as it is.
    if (way.end === block.end && block.returnPoint !== undefined && isClobbered(reg)) continue;
    for (const { insn } of insnsOf(cfg, { start: block.start, end: way.end }).reverse()) {
      if (facts(insn).writes !== reg) continue;
      const made = origin(insn);
      if (made === 'computed') return true;
      reg = made === 'whole' ? undefined : made;
      if (reg === undefined) break;
    }
    if (reg === undefined || block.start === ownerOf(block.start)) continue;
    const ways = before.get(block.start) ?? [];
    // Who jumps to a link is taken to return, where nothing shows that it was computed.
    if (ways.length === 0 && jump.ending === 'indirect') return true;
    for (const from of ways) {
      if (seen.has(`${from.start},${reg}`)) continue;
      seen.add(`${from.start},${reg}`);
      open.push({ block: from, reg, end: from.end });
    }
  }
  return false;
}

/** Neither the psABI's saved registers nor sp, gp and tp. */
const isClobbered = (reg: Reg): boolean => reg === 1 || (reg >= 5 && reg <= 7) || (reg >= 10 && reg <= 17) || reg >= 28;

/** Where the result of an instruction comes from: a register that it copies, somewhere as it is, or it is computed. */
function origin(insn: Insn): Reg | 'whole' | 'computed' {
  const { pure, reads, load, control } = facts(insn);
  if (load !== undefined || control !== 'none' || reads.length === 0) return 'whole';
  const [from] = reads;
  const value = (role: Reg, tried: bigint) => (role === from ? tried : undefined);
  const copies = (tried: bigint) => {
    const [rs1, rs2] = [value(insn.rs1, tried), value(insn.rs2, tried)];
    return evaluate(insn, { ...(rs1 !== undefined && { rs1 }), ...(rs2 !== undefined && { rs2 }) }) === tried;
  };
  return pure && reads.length === 1 && TRIED.every(copies) ? from! : 'computed';
}

/** Other parts of a function, such as its `.cold` one: what its jumps lead into the middle of, and what jumps into its own. */
function partsOf({ blocks, code }: Cfg, ownerOf: (address: Addr) => Addr, owner: Addr): ReadonlySet<Addr> {
  const parts = new Set<Addr>();
  for (const { site, ending } of blocks) {
    if (ending !== 'branch' && ending !== 'jump') continue;
    const to = targetOf(code.insnAt(site)!, site);
    if (to === undefined) continue;
    const [here, there] = [ownerOf(site), ownerOf(to)];
    if (here === there || to === there || (here !== owner && there !== owner)) continue;
    parts.add(here).add(there);
  }
  return parts;
}

function extents({ blocks }: Cfg, ownerOf: (address: Addr) => Addr, functions: ReadonlySet<Addr>): Extent[] {
  const found = new Map<Addr, [Addr, Addr]>();
  for (const { start, end } of blocks) {
    const owner = ownerOf(start);
    if (!functions.has(owner)) continue;
    const extent = found.get(owner);
    if (extent === undefined) found.set(owner, [start, end]);
    else extent[1] = Math.max(extent[1], end);
  }
  return [...found.values()];
}
