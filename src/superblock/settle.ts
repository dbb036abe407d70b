/**
 * Gives values other homes where the home rule asks for it: two values that are needed at the same time cannot live in one register,
 * so one of them moves to a register that is free for as long as it is needed.
 *
 * A value is needed from where it is made to its last use; a register that an exit wants unchanged needs its head value there. A
 * value moves only to a register whose values are needed at other times, so every step ends one conflict and begins none. Which
 * value moves, and where to, is decided by the moves it costs at exits, by their counts. What is nobody's by the calling convention
 * (sp, gp, tp) stays.
 */
import { F0, REG_COUNT, type Reg, SP, TP } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { type Exit, type Op, operandsOf, opWith, regsOf, type Superblock, type Value } from './form.ts';

/** A value's time in a register. It may be overwritten by what is made at `to`, which reads before it writes. */
interface Stay {
  /** Position in the line, -1 for a head value. */
  readonly from: number;
  to: number;
  reg: Reg;
  readonly fixed: boolean;
  /** What a move of this value to a register costs at the exits that want it there, if it lives elsewhere. Undefined: none wants it. */
  wants: Map<Reg, number> | undefined;
}

const isFixed = (reg: Reg): boolean => reg === 0 || (reg >= SP && reg <= TP);

/** Those that compressed instructions can name come first; x1 last: a call's link is at home there. */
const INTEGERS: readonly Reg[] = [
  15, 14, 13, 12, 11, 10, 16, 17, 5, 6, 7, 28, 29, 30, 31, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 1,
];
const FLOATS: readonly Reg[] = Array.from({ length: 32 }, (_, index) => F0 + ((index + 8) % 32));

const overlaps = (a: Stay, b: Stay): boolean =>
  (b.from > a.from && b.from < a.to) || (a.from > b.from && a.from < b.to);

/** All values of a superblock with where they live and how long; undefined if one is used where it is not. */
function staysOf(superblock: Superblock): { heads: Stay[]; made: (Stay | undefined)[] } | undefined {
  const { ops, final } = superblock;
  const byId = new Map<number, Stay>();
  const heads: Stay[] = Array.from({ length: REG_COUNT }, (_, reg) => ({
    from: -1,
    to: -1,
    reg,
    fixed: true,
    wants: undefined,
  }));
  const made: (Stay | undefined)[] = [];
  let missing = false;
  const use = (value: Value, position: number, own?: ReadonlySet<number>): Stay | undefined => {
    if (value.kind === 'head') {
      heads[value.reg]!.to = position;
      return heads[value.reg];
    }
    if (value.kind !== 'op' || own?.has(value.id)) return undefined;
    const stay = byId.get(value.id);
    if (stay === undefined) missing = true;
    else stay.to = position;
    return stay;
  };
  const atExit = (exit: Exit, position: number) => {
    const own = exit.sunk.length > 0 ? new Set(exit.sunk.map((op) => op.id)) : undefined;
    for (const op of exit.sunk) for (const value of operandsOf(op)) use(value, position, own);
    for (const reg of regsOf(exit.live)) {
      const value = exit.snapshot.get(reg);
      if (value === undefined) heads[reg]!.to = position;
      else {
        const stay = use(value, position, own);
        if (stay === undefined || value.kind !== 'op') continue;
        stay.wants ??= new Map();
        stay.wants.set(reg, (stay.wants.get(reg) ?? 0) + exit.count);
      }
    }
  };
  ops.forEach((op, position) => {
    for (const value of operandsOf(op)) use(value, position);
    if (op.exit !== undefined) atExit(op.exit, position);
    const reg = facts(op.insn).writes;
    if (reg === undefined) return;
    const stay: Stay = { from: position, to: position, reg, fixed: isFixed(reg), wants: undefined };
    byId.set(op.id, stay);
    made[position] = stay;
  });
  if (final.op !== undefined) for (const value of operandsOf(final.op)) use(value, ops.length);
  atExit(final.exit, ops.length);
  return missing ? undefined : { heads, made };
}

/** How many of these begin before a value. */
function placeIn(stays: readonly Stay[], { from }: Stay): number {
  let [low, high] = [0, stays.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stays[middle]!.from < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Moves that a value causes at exits when it lives in a register. */
function costIn(stay: Stay, reg: Reg): number {
  let cost = 0;
  if (stay.wants === undefined) return cost;
  for (const [wanted, count] of stay.wants) if (wanted !== reg) cost += count;
  return cost;
}

/**
 * The superblock with homes that keep the home rule; the same one if it keeps it already; undefined if none were found.
 * @param pinned the op whose result must live in its present home
 */
export function settle(superblock: Superblock, pinned?: number): Superblock | undefined {
  const stays = staysOf(superblock);
  if (stays === undefined) return undefined;
  const { heads, made } = stays;
  /** By register, in the order in which they begin. */
  const living: Stay[][] = heads.map((head) => [head]);
  for (const stay of made) if (stay !== undefined) living[stay.reg]!.push(stay);
  const pin = pinned === undefined ? undefined : made[superblock.ops.findIndex((op) => op.id === pinned)];
  /**
   * What begins before a value does not overlap among itself, so only the last of it can be in the way; and what begins later, the first of it.
   */
  const free = (reg: Reg, stay: Stay): boolean => {
    const stays = living[reg]!;
    const at = placeIn(stays, stay);
    return [stays[at - 1], stays[at]].every((other) => other === undefined || !overlaps(stay, other));
  };
  let changed = false;

  const move = (candidates: readonly Stay[]): boolean => {
    let best: { stay: Stay; reg: Reg; cost: number } | undefined;
    for (const stay of candidates) {
      if (stay.fixed || stay === pin) continue;
      const now = costIn(stay, stay.reg);
      for (const reg of stay.reg >= F0 ? FLOATS : INTEGERS) {
        if (reg === stay.reg) continue;
        const cost = costIn(stay, reg) - now;
        if ((best === undefined || cost < best.cost) && free(reg, stay)) best = { stay, reg, cost };
      }
    }
    if (best === undefined) return false;
    const { stay, reg } = best;
    living[stay.reg]!.splice(placeIn(living[stay.reg]!, stay), 1);
    living[reg]!.splice(placeIn(living[reg]!, stay), 0, stay);
    stay.reg = reg;
    changed = true;
    return true;
  };

  // In the order of the line: each value against those that still are in its register.
  for (const stay of made) {
    if (stay === undefined) continue;
    for (;;) {
      const stays = living[stay.reg]!;
      const other = stays[placeIn(stays, stay) - 1];
      if (other === undefined || !overlaps(other, stay)) break;
      if (!move([stay, other])) return undefined;
    }
  }
  if (!changed) return superblock;
  return {
    ...superblock,
    ops: superblock.ops.map((op, position): Op => {
      const stay = made[position];
      return stay === undefined || stay.reg === op.insn.rd ? op : opWith(op, { insn: { ...op.insn, rd: stay.reg } });
    }),
  };
}
