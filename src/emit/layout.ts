/**
 * Gives every item an address and bytes. Sizes depend on distances and distances on sizes: every item starts in its shortest form
 * and only ever grows, until all transfers reach (the usual relaxation of assemblers; the loop ends because nothing shrinks).
 */

import { fitsSigned } from '../base/bits.ts';
import { internal } from '../base/errors.ts';
import type { Addr, Reg } from '../base/units.ts';
import { compress, encodeBytes } from '../isa/encode.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import {
  addImmediateInsn,
  addPcInsn,
  invertBranch,
  jumpInsn,
  jumpRegisterInsn,
  reachesBranch,
  reachesJump,
  splitDistance,
} from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';
import type { Item, LoweredSuperblock } from '../lower/item.ts';
import { type Group, isLine, isStub } from './place.ts';

export interface PlacedInsn {
  readonly address: Addr;
  readonly size: number;
  /** The original instruction that this one stands for; undefined for instructions that isoform added. */
  readonly pc: Addr | undefined;
}

interface Range {
  readonly start: Addr;
  readonly end: Addr;
}

export interface PlacedSuperblock {
  readonly lowered: LoweredSuperblock;
  readonly start: Addr;
  /** First address behind the line. */
  readonly end: Addr;
  /** The range of each stub; undefined where no branch needs the stub (the branch leads straight to the target). */
  readonly stubs: readonly (Range | undefined)[];
  /** Jumps to stubs that are out of a branch's reach. */
  readonly hops: readonly Range[];
  /** The optimized return address of its final call, if it ends in one. */
  readonly returnAddress: Addr | undefined;
  readonly insns: readonly PlacedInsn[];
}

export interface Layout {
  readonly bytes: Uint8Array;
  readonly superblocks: readonly PlacedSuperblock[];
  /** Heads whose superblocks' addresses optimized code makes as return addresses of inlined calls. Rising. */
  readonly links: readonly Addr[];
}

/** Thrown when exits lead beyond a jump's reach and no register is free for a far jump. */
export class OutOfReach extends Error {
  readonly exits: readonly { readonly head: Addr; readonly to: Addr }[];
  constructor(exits: readonly { readonly head: Addr; readonly to: Addr }[]) {
    super(`${exits.length} exits reach no further than a jump`);
    this.exits = exits;
  }
}

/** The target of a transfer or address: an address fixed beforehand, or the address of an atom, which may move. */
type Place = { readonly fixed: Addr } | { readonly atom: number };

interface Atom {
  kind: 'fixed' | 'branch' | 'escape' | 'jump' | 'call' | 'address' | 'high' | 'low' | 'mark';
  size: number;
  insn?: Insn;
  place?: Place;
  /** branch: the part to branch to when the place is out of reach. */
  far?: Part;
  scratch?: Reg | undefined;
  reg?: Reg;
  base?: number;
  /** high: the address that its first user wants. */
  wants?: Addr;
  /** high: its users. */
  lows?: Atom[];
  address?: Addr;
  pc?: Addr | undefined;
  owner: number;
}

/** Atoms that stand together, and are left out together if nothing needs them. */
interface Part {
  needed: boolean;
  first: number;
  last: number;
}

/** Decides which code addresses that optimized code makes are addresses of superblocks. */
interface CodeAddresses {
  /** Heads whose addresses must not serve as return addresses. */
  readonly unlinked: ReadonlySet<Addr>;
  /** Does the indirect jump at `site` load this target from a retargeted table, which holds its superblock's address? */
  readonly byTable: (site: Addr, target: Addr) => boolean;
}

/** Inputs of layout besides the pieces and their order. */
interface Surroundings extends CodeAddresses {
  /** Extensions of the machines that the code is for. */
  readonly machine: ExtensionSet | undefined;
}

/**
 * @param at address of the first byte
 * @param aliases heads of empty superblocks, each with the head that transfers to it lead to
 * @throws OutOfReach
 */
