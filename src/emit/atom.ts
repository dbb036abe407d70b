/**
 * The units of layout. An atom is the code of one item, or a jump that layout adds; its size may depend on the distance to its target.
 * A part is a run of atoms: a superblock's line, one of its stubs, or a hop: a jump to a stub, for branches that do not reach so far.
 */
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { splitDistance } from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';

/** The place that a transfer leads to or an address stands for: fixed beforehand, or the start of a part, which may move. */
export type Target = Addr | Part;

/** The target's address, as of the last time that addresses were assigned. */
export const addressOf = (target: Target): Addr => (typeof target === 'number' ? target : target.start);

/** Atoms that stand together, and are left out together if nothing needs them. */
export interface Part {
  /** The head of the superblock that the part belongs to. */
  readonly head: Addr;
  readonly atoms: Atom[];
  /** Lines and stubs among the lines are always needed, other parts as soon as an atom leads there. Parts not needed take no room. */
  needed: boolean;
  /** Addresses of the first byte and behind the last byte, as of the last time that addresses were assigned. */
  start: Addr;
  end: Addr;
}

export const makePart = (head: Addr, needed: boolean): Part => ({ head, atoms: [], needed, start: 0, end: 0 });

interface Sized {
  /** Grows from the size of the shortest form to the size that is needed, and never shrinks. */
  size: ByteCount;
  /** Address of the first byte, as of the last time that addresses were assigned. */
  at: Addr;
  /** The original instruction that the atom stands for; undefined for instructions that isoform added. */
  readonly pc: Addr | undefined;
}

/** An instruction as it is. */
interface FixedAtom extends Sized {
  readonly kind: 'fixed';
  readonly insn: Insn;
}

/** A conditional branch: 2 or 4 bytes, or 8 for the inverse branch over a jump. */
export interface BranchAtom extends Sized {
  readonly kind: 'branch';
  readonly insn: Insn;
  target: Target;
  /** The part to branch to when the target is out of reach; undefined if the branch has no such part. */
  readonly detour: Part | undefined;
}

/** A branch that leaves when not taken: the branch over a jump, always 8 bytes in the end. */
interface EscapeAtom extends Sized {
  readonly kind: 'escape';
  readonly insn: Insn;
  readonly target: Part;
}

/** A jump: 2 or 4 bytes, or 8 through the scratch register. */
export interface JumpAtom extends Sized {
  readonly kind: 'jump';
  readonly target: Target;
  readonly scratch: Reg | undefined;
}

/** A call that links: 4 bytes, or 8 through the link register itself. */
interface CallAtom extends Sized {
  readonly kind: 'call';
  readonly target: Target;
  readonly reg: Reg;
}

/** reg := the target's address, exactly: always 8 bytes. */
interface AddressAtom extends Sized {
  readonly kind: 'address';
  readonly target: Target;
  readonly reg: Reg;
}

/** reg := an address near those of its users: the upper part alone, 4 bytes, if all users reach from there; else 8 bytes, exactly. */
export interface HighAtom extends Sized {
  readonly kind: 'high';
  readonly reg: Reg;
  readonly address: Addr;
  readonly users: LowAtom[];
}

/** An instruction whose immediate is `address` minus the number that `high` puts into its register. */
export interface LowAtom extends Sized {
  readonly kind: 'low';
  readonly insn: Insn;
  readonly address: Addr;
  readonly high: HighAtom;
}

export type Atom = FixedAtom | BranchAtom | EscapeAtom | JumpAtom | CallAtom | AddressAtom | HighAtom | LowAtom;

/** The immediate of a high atom's auipc where the upper part stands alone: chosen for the first user's address. */
export const upperPart = ({ users, address, at }: HighAtom): number =>
  splitDistance((users[0]?.address ?? address) - at).high;
