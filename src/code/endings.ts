/**
 * How an instruction moves control, in terms of blocks, edges and calls.
 *
 * Calls and returns differ from other jumps by their registers: the unprivileged manual gives x1 and x5 the meaning of link
 * registers (section "Unconditional Jumps", table of return-address stack prediction hints). A jump that writes a link register is
 * a call, a jump that only reads one is a return. A jalr that both reads and writes a link register (a coroutine switch) counts as a call.
 */
import { A0, type Addr, isLink } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import { type Insn, targetOf } from '../isa/row.ts';

/**
 * How control leaves a block. `none` runs on into the next block; `syscall` goes on behind the ecall; `trap` does not go on.
 */
export type Ending = 'none' | 'branch' | 'jump' | 'call' | 'return' | 'indirect' | 'indirect-call' | 'syscall' | 'trap';

/** How control goes along an edge between two blocks. */
export type EdgeKind = 'fall' | 'taken' | 'jump' | 'call' | 'return' | 'indirect' | 'indirect-call' | 'syscall';

/** Does a jump write the address behind it to a register that is no link register? Control may come back to that address all the same. */
export function leavesLink(insn: Insn): boolean {
  const { control, writes } = facts(insn);
  return (control === 'jump' || control === 'indirect') && writes !== undefined && !isLink(writes);
}

/** How this instruction ends a block; `none` if it ends none. */
export function endingOf(insn: Insn): Ending {
  const { control, reads, writes } = facts(insn);
  if (control === 'jump') return isLink(writes) ? 'call' : 'jump';
  if (control !== 'indirect') return control;
  if (isLink(writes)) return 'indirect-call';
  return isLink(reads[0]) ? 'return' : 'indirect';
}

/** The kind of the edge that the transfer at `site` takes to `to`; undefined: out of the image. */
export function edgeKind(insn: Insn, site: Addr, to: Addr | undefined): EdgeKind {
  const ending = endingOf(insn);
  if (ending === 'branch') return to === targetOf(insn, site) ? 'taken' : 'fall';
  return ending === 'none' || ending === 'trap' ? 'fall' : ending;
}

/**
 * The target of a jalr whose base register was set by the instruction right before it to a pc-relative constant: the long forms of
 * call and tail call (psABI, "Code models"). Undefined for any other instruction.
 * @param before the instruction that runs right before `insn`, at `pc`
 */
export function farTarget(before: Insn, pc: Addr, insn: Insn): Addr | undefined {
  const known = facts(before);
  if (!known.readsPc || !known.pure || known.writes === undefined) return undefined;
  const { control, reads } = facts(insn);
  if (control !== 'indirect' || reads[0] !== known.writes) return undefined;
  const base = evaluate(before, { pc: BigInt(pc) });
  if (base === undefined) return undefined;
  const target = BigInt.asUintN(64, base + BigInt(insn.imm)) & ~1n;
  return target <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(target) : undefined;
}

/** Registers the Linux system call interface reads: a0..a7, as a mask of x registers (riscv Linux ABI; a7 is the number). */
export const SYSCALL_READS = 0xff << A0;
