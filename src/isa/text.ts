/**
 * Assembler text, canonical: full instructions only, no pseudo-instructions, ABI register names, no blanks behind commas. The text is
 * that of `objdump -M no-aliases`, except that targets are `0x...` (or `.+8` where no pc is known) and a compressed instruction is
 * printed as its full instruction.
 */
import { badText } from '../base/errors.ts';
import { type Addr, hex, type Reg, regByName, regName } from '../base/units.ts';
import { encode, makeInsn } from './encode.ts';
import { REGISTER_OPERANDS } from './fields.ts';
import type { Insn, Operand, Row } from './row.ts';
import { findRow } from './table.ts';
import { csrByName, csrName } from './zicsr.ts';

/** Rounding modes by number; 5 and 6 are reserved. */
const ROUNDING = ['rne', 'rtz', 'rdn', 'rup', 'rmm', undefined, undefined, 'dyn'];
/** Suffixes for the ordering bits, by aq<<1 | rl. */
const ORDERING = ['', '.rl', '.aq', '.aqrl'];

/** The rounding mode that the text leaves out. */
const usualRounding = (row: Row): number => (row.exact ? 0 : 7);

/** pred or succ of a fence: the letters of its set bits, `0` for none. */
const fenceSet = (bits: number): string => [...'iorw'].filter((_, i) => bits & (8 >> i)).join('') || '0';
const fenceText = (imm: number): string => {
  const sets = `${fenceSet((imm >> 4) & 15)},${fenceSet(imm & 15)}`;
  return imm >> 8 ? `${sets},${hex(imm >> 8)}` : sets;
};

const immediateText = ({ row, imm }: Insn): string => {
  if (row.format === 'U') return hex((imm >>> 12) & 0xfffff);
  return row.format === 'shift' ? hex(imm) : `${imm}`;
};

function operandText(insn: Insn, operand: Operand, pc: Addr | undefined): string | undefined {
  switch (operand) {
    case 'imm':
      return immediateText(insn);
    case 'mem':
      return `${insn.imm}(${regName(insn.rs1)})`;
    case 'base':
      return `(${regName(insn.rs1)})`;
    case 'target':
      if (pc !== undefined) return targetText(pc + insn.imm);
      return insn.imm < 0 ? `.${insn.imm}` : `.+${insn.imm}`;
    case 'csr':
      return csrName(insn.csr);
    case 'rm':
      return insn.rm === usualRounding(insn.row) ? undefined : ROUNDING[insn.rm];
    case 'aqrl':
      return undefined;
    case 'fence':
      return fenceText(insn.imm);
    default:
      return regName(insn[REGISTER_OPERANDS[operand]!.field]);
  }
}

/** Addresses wrap at 64 bits; a negative target is only met at the lowest addresses of random code. */
const targetText = (target: number): string => (target < 0 ? `-${hex(-target)}` : hex(target));

/**
 * The instruction as text: `addi a0,a1,5`, `lw a0,8(sp)`, `beq a0,a1,0x10440`, `amoadd.w.aq a0,a1,(a2)`.
 * @param pc the instruction's address; without pc branch targets are relative: `jal ra,.+16`
 */
export function print(insn: Insn, pc?: Addr): string {
  const { row } = insn;
  const name = row.operands.includes('aqrl') ? row.name + (ORDERING[insn.rm] ?? '') : row.name;
  const operands = row.operands.map((operand) => operandText(insn, operand, pc)).filter((text) => text !== undefined);
  return operands.length ? `${name} ${operands.join(',')}` : name;
}

type Fields = { -readonly [K in keyof Omit<Insn, 'row'>]?: Insn[K] };

function parseNumber(text: string): number {
  if (!/^[+-]?(?:0x[0-9a-f]+|[0-9]+)$/i.test(text)) throw badText(`not a number: ${text}`);
  const digits = text.replace(/^[+-]/, '');
  return text.startsWith('-') ? -Number(digits) : Number(digits);
}

function parseRegister(text: string, float: boolean): Reg {
  const reg = regByName(text);
  if (reg === undefined || reg >= 32 !== float) {
    throw badText(`not ${float ? 'a floating-point' : 'an integer'} register: ${text}`);
  }
  return reg;
}

