/**
 * The calling convention, as far as liveness relies on it: RISC-V ELF psABI, "Integer Register Convention", "Floating-point Register
 * Convention", "Procedure Calling Convention" (LP64D; the softer ABIs use fewer registers).
 */

import { type RegSet, regSet, union } from '../base/regset.ts';
import { A0, GP, RA, type Reg, regByName, SP, TP } from '../base/units.ts';

const named = (prefix: string, from: number, to: number): Reg[] =>
  Array.from({ length: to - from + 1 }, (_, i) => regByName(`${prefix}${from + i}`)!);

/** Registers that may carry arguments. */
export const ARGUMENTS: RegSet = regSet([...named('a', 0, 7), ...named('fa', 0, 7)]);
/** Registers that a callee may read: arguments, and t2, where compilers pass an environment (GCC's STATIC_CHAIN_REGNUM, LLVM's `nest`). */
export const PASSED: RegSet = union(ARGUMENTS, regSet([regByName('t2')!]));
/** Registers that may carry results. */
export const RESULTS: RegSet = regSet([...named('a', 0, 1), ...named('fa', 0, 1)]);
/** Registers preserved across calls: callee-saved registers, stack, global and thread pointer. */
export const PRESERVED: RegSet = regSet([...named('s', 0, 11), ...named('fs', 0, 11), SP, GP, TP]);
/** Stack, global and thread pointer: a signal handler needs them wherever it is called, and the kernel puts the signal frame below sp. */
export const POINTERS: RegSet = regSet([SP, GP, TP]);
/** Registers that a callee may change. ra is left out, since the call itself has changed it. */
export const CLOBBERED: RegSet = regSet([
  ...named('t', 0, 6),
  ...named('a', 0, 7),
  ...named('ft', 0, 11),
  ...named('fa', 0, 7),
]);
export const RETURN_ADDRESS: RegSet = regSet([RA]);
/** The register in which the kernel returns a system call's result; the kernel changes no other register. */
export const SYSCALL_RESULT: RegSet = regSet([A0]);
