/**
 * Where control may come to within a function otherwise than by the edges of the graph: which of its blocks end in a jump to an address in
 * a register, and the landing pads, labels and loose blocks to which such jumps, and calls that come back elsewhere, may lead.
 */
import { derived } from '../base/derived.ts';
import { append } from '../base/lists.ts';
import type { Addr } from '../base/units.ts';
import { imageConstants } from '../code/constants.ts';
import { imageLabels } from '../code/labels.ts';
import { facts } from '../domain/record.ts';
import { landingPads } from '../elf/unwind/index.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, insnsOf } from './build.ts';
import { entriesOf, functionGroups, groupAt, groupsByBlock } from './groups.ts';
import { isOnStack } from './stack.ts';

/**
 * By group, the blocks that no known edge leads to, without entries of functions: targets of tables, labels, landing pads. Padding before an
 * aligned label is no such block.
 */
export const orphansOf = derived('orphans', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const entries = entriesOf(cfg);
  const groupOf = groupsByBlock(cfg);
  const led = new Set(cfg.blocks.flatMap(({ flow }) => flow));
  const orphans = new Map<Addr, Addr[]>();
  for (const block of cfg.blocks) {
    const { start, evidence } = block;
    if (entries.has(start) || led.has(start) || evidence === 'guess') continue;
    if (isPadding(cfg, block)) continue;
    append(orphans, groupOf.get(start)!, start);
  }
  return orphans;
});

/**
 * By group, the landing pads of its functions, to which its calls may lead: those that the unwind tables tell, be they also fallen into or
 * jumped to, and perhaps in the middle of a block.
 */
export const padsByGroup = derived('pads by group', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const pads = new Map<Addr, Addr[]>();
  for (const pad of landingPads(cfg.image)) {
    const group = groupAt(cfg, pad);
    if (group !== undefined) append(pads, group, pad);
  }
  return pads;
});

/** By group, its labels: what the data or the code shows that a jump may lead to (`imageLabels`), and blocks that no edge leads to. */
export const labelsByGroup = derived('labels by group', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const entries = entriesOf(cfg);
  const labels = new Map([...orphansOf(cfg)].map(([group, orphans]) => [group, [...orphans]]));
  for (const label of imageLabels(cfg.image)) {
    const group = entries.has(label) ? undefined : groupAt(cfg, label);
    if (group !== undefined) append(labels, group, label);
  }
  return labels;
});

/**
 * By group, the labels in its functions whose addresses they make themselves, entries too. Something may be added to such an address, and who
 * is given it may come there with other registers (longjmp). What others make that lies in a function is its entry, or a mere number.
 */
export const madeLabels = derived('made labels', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const labels = new Map<Addr, Addr[]>();
  for (const { value, whole, pc } of imageConstants(cfg.image).all) {
    const group = whole ? groupAt(cfg, value) : undefined;
    if (group !== undefined && groupAt(cfg, pc) === group) append(labels, group, value);
  }
  return labels;
});

/** By group, where its calls may come back besides their return points: at landing pads, and at labels. */
export const landingsByGroup = derived('landings by group', (cfg: Cfg): ReadonlyMap<Addr, readonly Addr[]> => {
  const [pads, labels] = [padsByGroup(cfg), labelsByGroup(cfg)];
  const groups = new Set([...pads.keys(), ...labels.keys()]);
  return new Map([...groups].map((group) => [group, [...(pads.get(group) ?? []), ...(labels.get(group) ?? [])]]));
});

/** Does a block do nothing, as the padding before an aligned label? */
const isPadding = (cfg: Cfg, block: CfgBlock): boolean =>
  insnsOf(cfg, block).every(({ insn }) => facts(insn).pure && facts(insn).writes === undefined);

/**
 * Does a block end in a jump to an address in a register that is no return? Nor is a jump by ra or t0 one if the block itself makes its
 * target, other than by a load from the stack, where links are kept.
 */
export function isOpenJump(cfg: Cfg, block: CfgBlock): boolean {
  const { ending, target, site } = block;
  if (ending === 'indirect') return target === undefined;
  if (ending !== 'return') return false;
  const { rs1: link } = cfg.code.insnAt(site)!;
  const maker = insnsOf(cfg, { start: block.start, end: site }).findLast(
    ({ insn }) => facts(insn).writes === link,
  )?.insn;
  return maker !== undefined && !(facts(maker).load !== undefined && isOnStack(maker));
}

/** By group, the blocks that end in a jump to an address in a register: it may lead to any block of the group. */
export const jumpsByGroup = derived('jumps by group', (cfg: Cfg): ReadonlyMap<Addr, readonly CfgBlock[]> => {
  const jumps = new Map<Addr, CfgBlock[]>();
  for (const [group, blocks] of functionGroups(cfg)) {
    const own = blocks.filter((block) => block.evidence !== 'guess' && isOpenJump(cfg, block));
    if (own.length > 0) jumps.set(group, own);
  }
  return jumps;
});
