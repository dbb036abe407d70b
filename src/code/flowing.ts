/**
 * Follows a constant that code makes, and values computed from it: along straight lines, over direct branches and jumps, into direct
 * callees and past calls. A call is taken to leave all registers unchanged: so more may be found, but never less. Entries loaded from a
 * table at a constant address are followed as well, so that a jump to the sum of an entry and a constant shows the table's targets.
 */
import { type Addr, GP, RA, type Reg, T0 } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { Code } from './code.ts';

/** A constant that an instruction makes. */
export interface Made {
  /** Below 2^48. */
  readonly value: number;
  /** The register that the instruction writes. */
  readonly reg: Reg;
  /** The constant is more than an upper part. */
  readonly sum: boolean;
}

/** A jump to the sum of a table's entry and a constant. */
export interface TableJump {
  readonly table: Addr;
  readonly bytes: number;
  readonly signed: boolean;
  /** The jump reads the one entry at `table`; false: any entry from there on. */
  readonly one: boolean;
  /** The factor that an entry is multiplied by. */
  readonly times: number;
  readonly base: number;
}

export interface Seen {
  /** Is a constant the address of code, or would it be after adding 12 bits? */
  nearCode(value: number): boolean;
  /** An instruction reads the followed constant. */
  explains(pc: Addr): void;
  made(constant: Made): void;
  /** A constant is added to a variable, or to a table's entry: if it is a code address, the sum may be jumped to, now or later. */
  sums(base: Addr, entry: Omit<TableJump, 'base'> | undefined): void;
  /** A jump to a constant. */
  enters(target: Addr): void;
  /** A return to so many bytes behind the return point. */
  skips(by: number): void;
  reads(jump: TableJump): void;
}

/** Number of instructions that a constant is followed for: a constant at or near code, and any other. */
const CODE_REACH_INSNS = 128;
const OTHER_REACH_INSNS = 32;
/** All addresses are below. */
const ADDRESS_LIMIT = 2n ** 48n;
/** Stands for an unknown return address. */
const LINK_TOKEN = 2n ** 60n;
/** Registers that calls link in. */
export const LINKS: readonly Reg[] = [RA, T0];
/** A link plus an offset of this size or more is no return past the return point. */
const SKIP_LIMIT_BYTES = 4096;
/** Values that stand in for an unknown operand, one after the other. */
const TRIAL_VALUES = [0n, 0x1234n, 0x7654_3210n];

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
  /** The other part: none, a variable such as an index, or an entry loaded from a table. */
  readonly plus: 'nothing' | 'something' | Loaded;
  /** The value is computed from the followed constant. */
  readonly own: boolean;
}
type Registers = Map<Reg, Value>;

/** @param maker an instruction that makes a constant: without operands, from gp, or from the return address */
export function followConstant(code: Code, maker: Addr, gp: number | undefined, seen: Seen): void {
  const start: Registers = new Map(LINKS.map((reg) => [reg, { value: LINK_TOKEN, plus: 'nothing', own: false }]));
  if (gp !== undefined) start.set(GP, { value: BigInt(gp), plus: 'nothing', own: false });
  const open = [{ at: maker, registers: start }];
  const visited = new Set<Addr>();
  let left = CODE_REACH_INSNS;
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
      if (made !== undefined && !seen.nearCode(Number(made.value))) left = OTHER_REACH_INSNS;
    }
  }
}

/** @returns the address where the line goes on; undefined if no register holds a value of the constant, or if the line ends */
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
  // Most instructions of the line neither read nor overwrite a known register.
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

/** Reports an indirect jump's target. @returns the target, if it is a constant */
function jump(insn: Insn, registers: Registers, seen: Seen): Addr | undefined {
  const base = registers.get(insn.rs1);
  if (base === undefined) return undefined;
  const leads = base.value + BigInt(insn.imm);
  if (base.plus === 'nothing') {
    const skip = Number(leads - LINK_TOKEN);
    if (skip !== 0 && Math.abs(skip) < SKIP_LIMIT_BYTES) seen.skips(skip);
    const target = address(leads);
    if (target !== undefined) seen.enters(target);
    return target;
  }
  if (base.plus !== 'something') seen.reads({ ...base.plus, base: Number(BigInt.asIntN(64, leads)) });
  return undefined;
}

/** The result of an instruction, if it is a constant, or the sum of a constant and another part. */
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
  // The result is a sum if the constant adds the same to every value of the other part.
  const without = compute(0n, false);
  const gains = (rest: bigint) => BigInt.asIntN(64, compute(rest, true)! - value);
  if (typeof other !== 'object')
    return TRIAL_VALUES.every((rest) => gains(rest) === BigInt.asIntN(64, compute(rest, false)! - without!))
      ? { value, plus: 'something' }
      : undefined;
  // A table's entry may be multiplied before the addition.
  const times = gains(1n);
  const linear = times !== 0n && TRIAL_VALUES.every((rest) => gains(rest) === rest * times);
  return linear ? { value, plus: { ...other, times: other.times * Number(times) } } : undefined;
}

function address(value: bigint): Addr | undefined {
  const wrapped = BigInt.asUintN(64, value);
  return wrapped < ADDRESS_LIMIT ? Number(wrapped) : undefined;
}
