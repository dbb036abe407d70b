/**
 * The first phase of layout: the items of superblocks become atoms, in parts that stand in the order that placement chose. Where the
 * code behind is the code that an exit leads to, the exit needs no jump; a branch in front of a final exit is inverted if that makes
 * the hot way shorter.
 */
import type { Addr, Reg } from '../base/units.ts';
import { invertBranch } from '../isa/idioms.ts';
import type { Item, LoweredSuperblock } from '../lower/item.ts';
import {
  type BranchAtom,
  type HighAtom,
  type JumpAtom,
  type LowAtom,
  makePart,
  type Part,
  type Target,
} from './atom.ts';
import { type ChainedStub, type Group, isLine, isStub, type Piece } from './place.ts';

type BranchItem = Extract<Item, { kind: 'branch' }>;

/** The parts of one superblock. */
export interface Outline {
  readonly lowered: LoweredSuperblock;
  readonly line: Part;
  readonly stubs: readonly Part[];
  /** By stub: a jump to each stub that stands among the lines, for branches that do not reach so far. */
  readonly hops: ReadonlyMap<number, Part>;
}

export interface Collected {
  /** All parts, in the order in which they stand. */
  readonly parts: readonly Part[];
  /** In the order of the lines. */
  readonly outlines: readonly Outline[];
  /** Heads whose superblocks' addresses are made as return addresses of inlined calls. */
  readonly links: ReadonlySet<Addr>;
}

/** Decides which code addresses that optimized code makes are addresses of superblocks. */
export interface CodeAddresses {
  /** Heads whose addresses must not serve as return addresses. */
  readonly unlinked: ReadonlySet<Addr>;
  /** Does the indirect jump at `site` load this target from a retargeted table, which holds its superblock's address? */
  readonly byTable: (site: Addr, target: Addr) => boolean;
}

/**
 * The parts of all groups, with atoms in their shortest forms and without addresses.
 * @param aliases heads of empty superblocks, each with the head that transfers to it lead to
 */
export function collect(
  groups: readonly Group[],
  aliases: ReadonlyMap<Addr, Addr>,
  addresses: Partial<CodeAddresses>,
): Collected {
  const collector = new Collector(groups, aliases, addresses);
  for (const group of groups) collector.addGroup(group);
  return collector;
}

/** An outline whose parts are being filled. */
interface OpenOutline extends Outline {
  /** By base: the atom that the `low` items added next refer to. */
  readonly highs: Map<number, HighAtom>;
}

/** The outlines of the groups' lines, without atoms yet: atoms lead to parts before these are filled. */
function outlinesOf(groups: readonly Group[]): Map<LoweredSuperblock, OpenOutline> {
  const chained = new Map<LoweredSuperblock, number[]>();
  for (const { of, stub } of groups.flatMap(({ pieces }) => pieces.filter(isStub))) {
    const stubs = chained.get(of);
    if (stubs === undefined) chained.set(of, [stub]);
    else stubs.push(stub);
  }
  const outline = (lowered: LoweredSuperblock): OpenOutline => ({
    lowered,
    line: makePart(lowered.head, true),
    stubs: lowered.stubs.map(() => makePart(lowered.head, false)),
    hops: new Map(chained.get(lowered)?.map((stub) => [stub, makePart(lowered.head, false)])),
    highs: new Map(),
  });
  const lines = groups.flatMap(({ pieces }) => pieces.filter(isLine));
  return new Map(lines.map((lowered) => [lowered, outline(lowered)]));
}

class Collector implements Collected {
  readonly parts: Part[] = [];
  readonly links = new Set<Addr>();
  readonly outlines: readonly Outline[];
  readonly #outlineOf: ReadonlyMap<LoweredSuperblock, OpenOutline>;
  /** By head. */
  readonly #lines: ReadonlyMap<Addr, Part>;
  readonly #aliases: ReadonlyMap<Addr, Addr>;
  readonly #addresses: Partial<CodeAddresses>;

  constructor(groups: readonly Group[], aliases: ReadonlyMap<Addr, Addr>, addresses: Partial<CodeAddresses>) {
    this.#outlineOf = outlinesOf(groups);
    this.outlines = [...this.#outlineOf.values()];
    this.#lines = new Map(this.outlines.map(({ lowered, line }) => [lowered.head, line]));
    this.#aliases = aliases;
    this.#addresses = addresses;
  }

  addGroup({ pieces, stubs: where }: Group): void {
    const outlines = pieces.filter(isLine).map((lowered) => this.#outlineOf.get(lowered)!);
    if (where === 'before') for (const outline of outlines) this.#addStubs(outline);
    pieces.forEach((piece, index) => {
      const behind = pieces[index + 1];
      if (isStub(piece)) this.#addChainedStub(piece, behind);
      else this.#addLine(this.#outlineOf.get(piece)!, behind);
    });
    if (where === 'behind') for (const outline of outlines) this.#addStubs(outline);
  }

  #addLine(outline: OpenOutline, behind: Piece | undefined): void {
    const { lowered, line } = outline;
    const { final } = lowered;
    this.parts.push(line);
    const runsOn = final.to === undefined || this.#resolve(final.to) === headOf(behind);
    const last = lowered.line.at(-1);
    const hot = final.kind === 'goto' && final.flippable && !runsOn ? this.#lineAt(final.to) : undefined;
    if (hot !== undefined && last?.kind === 'branch') {
      for (const item of lowered.line.slice(0, -1)) this.#addItem(item, line, outline);
      line.atoms.push(branchAtom({ ...last, insn: invertBranch(last.insn) }, hot, undefined));
      this.#fallIntoStub(last.stub, outline, behind);
      return;
    }
    for (const item of lowered.line) this.#addItem(item, line, outline);
    if (final.kind !== 'indirect' && final.to !== undefined && !runsOn)
      line.atoms.push(jumpAtom(this.#targetAt(final.to), final.scratch));
  }

  /** Ends a line that runs on into a stub: with the stub's code, or where the stub stands among the lines, with a jump if need be. */
  #fallIntoStub(stub: number, outline: OpenOutline, behind: Piece | undefined): void {
    const { lowered, line, stubs, hops } = outline;
    if (!hops.has(stub)) this.#fillStub(stub, line, outline, behind);
    else if (behind === undefined || !isStub(behind) || behind.of !== lowered || behind.stub !== stub)
      line.atoms.push(jumpAtom(stubs[stub]!));
  }

  #addChainedStub({ of, stub }: ChainedStub, behind: Piece | undefined): void {
    const outline = this.#outlineOf.get(of)!;
    const part = outline.stubs[stub]!;
    part.needed = true;
    this.parts.push(part);
    this.#fillStub(stub, part, outline, behind);
  }

  /** Adds the stubs that stand before or behind their group, and hops in the stead of stubs that stand among the lines. */
  #addStubs(outline: OpenOutline): void {
    outline.stubs.forEach((part, stub) => {
      const hop = outline.hops.get(stub);
      this.parts.push(hop ?? part);
      if (hop === undefined) this.#fillStub(stub, part, outline, undefined);
      else hop.atoms.push(jumpAtom(part));
    });
  }

