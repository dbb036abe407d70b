/**
 * The superblock form as text that can be parsed back. One op a line:
 *
 *     superblock 0x1000 x100
 *     path 0x1000 0x1010
 *     %0:a0 = addi a0, 1 @0x1000/2
 *     %1 = beq %0, a1, .+20 @0x1002 leaves taken -> 0x1016 x10 live all {a0=%0}
 *     | %2:a2 = addi %0, 4 @0x1006
 *     goto -> 0x1010 x90 live sp,a0 {a0=%0}
 *
 * An operand is a register at the head (`a0`), a result (`%0`), a constant (`-1`), an address in the image (`code:0x1000`) or a return
 * address (`link:0x1000`). The register behind `%0:` is the result's home. `@` gives the original address, and `/2` tells that the original
 * was compressed. Behind them, `via a5` is the register that an indirect jump reads, `saved until %9` tells that a store saves a register
 * until that op, and `watched` that other threads or handlers may observe the access. Lines with `|` are ops sunk into the exit above.
 */

import { badText } from '../base/errors.ts';
import { ALL_REGS, type RegSet, regSet, regsIn, sameRegs } from '../base/regset.ts';
import { type Addr, hex, type Reg, regByName, regName } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { makeInsn } from '../isa/encode.ts';
import type { Operand } from '../isa/row.ts';
import { ROWS } from '../isa/table.ts';
import { type Exit, type Final, headValue, keyOf, type Op, opWith, type Superblock, type Value } from './form.ts';

const RESULT_ROLES: ReadonlySet<Operand> = new Set(['rd', 'fd']);

function operandText(op: Op, role: Operand): string {
  const value = (v: Value | undefined) => (v === undefined ? '?' : keyOf(v));
  switch (role) {
    case 'rs1':
    case 'fs1':
      return value(op.rs1);
    case 'rs2':
    case 'fs2':
      return value(op.rs2);
    case 'fs3':
      return value(op.rs3);
    case 'mem':
      return `${op.insn.imm}(${value(op.rs1)})`;
    case 'base':
      return `(${value(op.rs1)})`;
    case 'imm':
    case 'fence':
      return `${op.insn.imm}`;
    case 'target':
      return `.${op.insn.imm < 0 ? '' : '+'}${op.insn.imm}`;
    case 'csr':
      return `csr${op.insn.csr}`;
    case 'rm':
      return `rm${op.insn.rm}`;
    case 'aqrl':
      return `aqrl${op.insn.rm}`;
    default:
      return '';
  }
}

function opText(op: Op): string {
  const home = facts(op.insn).writes;
  const operands = op.insn.row.operands.filter((role) => !RESULT_ROLES.has(role)).map((role) => operandText(op, role));
  const left = home === undefined ? `%${op.id}` : `%${op.id}:${regName(home)}`;
  const via = facts(op.insn).control === 'indirect' ? ` via ${regName(op.insn.rs1)}` : '';
  const size = op.insn.size === 2 ? '/2' : '';
  const saved = op.saved === undefined ? '' : ` saved until %${op.saved}`;
  const watched = op.watched ? ' watched' : '';
  return `${left} = ${`${op.insn.row.name} ${operands.join(', ')}`.trim()} @${hex(op.pc)}${size}${via}${saved}${watched}`;
}

const liveText = (live: RegSet): string => {
  if (sameRegs(live, ALL_REGS)) return 'all';
  const names = regsIn(live).map(regName);
  return names.length === 0 ? 'none' : names.join(',');
};

const countText = (count: number): string => `x${Number.isInteger(count) ? count : count.toFixed(2)}`;

function exitText(exit: Exit): string {
  const snapshot = [...exit.snapshot]
    .sort((a, b) => a[0] - b[0])
    .map(([reg, value]) => `${regName(reg)}=${keyOf(value)}`);
  const to = exit.target === undefined ? 'computed' : hex(exit.target);
  return `${to} ${countText(exit.count)} live ${liveText(exit.live)} {${snapshot.join(' ')}}`;
}

