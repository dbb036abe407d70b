/** Names of the operations on 64-bit values. */
import type { BinaryOp } from '../../src/domain/rules.ts';

// The compiler sees to it that none is missing.
const OPERATIONS: Record<BinaryOp, true> = {
  add: true,
  sub: true,
  and: true,
  or: true,
  xor: true,
  shl: true,
  shr: true,
  sar: true,
  mul: true,
  mulhs: true,
  mulhu: true,
  mulhsu: true,
  divs: true,
  divu: true,
  rems: true,
  remu: true,
  eq: true,
  ltS: true,
  ltU: true,
};

/** Those of two values. */
export const BINARY = Object.keys(OPERATIONS) as readonly BinaryOp[];
