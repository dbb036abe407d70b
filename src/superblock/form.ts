/**
 * The superblock form: a straight line of real instructions in SSA form, with a snapshot at every exit. There is no other
 * intermediate language; the IR of a same-ISA optimizer is the ISA (LuaJIT's trace IR with snapshots, over real instructions).
 *
 * At the head the state is the identity: each register in its own place. An operand is a value: a register at the head, an
 * op's result, or a constant. Ordered instructions stay in their order; loads and stores may pass one another where they cannot touch the same
 * bytes (dependences.ts), and loads and stores that nobody needs may go, unless others may look in between (`watched`). All of this is
 * immutable: a pass builds a new superblock.
 */
import { type Addr, type InsnCount, REG_COUNT, type Reg, regName } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Insn } from '../isa/row.ts';

export type Value =
  /** What the register held at the head. Never x0, which is the constant 0. */
  | { readonly kind: 'head'; readonly reg: Reg }
  /** The result of the op with this id. */
  | { readonly kind: 'op'; readonly id: number }
  /** A constant, unsigned 64 bits. */
  | { readonly kind: 'const'; readonly value: bigint }
  /** An address within the image, as linked; at run time the load bias is added. */
  | { readonly kind: 'code'; readonly address: Addr }
  /**
   * A return address, of the call before this address. It is to return to and to be saved, never a base to compute from: its number need
   * not be the original's.
   */
  | { readonly kind: 'link'; readonly address: Addr };

/** A set of registers, bit r for register r. */
export type RegSet = bigint;

export const ALL_REGS: RegSet = (1n << BigInt(REG_COUNT)) - 1n - 1n;
export const inSet = (set: RegSet, reg: Reg): boolean => ((set >> BigInt(reg)) & 1n) === 1n;

const members = new Map<RegSet, readonly Reg[]>();
/** The registers of a set, rising. Few different sets occur, so the lists are kept. */
export function regsOf(set: RegSet): readonly Reg[] {
  let regs = members.get(set);
  if (regs === undefined) {
    regs = Array.from({ length: REG_COUNT - 1 }, (_, index) => index + 1).filter((reg) => inSet(set, reg));
    members.set(set, regs);
  }
  return regs;
}

/** Where control leaves, and what the state must be there. */
export interface Exit {
  /** The original address control goes to; undefined where the op computes it (jalr). */
  readonly target: Addr | undefined;
  /** Registers that differ from the identity. A register not in here must hold what it held at the head. */
  readonly snapshot: ReadonlyMap<Reg, Value>;
  /** Registers that matter at the target; of the others nothing is promised. */
  readonly live: RegSet;
  /** Ops that only this exit needs (sunk out of the line); they run in its stub, in order. Pure ones, and stores, whose operands are not sunk. */
  readonly sunk: readonly Op[];
  /** How often it is expected to be taken. */
  readonly count: InsnCount;
}

/**
 * One instruction of the line. `insn` says which; its register fields are hints (insn.rd is the result's home register), its
 * operands are the values here.
 *
 * Control transfers within the line:
 * - a conditional branch has an `exit`; it leaves when the condition is as `leaves` says;
 * - a jump along the line (jal with rd = x0) does nothing and has no exit; with rd != x0 it is an inlined call, its result is `link`;
 * - `expect` on a jalr makes it a guard: it leaves when the computed target is not `expect`; its stub performs the jalr itself.
 */
export interface Op {
  /** Unique within the superblock and kept by passes. */
  readonly id: number;
  readonly insn: Insn;
  /** The original instruction's address. */
  readonly pc: Addr;
  readonly rs1?: Value | undefined;
  readonly rs2?: Value | undefined;
  readonly rs3?: Value | undefined;
  readonly exit?: Exit | undefined;
  readonly leaves?: 'taken' | 'untaken' | undefined;
  readonly expect?: Addr | undefined;
  /** Of a load: the value it is known to give, a return address that the line itself saved there (assumption A3). */
  readonly known?: Value | undefined;
  /**
   * Of a store that saves a register in its function's frame (assumption A3): the id from which on that frame is given back. Until then no
   * pointer but the stack pointer leads there; behind that nobody loads what was stored (assumption A8). Its own id where it is not known how
   * far that frame is from the stack pointer at the head: then nothing follows but that it saves.
   */
  readonly saved?: number | undefined;
  /**
   * Others may look at this access, or write in between (A11 is not made): it stays, and keeps its order with all others. What moves the stack
   * pointer does too, for signals may write below it.
   */
  readonly watched?: true | undefined;
}

/** Stays where it is, in order, whatever its result is good for. */
export const isOrdered = (op: Op): boolean => op.watched === true || facts(op.insn).ordered;

/** How the line ends. */
export interface Final {
  /** goto: on to exit.target. call: a real call; `link` is the original return address. indirect: a jalr that does not link. */
  readonly kind: 'goto' | 'call' | 'indirect';
  readonly exit: Exit;
  /** The jal or jalr that is performed (call, indirect). Its operand is rs1 (jalr). */
  readonly op: Op | undefined;
  /** call: the original address behind the call. */
  readonly link: Addr | undefined;
}

