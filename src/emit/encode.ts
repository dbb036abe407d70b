/** The bytes of atoms whose addresses and sizes are known. */
import { internal } from '../base/errors.ts';
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { encodeBytes } from '../isa/encode.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import { addImmediateInsn, addPcInsn, invertBranch, jumpInsn, jumpRegisterInsn, splitDistance } from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';
import { type Atom, addressOf, type HighAtom, type Part, upperPart } from './atom.ts';

export interface PlacedInsn {
  readonly address: Addr;
  readonly size: ByteCount;
  /** The original instruction that this one stands for; undefined for instructions that isoform added. */
  readonly pc: Addr | undefined;
}

export interface EncodedParts {
  readonly bytes: Uint8Array;
  /** The instructions of each part that is needed, by rising address. */
  readonly insns: ReadonlyMap<Part, readonly PlacedInsn[]>;
}

/**
 * Writes all parts that are needed.
 * @param parts as relaxation has left them, from address `start` to `end`
 * @param machine extensions of the machines that the code is for
 */
export function encodeParts(
  parts: readonly Part[],
  { start, end }: { readonly start: Addr; readonly end: Addr },
  machine: ExtensionSet | undefined,
): EncodedParts {
  const bytes = new Uint8Array(end - start);
  const insns = new Map<Part, PlacedInsn[]>();
  for (const part of parts) {
    if (!part.needed) continue;
    const placed: PlacedInsn[] = [];
    for (const atom of part.atoms) {
      let address = atom.at;
      for (const insn of encodeAtom(atom, machine)) {
        bytes.set(insn, address - start);
        placed.push({ address, size: insn.length, pc: atom.pc });
        address += insn.length;
      }
      if (address - atom.at !== atom.size)
        throw internal(`an item of ${atom.size} bytes was encoded in ${address - atom.at}`);
    }
    insns.set(part, placed);
  }
  return { bytes, insns };
}

/** The instructions of an atom in the form that its size tells. */
function encodeAtom(atom: Atom, machine: ExtensionSet | undefined): Uint8Array[] {
  const { at, size } = atom;
  switch (atom.kind) {
    case 'fixed':
      return [encodeBytes(atom.insn, size === 2, machine)];
    case 'branch': {
      const distance = addressOf(atom.target) - at;
      if (size <= 4) return [encodeBytes({ ...atom.insn, imm: distance }, size === 2, machine)];
      return overJump(invertBranch(atom.insn), distance);
    }
    case 'escape':
      return overJump(atom.insn, addressOf(atom.target) - at);
    case 'jump': {
      const distance = addressOf(atom.target) - at;
      if (size <= 4) return [encodeBytes(jumpInsn(distance), size === 2, machine)];
      // Relaxation makes a jump far only if it has a register for that.
      return farJump(atom.scratch!, distance);
    }
    case 'call': {
      const distance = addressOf(atom.target) - at;
      return size === 4 ? [wide(jumpInsn(distance, atom.reg))] : farJump(atom.reg, distance, atom.reg);
    }
    case 'address':
      return exactAddress(atom.reg, addressOf(atom.target) - at);
    case 'high':
      return size === 8 ? exactAddress(atom.reg, atom.address - at) : [wide(addPcInsn(atom.reg, upperPart(atom)))];
    case 'low':
      return [wide({ ...atom.insn, imm: atom.address - heldBy(atom.high) })];
  }
}

/** The number that a high atom puts into its register. */
const heldBy = (high: HighAtom): number => (high.size === 8 ? high.address : high.at + upperPart(high));

/** A 4-byte instruction. */
const wide = (insn: Insn): Uint8Array => encodeBytes({ ...insn, size: 4 }, false);

/** A branch over a jump, which has the distance measured from the branch. */
const overJump = (branch: Insn, distance: number): Uint8Array[] => [
  wide({ ...branch, imm: 8 }),
  wide(jumpInsn(distance - 4)),
];

function exactAddress(reg: Reg, distance: number): Uint8Array[] {
  const { high, low } = splitDistance(distance);
  return [wide(addPcInsn(reg, high)), wide(addImmediateInsn(reg, reg, low))];
}

/** A jump through `reg`. */
function farJump(reg: Reg, distance: number, link?: Reg): Uint8Array[] {
  const { high, low } = splitDistance(distance);
  return [wide(addPcInsn(reg, high)), wide(jumpRegisterInsn(reg, low, link))];
}