/** The text of a superblock, with a newline at its end. */
export function superblockText(superblock: Superblock): string {
  const lines = [
    `superblock ${hex(superblock.head)} ${countText(superblock.count)}`,
    `path ${superblock.path.map(hex).join(' ')}`,
  ];
  const sunk = (exit: Exit) => {
    for (const op of exit.sunk) lines.push(`| ${opText(op)}`);
  };
  for (const op of superblock.ops) {
    const expect = op.expect === undefined ? '' : ` expect ${hex(op.expect)}`;
    const known = op.known === undefined ? '' : ` known ${keyOf(op.known)}`;
    const exit = op.exit === undefined ? '' : `${op.leaves ? ` leaves ${op.leaves}` : ''} -> ${exitText(op.exit)}`;
    lines.push(`${opText(op)}${expect}${known}${exit}`);
    if (op.exit !== undefined) sunk(op.exit);
  }
  const { final } = superblock;
  const by = final.op === undefined ? '' : ` by ${opText(final.op)}`;
  const link = final.link === undefined ? '' : ` link ${hex(final.link)}`;
  lines.push(`${final.kind}${link}${by} -> ${exitText(final.exit)}`);
  sunk(final.exit);
  return `${lines.join('\n')}\n`;
}

function parseValue(text: string, line: number): Value {
  if (/^%\d+$/.test(text)) return { kind: 'op', id: Number(text.slice(1)) };
  if (text.startsWith('link:')) return { kind: 'link', address: addressOf(text.slice(5), line) };
  if (text.startsWith('code:')) return { kind: 'code', address: addressOf(text.slice(5), line) };
  const reg = regByName(text);
  if (reg !== undefined) return headValue(reg);
  if (/^-?\d+$/.test(text)) return { kind: 'const', value: BigInt.asUintN(64, BigInt(text)) };
  throw badText(`'${text}' is no operand`, line);
}

const OP_PATTERN =
  /^%(\d+)(?::(\w+))? = (\S+)(?: (.*?))? @(0x[0-9a-f]+)(\/2)?(?: via (\w+))?(?: saved until %(\d+))?( watched)?/;

function numberOf(text: string, line: number): number {
  if (!/^-?\d+$/.test(text)) throw badText(`'${text}' is no number`, line);
  return Number(text);
}
function addressOf(text: string, line: number): Addr {
  if (!/^0x[0-9a-f]+$/.test(text)) throw badText(`'${text}' is no address`, line);
  return Number(text);
}
const regOf = (name: string, line: number): Reg => regByName(name) ?? fail(name, line);

/** @param homes homes of the results so far, by id; the op's own is added */
function parseOp(text: string, line: number, homes: Map<number, Reg>): { op: Op; rest: string } {
  const match = OP_PATTERN.exec(text);
  if (match === null) throw badText(`'${text}' is no op`, line);
  const [whole, id, home, name, list, pc, half, via, saved, watched] = match;
  const row = ROWS.find((other) => other.name === name);
  if (row === undefined) throw badText(`'${name}' is no instruction`, line);
  const fields = { rd: home === undefined ? 0 : regOf(home, line), imm: 0, rm: 0, csr: 0, size: half ? 2 : 4 };
  const values: { rs1?: Value; rs2?: Value; rs3?: Value } = {};
  const roles = row.operands.filter((role) => !RESULT_ROLES.has(role));
  const texts = list === undefined || list === '' ? [] : list.split(', ');
  if (texts.length !== roles.length) throw badText(`${name} wants ${roles.length} operands`, line);
  roles.forEach((role, index) => {
    const operand = texts[index]!;
    if (role === 'rs1' || role === 'fs1') values.rs1 = parseValue(operand, line);
    else if (role === 'rs2' || role === 'fs2') values.rs2 = parseValue(operand, line);
    else if (role === 'fs3') values.rs3 = parseValue(operand, line);
    else if (role === 'mem' || role === 'base') {
      const memory = /^(-?\d*)\((.+)\)$/.exec(operand);
      if (memory === null) throw badText(`'${operand}' is no address`, line);
      fields.imm = numberOf(memory[1] || '0', line);
      values.rs1 = parseValue(memory[2]!, line);
    } else if (role === 'csr') fields.csr = numberOf(operand.slice(3), line);
    else if (role === 'rm') fields.rm = numberOf(operand.slice(2), line);
    else if (role === 'aqrl') fields.rm = numberOf(operand.slice(4), line);
    else fields.imm = numberOf(operand.replace(/^\.\+?/, ''), line);
  });
  const registerOf = (value: Value | undefined): Reg =>
    value?.kind === 'head' ? value.reg : value?.kind === 'op' ? (homes.get(value.id) ?? 0) : 0;
  const insn = makeInsn(row, {
    ...fields,
    size: fields.size as 2 | 4,
    rs1: via === undefined ? registerOf(values.rs1) : regOf(via, line),
    rs2: registerOf(values.rs2),
    rs3: registerOf(values.rs3),
  });
  if (home !== undefined) homes.set(Number(id), fields.rd);
  const op = {
    id: Number(id),
    insn,
    pc: Number(pc),
    ...values,
    ...(saved !== undefined && { saved: Number(saved) }),
    ...(watched !== undefined && { watched: true as const }),
  };
  return { op, rest: text.slice(whole.length) };
}

