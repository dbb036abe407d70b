/** Registers that hold nothing that is needed. */
import { hasReg, type RegSet } from '../base/regset.ts';
import { F0, type Reg } from '../base/units.ts';

/** Registers that may serve as scratch, the first to be taken first: not zero, sp, gp, tp. */
const INTEGER_SCRATCH: readonly Reg[] = [
  15, 14, 13, 12, 11, 10, 16, 17, 5, 6, 7, 28, 29, 30, 31, 1, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
];
const FLOAT_SCRATCH: readonly Reg[] = Array.from({ length: 32 }, (_, index) => F0 + index);

/** A register of the wanted register file that is neither live nor busy. */
export const deadRegister = (live: RegSet, busy: ReadonlySet<Reg>, float = false): Reg | undefined =>
  (float ? FLOAT_SCRATCH : INTEGER_SCRATCH).find((reg) => !hasReg(live, reg) && !busy.has(reg));
