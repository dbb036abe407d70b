/**
 * Gives values other homes where the home rule asks for it: two values with overlapping live ranges cannot live in one register,
 * so one of the two moves to a register that is free during its live range.
 *
 * A live range goes from the definition to the last use; an exit that wants a register unchanged uses its head value. A value moves
 * only to a register in which no live range overlaps its own, so every step ends one conflict and begins none. The value and the
 * register are chosen by the moves that they cost at exits, weighted by the exits' counts. Values in registers that the calling
 * convention reserves (sp, gp, tp) keep their homes.
 */
import { regsIn } from '../base/regset.ts';
import { F0, REG_COUNT, type Reg, SP, TP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { type Exit, type Op, operandsOf, opWith, type Superblock, type Value } from './form.ts';

/** The live range of a value in its home. The op at `to` may overwrite the home, since an op reads before it writes. */
interface LiveRange {
  /** Position of the definition, -1 for a head value. */
  readonly from: number;
  to: number;
  reg: Reg;
  readonly fixed: boolean;
  /** By register: the count of exits that want the value there, and need a move if the value lives elsewhere. Undefined: none. */
  wants: Map<Reg, number> | undefined;
}

const isFixed = (reg: Reg): boolean => reg === 0 || (reg >= SP && reg <= TP);

/** Candidates for a home. Registers that compressed instructions can name come first; x1, the home of links, comes last. */
const INTEGER_HOMES: readonly Reg[] = [
  15, 14, 13, 12, 11, 10, 16, 17, 5, 6, 7, 28, 29, 30, 31, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 1,
];
const FLOAT_HOMES: readonly Reg[] = Array.from({ length: 32 }, (_, index) => F0 + ((index + 8) % 32));

const overlaps = (a: LiveRange, b: LiveRange): boolean =>
  (b.from > a.from && b.from < a.to) || (a.from > b.from && a.from < b.to);

/** The live ranges of a superblock: of head values by register, of results by position. Undefined if a use has no definition before it. */
function liveRangesOf(superblock: Superblock): { heads: LiveRange[]; made: (LiveRange | undefined)[] } | undefined {
  const { ops, final } = superblock;
  const byId = new Map<number, LiveRange>();
  const heads: LiveRange[] = Array.from({ length: REG_COUNT }, (_, reg) => ({
    from: -1,
    to: -1,
    reg,
    fixed: true,
    wants: undefined,
  }));
  const made: (LiveRange | undefined)[] = [];
  let missing = false;
  const use = (value: Value, position: number, own?: ReadonlySet<number>): LiveRange | undefined => {
    if (value.kind === 'head') {
      heads[value.reg]!.to = position;
      return heads[value.reg];
    }
    if (value.kind !== 'op' || own?.has(value.id)) return undefined;
    const range = byId.get(value.id);
    if (range === undefined) missing = true;
    else range.to = position;
    return range;
  };
  const atExit = (exit: Exit, position: number) => {
    const own = exit.sunk.length > 0 ? new Set(exit.sunk.map((op) => op.id)) : undefined;
    for (const op of exit.sunk) for (const value of operandsOf(op)) use(value, position, own);
    for (const reg of regsIn(exit.live)) {
      const value = exit.snapshot.get(reg);
      if (value === undefined) heads[reg]!.to = position;
      else {
        const range = use(value, position, own);
        if (range === undefined || value.kind !== 'op') continue;
        range.wants ??= new Map();
        range.wants.set(reg, (range.wants.get(reg) ?? 0) + exit.count);
      }
    }
  };
  ops.forEach((op, position) => {
    for (const value of operandsOf(op)) use(value, position);
    if (op.exit !== undefined) atExit(op.exit, position);
    const reg = facts(op.insn).writes;
    if (reg === undefined) return;
    const range: LiveRange = { from: position, to: position, reg, fixed: isFixed(reg), wants: undefined };
    byId.set(op.id, range);
    made[position] = range;
  });
  if (final.op !== undefined) for (const value of operandsOf(final.op)) use(value, ops.length);
  atExit(final.exit, ops.length);
  return missing ? undefined : { heads, made };
}

/** The number of live ranges in a sorted list that begin before another one. */
function indexIn(ranges: readonly LiveRange[], { from }: LiveRange): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.from < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Number of moves at exits, by their counts, if a value lives in a register. */
function costIn(range: LiveRange, reg: Reg): number {
  let cost = 0;
  if (range.wants === undefined) return cost;
  for (const [wanted, count] of range.wants) if (wanted !== reg) cost += count;
  return cost;
}

/**
 * The superblock with homes that keep the home rule; the same object if it keeps the rule already; undefined if no homes were found.
 * @param pinned id of the op whose result must live in its present home
 */
export function settle(superblock: Superblock, pinned?: number): Superblock | undefined {
  const ranges = liveRangesOf(superblock);
  if (ranges === undefined) return undefined;
  const { heads, made } = ranges;
  /** By register, the live ranges in it, in the order of their beginnings. */
  const living: LiveRange[][] = heads.map((head) => [head]);
  for (const range of made) if (range !== undefined) living[range.reg]!.push(range);
  const pin = pinned === undefined ? undefined : made[superblock.ops.findIndex((op) => op.id === pinned)];
  /**
   * Is a register free during a live range? Ranges in the register that begin earlier do not overlap one another, so only the last of them
   * can be in the way; of those that begin later, only the first.
   */
  const free = (reg: Reg, range: LiveRange): boolean => {
    const ranges = living[reg]!;
    const at = indexIn(ranges, range);
    return [ranges[at - 1], ranges[at]].every((other) => other === undefined || !overlaps(range, other));
  };
  let changed = false;

  const move = (candidates: readonly LiveRange[]): boolean => {
    let best: { stay: LiveRange; reg: Reg; cost: number } | undefined;
    for (const range of candidates) {
      if (range.fixed || range === pin) continue;
      const now = costIn(range, range.reg);
      for (const reg of range.reg >= F0 ? FLOAT_HOMES : INTEGER_HOMES) {
        if (reg === range.reg) continue;
        const cost = costIn(range, reg) - now;
        if ((best === undefined || cost < best.cost) && free(reg, range)) best = { stay: range, reg, cost };
      }
    }
    if (best === undefined) return false;
    const { stay: range, reg } = best;
    living[range.reg]!.splice(indexIn(living[range.reg]!, range), 1);
    living[reg]!.splice(indexIn(living[reg]!, range), 0, range);
    range.reg = reg;
    changed = true;
    return true;
  };

  // In the order of the line: each value against the value before it in the same register.
  for (const range of made) {
    if (range === undefined) continue;
    for (;;) {
      const ranges = living[range.reg]!;
      const other = ranges[indexIn(ranges, range) - 1];
      if (other === undefined || !overlaps(other, range)) break;
      if (!move([range, other])) return undefined;
    }
  }
  if (!changed) return superblock;
  return {
    ...superblock,
    ops: superblock.ops.map((op, position): Op => {
      const range = made[position];
      return range === undefined || range.reg === op.insn.rd ? op : opWith(op, { insn: { ...op.insn, rd: range.reg } });
    }),
  };
}
