/** Sets of registers: one bit each, x0..x31 in `x`, f0..f31 in `f`, both as signed 32-bit masks. x0 is never in a set of live registers. */
import { derived } from './derived.ts';
import { REG_COUNT, type Reg, regName } from './units.ts';

export interface RegSet {
  readonly x: number;
  readonly f: number;
}

export const NO_REGS: RegSet = { x: 0, f: 0 };
/** Every register but x0. */
export const ALL_REGS: RegSet = { x: ~1, f: ~0 };

export const hasReg = (set: RegSet, reg: Reg): boolean => (((reg < 32 ? set.x : set.f) >>> (reg & 31)) & 1) === 1;
export const union = (a: RegSet, b: RegSet): RegSet => ({ x: a.x | b.x, f: a.f | b.f });
export const intersect = (a: RegSet, b: RegSet): RegSet => ({ x: a.x & b.x, f: a.f & b.f });
export const without = (a: RegSet, b: RegSet): RegSet => ({ x: a.x & ~b.x, f: a.f & ~b.f });
export const sameRegs = (a: RegSet, b: RegSet): boolean => a.x === b.x && a.f === b.f;
export const withReg = (set: RegSet, reg: Reg): RegSet =>
  reg < 32 ? { x: set.x | (1 << reg), f: set.f } : { x: set.x, f: set.f | (1 << (reg - 32)) };

/** The registers of a set, rising. Passes ask for those of one set again and again. */
export const regsIn = derived('registers', (set: RegSet): readonly Reg[] => {
  const found: Reg[] = [];
  for (let reg = 0; reg < REG_COUNT; reg++) if (hasReg(set, reg)) found.push(reg);
  return found;
});

export const regSet = (regs: Iterable<Reg>): RegSet => {
  let set = NO_REGS;
  for (const reg of regs) set = withReg(set, reg);
  return set;
};

/** `a0 a1 s0`, in order of number. */
export const printRegs = (set: RegSet): string => regsIn(set).map(regName).join(' ');
