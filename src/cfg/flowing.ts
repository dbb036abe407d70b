/**
 * Where a constant that code makes goes to, and what becomes of it: along straight lines, over direct branches and jumps, into direct callees
 * and past calls. Registers that a callee may change are taken to hold what they held: more may be found so, nothing less. What is loaded from
 * a table whose place is constant is followed as well, so that a jump to the sum of an entry and a constant shows where the table leads.
 */
import { type Addr, GP, RA, type Reg } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { Code } from '../profile/code.ts';
import { T0 } from '../profile/flow.ts';

/** A constant that an instruction makes. */
export interface Made {
  /** Below 2^48. */
  readonly value: number;
  /** In this register. */
  readonly reg: Reg;
  /** More than an upper part. */
  readonly sum: boolean;
}

/** A jump to what an entry of a table and a constant add up to. */
export interface TableJump {
  readonly table: Addr;
  readonly bytes: number;
  readonly signed: boolean;
  /** The one entry, or whichever. */
  readonly one: boolean;
  /** What an entry is multiplied by. */
  readonly times: number;
  readonly base: number;
}

export interface Seen {
  /** Is this constant, or what adding 12 bits makes of it, the address of code? */
  nearCode(value: number): boolean;
  /** An instruction works on the constant that is followed. */
  explains(pc: Addr): void;
  made(constant: Made): void;
  /** This constant and something that is not one are added up, or what a table holds: where it is code, that may be jumped to, now or later. */
  sums(base: Addr, entry: Omit<TableJump, 'base'> | undefined): void;
  /** A jump to a constant. */
  enters(target: Addr): void;
  /** A return to so many bytes behind the return point. */
  skips(by: number): void;
  reads(jump: TableJump): void;
}

/** How many instructions a constant is followed for: one that leads to code or nearly so, and any other. */
const REACH = 128;
const REACH_OTHERS = 32;
/** No address is as high. */
const HIGHEST = 2n ** 48n;
/** Stands for a return address that is not known. */
const LINK = 2n ** 60n;
/** Registers that calls link in. */
export const LINKS: readonly Reg[] = [RA, T0];
/** A return does not go further past its return point. */
const FAR_SKIP = 4096;
/** What an operand that is not known is tried with. */
const TRIED = [0n, 0x1234n, 0x7654_3210n];

interface Loaded {
  readonly table: Addr;
  readonly bytes: number;
  readonly signed: boolean;
  readonly one: boolean;
  readonly times: number;
}
interface Value {
  /** The constant, or the constant part of a sum. */
  readonly value: bigint;
  /** The other part: an index or the like, or what was loaded from a table. */
  readonly plus: 'nothing' | 'something' | Loaded;
  /** Made of the constant that is followed. */
  readonly own: boolean;
}
type Registers = Map<Reg, Value>;

/** @param maker an instruction that makes a constant: of nothing, of what gp holds, or of the return address */
export function flow(code: Code, maker: Addr, gp: number | undefined, seen: Seen): void {
  const start: Registers = new Map(LINKS.map((reg) => [reg, { value: LINK, plus: 'nothing', own: false }]));
  if (gp !== undefined) start.set(GP, { value: BigInt(gp), plus: 'nothing', own: false });
  const open = [{ at: maker, registers: start }];
  const visited = new Set<Addr>();
  let left = REACH;
  for (let line = open.pop(); line !== undefined && left > 0; line = open.pop()) {
    const { registers } = line;
    const fork = (at: Addr) => open.push({ at, registers: new Map(registers) });
    for (let at: Addr | undefined = line.at; at !== undefined && left > 0 && !visited.has(at); left--) {
      visited.add(at);
      const insn = code.insnAt(at);
      if (insn === undefined) break;
      const first = at === maker;
      at = step(insn, at, registers, first, seen, fork);
      const made = first && insn.rd !== 0 ? registers.get(insn.rd) : undefined;
      if (made !== undefined && !seen.nearCode(Number(made.value))) left = REACH_OTHERS;
    }
  }
}

