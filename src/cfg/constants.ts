/**
 * Constants that straight-line code makes: by an upper part, pc-relative or not, and additions to it. Where one begins, something begins in
 * the data that the program knows by this address: what lies before ends there.
 */
import type { Addr, Reg } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { pcRelativeAddress } from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';
import { codeOf } from '../profile/code.ts';

export interface MadeConstant {
  /** Below 2^48. */
  readonly value: number;
  /** The instruction that makes it, in this register. */
  readonly pc: Addr;
  readonly reg: Reg;
}

export interface Constants {
  /** By rising pc. */
  readonly all: readonly MadeConstant[];
  /** Does code make this constant? */
  has(value: number): boolean;
  /** The next one above that is more than an upper part; Infinity if there is none. */
  nextAbove(value: number): number;
}

const known = new WeakMap<Image, Constants>();

/** Of all of an image's code. */
export function imageConstants(image: Image): Constants {
  let constants = known.get(image);
  if (constants === undefined) {
    constants = constantsOf(image);
    known.set(image, constants);
  }
  return constants;
}

function constantsOf(image: Image): Constants {
  const code = codeOf(image);
  const all: MadeConstant[] = [];
  const sums = new Set<number>();
  for (const { start, end } of code.ranges) {
    /** By register, what it holds so far. */
    const made = new Map<Reg, bigint>();
    for (let pc = start; pc < end; ) {
      const insn = code.insnAt(pc);
      if (insn === undefined) {
        made.clear();
        pc += 2;
        continue;
      }
      const value = constantAt(insn, pc, made);
      if (value !== undefined) {
        all.push({ value, pc, reg: insn.rd });
        if (insn.rs1 !== 0 && facts(insn).reads.length > 0) sums.add(value);
      }
      const { control } = facts(insn);
      if (control === 'indirect' || control === 'jump') made.clear();
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

/** The constant an instruction makes from what registers hold, which it changes. */
function constantAt(insn: Insn, pc: Addr, made: Map<Reg, bigint>): number | undefined {
  const fact = facts(insn);
  const base = insn.rs1 === 0 ? 0n : made.get(insn.rs1);
  const relative = pcRelativeAddress(insn, pc);
  if (relative !== undefined) {
    made.set(insn.rd, BigInt(relative));
    return relative;
  }
  if (fact.writes === undefined) return undefined;
  const operandsKnown = fact.reads.length === 0 || (fact.reads.length === 1 && base !== undefined);
  const value =
    fact.pure && operandsKnown && !insn.row.operands.includes('rs2')
      ? evaluate(insn, { ...(base !== undefined && { rs1: base }), pc: BigInt(pc) })
      : undefined;
  if (value === undefined) {
    made.delete(fact.writes);
    return undefined;
  }
  made.set(fact.writes, value);
  return value < 2n ** 48n ? Number(value) : undefined;
}
