/**
 * The control-flow graph of a program's discovered code: executed code with its exact counts, and all other code that was found, with
 * count 0 (code/discover.ts). Blocks are split at the leaders of both, so a block of the profile may be several blocks here.
 */

import { DirectedGraph } from 'graphology';
import { derived } from '../base/derived.ts';
import { type Addr, hex, type InsnCount } from '../base/units.ts';
import { type Code, codeOf } from '../code/code.ts';
import { discover } from '../code/discover.ts';
import { type EdgeKind, edgeKind, endingOf, farTarget, leavesLink } from '../code/endings.ts';
import type { Image } from '../elf/image.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import { blocksOf } from '../profile/blocks.ts';
import { type ImageProfile, OUTSIDE, type ProfiledEdge } from '../profile/profile.ts';
import type { CfgBlock } from './block.ts';
import { assignFunctions, type CfgFunction } from './functions.ts';

export interface CfgEdge {
  readonly from: Addr;
  readonly to: Addr;
  readonly kind: EdgeKind;
  readonly count: InsnCount;
}

/** Nodes are keyed by `cfgKey(start)`. A branch to the instruction behind it is one edge, of kind `taken`. */
export type CfgGraph = DirectedGraph<CfgBlock, CfgEdge>;

export interface Cfg {
  readonly image: Image;
  readonly code: Code;
  /** Sorted by start. */
  readonly blocks: readonly CfgBlock[];
  /** By entry, rising. */
  readonly functions: ReadonlyMap<Addr, CfgFunction>;
  /** The graph is made on first use, since analyses work on `blocks`. */
  readonly graph: CfgGraph;
  /** The block that starts at an address. */
  blockAt(address: Addr): CfgBlock | undefined;
  /** Does the `flow` of a block of another function (jumps, falling through, return points) lead to a block? Calls do not count. */
  enteredFromOutside(start: Addr): boolean;
  /** The block with an instruction that starts at an address. */
  blockOver(address: Addr): CfgBlock | undefined;
}

export const cfgKey = (address: Addr): string => hex(address);

/** The instructions of a block with their addresses. */
export function insnsOf(cfg: Cfg, block: { readonly start: Addr; readonly end: Addr }): { at: Addr; insn: Insn }[] {
  const found: { at: Addr; insn: Insn }[] = [];
  for (let at = block.start; at < block.end; ) {
    const insn = cfg.code.insnAt(at)!;
    found.push({ at, insn });
    at += insn.size;
  }
  return found;
}

/** The graph of the code that is found in an image without a profile. */
export const imageCfg = derived('graph', (image: Image): Cfg => buildCfg(image));

/**
 * @param profile without one, all counts are 0
 * @throws bad-profile if the profile does not fit the image's code
 */
export function buildCfg(image: Image, profile?: ImageProfile): Cfg {
  const code = codeOf(image);
  const ran = profile === undefined ? { blocks: [], edges: [] } : blocksOf(profile, image);
  const found = discover(
    image,
    code,
    ran.blocks.map(({ start }) => start),
  );
  const leaders = found.leaders();
  /** Profiled edges by the address of the instruction that takes them. */
  const bySite = new Map<Addr, ProfiledEdge[]>();
  for (const edge of ran.edges) {
    const list = bySite.get(edge.site);
    if (list === undefined) bySite.set(edge.site, [edge]);
    else list.push(edge);
  }

  const drafts = leaders.map((start) => draft(code, found.isLeader, start));
  const flows = drafts.map((block) => flowOf(code, block, found.isLeader, bySite.get(block.site) ?? []));
  const counts = countsOf(drafts, ran.blocks, profile);
  // Field by field: spreading objects is several times as slow, and there may be a hundred thousand blocks.
  const blocks: CfgBlock[] = drafts.map((block, i) => ({
    start: block.start,
    end: block.end,
    site: block.site,
    insns: block.insns,
    count: counts[i]!,
    ending: block.ending,
    evidence: found.evidenceAt(block.start),
    target: block.target,
    returnPoint: block.returnPoint,
    leavesLink: block.leavesLink,
    flow: flows[i]!.flow,
    flowKnown: flows[i]!.flowKnown,
    behindUnknown: flows[i]!.behindUnknown,
    function: block.start,
  }));
  const entries = new Set<Addr>([image.entry, ...found.callees]);
  for (const { kind, to } of ran.edges)
    if (to !== OUTSIDE && (kind === 'call' || kind === 'indirect-call')) entries.add(to);
  const { functions, owner } = assignFunctions(image, blocks, entries);
  for (const block of blocks) (block as { function: Addr }).function = owner.get(block.start)!;

  const index = new Map(blocks.map((block) => [block.start, block]));
  let graph: CfgGraph | undefined;
  const outside = new Set<Addr>();
  for (const block of blocks) for (const to of block.flow) if (owner.get(to) !== block.function) outside.add(to);
  return {
    image,
    code,
    blocks,
    functions,
    get graph() {
      graph ??= graphOf(blocks, index, code, bySite, new Set(ran.blocks.map(({ start }) => start)));
      return graph;
    },
    blockAt: (address) => index.get(address),
    enteredFromOutside: (start) => outside.has(start),
    blockOver(address) {
      let low = 0;
      let high = blocks.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (blocks[middle]!.start <= address) low = middle + 1;
        else high = middle;
      }
      // Blocks overlap only where code is decoded at two alignments; then the block that is wanted is a few indexes below.
      for (let i = low - 1; i >= 0 && i >= low - 8; i--) {
        const block = blocks[i]!;
        if (address >= block.end) continue;
        let at = block.start;
        while (at < address) at += code.insnAt(at)!.size;
        if (at === address) return block;
      }
      return undefined;
    },
  };
}

