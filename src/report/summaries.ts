/**
 * Summaries of the superblocks for the report, read from the two files and the address map alone. A report made later from the files
 * therefore says the same as one made by the optimizer, and describes the code in the file, not the optimizer's intent.
 */
import type { Addr, InsnCount } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import { endingOf, farTarget } from '../code/endings.ts';
import type { Image } from '../elf/image.ts';
import type { AddressMapData, MappedSuperblock } from '../emit/map.ts';
import { targetOf } from '../isa/row.ts';
import { instructionsAt, type PlacedInsn } from './counts.ts';
import { originsOf } from './match.ts';
import type { ExitSummary, OptimizedRange, SuperblockSummary } from './superblocks.ts';

export interface SummaryOptions {
  /** The verdict on a superblock, by its head; default: tested. */
  readonly verdict?: (
    head: Addr,
  ) => { readonly verdict: SuperblockSummary['verdict']; readonly reason?: string } | undefined;
  /** Optimized address -> original instruction, where known for certain; the other origins are found from the code. */
  readonly origins?: ReadonlyMap<Addr, Addr>;
}

export function summariesOf(
  original: Image,
  optimized: Image,
  map: AddressMapData,
  options: SummaryOptions = {},
): SuperblockSummary[] {
  const reader = new ExitReader(optimized, map);
  return map.superblocks.map((mapped) => {
    const line = instructionsAt(optimized, mapped.start, mapped.end);
    const path = pathBlocks(original, mapped.path, reader.behind(mapped, line));
    const code = path.map(({ start, end }) => instructionsAt(original, start, end));
    const stubs = mapped.stubs.flatMap(([start, end]) => instructionsAt(optimized, start, end));
    const found = originsOf(code.flat(), line, stubs);
    if (options.origins)
      for (const { address } of [...line, ...stubs]) {
        const known = options.origins.get(address);
        if (known !== undefined) found.set(address, known);
      }
    const ranges: OptimizedRange[] = [
      { start: mapped.start, end: mapped.end, part: 'line' },
      ...mapped.stubs.map(([start, end]): OptimizedRange => ({ start, end, part: 'stub' })),
    ];
    return {
      head: mapped.head,
      path,
      ranges,
      addresses: found,
      exits: reader.exits(mapped, line, code, found),
      bytes: ranges.reduce((sum, { start, end }) => sum + end - start, 0),
      ...(options.verdict?.(mapped.head) ?? { verdict: 'tested' }),
    };
  });
}

/**
 * The blocks of a path as the training run had them, whatever run is reported on. A block ends behind its first control transfer, or where
 * the next block of the path begins. The last block may also end where the superblock goes on to.
 * @param behind addresses to which control may go on from the path's end
 */
function pathBlocks(image: Image, starts: readonly Addr[], behind: readonly Addr[]) {
  const code = codeOf(image);
  const endOf = (start: Addr, ends: readonly (Addr | undefined)[]): Addr => {
    for (let at = start; ; ) {
      const insn = code.insnAt(at);
      if (insn === undefined) return at;
      at += insn.size;
      if (endingOf(insn) !== 'none' || ends.includes(at)) return at;
    }
  };
  return starts
    .map((start, index) => ({ start, end: endOf(start, index + 1 < starts.length ? [starts[index + 1]] : behind) }))
    .filter(({ start, end }) => end > start);
}

/** Reads exits out of optimized code. */
class ExitReader {
  readonly #image: Image;
  readonly #map: AddressMapData;
  /** Heads by the start of their lines. An empty line starts at the same address as the next line. */
  readonly #heads: ReadonlyMap<Addr, readonly Addr[]>;
  readonly #stubs: ReadonlyMap<Addr, Addr>;