export function layOut(
  groups: readonly Group[],
  at: Addr,
  aliases: ReadonlyMap<Addr, Addr> = new Map(),
  places: Partial<Surroundings> = {},
): Layout {
  const { unlinked, byTable, machine } = places;
  const order = groups.flatMap(({ pieces }) => pieces.filter(isLine));
  const ownerOf = new Map(order.map((lowered, owner) => [lowered, owner]));
  const atoms: Atom[] = [];
  const startAtom = new Map<Addr, number>();
  const lines: { start: number; end: number }[] = [];
  const absent = (): Part => ({ needed: false, first: -1, last: -1 });
  const stubParts = order.map(({ stubs }) => stubs.map(absent));
  /** By stub: the hop to each stub that stands among the lines. */
  const hopParts = order.map((): Map<number, Part> => new Map());
  for (const { pieces } of groups)
    for (const piece of pieces) if (isStub(piece)) hopParts[ownerOf.get(piece.of)!]!.set(piece.stub, absent());
  const heads = new Set(order.map((lowered) => lowered.head));
  const highs = new Map<string, number>();
  const pendingPlaces: { atom: Atom; to: Addr }[] = [];
  const push = (atom: Atom): number => atoms.push(atom) - 1;
  const resolve = (to: Addr): Addr => aliases.get(to) ?? to;
  const leadTo = (atom: Atom, target: Addr) => {
    const to = resolve(target);
    if (heads.has(to)) pendingPlaces.push({ atom, to });
    else atom.place = { fixed: to };
    push(atom);
  };
  const links = new Set<Addr>();
  const partPlaces: { atom: Atom; part: Part }[] = [];

  const pushItem = (item: Item, owner: number, lowered: LoweredSuperblock) => {
    switch (item.kind) {
      case 'insn':
        push({ kind: 'fixed', size: item.insn.size, insn: item.insn, pc: item.pc, owner });
        break;
      case 'branch':
      case 'escape': {
        const stub = lowered.stubs[item.stub]!;
        const part = stubParts[owner]![item.stub]!;
        const hop = hopParts[owner]!.get(item.stub);
        const atom: Atom = {
          kind: item.kind,
          size: item.kind === 'branch' ? 2 : 4,
          insn: item.insn,
          pc: item.pc,
          owner,
          far: hop ?? part,
        };
        if (item.kind === 'branch' && stub.items.length === 0 && stub.to !== undefined && heads.has(resolve(stub.to)))
          pendingPlaces.push({ atom, to: resolve(stub.to) });
        else {
          part.needed = true;
          partPlaces.push({ atom, part });
        }
        push(atom);
        break;
      }
      case 'call':
        leadTo({ kind: 'call', size: 4, reg: item.link, pc: item.pc, owner }, item.to);
        break;
      case 'address':
        push({ kind: 'address', size: 8, reg: item.reg, address: item.address, pc: item.pc, owner });
        break;
      case 'link':
      case 'target': {
        const { kind, reg, address, pc } = item;
        const atom: Atom = { kind: 'address', size: 8, reg, address, pc, owner };
        const placed =
          heads.has(address) && (kind === 'link' ? !unlinked?.has(address) : byTable?.(item.pc, address) === true);
        if (placed) pendingPlaces.push({ atom, to: address });
        if (placed && kind === 'link') links.add(address);
        push(atom);
        break;
      }
      case 'high':
        highs.set(
          `${owner}:${item.base}`,
          push({ kind: 'high', size: 4, reg: item.reg, address: item.address, lows: [], pc: item.pc, owner }),
        );
        break;
      case 'low': {
        const base = highs.get(`${owner}:${item.base}`)!;
        const low: Atom = { kind: 'low', size: 4, insn: item.insn, base, address: item.address, pc: item.pc, owner };
        // The upper part is chosen for the first user's address.
        const { lows } = atoms[base]!;
        if (lows!.length === 0) atoms[base]!.wants = item.address;
        lows!.push(low);
        push(low);
        break;
      }
    }
  };

  /** Pushes a stub's atoms; its jump is left out if the stub's target comes next. */
  const pushStub = (lowered: LoweredSuperblock, owner: number, number: number, next: Addr | undefined) => {
    const stub = lowered.stubs[number]!;
    const part = stubParts[owner]![number]!;
    part.first = push({ kind: 'mark', size: 0, owner });
    for (const item of stub.items) pushItem(item, owner, lowered);
    if (stub.to !== undefined && resolve(stub.to) !== next)
      leadTo({ kind: 'jump', size: 2, scratch: stub.scratch, owner }, stub.to);
    part.last = push({ kind: 'mark', size: 0, owner });
  };
  const pushStubsOf = (lowered: LoweredSuperblock) => {
    const owner = ownerOf.get(lowered)!;
    lowered.stubs.forEach((_, number) => {
      const hop = hopParts[owner]!.get(number);
      if (hop === undefined) {
        pushStub(lowered, owner, number, undefined);
        return;
      }
      hop.first = push({ kind: 'mark', size: 0, owner });
      const jump: Atom = { kind: 'jump', size: 2, owner };
      partPlaces.push({ atom: jump, part: stubParts[owner]![number]! });
      push(jump);
      hop.last = push({ kind: 'mark', size: 0, owner });
    });
  };

  for (const { pieces, stubs: where } of groups) {
    const own = pieces.filter(isLine);
    if (where === 'before') own.forEach(pushStubsOf);
    pieces.forEach((piece, inGroup) => {
      const behind = pieces[inGroup + 1];
      const next = behind === undefined || isStub(behind) ? undefined : behind.head;
      if (isStub(piece)) {
        const owner = ownerOf.get(piece.of)!;
        stubParts[owner]![piece.stub]!.needed = true;
        pushStub(piece.of, owner, piece.stub, next);
        return;
      }
      const lowered = piece;
      const owner = ownerOf.get(lowered)!;
      const start = push({ kind: 'mark', size: 0, owner });
      startAtom.set(lowered.head, start);
      const { final } = lowered;
      const goesTo = final.to === undefined ? undefined : resolve(final.to);
      const last = lowered.line.at(-1);
      const flip =
        final.kind === 'goto' && final.flippable && goesTo !== next && last?.kind === 'branch' && heads.has(goesTo!);
      for (const item of flip ? lowered.line.slice(0, -1) : lowered.line) pushItem(item, owner, lowered);
      if (flip) {
        // The inverted branch takes the hot way; the exit falls through into the stub's items, the chained stub, or a jump to that stub.
        const stub = lowered.stubs[last.stub]!;
        const atom: Atom = { kind: 'branch', size: 2, insn: invertBranch(last.insn), pc: last.pc, owner };
        pendingPlaces.push({ atom, to: goesTo! });
        push(atom);
        const among = hopParts[owner]!.has(last.stub);
        if (!among) {
          for (const item of stub.items) pushItem(item, owner, lowered);
          if (stub.to !== undefined && resolve(stub.to) !== next)
            leadTo({ kind: 'jump', size: 2, scratch: stub.scratch, owner }, stub.to);
        } else if (behind === undefined || !isStub(behind) || behind.of !== lowered || behind.stub !== last.stub) {
          const jump: Atom = { kind: 'jump', size: 2, owner };
          partPlaces.push({ atom: jump, part: stubParts[owner]![last.stub]! });
          push(jump);
        }
      } else if (final.kind !== 'indirect' && final.to !== undefined && goesTo !== next)
        leadTo({ kind: 'jump', size: 2, scratch: final.scratch, owner }, final.to);
      lines[owner] = { start, end: push({ kind: 'mark', size: 0, owner }) };
    });
    if (where === 'behind') own.forEach(pushStubsOf);
  }
  for (const { atom, to } of pendingPlaces) atom.place = { atom: startAtom.get(to)! };
  for (const { atom, part } of partPlaces) atom.place = { atom: part.first };

  /** The part of each atom: atoms of a part that nothing needs take no room. */
  const inPart: (Part | undefined)[] = new Array(atoms.length).fill(undefined);
  for (const part of [...stubParts.flat(), ...hopParts.flatMap((hops) => [...hops.values()])])
    for (let atom = part.first; part.first >= 0 && atom <= part.last; atom++) inPart[atom] = part;
  const addresses: Addr[] = new Array(atoms.length);
  const assign = () => {
    let address = at;
    atoms.forEach((atom, number) => {
      addresses[number] = address;
      if (inPart[number]?.needed !== false) address += atom.size;
    });
    return address;
  };
  const placeOf = (place: Place): Addr => ('fixed' in place ? place.fixed : addresses[place.atom]!);

  let end = assign();
  for (;;) {
    let changed = false;
    const stranded: { head: Addr; to: Addr }[] = [];
    atoms.forEach((atom, number) => {
      if (inPart[number]?.needed === false) return;
      const need = sizeNeeded(atom, addresses[number]!, placeOf, machine);
      if (need === 'stub') {
        atom.far!.needed = true;
        atom.place = { atom: atom.far!.first };
        changed = true;
      } else if (need === 'none') stranded.push({ head: order[atom.owner]!.head, to: placeOf(atom.place!) });
      else if (need > atom.size) {
        atom.size = need;
        changed = true;
      }
    });
    if (stranded.length > 0) throw new OutOfReach(stranded);
    if (!changed) break;
    end = assign();
  }

  const bytes = new Uint8Array(end - at);
  const insns: PlacedInsn[][] = order.map(() => []);
  atoms.forEach((atom, number) => {
    if (inPart[number]?.needed === false || atom.size === 0) return;
    let offset = addresses[number]! - at;
    for (const insn of encodeAtom(atom, addresses[number]!, placeOf, atoms, addresses, machine)) {
      bytes.set(insn, offset);
      insns[atom.owner]!.push({ address: at + offset, size: insn.length, pc: atom.pc });
      offset += insn.length;
    }
    if (offset - (addresses[number]! - at) !== atom.size)
      throw internal(`an item of ${atom.size} bytes was encoded in ${offset - (addresses[number]! - at)}`);
  });
  return {
    bytes,
    links: [...links].sort((a, b) => a - b),
    superblocks: order.map((lowered, owner) => {
      const { start, end } = lines[owner]!;
      const list = insns[owner]!.sort((a, b) => a.address - b.address);
      const call = lowered.final.kind === 'call' ? lastCall(addresses, atoms, owner, { start, end }) : undefined;
      const range = (part: Part): Range => ({ start: addresses[part.first]!, end: addresses[part.last]! });
      return {
        lowered,
        start: addresses[start]!,
        end: addresses[end]!,
        stubs: stubParts[owner]!.map((part) => (part.needed ? range(part) : undefined)),
        hops: [...hopParts[owner]!.values()].filter((part) => part.needed).map(range),
        returnAddress: call,
        insns: list,
      };
    }),
  };
}