export interface Superblock {
  readonly head: Addr;
  /** Times it is expected to be entered. */
  readonly count: InsnCount;
  /** The original path: the addresses of its blocks in order, for reports and for the prover. */
  readonly path: readonly Addr[];
  readonly ops: readonly Op[];
  readonly final: Final;
}

export const ZERO_VALUE: Value = { kind: 'const', value: 0n };
export const headValue = (reg: Reg): Value => (reg === 0 ? ZERO_VALUE : { kind: 'head', reg });

/** A key that is equal for equal values. */
export function keyOf(value: Value): string {
  switch (value.kind) {
    case 'head':
      return regName(value.reg);
    case 'op':
      return `%${value.id}`;
    case 'const':
      return `${BigInt.asIntN(64, value.value)}`;
    case 'code':
    case 'link':
      return `${value.kind}:0x${value.address.toString(16)}`;
  }
}
export function sameValue(a: Value, b: Value): boolean {
  switch (a.kind) {
    case 'head':
      return b.kind === 'head' && a.reg === b.reg;
    case 'op':
      return b.kind === 'op' && a.id === b.id;
    case 'const':
      return b.kind === 'const' && a.value === b.value;
    case 'code':
    case 'link':
      return b.kind === a.kind && a.address === b.address;
  }
}

/** The value that a register must hold at an exit. */
export const wanted = (exit: Exit, reg: Reg): Value => exit.snapshot.get(reg) ?? headValue(reg);

/** The operands of an op that are there. */
export function operandsOf({ rs1, rs2, rs3 }: Op): Value[] {
  const values: Value[] = [];
  if (rs1 !== undefined) values.push(rs1);
  if (rs2 !== undefined) values.push(rs2);
  if (rs3 !== undefined) values.push(rs3);
  return values;
}

/** Every exit in order of the line, the final one last, with the op it belongs to. */
export function exitsOf(superblock: Superblock): { exit: Exit; op: Op | undefined; final: boolean }[] {
  const exits: { exit: Exit; op: Op | undefined; final: boolean }[] = [];
  for (const op of superblock.ops) if (op.exit !== undefined) exits.push({ exit: op.exit, op, final: false });
  exits.push({ exit: superblock.final.exit, op: superblock.final.op, final: true });
  return exits;
}

/**
 * An op with other fields; what is left out stays. Ops are made by this or have all fields in this order: then they have one shape, and
 * all that reads them is fast. A copy by spreading has another one, and takes longer to make.
 */
export const opWith = (
  op: Op,
  { insn, rs1, rs2, rs3, exit, leaves, expect, known, saved, watched }: Partial<Op>,
): Op => ({
  id: op.id,
  insn: insn ?? op.insn,
  pc: op.pc,
  rs1: rs1 ?? op.rs1,
  rs2: rs2 ?? op.rs2,
  rs3: rs3 ?? op.rs3,
  exit: exit ?? op.exit,
  leaves: leaves ?? op.leaves,
  expect: expect ?? op.expect,
  known: known ?? op.known,
  saved: saved ?? op.saved,
  watched: watched ?? op.watched,
});

/** An exit with another snapshot and other sunk ops; made so for the same reason. */
export const exitWith = ({ target, live, count }: Exit, snapshot: Exit['snapshot'], sunk: readonly Op[]): Exit => ({
  target,
  snapshot,
  live,
  sunk,
  count,
});

/** A map over every value an exit mentions (snapshot and sunk ops); the same object if that changes nothing. */
export function mapExit(exit: Exit, change: (value: Value) => Value): Exit {
  let snapshot: Map<Reg, Value> | undefined;
  for (const [reg, value] of exit.snapshot) {
    const changed = change(value);
    if (changed === value) continue;
    snapshot ??= new Map(exit.snapshot);
    snapshot.set(reg, changed);
  }
  const sunk = mapAll(exit.sunk, (op) => mapOperands(op, change));
  return snapshot === undefined && sunk === exit.sunk ? exit : exitWith(exit, snapshot ?? exit.snapshot, sunk);
}

/** The same object if nothing changes. */
export function mapOperands(op: Op, change: (value: Value) => Value): Op {
  const rs1 = op.rs1 && change(op.rs1);
  const rs2 = op.rs2 && change(op.rs2);
  const rs3 = op.rs3 && change(op.rs3);
  return rs1 === op.rs1 && rs2 === op.rs2 && rs3 === op.rs3 ? op : opWith(op, { rs1, rs2, rs3 });
}

/** As Array.map; the same array if nothing changes. */
function mapAll(ops: readonly Op[], change: (op: Op) => Op): readonly Op[] {
  let changed: Op[] | undefined;
  for (let index = 0; index < ops.length; index++) {
    const op = ops[index]!;
    const now = change(op);
    if (now === op) continue;
    changed ??= ops.slice();
    changed[index] = now;
  }
  return changed ?? ops;
}
