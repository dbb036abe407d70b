/**
 * Call frame instructions (DWARF 4, section 6.4.2): running them up to an address gives a row, which says how to find the caller's
 * registers there; a row can be written as instructions again.
 */
import type { Addr } from '../../base/units.ts';
import type { Image } from '../image.ts';
import { Cursor, Malformed, Writer } from './bytes.ts';
import type { Cie, Code, Fde } from './frames.ts';

/** Where the caller's value of a register is. Offsets are in bytes, from the canonical frame address (CFA). */
type Rule =
  | { readonly kind: 'offset' | 'valOffset'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  | { readonly kind: 'expression' | 'valExpression'; readonly bytes: Uint8Array }
  | { readonly kind: 'undefined' | 'same' };
type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly bytes: Uint8Array };

export interface Row {
  readonly cfa: CfaRule | undefined;
  readonly rules: ReadonlyMap<number, Rule>;
  readonly argumentSize: number;
}

const OP = {
  NOP: 0x00,
  ADVANCE1: 0x02,
  ADVANCE2: 0x03,
  ADVANCE4: 0x04,
  OFFSET_EXTENDED: 0x05,
  RESTORE_EXTENDED: 0x06,
  UNDEFINED: 0x07,
  SAME_VALUE: 0x08,
  REGISTER: 0x09,
  REMEMBER: 0x0a,
  RESTORE_STATE: 0x0b,
  DEF_CFA: 0x0c,
  DEF_CFA_REGISTER: 0x0d,
  DEF_CFA_OFFSET: 0x0e,
  DEF_CFA_EXPRESSION: 0x0f,
  EXPRESSION: 0x10,
  OFFSET_EXTENDED_SF: 0x11,
  DEF_CFA_SF: 0x12,
  DEF_CFA_OFFSET_SF: 0x13,
  VAL_OFFSET: 0x14,
  VAL_OFFSET_SF: 0x15,
  VAL_EXPRESSION: 0x16,
  GNU_ARGS_SIZE: 0x2e,
  ADVANCE: 0x40,
  OFFSET: 0x80,
  RESTORE: 0xc0,
} as const;

/** Bounds far beyond need: compilers remember one state at a time, and RISC-V has 64 registers. */
const MOST_STATES = 64;
const MOST_RULES = 256;

/**
 * The row in force at `pc`, which the description covers. Throws Malformed, also where unwinders differ: libgcc (unwind-dw2.c) goes on
 * at the address that the common entry has advanced to, and takes a restored register for an unsaved one, whatever the common entry says.
 */
export function rowAt(image: Image, fde: Fde, pc: Addr): Row {
  const { cie } = fde;
  const machine = new RowMachine(image, cie, pc);
  if (machine.run(cie.instructions, fde.start) !== fde.start) throw new Malformed('a common entry that advances');
  machine.endCommonEntry();
  machine.run(fde.instructions, fde.start);
  const { cfa, rules, argumentSize } = machine;
  return { cfa, rules, argumentSize };
}

/** Runs call frame instructions up to an address. Its fields are the row as far as the instructions have come. */
class RowMachine {
  cfa: CfaRule | undefined;
  rules = new Map<number, Rule>();
  argumentSize = 0;
  readonly #image: Image;
  readonly #cie: Cie;
  readonly #pc: Addr;
  #location: Addr = 0;
  /** The rules that the common entry has made. */
  #initial: ReadonlyMap<number, Rule> = new Map();
  readonly #remembered: { readonly cfa: CfaRule | undefined; readonly rules: Map<number, Rule> }[] = [];

  constructor(image: Image, cie: Cie, pc: Addr) {
    this.#image = image;
    this.#cie = cie;
    this.#pc = pc;
  }

