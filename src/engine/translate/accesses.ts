/**
 * Which memory accesses need no check of their own. Accesses of one block with the same base register, unchanged between, are checked
 * together by the first; and what was checked on every way to a block holds there, as long as the base stays. Permissions cannot
 * change meanwhile: only the kernel changes them, and a syscall leaves all translated code.
 */
import type { Reg } from '../../base/units.ts';
import { facts } from '../../domain/record.ts';
import { PERMISSION } from '../../machine/memory.ts';
import type { CodeInsn } from './insns.ts';
import type { Region } from './region.ts';

/** Bytes around a register's value, first and behind last, that may be accessed so. */
export interface Extent {
  readonly low: number;
  readonly high: number;
  readonly permission: number;
}

/**
 * What is to be done for an access through base and offset. `anchored` says that once the extent is checked, the base itself is known to be
 * an address of 32 bits, not only its sum with the offset, so that an offset that is not negative may be added where the access is made.
 */
export interface Planned {
  /** To be checked here; undefined: it has been. */
  readonly extent: Extent | undefined;
  readonly anchored: boolean;
  readonly base: Reg;
  readonly offset: number;
}

/** By block, by instruction; undefined where there is no access or it is not planned. */
export type AccessPlan = readonly (readonly (Planned | undefined)[])[];

/** Two pages at most, of which both are looked at. */
const WIDEST = 2048;

type Fact = Extent & { readonly anchored: boolean };
type Known = ReadonlyMap<Reg, Fact>;

/** Is an extent checked as one access, by its own address? The others are checked with their base (see RegionStep). */
export const isSingle = ({ low, high }: Extent, bytes: number): boolean => high - low === bytes;

const covers = (known: Extent | undefined, { low, high, permission }: Extent): boolean =>
  known !== undefined && known.low <= low && known.high >= high && (known.permission & permission) === permission;

/** The access of a load or store with a base register and an offset. */
function accessOf({ insn }: CodeInsn): (Extent & { readonly base: Reg; readonly bytes: number }) | undefined {
  const { load, store } = facts(insn);
  const access = load ?? store;
  if (access === undefined || insn.rs1 === 0 || !insn.row.operands.includes('mem')) return undefined;
  const permission = store === undefined ? PERMISSION.READ : PERMISSION.WRITE;
  return { base: insn.rs1, low: insn.imm, high: insn.imm + access.bytes, permission, bytes: access.bytes };
}

const union = (a: Extent, b: Extent): Extent => ({
  low: Math.min(a.low, b.low),
  high: Math.max(a.high, b.high),
  permission: a.permission | b.permission,
});

/** @param order blocks in reverse postorder */
export function planAccesses(region: Region, order: readonly number[]): AccessPlan {
  const { blocks } = region;
  const accesses = blocks.map(({ insns }) => insns.map(accessOf));
  const writes = blocks.map(({ insns }) => insns.map(({ insn }) => facts(insn).writes));

  /** Goes through a block: what is known at its end; fills in the plan if there is one. */
  const through = (index: number, start: Known, plan?: (Planned | undefined)[]): Known => {
    const known = new Map(start);
    const list = accesses[index]!;
    for (const [i, access] of list.entries()) {
      if (access !== undefined) {
        const { base, low: offset } = access;
        const before = known.get(base);
        if (covers(before, access)) {
          if (plan) plan[i] = { extent: undefined, anchored: before!.anchored, base, offset };
        } else {
          let extent: Extent = { low: access.low, high: access.high, permission: access.permission };
          for (let j = i; j < list.length; j++) {
            const other = list[j];
            if (j > i && other?.base === base) {
              const both = union(extent, other);
              if (both.high - both.low <= WIDEST) extent = both;
            }
            if (writes[index]![j] === base) break;
          }
          const anchored = extent.low <= 0 || !isSingle(extent, access.bytes);
          known.set(base, { ...extent, anchored });
          if (plan) plan[i] = { extent, anchored, base, offset };
        }
      }
      const written = writes[index]![i];
      if (written !== undefined) known.delete(written);
    }
    return blocks[index]!.ending === 'call' ? new Map() : known;
  };

  const starts: (Known | undefined)[] = blocks.map(() => undefined);
  starts[0] = new Map();
  for (let changed = true; changed; ) {
    changed = false;
    for (const index of order) {
      const end = through(index, starts[index]!);
      for (const { block } of blocks[index]!.successors) {
        if (block < 0) continue;
        const before = starts[block];
        if (before === undefined) {
          starts[block] = end;
          changed = true;
        } else if (before.size > 0) {
          const both = meet(before, end);
          if (both === before) continue;
          starts[block] = both;
          changed = true;
        }
      }
    }
  }
  return blocks.map((_, index) => {
    const plan: (Planned | undefined)[] = [];
    if (starts[index] !== undefined) through(index, starts[index], plan);
    return plan;
  });
}

/** What holds in both; `a` itself if that is all of it. */
function meet(a: Known, b: Known): Known {
  const both = new Map<Reg, Fact>();
  let same = true;
  for (const [reg, x] of a) {
    const y = b.get(reg);
    if (y !== undefined && covers(y, x) && (y.anchored || !x.anchored)) {
      both.set(reg, x);
      continue;
    }
    same = false;
    if (y === undefined) continue;
    const low = Math.max(x.low, y.low);
    const high = Math.min(x.high, y.high);
    const permission = x.permission & y.permission;
    const anchored = x.anchored && y.anchored;
    if (low < high && permission !== 0) both.set(reg, { low, high, permission, anchored });
  }
  return same ? a : both;
}
