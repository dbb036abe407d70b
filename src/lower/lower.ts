/**
 * Lowering turns a superblock into items. Every value is in its home register (the home rule makes that always possible), the
 * order is the line's, and values that an exit wants in other registers are moved in its stub. With no pass run, lowering gives
 * back the original instructions one for one, apart from control transfers and pc-relative addresses.
 */
import { type Addr, isLink, RA, REG_COUNT, type Reg, regName } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { runTerms } from '../domain/term.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import { jumpInsn, jumpRegisterInsn, pcRelativeAddress, unequalInsn } from '../isa/idioms.ts';
import type { Insn } from '../isa/row.ts';
import {
  type Exit,
  keyOf,
  mapExit,
  type Op,
  operandsOf,
  regsOf,
  type Superblock,
  type Value,
  wanted,
} from '../superblock/form.ts';
import { homesOf } from '../superblock/homes.ts';
import { termsOf } from '../superblock/terms.ts';
import { sized } from './compressible.ts';
import type { Item, LoweredSuperblock, Stub } from './item.ts';
import { deadRegister, exitMoves } from './moves.ts';

/**
 * Lowers a superblock; undefined when a guard or an exit needs a scratch register and none is free.
 * @param machine extensions of the machines that the code is for; default: everything
 */
export function lowerSuperblock(original: Superblock, machine?: ExtensionSet): LoweredSuperblock | undefined {
  const bases = nearBases(original);
  // An exit that wants a near base gets the exact address, made in its stub.
  const exact = (value: Value): Value =>
    value.kind === 'op' && bases.has(value.id) ? { kind: 'code', address: bases.get(value.id)! } : value;
  const exitOf = (exit: Exit) => mapExit(exit, exact);
  const superblock = original;
  const homes = homesOf(superblock);
  const busyAfter = busySets(superblock, homes.homeOf);
  const holding = Array.from({ length: REG_COUNT }, (_, reg) => regName(reg));
  const holds = (reg: Reg) => holding[reg]!;
  const line: Item[] = [];
  const stubs: Stub[] = [];
  // A call counts as inlined only if its return point is on the path.
  const path = new Set(superblock.path);
  const comesAlong = (address: Addr) => path.has(address);
  const numeric = numericResults(superblock);
  const regOf = (value: Value | undefined): Reg =>
    value === undefined || value.kind === 'const' ? 0 : (homes.homeOf(value) ?? 0);
  const placed = (op: Op): Insn => ({ ...op.insn, rs1: regOf(op.rs1), rs2: regOf(op.rs2), rs3: regOf(op.rs3) });

  const addStub = (exit: Exit, tail: Item[], extra?: { reg: Reg; value: Value }): number | undefined => {
    const moves = exitMoves(exitOf(exit), homes.homeOf, holds, comesAlong, extra);
    if (moves === undefined) return undefined;
    const scratch = deadRegister(exit.live, new Set());
    stubs.push({ items: [...moves, ...tail], to: exit.target, scratch, count: exit.count });
    return stubs.length - 1;
  };

  for (const [position, op] of superblock.ops.entries()) {
    const fact = facts(op.insn);
    if (op.expect !== undefined) {
      // A guard compares the computed target with the expected one; its stub makes the original transfer.
      const operand = op.insn.rs1;
      if (op.insn.imm !== 0 || op.exit === undefined || op.rs1 === undefined) return undefined;
      const busy = new Set(busyAfter[position]);
      for (const value of operandsOf(op)) busy.add(regOf(value));
      for (const value of exitValues(op.exit)) busy.add(regOf(value));
      const scratch = deadRegister(0n, busy);
      const stub = addStub(op.exit, [{ kind: 'insn', insn: jumpRegisterInsn(operand, 0), pc: op.pc }], {
        reg: operand,
        value: op.rs1,
      });
      if (scratch === undefined || stub === undefined) return undefined;
      const kind = operand === RA ? 'link' : 'target';
      line.push({ kind, reg: scratch, address: op.expect, pc: op.pc });
      line.push({ kind: 'branch', insn: unequalInsn(regOf(op.rs1), scratch), stub, pc: op.pc });
      holding[scratch] = '';
    } else if (fact.control === 'branch') {
      const stub = addStub(op.exit!, []);
      if (stub === undefined) return undefined;
      line.push({ kind: op.leaves === 'taken' ? 'branch' : 'escape', insn: placed(op), stub, pc: op.pc });
    } else if (fact.control === 'jump') {
      if (fact.writes === undefined) line.push({ kind: 'insn', insn: jumpInsn(2), pc: op.pc });
      else {
        const kind = isLink(fact.writes) && !numeric.has(op.id) ? 'link' : 'address';
        line.push({ kind, reg: fact.writes, address: op.pc + op.insn.size, pc: op.pc });
      }
    } else if (fact.readsPc) {
      const address = pcRelativeAddress(op.insn, op.pc)!;
      line.push(
        bases.has(op.id)
          ? { kind: 'high', reg: op.insn.rd, base: op.id, address, pc: op.pc }
          : { kind: 'address', reg: op.insn.rd, address, pc: op.pc },
      );
    } else {
      const base = op.rs1?.kind === 'op' ? bases.get(op.rs1.id) : undefined;
      if (base !== undefined && op.rs1?.kind === 'op')
        line.push({
          kind: 'low',
          insn: { ...placed(op), size: 4 },
          base: op.rs1.id,
          address: base + op.insn.imm,
          pc: op.pc,
        });
      else line.push({ kind: 'insn', insn: placed(op), pc: op.pc });
    }
    if (fact.writes !== undefined) holding[fact.writes] = keyOf({ kind: 'op', id: op.id });
  }

  const { final } = superblock;
  const exit = exitOf(final.exit);
  const operand = final.op?.rs1;
  const jumps = final.op !== undefined && exit.target === undefined;
  const extra = jumps && operand !== undefined ? { reg: final.op.insn.rs1, value: exact(operand) } : undefined;
  const moves = exitMoves(exit, homes.homeOf, holds, comesAlong, extra);
  if (moves === undefined) return undefined;
  const before = line.at(-1);
  line.push(...moves);
  const scratch = final.kind === 'goto' ? deadRegister(exit.live, new Set()) : undefined;
  if (final.op !== undefined) {
    const { insn, pc } = final.op;
    if (jumps) line.push({ kind: 'insn', insn, pc });
    else if (final.kind === 'call') line.push({ kind: 'call', to: exit.target!, link: insn.rd, pc });
  }
  return {
    head: superblock.head,
    count: superblock.count,
    line: sized(line, machine),
    stubs: stubs.map((stub) => ({ ...stub, items: sized(stub.items, machine) })),
    final: {
      kind: final.kind,
      to: final.kind === 'call' ? final.link : exit.target,
      count: exit.count,
      scratch,
      flippable: final.kind === 'goto' && moves.length === 0 && before?.kind === 'branch',
    },
  };
}