/** The address behind a superblock's final call: the line's last instruction, but for a jump to a return point placed elsewhere. */
function lastCall(
  addresses: readonly Addr[],
  atoms: readonly Atom[],
  owner: number,
  range: { start: number; end: number },
): Addr {
  for (let number = range.end - 1; number > range.start; number--) {
    const atom = atoms[number]!;
    if (atom.kind === 'jump' || atom.owner !== owner) continue;
    return addresses[number]! + atom.size;
  }
  throw internal('a superblock that calls has no call');
}

/** The size that an atom needs at its address. A size that was too small once is not tried again: nothing shrinks. */
function sizeNeeded(
  atom: Atom,
  address: Addr,
  placeOf: (place: Place) => Addr,
  machine: ExtensionSet | undefined,
): number | 'stub' | 'none' {
  switch (atom.kind) {
    case 'branch': {
      const distance = placeOf(atom.place!) - address;
      if (atom.size === 2 && compress({ ...atom.insn!, imm: distance }, machine) !== undefined) return 2;
      if (reachesBranch(distance)) return 4;
      if (atom.far !== undefined && !isStubPlace(atom)) return 'stub';
      return 8;
    }
    case 'escape':
      return 8;
    case 'jump': {
      const distance = placeOf(atom.place!) - address;
      if (atom.size === 2 && compress(jumpInsn(distance), machine) !== undefined) return 2;
      if (reachesJump(distance)) return 4;
      return atom.scratch === undefined ? 'none' : 8;
    }
    case 'call': {
      const distance = placeOf(atom.place!) - address;
      return reachesJump(distance) ? 4 : 8;
    }
    case 'high': {
      const high = splitDistance((atom.wants ?? atom.address!) - address).high;
      return atom.lows!.every((low) => fitsSigned(low.address! - (address + high), 12)) ? 4 : 8;
    }
    default:
      return atom.size;
  }
}

