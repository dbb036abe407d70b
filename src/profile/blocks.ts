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
import type { Insn } from '../isa/row.ts';
import { type ImageProfile, OUTSIDE, type ProfiledBlock, type ProfiledEdge } from './profile.ts';

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
  for (const { to } of profile.transfers) if (to !== OUTSIDE && code.isExecutable(to)) leaders.add(to);
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

/** A profile's counts by address, and the blocks and edges made of them so far. */
class Flow {
  readonly blocks: ProfiledBlock[] = [];
  readonly edges: ProfiledEdge[] = [];
  retired: InsnCount = 0;
  readonly #profile: ImageProfile;
  readonly #code: Code;
  readonly #leaders: ReadonlySet<Addr>;
  readonly #inflow = new Map<Addr, InsnCount>();
  readonly #stops = new Map<Addr, InsnCount>();
  /** Where the transfers from each site begin in the (sorted) list. */
  readonly #sites = new Map<Addr, number>();
  #sitesSeen = 0;
  readonly #stopsSeen = new Set<Addr>();

  constructor(profile: ImageProfile, code: Code) {
    this.#profile = profile;
    this.#code = code;
    this.#leaders = leadersOf(profile, code);
    for (const { at, count } of profile.starts) this.#arrive(at, count);
    for (const { to, count } of profile.transfers) if (to !== OUTSIDE) this.#arrive(to, count);
    for (const { at, count } of profile.stops) this.#stops.set(at, (this.#stops.get(at) ?? 0) + count);
    profile.transfers.forEach(({ from }, index) => {
      if (!this.#sites.has(from)) this.#sites.set(from, index);
    });
  }
  #arrive(at: Addr, count: InsnCount): void {
    this.#inflow.set(at, (this.#inflow.get(at) ?? 0) + count);
  }
  #wrong(what: string, at: Addr): Error {
    return badProfile(this.#profile.name, `${what} at ${hex(at)}`, BAD_COUNTS_HINT);
  }

  /** Makes the blocks, in the order of their addresses: flow runs on from a block into the block behind. */
  follow(): void {
    for (const start of [...this.#leaders].sort((a, b) => a - b)) this.#block(start);
  }
  #block(start: Addr): void {
    const count = (this.#inflow.get(start) ?? 0) - (this.#stops.get(start) ?? 0);
    if (count < 0) throw this.#wrong('more stops than entries', start);
    let flow = count;
    let insns = 0;
    /** Entries that a stop behind the first instruction cut off, and the instructions that they ran before the stop. */
    let cutOff = 0;
    let ranBeforeStops = 0;
    let at = start;
    for (;;) {
      const insn = this.#code.insnAt(at);
      const stopped = at === start ? 0 : (this.#stops.get(at) ?? 0);
      this.#stopsSeen.add(at);
      flow -= stopped;
      cutOff += stopped;
      ranBeforeStops += stopped * insns;
      if (flow < 0) throw this.#wrong('more stops than entries', at);
      if (insn === undefined) {
        if (flow > 0) throw this.#wrong('bytes that are no instruction were executed', at);
        break;
      }
      const site = at;
      insns++;
      at += insn.size;
      if (endingOf(insn) !== 'none') {
        const out = this.#depart(start, site, insn);
        if (out !== flow) throw this.#wrong(`${flow} arrivals but ${out} departures`, site);
        break;
      }
      if (this.#leaders.has(at)) {
        this.#arrive(at, flow);
        if (flow > 0) this.edges.push({ from: start, site, to: at, kind: 'fall', count: flow });
        break;
      }
    }
    if (insns === 0) return;
    this.blocks.push({ start, end: at, insns, count });
    this.retired += (count - cutOff) * insns + ranBeforeStops;
  }
  /** The edges of the instruction that ends a block. @returns the sum of their counts */
  #depart(start: Addr, site: Addr, insn: Insn): InsnCount {
    const first = this.#sites.get(site);
    if (first === undefined) return 0;
    this.#sitesSeen++;
    const { transfers } = this.#profile;
    let out = 0;
    for (let i = first; transfers[i]?.from === site; i++) {
      const { to, count } = transfers[i]!;
      out += count;
      if (count > 0)
        this.edges.push({ from: start, site, to, kind: edgeKind(insn, site, to === OUTSIDE ? undefined : to), count });
    }
    return out;
  }

  /** Checks that every stop and every transfer of the profile was met on the way through the blocks. */
  checkAllMet(): void {
    // Control may also arrive, and fault, where there is no code.
    for (const [at, count] of this.#stops)
      if (!this.#stopsSeen.has(at) && (this.#leaders.has(at) || this.#inflow.get(at) !== count))
        throw this.#wrong('a stop where control never was', at);
    if (this.#sitesSeen === this.#sites.size) return;
    const ends = new Set(this.edges.map(({ site }) => site));
    for (const site of this.#sites.keys())
      if (!ends.has(site)) throw this.#wrong('a transfer from where none can be', site);
    throw internal('a transfer site was seen twice');
  }
}

/**
 * @throws bad-profile if the counts do not add up, or tell of transfers that this image's code cannot make
 */
export function blocksOf(profile: ImageProfile, image: Image): Blocks {
  const flow = new Flow(profile, codeOf(image));
  flow.follow();
  flow.checkAllMet();
  const { blocks, edges, retired } = flow;
  return { blocks, edges, retired };
}

/**
 * Instructions retired in this image according to its profile. Equal to the profile's `instructions` when only this image ran.
 * @throws bad-profile as blocksOf does
 */
export const retired = (profile: ImageProfile, image: Image): InsnCount => blocksOf(profile, image).retired;