function parseTarget(text: string, pc: Addr | undefined): number {
  if (text.startsWith('.')) return parseNumber(text.slice(1));
  if (pc === undefined) throw badText(`an absolute target needs the address of the instruction: ${text}`);
  return parseNumber(text) - pc;
}

function parseFenceSet(text: string): number {
  if (text === '0') return 0;
  let bits = 0;
  for (const letter of text) {
    const i = 'iorw'.indexOf(letter);
    if (i < 0) throw badText(`not a set of i, o, r, w: ${text}`);
    bits |= 8 >> i;
  }
  return bits;
}

/** Reads one operand from the front of `rest` into `fields`. */
function parseOperand(row: Row, operand: Operand, rest: string[], fields: Fields, pc: Addr | undefined): void {
  if (operand === 'aqrl') return;
  const text = rest.shift();
  if (text === undefined) {
    if (operand !== 'rm') throw badText(`${row.name}: too few operands`);
    fields.rm = usualRounding(row);
    return;
  }
  switch (operand) {
    case 'imm': {
      const value = parseNumber(text);
      if (row.format === 'U') {
        if (value < 0 || value > 0xfffff) throw badText(`${row.name}: immediate ${text} does not fit`);
        fields.imm = value << 12;
      } else fields.imm = value;
      return;
    }
    case 'mem':
    case 'base': {
      const match = /^([^(]*)\(([a-z0-9]+)\)$/.exec(text);
      if (!match || (operand === 'base') !== (match[1] === ''))
        throw badText(`${row.name}: not a memory operand: ${text}`);
      if (operand === 'mem') fields.imm = parseNumber(match[1]!);
      fields.rs1 = parseRegister(match[2]!, false);
      return;
    }
    case 'target':
      fields.imm = parseTarget(text, pc);
      return;
    case 'csr':
      fields.csr = csrByName(text) ?? parseNumber(text);
      return;
    case 'rm': {
      const mode = ROUNDING.indexOf(text);
      if (mode < 0) throw badText(`${row.name}: not a rounding mode: ${text}`);
      fields.rm = mode;
      return;
    }
    case 'fence': {
      const succ = rest.shift();
      if (succ === undefined) throw badText(`${row.name}: too few operands`);
      const mode = rest.shift();
      fields.imm =
        ((mode === undefined ? 0 : parseNumber(mode)) << 8) | (parseFenceSet(text) << 4) | parseFenceSet(succ);
      return;
    }
    default: {
      const { field, float } = REGISTER_OPERANDS[operand]!;
      fields[field] = parseRegister(text, float);
    }
  }
}

/** The row of a mnemonic, and the ordering bits that the mnemonic's suffix gives. */
function parseName(name: string): { row: Row; rm: number } {
  const exact = findRow(name);
  if (exact) return { row: exact, rm: 0 };
  const suffix = /\.(?:aqrl|aq|rl)$/.exec(name)?.[0];
  const row = suffix ? findRow(name.slice(0, -suffix.length)) : undefined;
  if (!suffix || !row?.operands.includes('aqrl')) throw badText(`unknown instruction: ${name}`);
  return { row, rm: ORDERING.indexOf(suffix) };
}

/**
 * The instruction (size 4) that `print` gives this text for; blanks around operands are allowed.
 * @param pc needed for absolute targets
 * @throws badText
 */
export function parse(text: string, pc?: Addr): Insn {
  const [, name = '', tail = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(text) ?? [];
  const { row, rm } = parseName(name);
  const rest = tail === '' ? [] : tail.split(',').map((part) => part.trim());
  const fields: Fields = { rm };
  for (const operand of row.operands) parseOperand(row, operand, rest, fields, pc);
  if (rest.length) throw badText(`${row.name}: too many operands: ${rest.join(',')}`);
  const insn = makeInsn(row, fields);
  try {
    encode(insn);
  } catch {
    throw badText(`an operand is out of range: ${text.trim()}`);
  }
  return insn;
}