/** Ids of results used for more than to return to them, save them or hold them in ra: their numbers must be the original's. */
function numericResults(superblock: Superblock): ReadonlySet<number> {
  const used = new Set<number>();
  const add = (value: Value | undefined) => {
    if (value?.kind === 'op') used.add(value.id);
  };
  for (const op of superblock.ops) {
    const jumps = op.expect !== undefined;
    if (!jumps) add(op.rs1);
    if (op.saved === undefined) add(op.rs2);
    add(op.rs3);
    for (const exit of op.exit === undefined ? [] : [op.exit])
      for (const [reg, value] of exit.snapshot) if (reg !== RA) add(value);
    for (const sunk of op.exit?.sunk ?? [])
      for (const value of operandsOf(sunk)) if (sunk.saved === undefined) add(value);
  }
  for (const [reg, value] of superblock.final.exit.snapshot) if (reg !== RA) add(value);
  for (const sunk of superblock.final.exit.sunk)
    for (const value of operandsOf(sunk)) if (sunk.saved === undefined) add(value);
  return used;
}

function exitValues(exit: Exit): Value[] {
  const values: Value[] = [];
  for (const reg of regsOf(exit.live)) values.push(wanted(exit, reg));
  for (const op of exit.sunk) values.push(...operandsOf(op));
  return values;
}

/** By position of each guard: the registers that hold values still needed behind the guard. */
function busySets(superblock: Superblock, homeOf: (value: Value) => Reg | undefined): Set<Reg>[] {
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

/**
 * Results of auipc that only serve as bases of 12-bit offsets: at another pc the upper part may differ, as long as the sum of
 * upper part and offset is the same. Maps op ids to the original addresses.
 */
function nearBases(superblock: Superblock): Map<number, Addr> {
  const bases = new Map<number, Addr>();
  for (const op of superblock.ops) {
    const address = pcRelativeAddress(op.insn, op.pc);
    if (address !== undefined) bases.set(op.id, address);
  }
  if (bases.size === 0) return bases;
  const terms = termsOf(superblock);
  const drop = (value: Value | undefined) => {
    if (value?.kind === 'op') bases.delete(value.id);
  };
  // True if the op addresses memory by the base, or adds its immediate to the base for any immediate: an `or` with 0 only looks
  // like an addition.
  const offsets = (op: Op): boolean => {
    const { operands } = op.insn.row;
    if (op.expect !== undefined) return false;
    if (operands.includes('mem')) return true;
    if (!operands.includes('imm') || op.rs1 === undefined) return false;
    const rs1 = terms.of(op.rs1);
    const other = runTerms(terms.terms, { ...op.insn, imm: 16 }, { rs1, pc: rs1 }, () => rs1);
    return facts(op.insn).pure && other.result === terms.terms.add(rs1, terms.terms.const(16n));
  };
  for (const op of superblock.ops) {
    if (op.rs1?.kind === 'op' && bases.has(op.rs1.id) && !offsets(op)) drop(op.rs1);
    drop(op.rs2);
    drop(op.rs3);
    for (const sunk of op.exit?.sunk ?? []) for (const value of operandsOf(sunk)) drop(value);
  }
  const { final } = superblock;
  for (const sunk of final.exit.sunk) for (const value of operandsOf(sunk)) drop(value);
  for (const value of final.exit.snapshot.values()) drop(value);
  if (final.op !== undefined) for (const value of operandsOf(final.op)) drop(value);
  return bases;
}
