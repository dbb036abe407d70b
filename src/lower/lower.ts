/**
 * Lowering turns a superblock into items. Every value is in its home register (the home rule makes that always possible), the
 * order is the line's, and values that an exit wants in other registers are moved in its stub. With no pass run, lowering gives
 * back the original instructions one for one, apart from control transfers and pc-relative addresses.
 */
import { NO_REGS, regsIn } from '../base/regset.ts';
import { type Addr, isLink, RA, REG_COUNT, type Reg, regName } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import { jumpInsn, jumpRegisterInsn, pcRelativeAddress, unequalInsn } from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';
import {
  type Exit,
  exitsOf,
  keyOf,
  mapExit,
  type Op,
  operandsOf,
  type Superblock,
  type Value,
  wanted,
} from '../superblock/form.ts';
import { type Homes, homesOf } from '../superblock/homes.ts';
import { sized } from './compressible.ts';
import type { Item, LoweredSuperblock, Stub } from './item.ts';
import { exitMoves, type LineState, type Want } from './moves.ts';
import { nearBases } from './near-bases.ts';
import { deadRegister } from './scratch.ts';

const NONE_BUSY: ReadonlySet<Reg> = new Set();

/**
 * Lowers a superblock; undefined when a guard or an exit needs a scratch register and none is free.
 * @param machine extensions of the machines that the code is for; default: everything
 */
export const lowerSuperblock = (superblock: Superblock, machine?: ExtensionSet): LoweredSuperblock | undefined =>
  new Lowering(superblock).lower(machine);

/** Methods that make items give undefined where no register is free. */
class Lowering implements LineState {
  readonly #superblock: Superblock;
  readonly #homes: Homes;
  readonly #bases: ReadonlyMap<number, Addr>;
  readonly #numeric: ReadonlySet<number>;
  readonly #busyAfter: readonly ReadonlySet<Reg>[];
  readonly #path: ReadonlySet<Addr>;
  /** By register: the key of the value that it holds by now. */
  readonly #holding = Array.from({ length: REG_COUNT }, (_, reg) => regName(reg));
  readonly #line: Item[] = [];
  readonly #stubs: Stub[] = [];

  constructor(superblock: Superblock) {
    this.#superblock = superblock;
    this.#homes = homesOf(superblock);
    this.#bases = nearBases(superblock);
    this.#numeric = numericResults(superblock);
    this.#busyAfter = busySets(superblock, this.#homes);
    this.#path = new Set(superblock.path);
  }

  homeOf(value: Value): Reg | undefined {
    return this.#homes.homeOf(value);
  }
  holds(reg: Reg): string {
    return this.#holding[reg]!;
  }
  /** A call counts as inlined only if its return point is on the path. */
  isReturnPoint(address: Addr): boolean {
    return this.#path.has(address);
  }

