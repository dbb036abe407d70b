/**
 * The superblock form: a straight line of real instructions in SSA form, with a snapshot at every exit. There is no other
 * intermediate language; the IR of a same-ISA optimizer is the ISA (LuaJIT's trace IR with snapshots, over real instructions).
 *
 * At the head the state is the identity: each register in its own place. An operand is a value: a register at the head, an
 * op's result, or a constant. Ordered instructions stay in their order. Loads and stores may pass one another where they cannot touch the
 * same bytes (dependences.ts), and unneeded ones may be removed, except accesses that other threads or handlers may observe (`watched`).
 * Superblocks are immutable: a pass builds a new one.
 */
import type { RegSet } from '../base/regset.ts';
import { type Addr, type InsnCount, type Reg, regName } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Insn } from '../isa/row.ts';

export type Value =
  /** The value of a register at the head. Never x0, which is the constant 0. */
  | { readonly kind: 'head'; readonly reg: Reg }
  /** The result of the op with this id. */
  | { readonly kind: 'op'; readonly id: number }
  /** A constant, unsigned 64 bits. */
  | { readonly kind: 'const'; readonly value: bigint }
  /** An address within the image, as linked; at run time the load bias is added. */
  | { readonly kind: 'code'; readonly address: Addr }
  /**
   * The return address of the call before this address. It may be returned to and saved, but is never a base to compute from: in the
   * optimized file its number need not be the original's.
   */
  | { readonly kind: 'link'; readonly address: Addr };

/** A place where control leaves the superblock, with the state that must hold there. */
export interface Exit {
  /** The original address control goes to; undefined where the op computes it (jalr). */
  readonly target: Addr | undefined;
  /** Registers that differ from the identity. A live register that is missing here must hold its value at the head. */
  readonly snapshot: ReadonlyMap<Reg, Value>;
  /** Registers that are live at the target; the others may hold anything. */
  readonly live: RegSet;
  /** Ops that only this exit needs (sunk out of the line): pure ops, links, and stores. They run in the exit's stub, in order. */
  readonly sunk: readonly Op[];
  /** Expected number of times that control leaves here. */
  readonly count: InsnCount;
}

/**
 * One instruction of the line. The operands are the values here; the register fields of `insn` are hints, except that insn.rd is the
 * result's home register.
 *
 * Control transfers within the line:
 * - a conditional branch has an `exit`, and leaves when its condition is as `leaves` says;
 * - a jump along the line (jal with rd = x0) does nothing and has no exit; a jal with rd != x0 is an inlined call, its result the link;
 * - a jalr with `expect` is a guard: control leaves when the computed target is not `expect`; the exit's stub performs the jalr itself.
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
  /** Of a load: the value that it is known to load, a return address that the line itself saved there (assumption A3). */
  readonly known?: Value | undefined;
  /**
   * Of a store that saves a register in its function's frame (assumption A3): the op id from which on that frame is given back. Until then
   * only the stack pointer leads to the slot; from then on no load reads the stored value (assumption A8). The store's own id where the
   * frame's distance from the stack pointer at the head is unknown: then only the fact that the store saves a register is known.
   */
  readonly saved?: number | undefined;
  /**
   * Other threads, handlers or processes may observe this access or write in between (A11 is not made): the access stays, and keeps its
   * order with all others. Ops that move the stack pointer are watched too, since signals may write below the stack pointer.
   */
  readonly watched?: true | undefined;
}

/** Must an op stay in the line and in order, even if its result is unused? */
export const isOrdered = (op: Op): boolean => op.watched === true || facts(op.insn).ordered;

/** The end of the line. */
export interface Final {
  /** goto: on to exit.target. call: a real call, whose original return address is `link`. indirect: a jalr that does not link. */
  readonly kind: 'goto' | 'call' | 'indirect';
  readonly exit: Exit;
  /** The jal or jalr that is performed (call, indirect). Its operand is rs1 (jalr). */
  readonly op: Op | undefined;
  /** call: the original address behind the call. */
  readonly link: Addr | undefined;
}

export interface Superblock {
  readonly head: Addr;
  /** Expected number of entries. */
  readonly count: InsnCount;
  /** The original path: the addresses of its blocks in order, for reports and for the prover. */
  readonly path: readonly Addr[];
  readonly ops: readonly Op[];
  readonly final: Final;
  /** Why the path goes no further, as a clause (trace.ts); undefined if the superblock was read from text, which does not tell. */
  readonly ended?: string | undefined;
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

/** The operands that an op has, in order of role. */
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
 * A copy of an op with some fields changed; fields left out stay as they are. Ops are made by this function or list all fields in this
 * order, so that V8 gives them one hidden class and reads are fast. A copy by spreading has another hidden class and takes longer to make.
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

/** An exit with another snapshot and other sunk ops; its fields are listed for the same reason as in opWith. */
export const exitWith = ({ target, live, count }: Exit, snapshot: Exit['snapshot'], sunk: readonly Op[]): Exit => ({
  target,
  snapshot,
  live,
  sunk,
  count,
});

/** An exit with every value in its snapshot and its sunk ops mapped; the same object if no value changes. */
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

/** An op with its operands mapped; the same object if none changes. */
export function mapOperands(op: Op, change: (value: Value) => Value): Op {
  const rs1 = op.rs1 && change(op.rs1);
  const rs2 = op.rs2 && change(op.rs2);
  const rs3 = op.rs3 && change(op.rs3);
  return rs1 === op.rs1 && rs2 === op.rs2 && rs3 === op.rs3 ? op : opWith(op, { rs1, rs2, rs3 });
}

/** Like Array.map, but the same array if no op changes. */
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
