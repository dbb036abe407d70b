/**
 * The calling convention, as far as liveness relies on it: RISC-V ELF psABI, "Integer Register Convention", "Floating-point Register
 * Convention", "Procedure Calling Convention" (LP64D; the softer ABIs use fewer registers).
 */
import { A0, GP, RA, type Reg, regByName, SP, TP } from '../base/units.ts';
import { type RegSet, regSet, union } from './regset.ts';

const named = (prefix: string, from: number, to: number): Reg[] =>
  Array.from({ length: to - from + 1 }, (_, i) => regByName(`${prefix}${from + i}`)!);

/** May carry arguments. */
export const ARGUMENTS: RegSet = regSet([...named('a', 0, 7), ...named('fa', 0, 7)]);
/** What a callee may read: arguments, and t2, in which compilers pass an environment (GCC's STATIC_CHAIN_REGNUM, LLVM's `nest`). */
export const PASSED: RegSet = union(ARGUMENTS, regSet([regByName('t2')!]));
/** May carry results. */
export const RESULTS: RegSet = regSet([...named('a', 0, 1), ...named('fa', 0, 1)]);
/** Hold across calls: saved registers, stack, global and thread pointer. */
export const PRESERVED: RegSet = regSet([...named('s', 0, 11), ...named('fs', 0, 11), SP, GP, TP]);
/** Stack, global and thread pointer: a signal handler needs them wherever it comes, and the kernel puts its frame below sp. */
export const POINTERS: RegSet = regSet([SP, GP, TP]);
/** A callee may change these. ra is the caller's business: the call itself has changed it. */
export const CLOBBERED: RegSet = regSet([
  ...named('t', 0, 6),
  ...named('a', 0, 7),
  ...named('ft', 0, 11),
  ...named('fa', 0, 7),
]);
export const RETURN_ADDRESS: RegSet = regSet([RA]);
/** The kernel returns its result here and changes no other register. */
export const SYSCALL_RESULT: RegSet = regSet([A0]);
