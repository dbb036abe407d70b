/**
 * The routines an engine has so far, by variant. A variant is asked for when an instruction of it is decoded; the first request in a group
 * of extensions also adds the common variants of all rows of the group, and a request for an uncommon variant adds all variants of its row,
 * so that code is generated a few times, not hundreds.
 */
import type { Insn, Row } from '../isa/row.ts';
import { COMPRESSED, ROWS } from '../isa/table.ts';
import { CSR } from '../isa/zicsr.ts';
import { type Ending, endingOf } from './ending.ts';
import { ROUTINE } from './records.ts';
import { CSRS, type Variant } from './routine.ts';

const DYNAMIC = 7;
const NEAREST = 0;
const TO_ZERO = 1;
const MODES: readonly number[] = [NEAREST, TO_ZERO, 2, 3, 4, DYNAMIC];
const COMMON_CSRS: readonly number[] = [CSR.fflags, CSR.frm];

/**
 * Rows whose common variants come together. Small programs do without most groups, and generating code, above all of floating-point
 * arithmetic, is much of the start-up time. Loads and stores of floating-point registers and atomics are a group of their own: C libraries
 * execute them at the start, for setjmp and locks.
 */
function groupOf({ extension, operands }: Row): string {
  if (extension === 'A' || ((extension === 'F' || extension === 'D') && operands.includes('mem'))) return 'library';
  return /^Z(?:b|icond)/.test(extension) ? 'newer' : extension === 'M' ? 'I' : extension;
}

/** All numbers that are no CSR are alike: illegal. */
const NO_CSR = 0;

const hasCompressed = new Set(COMPRESSED.map((alias) => alias.row));

/** The variants of a row: those that compilers emit, or all. */
function variantsOf(row: Row, all: boolean): Variant[] {
  const one = { row, size: 4, rm: 0, csr: 0, writesCsr: false, cut: false } as const;
  if (row.operands.includes('rm')) {
    // Conversions to integers are C casts, to zero; exact conversions are written with mode 0.
    const common = row.exact ? [NEAREST] : row.operands.includes('rd') ? [DYNAMIC, TO_ZERO] : [DYNAMIC];
    return (all ? MODES : common).map((rm) => ({ ...one, rm }));
  }
  if (row.operands.includes('csr'))
    return (all ? [NO_CSR, ...CSRS] : COMMON_CSRS).flatMap((csr) =>
      [false, true].map((writesCsr) => ({ ...one, csr, writesCsr })),
    );
  return hasCompressed.has(row) ? [one, { ...one, size: 2 }] : [one];
}

const variantOf = (insn: Insn): Variant => {
  const { row, size } = insn;
  const isCsr = row.operands.includes('csr');
  return {
    row,
    size,
    rm: row.operands.includes('rm') ? insn.rm : 0,
    csr: isCsr && CSRS.includes(insn.csr) ? insn.csr : NO_CSR,
    writesCsr: isCsr && (insn.rs1 !== 0 || insn.imm !== 0),
    cut: false,
  };
};

const keyOf = ({ row, size, rm, csr, writesCsr, cut }: Variant): string =>
  `${row.name}/${size}/${rm}/${csr}/${writesCsr}${cut ? '/cut' : ''}`;

export class Routines {
  /** By routine index minus ROUTINE.FIRST. */
  readonly variants: Variant[] = [];
  readonly #endings: Ending[] = [];
  readonly #index = new Map<string, number>();
  /** Caches that save making the key: routines by size and row, for rows whose variants differ in nothing else; */
  readonly #ofRow: Readonly<Record<number, Map<Row, number>>> = { 2: new Map(), 4: new Map() };
  /** and routines by instruction, for other rows. Equal words share one object (see decode). */
  readonly #ofInsn = new WeakMap<Insn, number>();
  readonly #groups = new Set<string>();

  /** The routine of an instruction; a new one if need be, whose code is not yet generated. */
  of(insn: Insn): number {
    const known = this.#ofRow[insn.size]!.get(insn.row) ?? this.#ofInsn.get(insn);
    if (known !== undefined) return known;
    const variant = variantOf(insn);
    const group = groupOf(insn.row);
    if (!this.#groups.has(group)) {
      this.#groups.add(group);
      for (const row of ROWS)
        if (groupOf(row) === group) for (const common of variantsOf(row, false)) this.#add(common);
    }
    if (!this.#index.has(keyOf(variant))) for (const other of variantsOf(insn.row, true)) this.#add(other);
    const routine = this.#add(variant);
    const { operands } = insn.row;
    if (operands.includes('rm') || operands.includes('csr')) this.#ofInsn.set(insn, routine);
    else this.#ofRow[insn.size]!.set(insn.row, routine);
    return routine;
  }
  /** The routine of an instruction behind which a run is cut. */
  cut(insn: Insn): number {
    return this.#add({ ...this.variants[this.of(insn) - ROUTINE.FIRST]!, cut: true });
  }
  /** Keys of the variants, in order. */
  get keys(): string[] {
    return [...this.#index.keys()];
  }
  /** One more than the highest routine index. */
  get end(): number {
    return ROUTINE.FIRST + this.variants.length;
  }
  /** Bytes of the instruction. */
  size(routine: number): number {
    return routine < ROUTINE.FIRST ? 2 : this.variants[routine - ROUTINE.FIRST]!.size;
  }
  /** How the instruction ends a run; undefined for the routines that are no instruction. */
  ending(routine: number): Ending | undefined {
    return routine < ROUTINE.FIRST ? undefined : this.#endings[routine - ROUTINE.FIRST];
  }

  /** Does the run go on behind the instruction? */
  flows(routine: number): boolean {
    return this.ending(routine) === 'none' && !this.variants[routine - ROUTINE.FIRST]!.cut;
  }

  #add(variant: Variant): number {
    const key = keyOf(variant);
    let routine = this.#index.get(key);
    if (routine === undefined) {
      routine = this.end;
      this.#index.set(key, routine);
      this.variants.push(variant);
      this.#endings.push(endingOf(variant.row));
    }
    return routine;
  }
}
