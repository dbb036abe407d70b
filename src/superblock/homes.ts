/**
 * The home rule: a value lives in its home register (a head value in its own register, a result in its instruction's rd), and is
 * used only until that register is overwritten. So lowering needs no other registers, and a superblock can never run out of them.
 * Positions: -1 is the head, i is the i-th op, ops.length the final exit. An op reads before it writes.
 */

import { derived } from '../base/derived.ts';
import { regsIn } from '../base/regset.ts';
import type { Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { type Exit, type Op, operandsOf, type Superblock, type Value, wanted } from './form.ts';

export interface Homes {
  /** The home of a value that has one. */
  homeOf(value: Value): Reg | undefined;
  /** True if the value is still in its home when the op at `position` reads (its exit included). Constants always are. */
  intact(value: Value, position: number): boolean;
}

export function homesOf(superblock: Superblock): Homes {
  /** Positions and homes by id, for ops that have a result. */
  const positions: number[] = [];
  const homes: Reg[] = [];
  const writes: (number[] | undefined)[] = [];
  superblock.ops.forEach((op, position) => {
    const home = facts(op.insn).writes;
    if (home === undefined) return;
    positions[op.id] = position;
    homes[op.id] = home;
    (writes[home] ??= []).push(position);
  });
  const homeOf = (value: Value): Reg | undefined => {
    if (value.kind === 'head') return value.reg;
    return value.kind === 'op' ? homes[value.id] : undefined;
  };
  return {
    homeOf,
    intact(value, position) {
      if (value.kind === 'const' || value.kind === 'code' || value.kind === 'link') return true;
      const home = homeOf(value);
      if (home === undefined) return false;
      const from = value.kind === 'head' ? -1 : positions[value.id]!;
      return from < position && !writes[home]?.some((at) => at > from && at < position);
    },
  };
}

/** The uses of a value: positions of ops of the line, and positions of exits that use it in their snapshots or sunk ops. */
export interface Uses {
  readonly line: readonly number[];
  readonly exits: readonly number[];
  /** The final exit is among `exits`. */
  readonly final: boolean;
}

/** Positions in a line by id. Passes ask for the same line many times. */
const positionsIn = derived('positions', (ops: readonly Op[]): readonly (number | undefined)[] => {
  const positions: (number | undefined)[] = [];
  for (const [position, op] of ops.entries()) positions[op.id] = position;
  return positions;
});

/** The position of an op in the line; undefined if it is not there. */
export const positionIn = ({ ops }: Superblock, id: number): number | undefined => positionsIn(ops)[id];

/** The op of the line with an id. */
export function opIn(superblock: Superblock, id: number): Op | undefined {
  const position = positionIn(superblock, id);
  return position === undefined ? undefined : superblock.ops[position];
}

/** The home of one value. For many values homesOf is faster. */
export function homeIn(superblock: Superblock, value: Value): Reg | undefined {
  if (value.kind === 'head') return value.reg;
  const op = value.kind === 'op' ? opIn(superblock, value.id) : undefined;
  return op && facts(op.insn).writes;
}

/** Is an op's result used anywhere? */
export function isUsed({ ops, final }: Superblock, id: number): boolean {
  const is = (value: Value | undefined) => value !== undefined && value.kind === 'op' && value.id === id;
  const reads = ({ rs1, rs2, rs3 }: Op) => is(rs1) || is(rs2) || is(rs3);
  const wants = ({ snapshot, sunk }: Exit) => {
    for (const value of snapshot.values()) if (is(value)) return true;
    return sunk.some(reads);
  };
  return (
    ops.some((op) => reads(op) || (op.exit !== undefined && wants(op.exit))) ||
    (final.op !== undefined && reads(final.op)) ||
    wants(final.exit)
  );
}

/** Uses of every op's result, by id. Head values are left out, though each register missing from a snapshot uses its own. */
export const usesOf = derived('uses', findUses);

function findUses(superblock: Superblock): ReadonlyMap<number, Uses> {
  const uses = new Map<number, { line: number[]; exits: number[]; final: boolean }>();
  const of = (id: number) => {
    const known = uses.get(id);
    if (known !== undefined) return known;
    const made = { line: [], exits: [], final: false };
    uses.set(id, made);
    return made;
  };
  const end = superblock.ops.length;
  const atExit = (values: Iterable<Value>, sunk: readonly Op[], position: number) => {
    const uses = (value: Value) => {
      if (value.kind !== 'op') return;
      const use = of(value.id);
      use.exits.push(position);
      if (position === end) use.final = true;
    };
    for (const value of values) uses(value);
    for (const op of sunk) for (const value of operandsOf(op)) uses(value);
  };
  superblock.ops.forEach((op, position) => {
    for (const value of operandsOf(op)) if (value.kind === 'op') of(value.id).line.push(position);
    if (op.exit !== undefined) atExit(op.exit.snapshot.values(), op.exit.sunk, position);
  });
  const { final } = superblock;
  if (final.op !== undefined)
    for (const value of operandsOf(final.op)) if (value.kind === 'op') of(value.id).line.push(end);
  atExit(final.exit.snapshot.values(), final.exit.sunk, end);
  return uses;
}

/**
 * Checks the home rule: a value that an op reads or that an exit wants must still be in its home there, or be a constant, or be computed by
 * an op that is sunk into that exit.
 * @returns a message about the first violation, or undefined
 */
export function homeRuleViolation(superblock: Superblock): string | undefined {
  const homes = homesOf(superblock);
  const check = (value: Value, position: number, own: ReadonlySet<number>): string | undefined =>
    (value.kind === 'op' && own.has(value.id)) || homes.intact(value, position)
      ? undefined
      : `a value with home ${homes.homeOf(value) ?? '?'} is used at ${position} after its home was overwritten`;
  const none = new Set<number>();
  const checkAll = (op: Op | undefined, exit: Exit | undefined, position: number) => {
    if (op !== undefined)
      for (const value of operandsOf(op)) {
        const wrong = check(value, position, none);
        if (wrong !== undefined) return wrong;
      }
    if (exit === undefined) return undefined;
    const own = exit.sunk.length === 0 ? none : new Set(exit.sunk.map((sunk) => sunk.id));
    for (const sunk of exit.sunk)
      for (const value of operandsOf(sunk)) {
        const wrong = check(value, position, own);
        if (wrong !== undefined) return wrong;
      }
    for (const reg of regsIn(exit.live)) {
      const wrong = check(wanted(exit, reg), position, own);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
  for (const [position, op] of superblock.ops.entries()) {
    const wrong = checkAll(op, op.exit, position);
    if (wrong !== undefined) return wrong;
  }
  return checkAll(superblock.final.op, superblock.final.exit, superblock.ops.length);
}