  /** Runs instructions, the first for the address `from`. @returns the address that they have advanced to */
  run(code: Code, from: Addr): Addr {
    const cursor = new Cursor(this.#image, code.start);
    this.#location = from;
    while (cursor.address < code.end && this.#location <= this.#pc) this.#step(cursor);
    return this.#location;
  }

  endCommonEntry(): void {
    this.#initial = new Map(this.rules);
  }

  #step(cursor: Cursor): void {
    const op = cursor.u8();
    const low = op & 63;
    if (op >= OP.RESTORE) this.restore(low);
    else if (op >= OP.OFFSET) this.set(low, { kind: 'offset', offset: this.scaled(cursor.uleb()) });
    else if (op >= OP.ADVANCE) this.advance(low);
    else {
      const instruction = INSTRUCTIONS[op];
      if (instruction === undefined) throw new Malformed(`call frame instruction ${op}`);
      instruction(this, cursor);
    }
  }

  /** An offset in bytes, from its multiple of the data alignment. */
  scaled(offset: number): number {
    return offset * this.#cie.dataAlign;
  }
  advance(delta: number): void {
    this.#location += delta * this.#cie.codeAlign;
  }
  set(register: number, rule: Rule): void {
    this.rules.set(register, rule);
  }
  restore(register: number): void {
    if (this.#initial.has(register)) throw new Malformed('a rule of the common entry restored');
    this.rules.delete(register);
  }
  /** The frame address as register and offset. GCC's common entry for RISC-V sets the register alone and means offset 0. */
  registerCfa(): Extract<CfaRule, { kind: 'register' }> {
    if (this.cfa?.kind === 'expression') throw new Malformed('the frame address is not a register');
    return this.cfa ?? { kind: 'register', register: 0, offset: 0 };
  }
  remember(): void {
    if (this.#remembered.length >= MOST_STATES || this.rules.size > MOST_RULES)
      throw new Malformed('too much to remember');
    this.#remembered.push({ cfa: this.cfa, rules: new Map(this.rules) });
  }
  restoreState(): void {
    const state = this.#remembered.pop();
    if (!state) throw new Malformed('no state to restore');
    ({ cfa: this.cfa, rules: this.rules } = state);
  }
}

/** An expression: its length, then its bytes. */
const block = (cursor: Cursor): Uint8Array => cursor.take(cursor.uleb());

/** By opcode, the instructions that have no operand in the opcode's low six bits. Operands are read from left to right. */
const INSTRUCTIONS: Readonly<Record<number, (machine: RowMachine, cursor: Cursor) => void>> = {
  [OP.NOP]: () => {},

  [OP.ADVANCE1]: (m, c) => m.advance(c.u8()),
  [OP.ADVANCE2]: (m, c) => m.advance(c.u16()),
  [OP.ADVANCE4]: (m, c) => m.advance(c.u32()),

  [OP.DEF_CFA]: (m, c) => (m.cfa = { kind: 'register', register: c.uleb(), offset: c.uleb() }),
  [OP.DEF_CFA_SF]: (m, c) => (m.cfa = { kind: 'register', register: c.uleb(), offset: m.scaled(c.sleb()) }),
  [OP.DEF_CFA_REGISTER]: (m, c) => (m.cfa = { ...m.registerCfa(), register: c.uleb() }),
  [OP.DEF_CFA_OFFSET]: (m, c) => (m.cfa = { ...m.registerCfa(), offset: c.uleb() }),
  [OP.DEF_CFA_OFFSET_SF]: (m, c) => (m.cfa = { ...m.registerCfa(), offset: m.scaled(c.sleb()) }),
  [OP.DEF_CFA_EXPRESSION]: (m, c) => (m.cfa = { kind: 'expression', bytes: block(c) }),

  [OP.UNDEFINED]: (m, c) => m.set(c.uleb(), { kind: 'undefined' }),
  [OP.SAME_VALUE]: (m, c) => m.set(c.uleb(), { kind: 'same' }),
  [OP.REGISTER]: (m, c) => m.set(c.uleb(), { kind: 'register', register: c.uleb() }),
  [OP.OFFSET_EXTENDED]: (m, c) => m.set(c.uleb(), { kind: 'offset', offset: m.scaled(c.uleb()) }),
  [OP.OFFSET_EXTENDED_SF]: (m, c) => m.set(c.uleb(), { kind: 'offset', offset: m.scaled(c.sleb()) }),
  [OP.VAL_OFFSET]: (m, c) => m.set(c.uleb(), { kind: 'valOffset', offset: m.scaled(c.uleb()) }),
  [OP.VAL_OFFSET_SF]: (m, c) => m.set(c.uleb(), { kind: 'valOffset', offset: m.scaled(c.sleb()) }),
  [OP.EXPRESSION]: (m, c) => m.set(c.uleb(), { kind: 'expression', bytes: block(c) }),
  [OP.VAL_EXPRESSION]: (m, c) => m.set(c.uleb(), { kind: 'valExpression', bytes: block(c) }),
  [OP.RESTORE_EXTENDED]: (m, c) => m.restore(c.uleb()),

  [OP.REMEMBER]: (m) => m.remember(),
  [OP.RESTORE_STATE]: (m) => m.restoreState(),
  [OP.GNU_ARGS_SIZE]: (m, c) => (m.argumentSize = c.uleb()),
};

/** DW_OP_reg0, DW_OP_breg0, DW_OP_regx, DW_OP_bregx. */
const [REG0, BREG0, REGX, BREGX] = [0x50, 0x70, 0x90, 0x92];

/**
 * Does a row read the return address's register for more than the return address? In optimized code the register holds another number.
 * In an expression any byte that looks like such a read counts as one.
 */
export function readsLink({ cfa, rules }: Row, column: number): boolean {
  const byExpression = (bytes: Uint8Array) =>
    bytes.some((op) => op === REG0 + column || op === BREG0 + column || op === REGX || op === BREGX);
  if (cfa?.kind === 'register' ? cfa.register === column : cfa && byExpression(cfa.bytes)) return true;
  return [...rules].some(([of, rule]) =>
    'bytes' in rule ? byExpression(rule.bytes) : rule.kind === 'register' && rule.register === column && of !== column,
  );
}

/** sp, by its number in call frame instructions. */
const SP_COLUMN = 2;

/**
 * A new CIE's initial instructions: CFA = sp + 0, as GNU as writes. Rows are then encoded in the instructions that GNU as uses, so that
 * an unwinder goes the ways it went in the profiled run.
 */
export const initialInstructions = (): Uint8Array => new Uint8Array([OP.DEF_CFA_REGISTER, SP_COLUMN]);

/** The row as call frame instructions, behind `initialInstructions` and with this data alignment. */
export function encodeRow(row: Row, dataAlign: number): Uint8Array {
  const out = new Writer(0);
  const factor = (offset: number) => {
    if (offset % dataAlign !== 0) throw new Malformed('an offset that the data alignment does not divide');
    return offset / dataAlign;
  };
  const { cfa } = row;
  if (cfa?.kind === 'expression') out.put(OP.DEF_CFA_EXPRESSION).uleb(cfa.bytes.length).append(cfa.bytes);
  else if (cfa && cfa.register === SP_COLUMN && cfa.offset >= 0) {
    if (cfa.offset > 0) out.put(OP.DEF_CFA_OFFSET).uleb(cfa.offset);
  } else if (cfa && cfa.offset >= 0) out.put(OP.DEF_CFA).uleb(cfa.register).uleb(cfa.offset);
  else if (cfa) out.put(OP.DEF_CFA_SF).uleb(cfa.register).sleb(factor(cfa.offset));
  for (const [register, rule] of [...row.rules].sort(([a], [b]) => a - b)) {
    switch (rule.kind) {
      case 'offset': {
        const factored = factor(rule.offset);
        if (factored < 0) out.put(OP.OFFSET_EXTENDED_SF).uleb(register).sleb(factored);
        else if (register < 64) out.put(OP.OFFSET | register).uleb(factored);
        else out.put(OP.OFFSET_EXTENDED).uleb(register).uleb(factored);
        break;
      }
      case 'valOffset':
        out.put(OP.VAL_OFFSET_SF).uleb(register).sleb(factor(rule.offset));
        break;
      case 'register':
        out.put(OP.REGISTER).uleb(register).uleb(rule.register);
        break;
      case 'expression':
      case 'valExpression':
        out.put(rule.kind === 'expression' ? OP.EXPRESSION : OP.VAL_EXPRESSION);
        out.uleb(register).uleb(rule.bytes.length).append(rule.bytes);
        break;
      case 'undefined':
        out.put(OP.UNDEFINED).uleb(register);
        break;
      case 'same':
        out.put(OP.SAME_VALUE).uleb(register);
        break;
    }
  }
  if (row.argumentSize > 0) out.put(OP.GNU_ARGS_SIZE).uleb(row.argumentSize);
  return out.bytes;
}
