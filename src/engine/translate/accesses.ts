/**
 * Which memory accesses need no check of their own. Accesses with the same base register, unchanged between, are checked together by the
 * first one that is reached: those of its block, and, as far as their addresses go, those that may follow in other blocks. What was
 * checked on every way to a block holds there, as long as the base stays. Permissions cannot change meanwhile: only the kernel changes
 * them, and a syscall leaves all translated code.
 *
 * Page 0 is never mapped and offsets are less than a page, so once an access through a base is permitted the base itself is an address
 * of the guest's, not only its sum with the offset.
 */
import type { Reg } from '../../base/units.ts';
import type { Extent } from './insns.ts';
import type { Region } from './region.ts';

/** What is to be done for an access through base and offset. */
export interface Planned {
  /** To be checked here; undefined: it has been. */
  readonly extent: Extent | undefined;
  readonly base: Reg;
  readonly offset: number;
}

export interface AccessPlan {
  /** By block, by instruction; undefined where there is no access or it is not planned. */
  readonly planned: readonly (readonly (Planned | undefined)[])[];
  /** By block: what has been checked on every way from the head to its start. Who enters there otherwise must check it too. */
  readonly known: readonly ReadonlyMap<Reg, Extent>[];
}

/** Two pages at most, of which both are looked at. */
const WIDEST = 2048;
/** Rounds over the region in which extents grow backward: more find little. */
const ROUNDS = 3;

type Known = ReadonlyMap<Reg, Extent>;

/** Does an extent hold one access of so many bytes, which can then be checked as one? */
export const isSingle = ({ low, high }: Extent, bytes: number): boolean => high - low === bytes;

const covers = (known: Extent | undefined, { low, high, permission }: Extent): boolean =>
  known !== undefined && known.low <= low && known.high >= high && (known.permission & permission) === permission;

/** Both, with the permissions of the first; the first alone if that is too wide. */
function widened(a: Extent, b: { readonly low: number; readonly high: number } | undefined): Extent {
  if (b === undefined) return a;
  const low = Math.min(a.low, b.low);
  const high = Math.max(a.high, b.high);
  return high - low <= WIDEST ? { low, high, permission: a.permission } : a;
}

/** @param order blocks in reverse postorder */
export function planAccesses(region: Region, order: readonly number[]): AccessPlan {
  const { blocks } = region;
  const follow = following(region, order);

  /** Goes through a block: what is known at its end; fills in the plan if there is one. */
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
  /** Blocks whose start is new since they were gone through. */
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

/** By block: what may be accessed behind it through the registers as they are at its end. */
function following({ blocks }: Region, order: readonly number[]): Map<Reg, Extent>[] {
  /** Of a block alone: what is accessed before the base is written; and what is written. */
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

/** What holds in both; `a` itself if that is all of it. */
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