const isStubPlace = (atom: Atom): boolean =>
  atom.place !== undefined && 'atom' in atom.place && atom.place.atom === atom.far?.first;

function encodeAtom(
  atom: Atom,
  address: Addr,
  placeOf: (place: Place) => Addr,
  atoms: readonly Atom[],
  addresses: readonly Addr[],
  machine: ExtensionSet | undefined,
): Uint8Array[] {
  const wide = (insn: Insn) => encodeBytes({ ...insn, size: 4 }, false);
  const pair = (reg: Reg, target: Addr, second: (low: number) => Insn): Uint8Array[] => {
    const { high, low } = splitDistance(target - address);
    return [wide(addPcInsn(reg, high)), wide(second(low))];
  };
  switch (atom.kind) {
    case 'fixed':
      return [encodeBytes(atom.insn!, atom.size === 2, machine)];
    case 'branch': {
      const distance = placeOf(atom.place!) - address;
      if (atom.size <= 4) return [encodeBytes({ ...atom.insn!, imm: distance }, atom.size === 2, machine)];
      return [wide({ ...invertBranch(atom.insn!), imm: 8 }), wide(jumpInsn(distance - 4))];
    }
    case 'escape':
      return [wide({ ...atom.insn!, imm: 8 }), wide(jumpInsn(placeOf(atom.place!) - address - 4))];
    case 'jump': {
      const target = placeOf(atom.place!);
      if (atom.size <= 4) return [encodeBytes(jumpInsn(target - address), atom.size === 2, machine)];
      return pair(atom.scratch!, target, (low) => jumpRegisterInsn(atom.scratch!, low));
    }
    case 'call': {
      const target = placeOf(atom.place!);
      if (atom.size === 4) return [wide(jumpInsn(target - address, atom.reg!))];
      return pair(atom.reg!, target, (low) => jumpRegisterInsn(atom.reg!, low, atom.reg!));
    }
    case 'address':
      return pair(atom.reg!, atom.place === undefined ? atom.address! : placeOf(atom.place), (low) =>
        addImmediateInsn(atom.reg!, atom.reg!, low),
      );
    case 'high':
      if (atom.size === 8) return pair(atom.reg!, atom.address!, (low) => addImmediateInsn(atom.reg!, atom.reg!, low));
      return [wide(addPcInsn(atom.reg!, splitDistance((atom.wants ?? atom.address!) - address).high))];
    case 'low': {
      const base = atoms[atom.base!]!;
      const baseAt = addresses[atom.base!]!;
      const held =
        base.size === 8 ? base.address! : baseAt + splitDistance((base.wants ?? base.address!) - baseAt).high;
      return [wide({ ...atom.insn!, imm: atom.address! - held })];
    }
    case 'mark':
      return [];
  }
}