const EXIT_PATTERN = /-> (computed|0x[0-9a-f]+) x([\d.]+) live (\S+) \{(.*)\}$/;

function parseExit(text: string, line: number): Exit {
  const match = EXIT_PATTERN.exec(text);
  if (match === null) throw badText(`'${text}' is no exit`, line);
  const names = match[3] === 'none' ? [] : match[3]!.split(',');
  const live = match[3] === 'all' ? ALL_REGS : regSet(names.map((name) => regOf(name, line)));
  const snapshot = new Map<Reg, Value>();
  for (const entry of match[4]!.split(' ').filter((part) => part !== '')) {
    const [name, value] = entry.split('=');
    snapshot.set(regOf(name!, line), parseValue(value ?? '', line));
  }
  const target = match[1] === 'computed' ? undefined : Number(match[1]);
  return { target, snapshot, live, sunk: [], count: Number(match[2]) };
}

function fail(name: string, line: number): never {
  throw badText(`'${name}' is no register`, line);
}

/** Parses the output of superblockText. @throws bad-text with the line */
export function parseSuperblock(text: string): Superblock {
  const lines = text.split('\n').map((line) => line.trim());
  let head: { head: Addr; count: number } | undefined;
  let path: Addr[] = [];
  const ops: Op[] = [];
  const homes = new Map<number, Reg>();
  let final: Final | undefined;
  lines.forEach((line, index) => {
    const number = index + 1;
    if (line === '' || line.startsWith('#')) return;
    const first = /^superblock (0x[0-9a-f]+) x([\d.]+)$/.exec(line);
    if (first !== null) head = { head: Number(first[1]), count: Number(first[2]) };
    else if (line.startsWith('path '))
      path = line
        .slice(5)
        .split(' ')
        .map((part) => addressOf(part, number));
    else if (line.startsWith('| ')) {
      const sunk = parseOp(line.slice(2), number, homes).op;
      if (final !== undefined) final = { ...final, exit: { ...final.exit, sunk: [...final.exit.sunk, sunk] } };
      else {
        const owner = ops.at(-1);
        if (owner?.exit === undefined) throw badText('a sunk op needs an exit above it', number);
        ops[ops.length - 1] = { ...owner, exit: { ...owner.exit, sunk: [...owner.exit.sunk, sunk] } };
      }
    } else if (line.startsWith('%')) {
      const { op, rest } = parseOp(line, number, homes);
      const leaves = / leaves (taken|untaken)/.exec(rest)?.[1] as 'taken' | 'untaken' | undefined;
      const expect = / expect (0x[0-9a-f]+)/.exec(rest)?.[1];
      const known = / known (\S+)/.exec(rest)?.[1];
      ops.push(
        opWith(op, {
          ...(leaves && { leaves }),
          ...(expect && { expect: Number(expect) }),
          ...(known && { known: parseValue(known, number) }),
          ...(rest.includes('->') && { exit: parseExit(rest, number) }),
        }),
      );
    } else {
      const match = /^(goto|call|indirect)(?: link (0x[0-9a-f]+))?(?: by (.*?))? ->/.exec(line);
      if (match === null) throw badText(`'${line}' is not understood`, number);
      final = {
        kind: match[1] as Final['kind'],
        link: match[2] === undefined ? undefined : Number(match[2]),
        op: match[3] === undefined ? undefined : parseOp(match[3], number, homes).op,
        exit: parseExit(line, number),
      };
    }
  });
  if (head === undefined) throw badText('no line says which superblock this is', lines.length);
  if (final === undefined) throw badText('the superblock has no final exit', lines.length);
  return { ...head, path, ops, final };
}
