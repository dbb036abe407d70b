/**
 * Blocks and edges from transfer counts, by flow: the count of a block is the starts there, plus the transfers to it, plus the flow that
 * runs on into it from the block before, minus the stops right there. Nothing is estimated.
 *
 * The law: the sum over all blocks of count * instructions, minus the instructions that stops in mid-block cut off, is the number of
 * instructions that retired in this image. Flow in must equal flow out at every site; a profile that breaks this is refused.
 */
import { badProfile, internal } from '../base/errors.ts';
import { type Addr, hex, type InsnCount } from '../base/units.ts';
import { type Code, codeOf } from '../code/code.ts';
import { edgeKind, endingOf } from '../code/endings.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile, ProfiledBlock, ProfiledEdge } from './profile.ts';

export interface Blocks {
  /** Sorted by start. A block whose only entry was stopped on its first instruction has count 0. */
  readonly blocks: ProfiledBlock[];
  /** Sorted by from, then to; counts above 0. `to` is outside the blocks only where control left the image's code. */
  readonly edges: ProfiledEdge[];
  /** Instructions retired in this image, by the law above. */
  readonly retired: InsnCount;
}

/**
 * No block has more instructions: a longer line is cut. The work of passes grows with the square of a superblock's length, and hardly
 * any optimization is lost at the cuts of such long lines.
 */
const MOST_BLOCK_INSNS = 2000;

/**
 * All leaders: where control starts, is transferred to, or (only where code is executed at two alignments) where two straight lines
 * meet, and where a line is cut. So no instruction belongs to two blocks, even if their bytes overlap.
 */
function leadersOf(profile: ImageProfile, code: Code): Set<Addr> {
  const leaders = new Set<Addr>();
  for (const { at } of profile.starts) if (code.isExecutable(at)) leaders.add(at);
  for (const { to } of profile.transfers) if (code.isExecutable(to)) leaders.add(to);
  const visited = new Set<Addr>();
  for (const leader of [...leaders].sort((a, b) => a - b)) {
    let length = 0;
    for (let at = leader; ; length++) {
      if (visited.has(at)) {
        leaders.add(at);
        break;
      }
      if (length === MOST_BLOCK_INSNS) {
        leaders.add(at);
        length = 0;
      }
      const insn = code.insnAt(at);
      if (insn === undefined) break;
      visited.add(at);
      at += insn.size;
      if (leaders.has(at) || endingOf(insn) !== 'none') break;
    }
  }
  return leaders;
}

/** Counts of a run of the file's code add up. Where they do not, other code ran. */
const BAD_COUNTS_HINT =
  'make one with isoform profile; if that did, the program changes its own code as it runs, and assumption A5 does not hold';

/**
 * @throws bad-profile if the counts do not add up, or tell of transfers that this image's code cannot make
 */
export function blocksOf(profile: ImageProfile, image: Image): Blocks {
  const code = codeOf(image);
  const wrong = (what: string, at: Addr) => badProfile(profile.name, `${what} at ${hex(at)}`, BAD_COUNTS_HINT);
  const leaders = leadersOf(profile, code);
  const inflow = new Map<Addr, InsnCount>();
  const add = (at: Addr, count: InsnCount) => inflow.set(at, (inflow.get(at) ?? 0) + count);
  for (const { at, count } of profile.starts) add(at, count);
  for (const { to, count } of profile.transfers) add(to, count);
  const stops = new Map<Addr, InsnCount>();
  for (const { at, count } of profile.stops) stops.set(at, (stops.get(at) ?? 0) + count);
  /** Where the transfers from each site begin in the (sorted) list. */
  const sites = new Map<Addr, number>();
  profile.transfers.forEach(({ from }, index) => {
    if (!sites.has(from)) sites.set(from, index);
  });

  const blocks: ProfiledBlock[] = [];
  const edges: ProfiledEdge[] = [];
  let retired = 0;
  let sitesSeen = 0;
  const stopsSeen = new Set<Addr>();
  for (const start of [...leaders].sort((a, b) => a - b)) {
    const count = (inflow.get(start) ?? 0) - (stops.get(start) ?? 0);
    if (count < 0) throw wrong('more stops than entries', start);
    let flow = count;
    let insns = 0;
    /** Entries that a stop behind the first instruction cut off, and the instructions that they ran before the stop. */
    let cutOff = 0;
    let ranBeforeStops = 0;
    let at = start;
    for (;;) {
      const insn = code.insnAt(at);
      const stopped = at === start ? 0 : (stops.get(at) ?? 0);
      stopsSeen.add(at);
      flow -= stopped;
      cutOff += stopped;
      ranBeforeStops += stopped * insns;
      if (flow < 0) throw wrong('more stops than entries', at);
      if (insn === undefined) {
        if (flow > 0) throw wrong('bytes that are no instruction were executed', at);
        break;
      }
      const site = at;
      insns++;
      at += insn.size;
      if (endingOf(insn) !== 'none') {
        let out = 0;
        const first = sites.get(site);
        if (first !== undefined) {
          sitesSeen++;
          for (let i = first; profile.transfers[i]?.from === site; i++) {
            const { to, count: taken } = profile.transfers[i]!;
            out += taken;
            if (taken > 0) edges.push({ from: start, site, to, kind: edgeKind(insn, site, to), count: taken });
          }
        }
        if (out !== flow) throw wrong(`${flow} arrivals but ${out} departures`, site);
        flow = 0;
        break;
      }
      if (leaders.has(at)) {
        add(at, flow);
        if (flow > 0) edges.push({ from: start, site, to: at, kind: 'fall', count: flow });
        break;
      }
    }
    if (insns === 0) continue;
    blocks.push({ start, end: at, insns, count });
    retired += (count - cutOff) * insns + ranBeforeStops;
  }
  // Control may also arrive, and fault, where there is no code.
  for (const [at, count] of stops)
    if (!stopsSeen.has(at) && (leaders.has(at) || inflow.get(at) !== count))
      throw wrong('a stop where control never was', at);
  if (sitesSeen !== sites.size) {
    const ends = new Set(edges.map(({ site }) => site));
    for (const site of sites.keys()) if (!ends.has(site)) throw wrong('a transfer from where none can be', site);
    throw internal('a transfer site was seen twice');
  }
  return { blocks, edges, retired };
}

/**
 * Instructions retired in this image according to its profile. Equal to the profile's `instructions` when only this image ran.
 * @throws bad-profile as blocksOf does
 */
export const retired = (profile: ImageProfile, image: Image): InsnCount => blocksOf(profile, image).retired;