  lower(machine: ExtensionSet | undefined): LoweredSuperblock | undefined {
    const { head, count, ops } = this.#superblock;
    for (const [position, op] of ops.entries()) {
      const items = this.#itemsOf(op, position);
      if (items === undefined) return undefined;
      this.#line.push(...items);
      const home = facts(op.insn).writes;
      if (home !== undefined) this.#holding[home] = keyOf({ kind: 'op', id: op.id });
    }
    const final = this.#endLine();
    if (final === undefined) return undefined;
    const stubs = this.#stubs.map((stub) => ({ ...stub, items: sized(stub.items, machine) }));
    return { head, count, line: sized(this.#line, machine), stubs, final };
  }

  #itemsOf(op: Op, position: number): readonly Item[] | undefined {
    const { control, readsPc } = facts(op.insn);
    if (op.expect !== undefined) return this.#guard(op, op.expect, position);
    if (control === 'branch') return this.#branch(op, op.exit!);
    if (control === 'jump') return [this.#jump(op)];
    return [readsPc ? this.#address(op) : this.#plain(op)];
  }

  /** A guard compares the computed target with the expected one; its stub makes the original transfer. */
  #guard(op: Op, expect: Addr, position: number): Item[] | undefined {
    const { insn, exit, rs1, pc } = op;
    if (insn.imm !== 0 || exit === undefined || rs1 === undefined) return undefined;
    const operand = insn.rs1;
    const busy = new Set(this.#busyAfter[position]);
    for (const value of [...operandsOf(op), ...exitValues(exit)]) busy.add(this.#regOf(value));
    const scratch = deadRegister(NO_REGS, busy);
    const leave: Item = { kind: 'insn', insn: jumpRegisterInsn(operand, 0), pc };
    const stub = this.#addStub(exit, [leave], { reg: operand, value: rs1 });
    if (scratch === undefined || stub === undefined) return undefined;
    this.#holding[scratch] = '';
    return [
      { kind: operand === RA ? 'link' : 'target', reg: scratch, address: expect, pc },
      { kind: 'branch', insn: unequalInsn(this.#regOf(rs1), scratch), stub, pc },
    ];
  }
  #branch(op: Op, exit: Exit): Item[] | undefined {
    const stub = this.#addStub(exit, []);
    if (stub === undefined) return undefined;
    return [{ kind: op.leaves === 'taken' ? 'branch' : 'escape', insn: this.#placed(op), stub, pc: op.pc }];
  }
  /** Of a jump along the line the link is left, if there is one. */
  #jump({ id, insn, pc }: Op): Item {
    const { writes } = facts(insn);
    if (writes === undefined) return { kind: 'insn', insn: jumpInsn(2), pc };
    const kind = isLink(writes) && !this.#numeric.has(id) ? 'link' : 'address';
    return { kind, reg: writes, address: pc + insn.size, pc };
  }
  #address({ id, insn, pc }: Op): Item {
    const address = pcRelativeAddress(insn, pc)!;
    return this.#bases.has(id)
      ? { kind: 'high', reg: insn.rd, base: id, address, pc }
      : { kind: 'address', reg: insn.rd, address, pc };
  }
  #plain(op: Op): Item {
    const { rs1, pc } = op;
    const insn = this.#placed(op);
    const base = rs1?.kind === 'op' ? this.#bases.get(rs1.id) : undefined;
    if (base === undefined || rs1?.kind !== 'op') return { kind: 'insn', insn, pc };
    return { kind: 'low', insn: { ...insn, size: 4 }, base: rs1.id, address: base + insn.imm, pc };
  }

  /** Moves values to where the final exit wants them, and makes the final transfer, but for a goto's. */
  #endLine(): LoweredSuperblock['final'] | undefined {
    const { kind, op, link, exit } = this.#superblock.final;
    const { target, live, count } = exit;
    const jumps = op !== undefined && target === undefined;
    const moves = this.#moves(exit, jumps && op.rs1 !== undefined ? { reg: op.insn.rs1, value: op.rs1 } : undefined);
    if (moves === undefined) return undefined;
    const flippable = kind === 'goto' && moves.length === 0 && this.#line.at(-1)?.kind === 'branch';
    this.#line.push(...moves);
    if (jumps) this.#line.push({ kind: 'insn', insn: op.insn, pc: op.pc });
    else if (op !== undefined && kind === 'call')
      this.#line.push({ kind: 'call', to: target!, link: op.insn.rd, pc: op.pc });
    const scratch = kind === 'goto' ? deadRegister(live, NONE_BUSY) : undefined;
    return { kind, to: kind === 'call' ? link : target, count, scratch, flippable };
  }

  /**
   * Adds an exit's stub.
   * @param tail items behind the moves
   * @param extra a further value that the tail reads
   * @returns its number
   */
  #addStub(exit: Exit, tail: readonly Item[], extra?: Want): number | undefined {
    const moves = this.#moves(exit, extra);
    if (moves === undefined) return undefined;
    const scratch = deadRegister(exit.live, NONE_BUSY);
    return this.#stubs.push({ items: [...moves, ...tail], to: exit.target, scratch, count: exit.count }) - 1;
  }
  /** An exit that wants a near base gets the exact address. */
  #moves(exit: Exit, extra: Want | undefined): Item[] | undefined {
    const exact = (value: Value): Value => {
      const address = value.kind === 'op' ? this.#bases.get(value.id) : undefined;
      return address === undefined ? value : { kind: 'code', address };
    };
    return exitMoves(mapExit(exit, exact), this, extra && { ...extra, value: exact(extra.value) });
  }

  #regOf(value: Value | undefined): Reg {
    return value === undefined || value.kind === 'const' ? 0 : (this.#homes.homeOf(value) ?? 0);
  }
  #placed(op: Op): Insn {
    return { ...op.insn, rs1: this.#regOf(op.rs1), rs2: this.#regOf(op.rs2), rs3: this.#regOf(op.rs3) };
  }
}

/** Ids of results used for more than to return to them, save them or hold them in ra: their numbers must be the original's. */
function numericResults(superblock: Superblock): ReadonlySet<number> {
  const used = new Set<number>();
  const add = (value: Value | undefined) => {
    if (value?.kind === 'op') used.add(value.id);
  };
  for (const op of superblock.ops) {
    if (op.expect === undefined) add(op.rs1);
    if (op.saved === undefined) add(op.rs2);
    add(op.rs3);
  }
  for (const { exit } of exitsOf(superblock)) {
    for (const [reg, value] of exit.snapshot) if (reg !== RA) add(value);
    for (const sunk of exit.sunk) if (sunk.saved === undefined) operandsOf(sunk).forEach(add);
  }
  return used;
}

function exitValues(exit: Exit): Value[] {
  const values: Value[] = [];
  for (const reg of regsIn(exit.live)) values.push(wanted(exit, reg));
  for (const op of exit.sunk) values.push(...operandsOf(op));
  return values;
}

/** By position of each guard: the registers that hold values still needed behind the guard. */
function busySets(superblock: Superblock, { homeOf }: Homes): Set<Reg>[] {
  const sets: Set<Reg>[] = [];
  const first = superblock.ops.findIndex((op) => op.expect !== undefined);
  if (first < 0) return sets;
  const busy = new Set<Reg>();
  const need = (values: readonly Value[]) => {
    for (const value of values) {
      const home = homeOf(value);
      if (home !== undefined) busy.add(home);
    }
  };
  need(exitValues(superblock.final.exit));
  if (superblock.final.op !== undefined) need(operandsOf(superblock.final.op));
  for (let position = superblock.ops.length - 1; position >= first; position--) {
    const op = superblock.ops[position]!;
    if (op.expect !== undefined) sets[position] = new Set(busy);
    const home = facts(op.insn).writes;
    if (home !== undefined) busy.delete(home);
    need(operandsOf(op));
    if (op.exit !== undefined) need(exitValues(op.exit));
  }
  return sets;
}
