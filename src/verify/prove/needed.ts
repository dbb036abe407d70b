/**
 * Is a register's value certain to matter at a place, for some input? Liveness says where it may; a difference in a register only refutes
 * a superblock where it does. Looks along the original's code for an instruction that reads it before one writes it; at returns the
 * calling convention tells. What is not found near is held not to be known.
 */
import type { Addr, Reg } from '../../base/units.ts';
import { ARGUMENTS, PRESERVED, RESULTS } from '../../cfg/abi.ts';
import { hasReg } from '../../cfg/regset.ts';
import { facts } from '../../domain/record.ts';
import { targetOf } from '../../isa/row.ts';
import type { InsnSource } from './original.ts';

/** Instructions looked at. */
const MOST = 400;

export function isNeeded(code: InsnSource, from: Addr, reg: Reg): boolean {
  const seen = new Set<Addr>();
  const open: Addr[] = [from];
  for (let at = open.pop(); at !== undefined && seen.size < MOST; at = open.pop()) {
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
