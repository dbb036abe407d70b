/**
 * Finds memory accesses that need no check of their own. Accesses with the same base register, unchanged between, are checked together by
 * the first one that is reached: the accesses of its block and, as far as their addresses go, those that may follow in other blocks. An
 * extent that was checked on every path to a block is known there, as long as the base is unchanged. Permissions cannot change meanwhile:
 * only the kernel changes them, and a syscall leaves all translated code.
 *
 * Page 0 is never mapped and offsets are less than a page, so once an access through a base is permitted the base itself is at least 0 and
 * fits 32 bits, not only its sum with the offset.
 */
import type { Reg } from '../../base/units.ts';
import type { Extent } from './insns.ts';
import type { Region } from './region.ts';

/** The plan for an access through base and offset. */
export interface Planned {
  /** The bytes to check here; undefined if they have been checked. */
  readonly extent: Extent | undefined;
  readonly base: Reg;
  readonly offset: number;
}

export interface AccessPlan {
  /** By block, by instruction; undefined where there is no access or it is not planned. */
  readonly planned: readonly (readonly (Planned | undefined)[])[];
  /** By block: the extents checked on every path from the head to its start. Any other entry there must check them too. */
  readonly known: readonly ReadonlyMap<Reg, Extent>[];
}

/** Bytes of the widest extent: two pages at most, of which both are checked. */
const WIDEST_EXTENT = 2048;
/** Rounds over the region in which extents grow backward: more rounds find little. */
const ROUNDS = 3;

type Known = ReadonlyMap<Reg, Extent>;

/** Does an extent hold one access of so many bytes, which can then be checked as one? */
export const isSingle = ({ low, high }: Extent, bytes: number): boolean => high - low === bytes;

const covers = (known: Extent | undefined, { low, high, permission }: Extent): boolean =>
  known !== undefined && known.low <= low && known.high >= high && (known.permission & permission) === permission;

/** The union, with the permissions of the first extent; the first alone if the union is too wide. */
function widened(a: Extent, b: { readonly low: number; readonly high: number } | undefined): Extent {
  if (b === undefined) return a;
  const low = Math.min(a.low, b.low);
  const high = Math.max(a.high, b.high);
  return high - low <= WIDEST_EXTENT ? { low, high, permission: a.permission } : a;
}

/** @param order blocks in reverse postorder */
export function planAccesses(region: Region, order: readonly number[]): AccessPlan {
  const { blocks } = region;
  const follow = following(region, order);

  /** Goes through a block, and fills in the plan if there is one. @returns the extents known at the end of the block */
  const through = (index: number, start: Known, plan?: (Planned | undefined)[]): Known => {
    const known = new Map(start);
    const { insns, ending } = blocks[index]!;
    for (const [i, { access, insn, facts }] of insns.entries()) {
      if (access !== undefined) {
        const base = insn.rs1;
        const offset = access.low;
        if (covers(known.get(base), access)) {
          if (plan) plan[i] = { extent: undefined, base, offset };
        } else {
          let extent = access;
          let j = i;
          for (; j < insns.length && insns[j]!.facts.writes !== base; j++) {
            const next = insns[j + 1];
            if (next?.access === undefined || next.insn.rs1 !== base) continue;
            const both = widened(extent, next.access);
            if (both !== extent || covers(both, { ...next.access, permission: both.permission }))
              extent = { ...both, permission: both.permission | next.access.permission };
          }
          if (j === insns.length) extent = widened(extent, follow[index]!.get(base));
          known.set(base, extent);
          if (plan) plan[i] = { extent, base, offset };
        }
      }
      if (facts.writes !== undefined) known.delete(facts.writes);
    }
    return ending === 'call' ? new Map() : known;
  };

  const starts: (Known | undefined)[] = blocks.map(() => undefined);
  starts[0] = new Map();
  /** Blocks whose extents at the start have changed since they were last gone through. */
  const waiting = new Set([0]);
  while (waiting.size > 0)
    for (const index of order) {
      if (!waiting.delete(index)) continue;
      const end = through(index, starts[index]!);
      for (const { block } of blocks[index]!.successors) {
        if (block < 0) continue;
        const before = starts[block];
        if (before?.size === 0) continue;
        const both = before === undefined ? end : meet(before, end);
        if (both === before) continue;
        starts[block] = both;
        waiting.add(block);
      }
    }
  const planned = blocks.map((_, index) => {
    const plan: (Planned | undefined)[] = [];
    if (starts[index] !== undefined) through(index, starts[index], plan);
    return plan;
  });
  return { planned, known: starts.map((known) => known ?? new Map()) };
}

/** By block: the extents that later blocks may access through the registers as they are at its end. */
function following({ blocks }: Region, order: readonly number[]): Map<Reg, Extent>[] {
  /** Of a block alone: the extents accessed before their base is written; and the registers written. */
  const own = blocks.map(({ insns }) => {
    const first = new Map<Reg, Extent>();
    const written = new Set<Reg>();
    for (const { access, insn, facts } of insns) {
      if (access !== undefined && !written.has(insn.rs1)) first.set(insn.rs1, widened(access, first.get(insn.rs1)));
      if (facts.writes !== undefined) written.add(facts.writes);
    }
    return { first, written };
  });
  const ends = blocks.map(() => new Map<Reg, Extent>());
  for (let round = 0, changed = true; changed && round < ROUNDS; round++) {
    changed = false;
    for (let i = order.length - 1; i >= 0; i--) {
      const index = order[i]!;
      const { ending, successors } = blocks[index]!;
      if (ending === 'call') continue;
      const end = ends[index]!;
      for (const { block } of successors) {
        if (block < 0) continue;
        const { first, written } = own[block]!;
        const add = (reg: Reg, extent: Extent) => {
          const before = end.get(reg);
          const both = before === undefined ? extent : widened(before, extent);
          if (both.low === before?.low && both.high === before.high) return;
          end.set(reg, both);
          changed = true;
        };
        for (const [reg, extent] of first) add(reg, extent);
        for (const [reg, extent] of ends[block]!) if (!written.has(reg)) add(reg, extent);
      }
    }
  }
  return ends;
}

/** The extents known in both; `a` itself if all of its extents are. */
function meet(a: Known, b: Known): Known {
  const both = new Map<Reg, Extent>();
  let same = true;
  for (const [reg, x] of a) {
    const y = b.get(reg);
    if (y !== undefined && covers(y, x)) {
      both.set(reg, x);
      continue;
    }
    same = false;
    if (y === undefined) continue;
    const low = Math.max(x.low, y.low);
    const high = Math.min(x.high, y.high);
    const permission = x.permission & y.permission;
    if (low < high && permission !== 0) both.set(reg, { low, high, permission });
  }
  return same ? a : both;
}
