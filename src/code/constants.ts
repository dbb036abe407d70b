/**
 * Constants that straight-line code makes from an upper part, pc-relative or not, and additions to it. Where such an address points into
 * the data, the program knows an object that begins there, so the object before it is taken to end there.
 */
import { derived } from '../base/derived.ts';
import { type Addr, REG_COUNT, type Reg } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { pcRelativeAddress } from '../isa/idioms.ts';
import type { Facts, Insn } from '../isa/row.ts';
import { codeOf } from './code.ts';

export interface MadeConstant {
  /** Below 2^48. */
  readonly value: number;
  /** The instruction that makes the constant, and the register that it writes. */
  readonly pc: Addr;
  readonly reg: Reg;
  /** The constant is more than an upper part. */
  readonly whole: boolean;
}

export interface Constants {
  /** Sorted by rising pc. */
  readonly all: readonly MadeConstant[];
  /** Does code make this constant? */
  has(value: number): boolean;
  /** The next greater constant that is more than an upper part; Infinity if there is none. */
  nextAbove(value: number): number;
}

/** All addresses are below. */
const ADDRESS_LIMIT = 2n ** 48n;

/** The constants of all of an image's code. */
export const imageConstants = derived('constants', findConstants);

function findConstants(image: Image): Constants {
  const code = codeOf(image);
  const all: MadeConstant[] = [];
  const sums = new Set<number>();
  for (const { start, end } of code.ranges) {
    /** By register, the constant that it holds; undefined if unknown. */
    const made: (bigint | undefined)[] = new Array(REG_COUNT).fill(undefined);
    for (let pc = start; pc < end; ) {
      const insn = code.insnAt(pc);
      if (insn === undefined) {
        made.fill(undefined);
        pc += code.lengthAt(pc) || 2;
        continue;
      }
      const fact = facts(insn);
      const { control, reads, writes } = fact;
      const value = constantOf(insn, fact, pc, made);
      if (writes !== undefined) made[writes] = value;
      if (value !== undefined && value < ADDRESS_LIMIT) {
        const number = Number(value);
        const whole = insn.rs1 !== 0 && reads.length > 0;
        all.push({ value: number, pc, reg: insn.rd, whole });
        if (whole) sums.add(number);
      }
      if (control === 'indirect' || control === 'jump') made.fill(undefined);
      pc += insn.size;
    }
  }
  const values = new Set(all.map(({ value }) => value));
  const rising = [...sums].sort((a, b) => a - b);
  return {
    all,
    has: (value) => values.has(value),
    nextAbove(value) {
      let [low, high] = [0, rising.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (rising[middle]! <= value) low = middle + 1;
        else high = middle;
      }
      return rising[low] ?? Number.POSITIVE_INFINITY;
    },
  };
}

/** The constant that an instruction makes from an upper part, pc-relative or not, or from a known constant. @param made by register */
function constantOf(insn: Insn, fact: Facts, pc: Addr, made: readonly (bigint | undefined)[]): bigint | undefined {
  const relative = pcRelativeAddress(insn, pc);
  if (relative !== undefined) return BigInt(relative);
  const { pure, reads, writes } = fact;
  if (!pure || writes === undefined || reads.length > 1) return undefined;
  const base = insn.rs1 === 0 ? 0n : made[insn.rs1];
  if ((reads.length === 1 && base === undefined) || insn.row.operands.includes('rs2')) return undefined;
  return evaluate(insn, { ...(base !== undefined && { rs1: base }), pc: BigInt(pc) });
}