/** @returns where the line goes on, if something made of the constant is still in a register */
function step(
  insn: Insn,
  pc: Addr,
  registers: Registers,
  first: boolean,
  seen: Seen,
  fork: (at: Addr) => void,
): Addr | undefined {
  const { control, reads, writes } = facts(insn);
  let known = reads.length === 0;
  for (const reg of reads) known ||= registers.has(reg);
  // Most instructions on the way have nothing to do with it.
  if (!known && control === 'none' && (writes === undefined || !registers.has(writes))) return pc + insn.size;
  const own = first || reads.some((reg) => registers.get(reg)?.own);
  let target = targetOf(insn, pc);
  if (control === 'indirect') target = jump(insn, registers, seen);
  if (own && !first) seen.explains(pc);
  if (writes !== undefined) {
    const result = known ? resultOf(insn, pc, registers) : undefined;
    if (result === undefined) registers.delete(writes);
    else registers.set(writes, { ...result, own });
    const sum = own && !first && result !== undefined && result.plus !== 'nothing' ? address(result.value) : undefined;
    if (sum !== undefined) seen.sums(sum, typeof result!.plus === 'object' ? result!.plus : undefined);
    const constant = own && result?.plus === 'nothing' ? address(result.value) : undefined;
    if (constant !== undefined) seen.made({ value: constant, reg: writes, sum: reads.length > 0 });
  }
  let alive = false;
  for (const value of registers.values()) alive ||= value.own;
  if (!alive || control === 'trap') return undefined;
  const behind = pc + insn.size;
  const returns = (control !== 'jump' && control !== 'indirect') || writes !== undefined;
  if (target === undefined) return returns ? behind : undefined;
  if (!returns) return target;
  fork(target);
  return behind;
}

/** @returns where it leads, if that is a constant */
function jump(insn: Insn, registers: Registers, seen: Seen): Addr | undefined {
  const base = registers.get(insn.rs1);
  if (base === undefined) return undefined;
  const leads = base.value + BigInt(insn.imm);
  if (base.plus === 'nothing') {
    const skip = Number(leads - LINK);
    if (skip !== 0 && Math.abs(skip) < FAR_SKIP) seen.skips(skip);
    const target = address(leads);
    if (target !== undefined) seen.enters(target);
    return target;
  }
  if (base.plus !== 'something') seen.reads({ ...base.plus, base: Number(BigInt.asIntN(64, leads)) });
  return undefined;
}

/** What a register holds then, where it is a constant, or one and something else. */
function resultOf(insn: Insn, pc: Addr, registers: Registers): Omit<Value, 'own'> | undefined {
  const { reads, load, pure } = facts(insn);
  const values = reads.map((reg) => registers.get(reg));
  if (load !== undefined) {
    const base = values[0];
    if (base === undefined || reads.length !== 1 || typeof base.plus === 'object') return undefined;
    const table = address(base.value + BigInt(insn.imm));
    return table === undefined
      ? undefined
      : { value: 0n, plus: { table, ...load, one: base.plus === 'nothing', times: 1 } };
  }
  if (!pure) return undefined;
  const parts = values.map((value) => value?.value ?? 0n);
  const others = values.map((value) => value?.plus ?? 'something').filter((plus) => plus !== 'nothing');
  const compute = (rest: bigint, constants: boolean): bigint | undefined => {
    const of = (reg: Reg): bigint | undefined => {
      const at = reads.indexOf(reg);
      if (at < 0) return undefined;
      const part = constants ? parts[at]! : 0n;
      return BigInt.asUintN(64, values[at]?.plus === 'nothing' ? part : part + rest);
    };
    const [rs1, rs2] = [of(insn.rs1), of(insn.rs2)];
    return evaluate(insn, { ...(rs1 !== undefined && { rs1 }), ...(rs2 !== undefined && { rs2 }), pc: BigInt(pc) });
  };
  const value = compute(0n, true);
  if (value === undefined) return undefined;
  if (others.length === 0) return { value, plus: 'nothing' };
  if (others.length > 1) return undefined;
  const [other] = others;
  // A sum, if the constant adds the same to whatever the other part is.
  const without = compute(0n, false);
  const gains = (rest: bigint) => BigInt.asIntN(64, compute(rest, true)! - value);
  if (typeof other !== 'object')
    return TRIED.every((rest) => gains(rest) === BigInt.asIntN(64, compute(rest, false)! - without!))
      ? { value, plus: 'something' }
      : undefined;
  // An entry may be multiplied before.
  const times = gains(1n);
  const linear = times !== 0n && TRIED.every((rest) => gains(rest) === rest * times);
  return linear ? { value, plus: { ...other, times: other.times * Number(times) } } : undefined;
}

function address(value: bigint): Addr | undefined {
  const wrapped = BigInt.asUintN(64, value);
  return wrapped < HIGHEST ? Number(wrapped) : undefined;
}