  /** Adds a stub's code to a part. */
  #fillStub(number: number, into: Part, outline: OpenOutline, behind: Piece | undefined): void {
    const stub = outline.lowered.stubs[number]!;
    for (const item of stub.items) this.#addItem(item, into, outline);
    if (stub.to !== undefined && this.#resolve(stub.to) !== headOf(behind))
      into.atoms.push(jumpAtom(this.#targetAt(stub.to), stub.scratch));
  }

  #addItem(item: Item, into: Part, outline: OpenOutline): void {
    const { atoms } = into;
    const { pc } = item;
    switch (item.kind) {
      case 'insn':
        atoms.push({ kind: 'fixed', size: item.insn.size, at: 0, pc, insn: item.insn });
        break;
      case 'branch':
        atoms.push(this.#branchAtom(item, outline));
        break;
      case 'escape': {
        const target = makeNeeded(outline.stubs[item.stub]!);
        atoms.push({ kind: 'escape', size: 4, at: 0, pc, insn: item.insn, target });
        break;
      }
      case 'call':
        atoms.push({ kind: 'call', size: 4, at: 0, pc, target: this.#targetAt(item.to), reg: item.link });
        break;
      case 'address':
        atoms.push({ kind: 'address', size: 8, at: 0, pc, target: item.address, reg: item.reg });
        break;
      case 'link':
      case 'target':
        atoms.push({ kind: 'address', size: 8, at: 0, pc, target: this.#codeAddress(item), reg: item.reg });
        break;
      case 'high': {
        const { reg, address } = item;
        const high: HighAtom = { kind: 'high', size: 4, at: 0, pc, reg, address, users: [] };
        outline.highs.set(item.base, high);
        atoms.push(high);
        break;
      }
      case 'low': {
        const { insn, address } = item;
        const high = outline.highs.get(item.base)!;
        const low: LowAtom = { kind: 'low', size: 4, at: 0, pc, insn, address, high };
        high.users.push(low);
        atoms.push(low);
        break;
      }
    }
  }

  /** A branch leads to its stub, or straight to the line that the stub leads to if the stub does nothing else. */
  #branchAtom(item: BranchItem, { lowered, stubs, hops }: Outline): BranchAtom {
    const { items, to } = lowered.stubs[item.stub]!;
    const part = stubs[item.stub]!;
    const straight = items.length === 0 ? this.#lineAt(to) : undefined;
    return branchAtom(item, straight ?? makeNeeded(part), hops.get(item.stub) ?? part);
  }

  /** The address that a register gets for an original code address: of the superblock there, if it may be that address. */
  #codeAddress(item: Extract<Item, { kind: 'link' | 'target' }>): Target {
    const { address } = item;
    const line = this.#lines.get(address);
    const { unlinked, byTable } = this.#addresses;
    if (line === undefined) return address;
    if (item.kind === 'target') return byTable?.(item.pc, address) === true ? line : address;
    if (unlinked?.has(address)) return address;
    this.links.add(address);
    return line;
  }

  #resolve(to: Addr): Addr {
    return this.#aliases.get(to) ?? to;
  }

  /** The line that a transfer to an original address leads to, if there is one. */
  #lineAt(to: Addr | undefined): Part | undefined {
    return to === undefined ? undefined : this.#lines.get(this.#resolve(to));
  }

  #targetAt(to: Addr): Target {
    return this.#lineAt(to) ?? this.#resolve(to);
  }
}

/** The head of the line behind a piece; undefined if no line stands there. */
const headOf = (behind: Piece | undefined): Addr | undefined =>
  behind === undefined || isStub(behind) ? undefined : behind.head;

/** Marks a part that an atom is about to lead to. @returns the part */
function makeNeeded(part: Part): Part {
  part.needed = true;
  return part;
}

const jumpAtom = (target: Target, scratch?: Reg): JumpAtom => ({
  kind: 'jump',
  size: 2,
  at: 0,
  pc: undefined,
  target,
  scratch,
});

const branchAtom = ({ insn, pc }: BranchItem, target: Target, detour: Part | undefined): BranchAtom => ({
  kind: 'branch',
  size: 2,
  at: 0,
  pc,
  insn,
  target,
  detour,
});