  constructor(image: Image, map: AddressMapData) {
    this.#image = image;
    this.#map = map;
    const heads = new Map<Addr, Addr[]>();
    for (const { start, head } of map.superblocks) heads.set(start, [...(heads.get(start) ?? []), head]);
    this.#heads = heads;
    this.#stubs = new Map(
      map.superblocks.flatMap(({ stubs }) => stubs.map(([start, end]): [Addr, Addr] => [start, end])),
    );
  }

  /**
   * The original addresses that a transfer to an optimized address may lead to, through stubs; none for a computed target, nor for stubs
   * that lead to each other in a circle.
   */
  #leadsTo(address: Addr): readonly Addr[] {
    const seen = new Set<Addr>();
    for (let at = address; !seen.has(at); ) {
      seen.add(at);
      if (at < this.#map.originalEnd) return [at];
      const heads = this.#heads.get(at);
      if (heads !== undefined) return heads;
      const end = this.#stubs.get(at);
      const stub = end === undefined ? [] : instructionsAt(this.#image, at, end);
      if (end === undefined || stub.length === 0) return [];
      const target = jumpTarget(stub, stub.length - 1);
      if (target === undefined && endingOf(stub.at(-1)!.insn) !== 'none') return [];
      at = target ?? end;
    }
    return [];
  }

  /** The original addresses to which control may go on from the end of a line; the line may end in an inverted branch. */
  behind(mapped: MappedSuperblock, line: readonly PlacedInsn[]): readonly Addr[] {
    const to = line.length === 0 ? undefined : jumpTarget(line, line.length - 1);
    return [mapped.end, ...(to === undefined ? [] : [to])].flatMap((address) => this.#leadsTo(address));
  }

  /** @param origins originals of the line's instructions, as far as they are known */
  exits(
    mapped: MappedSuperblock,
    line: readonly PlacedInsn[],
    path: readonly (readonly PlacedInsn[])[],
    origins: ReadonlyMap<Addr, Addr>,
  ): ExitSummary[] {
    const ends = pathEnds(path);
    const whole = path.reduce((sum, block) => sum + block.length, 0);
    const exits: ExitSummary[] = [];
    /** Index in `ends` from which the next exit's transfer is looked for. */
    let at = 0;
    const leave = (site: Addr, to: Addr | undefined, kind: string, last: boolean) => {
      const targets = to === undefined ? [] : this.#leadsTo(to);
      // Exits are in the order of the path. Two branches of the path may lead to one address, and one of the two may be gone.
      const origin = origins.get(site);
      const fits = (end: PathEnd, place: number) => place >= at && end.leads(targets);
      const own = ends.findIndex((end, place) => end.address === origin && fits(end, place));
      const index = own >= 0 ? own : ends.findIndex(fits);
      const target = targets.find((each) => ends[index]?.ways.includes(each)) ?? targets.at(-1);
      if (index >= 0 && !last) at = index + 1;
      const retired = last ? whole : (ends[index >= 0 ? index : Math.max(0, at - 1)]?.retired ?? whole);
      exits.push({
        kind: target === mapped.head && kind !== 'call' ? 'loop' : kind,
        site,
        ...(to === undefined ? {} : { to }),
        ...(target === undefined ? {} : { target }),
        pathInstructions: retired,
      });
    };
    for (const [index, { address, insn }] of line.entries()) {
      const ending = endingOf(insn);
      if (ending === 'none' || ending === 'syscall') continue;
      const behind = address + insn.size;
      const last = behind === mapped.end;
      const to = ending === 'branch' ? targetOf(insn, address) : jumpTarget(line, index);
      // A branch over a jump to a stub stays in the line.
      if (ending === 'branch' && to! > mapped.start && to! < mapped.end) continue;
      if (ending === 'branch') leave(address, to, 'side', false);
      else {
        // Code behind a call continues from the call's return point, which belongs to another superblock.
        const called = ending === 'call' || ending === 'indirect-call';
        leave(address, to, EXIT_NAMES[ending] ?? (last ? 'final' : 'side'), last || called);
        if (called) return exits;
      }
    }
    const end = line.at(-1);
    const ending = end === undefined ? 'none' : endingOf(end.insn);
    if (end !== undefined && (ending === 'none' || ending === 'branch' || ending === 'syscall'))
      leave(end.address, mapped.end, 'final', true);
    return exits;
  }
}

const EXIT_NAMES: Partial<Record<ReturnType<typeof endingOf>, string>> = {
  call: 'call',
  'indirect-call': 'indirect call',
  return: 'return',
  indirect: 'indirect',
  trap: 'trap',
};

/** The target of a branch, or of a jump or call of one instruction or two; undefined for a computed target. */
function jumpTarget(code: readonly PlacedInsn[], index: number): Addr | undefined {
  const { address, insn } = code[index]!;
  const near = targetOf(insn, address);
  const before = code[index - 1];
  if (near !== undefined || before === undefined) return near;
  return farTarget(before.insn, before.address, insn);
}

/** A control transfer on the path. */
interface PathEnd {
  readonly address: Addr;
  /** Instructions of the path up to and including the transfer. */
  readonly retired: InsnCount;
  /** Addresses at which it can leave the path, computed ones excepted. */
  readonly ways: readonly Addr[];
  /** Can the transfer leave for one of these targets? An empty list means a computed target. */
  readonly leads: (targets: readonly Addr[]) => boolean;
}

function pathEnds(path: readonly (readonly PlacedInsn[])[]): PathEnd[] {
  let retired: InsnCount = 0;
  const ends: PathEnd[] = [];
  for (const [index, block] of path.entries()) {
    retired += block.length;
    const last = block.at(-1);
    if (last === undefined) continue;
    const { address, insn } = last;
    const ending = endingOf(insn);
    const next = path[index + 1]?.[0]?.address;
    if (ending === 'branch') {
      const ways = [targetOf(insn, address)!, address + insn.size].filter((way) => way !== next);
      ends.push({ address, retired, ways, leads: (targets) => targets.some((target) => ways.includes(target)) });
    } else if (ending === 'indirect' || ending === 'indirect-call' || ending === 'return')
      ends.push({ address, retired, ways: [], leads: (targets) => targets.length === 0 });
  }
  return ends;
}
