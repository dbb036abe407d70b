/**
 * Sizes depend on distances and distances on sizes: every atom starts in its shortest form and only ever grows, until all transfers
 * reach (the usual relaxation of assemblers; the loop ends because nothing shrinks).
 */
import { fitsSigned } from '../base/bits.ts';
import type { Addr, ByteCount } from '../base/units.ts';
import { compress } from '../isa/encode.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import { jumpInsn, reachesBranch, reachesJump } from '../isa/idioms.ts';
import { type Atom, addressOf, type BranchAtom, type HighAtom, type JumpAtom, type Part, upperPart } from './atom.ts';

/** An exit of the superblock at `head` to the address `to`. */
interface Exit {
  readonly head: Addr;
  readonly to: Addr;
}

/** Thrown when exits lead beyond a jump's reach and no register is free for a far jump. */
export class OutOfReach extends Error {
  readonly exits: readonly Exit[];
  constructor(exits: readonly Exit[]) {
    super(`${exits.length} exits reach no further than a jump`);
    this.exits = exits;
  }
}

/**
 * Gives all parts and atoms their addresses and sizes.
 * @param parts in the order in which they stand
 * @param at address of the first byte
 * @param machine extensions of the machines that the code is for
 * @returns the first address behind the last part
 * @throws OutOfReach
 */
export function relax(parts: readonly Part[], at: Addr, machine: ExtensionSet | undefined): Addr {
  for (;;) {
    const end = assignAddresses(parts, at);
    if (!growAtoms(parts, machine)) return end;
  }
}

/** Parts that are not needed take no room, but have addresses too: such a part may become needed before the next assignment. */
function assignAddresses(parts: readonly Part[], at: Addr): Addr {
  let address = at;
  for (const part of parts) {
    part.start = address;
    for (const atom of part.atoms) {
      atom.at = address;
      if (part.needed) address += atom.size;
    }
    part.end = address;
  }
  return address;
}

/**
 * Gives every atom that is too small at its address the form that it needs there.
 * @returns has any atom changed?
 * @throws OutOfReach
 */
function growAtoms(parts: readonly Part[], machine: ExtensionSet | undefined): boolean {
  let changed = false;
  const stranded: Exit[] = [];
  for (const part of parts) {
    if (!part.needed) continue;
    for (const atom of part.atoms) {
      if (atom.kind === 'jump' && isStranded(atom)) {
        stranded.push({ head: part.head, to: addressOf(atom.target) });
        continue;
      }
      if (atom.kind === 'branch' && atom.detour !== undefined && needsDetour(atom)) {
        atom.detour.needed = true;
        atom.target = atom.detour;
        changed = true;
        continue;
      }
      const size = sizeNeeded(atom, machine);
      if (size > atom.size) {
        atom.size = size;
        changed = true;
      }
    }
  }
  if (stranded.length > 0) throw new OutOfReach(stranded);
  return changed;
}

const distanceFrom = (atom: BranchAtom | JumpAtom): number => addressOf(atom.target) - atom.at;

const isStranded = (jump: JumpAtom): boolean => jump.scratch === undefined && !reachesJump(distanceFrom(jump));

const needsDetour = (branch: BranchAtom): boolean =>
  branch.target !== branch.detour && !reachesBranch(distanceFrom(branch));

/** The size that an atom needs at its address. A size that was too small once is not tried again: nothing shrinks. */
function sizeNeeded(atom: Atom, machine: ExtensionSet | undefined): ByteCount {
  switch (atom.kind) {
    case 'branch': {
      const distance = distanceFrom(atom);
      if (atom.size === 2 && compress({ ...atom.insn, imm: distance }, machine) !== undefined) return 2;
      return reachesBranch(distance) ? 4 : 8;
    }
    case 'escape':
      return 8;
    case 'jump': {
      const distance = distanceFrom(atom);
      if (atom.size === 2 && compress(jumpInsn(distance), machine) !== undefined) return 2;
      return reachesJump(distance) ? 4 : 8;
    }
    case 'call':
      return reachesJump(addressOf(atom.target) - atom.at) ? 4 : 8;
    case 'high':
      return upperPartSuffices(atom) ? 4 : 8;
    default:
      return atom.size;
  }
}

/** Do the 12-bit offsets of all users reach from the number that the upper part alone makes? */
function upperPartSuffices(high: HighAtom): boolean {
  const held = high.at + upperPart(high);
  return high.users.every(({ address }) => fitsSigned(address - held, 12));
}
