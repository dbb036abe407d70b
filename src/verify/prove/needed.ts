/**
 * Does a register's value at a place certainly matter, for some input? Liveness says where the value may matter; a difference in a
 * register refutes a superblock only where it does. The search follows the original's code to an instruction that reads the register
 * before another writes it; at calls and returns the calling convention tells. A read that is not found nearby counts as none.
 */

import { hasReg } from '../../base/regset.ts';
import type { Addr, Reg } from '../../base/units.ts';
import { ARGUMENTS, PRESERVED, RESULTS } from '../../cfg/abi.ts';
import { facts } from '../../domain/record.ts';
import { type InsnSource, targetOf } from '../../isa/row.ts';

/** Instructions that a search looks at. */
const MOST_INSNS = 400;

export function isNeeded(code: InsnSource, from: Addr, reg: Reg): boolean {
  const seen = new Set<Addr>();
  const open: Addr[] = [from];
  for (let at = open.pop(); at !== undefined && seen.size < MOST_INSNS; at = open.pop()) {
    const insn = seen.has(at) ? undefined : code.insnAt(at);
    seen.add(at);
    if (insn === undefined) continue;
    const { reads, writes, control } = facts(insn);
    if (reads.includes(reg)) return true;
    const next = at + insn.size;
    const links = (control === 'jump' || control === 'indirect') && writes !== undefined;
    if (links && hasReg(PRESERVED, reg)) open.push(next);
    if (control === 'indirect' && hasReg(links ? ARGUMENTS : RESULTS, reg)) return true;
    if (control === 'indirect' && !links && hasReg(PRESERVED, reg)) return true;
    if (writes === reg || control === 'trap' || control === 'indirect') continue;
    const target = targetOf(insn, at);
    if (target !== undefined) open.push(target);
    if (control !== 'jump') open.push(next);
  }
  return false;
}