type Draft = Pick<CfgBlock, 'start' | 'end' | 'site' | 'insns' | 'ending' | 'target' | 'returnPoint' | 'leavesLink'>;

/** The straight line from a leader to its end: a control transfer, the next leader, or the last decodable instruction. */
function draft(code: Code, isLeader: (address: Addr) => boolean, start: Addr): Draft {
  let before: Insn | undefined;
  let insn = code.insnAt(start)!;
  let site = start;
  let insns = 1;
  for (;;) {
    const end = site + insn.size;
    const ending = endingOf(insn);
    const next = ending === 'none' && !isLeader(end) ? code.insnAt(end) : undefined;
    if (next === undefined) {
      const target = targetOf(insn, site) ?? (before && farTarget(before, site - before.size, insn));
      const returnPoint = ending === 'call' || ending === 'indirect-call' ? end : undefined;
      return { start, end, site, insns, ending, target, returnPoint, leavesLink: leavesLink(insn) };
    }
    before = insn;
    insn = next;
    site = end;
    insns++;
  }
}

/** The successors of a block. In damaged code control may go to an address that starts no block: then the flow is not known. */
function flowOf(
  code: Code,
  block: Draft,
  isLeader: (address: Addr) => boolean,
  edges: readonly ProfiledEdge[],
): Pick<CfgBlock, 'flow' | 'flowKnown' | 'behindUnknown'> {
  const { ending, target, end } = block;
  const flow: Addr[] = [];
  let flowKnown = true;
  let behindUnknown: Addr | undefined;
  const leadsTo = (to: Addr) => {
    if (!isLeader(to)) flowKnown = false;
    else if (!flow.includes(to)) flow.push(to);
  };
  const fallsThrough = () => {
    leadsTo(end);
    let behind = end;
    for (let size = 1; size > 0 && code.insnAt(behind) === undefined; behind += size) size = code.lengthAt(behind);
    if (behind === end || !isLeader(behind)) return;
    behindUnknown = behind;
    leadsTo(behind);
  };
  const calls = block.returnPoint !== undefined;
  if (ending === 'none' || ending === 'branch' || ending === 'syscall' || calls || block.leavesLink) fallsThrough();
  if (target !== undefined && ending !== 'call' && ending !== 'indirect-call') leadsTo(target);
  if (ending === 'indirect' && target === undefined) {
    flowKnown = false;
    for (const { to } of edges) if (to !== OUTSIDE) leadsTo(to);
  }
  if (ending === 'return' || ending === 'trap') flowKnown = false;
  if (flow.length > 1) flow.sort((a, b) => a - b);
  return { flow, flowKnown, behindUnknown };
}

/** Counts of blocks: the count of the enclosing block of the profile, minus the runs that stopped in it before. */
function countsOf(
  drafts: readonly Draft[],
  ran: readonly { readonly start: Addr; readonly end: Addr; readonly count: InsnCount }[],
  profile: ImageProfile | undefined,
): Float64Array {
  const counts = new Float64Array(drafts.length);
  const indexOf = new Map(drafts.map(({ start }, i) => [start, i]));
  const stops = profile?.stops ?? [];
  for (const block of ran) {
    let count = block.count;
    for (
      let start = block.start, i = indexOf.get(start);
      i !== undefined && start < block.end;
      i = indexOf.get(start)
    ) {
      const { end, ending } = drafts[i]!;
      if (start !== block.start) for (const stop of stops) if (stop.at === start) count -= stop.count;
      counts[i] = count;
      for (const stop of stops) if (stop.at > start && stop.at < end) count -= stop.count;
      if (ending !== 'none') break;
      start = end;
    }
  }
  return counts;
}

function graphOf(
  blocks: readonly CfgBlock[],
  index: ReadonlyMap<Addr, CfgBlock>,
  code: Code,
  bySite: ReadonlyMap<Addr, readonly ProfiledEdge[]>,
  profiled: ReadonlySet<Addr>,
): CfgGraph {
  const graph: CfgGraph = new DirectedGraph<CfgBlock, CfgEdge>();
  for (const block of blocks) graph.addNode(cfgKey(block.start), block);
  for (const block of blocks) {
    const kinds = new Map<Addr, { kind: EdgeKind; count: InsnCount }>();
    const insn = code.insnAt(block.site)!;
    const { ending, returnPoint, target } = block;
    for (const to of block.flow)
      if (returnPoint === undefined) kinds.set(to, { kind: edgeKind(insn, block.site, to), count: 0 });
    if (target !== undefined && (ending === 'call' || ending === 'indirect-call'))
      kinds.set(target, { kind: ending, count: 0 });
    // A leader that the profile does not know was entered only by falling through from the block before it.
    if (ending === 'none' && index.has(block.end) && !profiled.has(block.end))
      kinds.set(block.end, { kind: 'fall', count: index.get(block.end)!.count });
    for (const { to, kind, count } of bySite.get(block.site) ?? []) if (to !== OUTSIDE) kinds.set(to, { kind, count });
    for (const [to, { kind, count }] of kinds)
      if (index.has(to)) graph.addDirectedEdge(cfgKey(block.start), cfgKey(to), { from: block.start, to, kind, count });
  }
  return graph;
}
