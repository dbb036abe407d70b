/** Sets of registers: one bit each, x0..x31 in `x`, f0..f31 in `f`, both as signed 32-bit masks. x0 is never in a set of live registers. */
import { type Reg, regName } from '../base/units.ts';

export interface RegSet {
  readonly x: number;
  readonly f: number;
}

/** Every register but x0. */
export const ALL_REGS: RegSet = { x: ~1, f: ~0 };

export const hasReg = (set: RegSet, reg: Reg): boolean => (((reg < 32 ? set.x : set.f) >>> (reg & 31)) & 1) === 1;
export const union = (a: RegSet, b: RegSet): RegSet => ({ x: a.x | b.x, f: a.f | b.f });
export const intersect = (a: RegSet, b: RegSet): RegSet => ({ x: a.x & b.x, f: a.f & b.f });
export const without = (a: RegSet, b: RegSet): RegSet => ({ x: a.x & ~b.x, f: a.f & ~b.f });

/** The registers of a set, rising. */
export function regsIn(set: RegSet): Reg[] {
  const found: Reg[] = [];
  for (let reg = 0; reg < 64; reg++) if (hasReg(set, reg)) found.push(reg);
  return found;
}

/** @param regs registers 0..63 */
export function regSet(regs: Iterable<Reg>): RegSet {
  let x = 0;
  let f = 0;
  for (const reg of regs)
    if (reg < 32) x |= 1 << reg;
    else f |= 1 << (reg - 32);
  return { x, f };
}

/** `a0 a1 s0`, in order of number. */
export const printRegs = (set: RegSet): string => regsIn(set).map(regName).join(' ');
