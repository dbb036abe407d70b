/**
 * Random straight-line programs of RV64GC instructions for differential tests. A program is a list of groups; a group is executed
 * from its first instruction to behind its last (it may jump, but only within itself), so that the state can be dumped between any two.
 *
 * One register, the base, always points into a data area and is never written:
 *     base-2048 .. base-1024   scratch: what loads, stores and atomics work on; dumped
 *     base-1024 .. base-504    where registers are dumped to
 *     base-504  .. base+2040   pool: edge-case operands
 * Results stay in registers until they are dumped: nothing overwrites a register that holds one, where another can be had.
 */

import { facts } from '../../src/domain/record.ts';
import { softfloat } from '../../src/domain/softfloat.ts';
import { decode } from '../../src/isa/decode.ts';
import { compress, encodeBytes, makeInsn } from '../../src/isa/encode.ts';
import { immediateFits } from '../../src/isa/fields.ts';
import type { Insn, Row } from '../../src/isa/row.ts';
import { COMPRESSED, ROWS } from '../../src/isa/table.ts';
import { CSR } from '../../src/isa/zicsr.ts';
import { qemuKnows } from './peers.ts';
import { doublePatterns, INTEGER_EDGES, type Random, singlePatterns } from './random.ts';

export interface Group {
  readonly insns: readonly Insn[];
  /** How many of them are the ones under test; the others prepare operands. */
  readonly tested: number;
}

export interface RandomProgram {
  readonly base: number;
  readonly groups: readonly Group[];
  /** Contents of base-2048 .. base+2048 at the start. */
  readonly data: Uint8Array;
}

export const SCRATCH = { START: -2048, END: -1024 } as const;
export const SAVE = { START: -1024, END: -504 } as const;
const POOL = { START: -504, SLOTS: 318 } as const;

/** Sections of the pool, in slots. A triple is a, b and the rounded -(a*b): cancellation, exact quotients and roots. */
export const SECTION = {
  triples64: { from: 0, count: 24 * 3 },
  triples32: { from: 72, count: 16 * 3 },
  ints: { from: 120, count: 54 },
  doubles: { from: 174, count: 72 },
  singles: { from: 246, count: 72 },
} as const;
type Section = keyof typeof SECTION;

const BOX = 0xffffffff00000000n;
/** Registers that may be the base: those that compressed loads and stores can use, and others. */
const BASES = [2, 8, 9, 10, 11, 12, 13, 14, 15, 5, 18, 31];

const makePool = (random: Random): BigUint64Array => {
  const pool = new BigUint64Array(POOL.SLOTS);
  const fill = (section: Section, make: (i: number) => bigint) => {
    const { from, count } = SECTION[section];
    for (let i = 0; i < count; i++) pool[from + i] = make(i);
  };
  const triple = (at: number, width: 32 | 64, patterns: (random: Random) => bigint[], box: bigint) => {
    let a = random.choose(patterns(random));
    let b = random.oneIn(5) ? a : random.choose(patterns(random));
    if (random.oneIn(4)) {
      // A product at the edge between tiny and normal: the least normal number and its neighbours, by about 1.
      const fraction = width === 64 ? 52n : 23n;
      a = (1n << fraction) + BigInt(random.below(5) - 2);
      b = ((((1n << BigInt(width - 2)) - 1n) >> fraction) << fraction) + BigInt(random.below(9) - 4);
    }
    const product = softfloat(`f${width}.mul`, random.below(5), a, b).value ^ (1n << BigInt(width - 1));
    for (const [i, value] of [a, b, product].entries()) pool[at + i] = value | box;
  };
  for (let i = 0; i < SECTION.triples64.count; i += 3) triple(SECTION.triples64.from + i, 64, doublePatterns, 0n);
  for (let i = 0; i < SECTION.triples32.count; i += 3) triple(SECTION.triples32.from + i, 32, singlePatterns, BOX);
  fill('ints', () => (random.oneIn(4) ? random.bits64() >> BigInt(random.below(64)) : random.choose(INTEGER_EDGES)));
  fill('doubles', (i) => doublePatterns(random)[i % 12]!);
  fill('singles', (i) => {
    const pattern = singlePatterns(random)[i % 10]!;
    // One in eight is not boxed, or nearly.
    return random.oneIn(8)
      ? random.choose([pattern, pattern | (BOX << 1n), random.bits64()]) & ((1n << 64n) - 1n)
      : pattern | BOX;
  });
  return pool;
};

const has = (row: Row, ...operands: string[]) => row.operands.some((operand) => operands.includes(operand));
/** Register fields of a floating-point role may not be 0. */
function minimalFields(row: Row): Partial<Omit<Insn, 'row'>> {
  return {
    rd: has(row, 'fd') ? 32 : 0,
    rs1: has(row, 'fs1') ? 32 : 0,
    rs2: has(row, 'fs2') ? 32 : 0,
    rs3: has(row, 'fs3') ? 32 : 0,
    csr: has(row, 'csr') ? CSR.fflags : 0,
  };
}

type Kind = 'compute' | 'memory' | 'lr' | 'sc' | 'amo' | 'csr' | 'branch' | 'jump' | 'indirect' | 'none';

const kindOf = (row: Row): Kind => {
  const { control, ordered, load, store } = facts(makeInsn(row, minimalFields(row)));
  if (row.format === 'amo') return has(row, 'rs2') ? (row.name.startsWith('sc.') ? 'sc' : 'amo') : 'lr';
  if (row.format === 'csr' || row.format === 'csri') return 'csr';
  if (control === 'branch' || control === 'jump' || control === 'indirect') return control;
  if (control !== 'none' || ordered) return 'none';
  return load || store ? 'memory' : 'compute';
};
const KINDS = new Map<Row, Kind>(ROWS.map((row) => [row, kindOf(row)]));
/** Rows that the generator makes. What is left out: ecall, ebreak, the fences, and what qemu may not know. */
export const TESTED_ROWS: readonly Row[] = ROWS.filter((row) => KINDS.get(row) !== 'none' && qemuKnows(row));
const TESTED_ALIASES = COMPRESSED.filter(qemuKnows);
const named = (name: string): Row => ROWS.find((row) => row.name === name)!;
const ADDI = named('addi');
const LD = named('ld');
const FLD = named('fld');
const AUIPC = named('auipc');
const SIMPLE = TESTED_ROWS.filter((row) => KINDS.get(row) === 'compute' && !has(row, 'rm'));

class Generator {
  readonly #random: Random;
  readonly #base: number;
  /** Registers that hold a result nobody has seen. */
  readonly #pending = new Set<number>();
  #sinceDump = 0;
  #frm = 0;
  #insns: Insn[] = [];
  #tested = 0;

  constructor(random: Random, base: number) {
    this.#random = random;
    this.#base = base;
  }

  /** @param dumpEvery results may be overwritten after so many tested instructions */
  group(dumpEvery: number): Group {
    if (this.#sinceDump >= dumpEvery) {
      this.#sinceDump = 0;
      this.#pending.clear();
    }
    this.#insns = [];
    this.#tested = 0;
    while (this.#tested === 0) {
      if (this.#random.oneIn(4)) this.#compressed();
      else this.#full(this.#random.choose(TESTED_ROWS));
    }
    this.#sinceDump += this.#tested;
    return { insns: this.#insns, tested: this.#tested };
  }

  /** A register that may be written, integer or floating-point, rather one without an unseen result. x0 now and then. */
  #target(float: boolean, among?: readonly number[]): number {
    const all = among ?? Array.from({ length: 32 }, (_, i) => i + (float ? 32 : 0));
    const allowed = all.filter((reg) => reg !== this.#base && (reg !== 0 || this.#random.oneIn(2)));
    const free = allowed.filter((reg) => !this.#pending.has(reg));
    return this.#random.choose(free.length > 0 ? free : allowed);
  }
  #source(float: boolean): number {
    return this.#random.below(32) + (float ? 32 : 0);
  }

  #prepare(insn: Insn): void {
    this.#insns.push(insn);
  }
  #test(insn: Insn): void {
    this.#insns.push(insn);
    this.#tested++;
    const { writes } = facts(insn);
    if (writes !== undefined) this.#pending.add(writes);
  }

  /** Loads an operand from the pool. */
  #load(reg: number, slot: number): void {
    this.#prepare(makeInsn(reg < 32 ? LD : FLD, { rd: reg, rs1: this.#base, imm: POOL.START + slot * 8 }));
  }
  #refresh(reg: number, row: Row): void {
    if (reg === 0 || reg === this.#base || this.#pending.has(reg)) return;
    const random = this.#random;
    if (reg < 32 ? random.oneIn(2) : random.oneIn(4)) return;
    const single = row.extension === 'F' || row.name === 'fcvt.d.s';
    const other = random.below(20);
    let section: Section = reg < 32 ? 'ints' : single ? 'singles' : 'doubles';
    if (other === 0) section = 'ints';
    else if (other <= 2) section = 'doubles';
    else if (other <= 4) section = 'singles';
    const { from, count } = SECTION[section];
    this.#load(reg, from + random.below(count));
  }
  /** A related triple of operands, for rows with two or three floating-point sources in different free registers. */
  #refreshTriple(insn: Insn): boolean {
    const regs = [insn.rs1, insn.rs2, insn.rs3].filter((reg) => reg >= 32);
    if (regs.length < 2 || new Set(regs).size < regs.length || regs.some((reg) => this.#pending.has(reg))) return false;
    const { from, count } = SECTION[insn.row.extension === 'F' ? 'triples32' : 'triples64'];
    const at = from + 3 * this.#random.below(count / 3);
    const slots =
      regs.length === 3
        ? [at, at + 1, at + 2]
        : this.#random.choose([
            [at + 2, at],
            [at + 2, at + 1],
            [at, at + 1],
          ]);
    for (const [i, reg] of regs.entries()) this.#load(reg, slots[i]!);
    return true;
  }
  #refreshSources(insn: Insn, except = -1): void {
    if (this.#random.oneIn(3) && this.#refreshTriple(insn)) return;
    for (const reg of facts(insn).reads) if (reg !== except) this.#refresh(reg, insn.row);
  }

  #immediate(row: Row): number {
    const random = this.#random;
    if (row.format === 'U') return random.choose([0, 1, -1, 0x7ffff, -0x80000, random.next() >> 12]) << 12;
    const edges = [0, 1, -1, 2, 31, 32, 63, 2047, -2048, random.below(4096) - 2048, random.below(64), random.below(32)];
    return random.choose(edges.filter((imm) => immediateFits(row, imm)));
  }
  #rounding(row: Row): number {
    return has(row, 'rm')
      ? this.#random.choose([0, 1, 2, 3, 4, 7, 7, 7])
      : has(row, 'aqrl')
        ? this.#random.below(4)
        : 0;
  }
  #anyInsn(row: Row): Insn {
    const float = (role: string) => row.operands.includes(role as 'fd');
    const field = (x: string, f: string, choose: (float: boolean) => number) =>
      float(f) ? choose(true) : float(x) ? choose(false) : 0;
    const source = (isFloat: boolean) => this.#source(isFloat);
    return makeInsn(row, {
      rd: field('rd', 'fd', (isFloat) => this.#target(isFloat)),
      rs1: field('rs1', 'fs1', source),
      rs2: field('rs2', 'fs2', source),
      rs3: float('fs3') ? source(true) : 0,
      imm: has(row, 'imm', 'mem') || row.format === 'U' ? this.#immediate(row) : 0,
      rm: this.#rounding(row),
    });
  }

  #full(row: Row): void {
    switch (KINDS.get(row)) {
      case 'compute': {
        const insn = this.#anyInsn(row);
        this.#refreshSources(insn);
        this.#test(insn);
        if (facts(insn).accrues && this.#random.oneIn(2)) this.#csr(named('csrrw'), CSR.fflags);
        break;
      }
      case 'memory':
        this.#memory(this.#anyInsn(row));
        break;
      case 'amo':
        this.#atomic(row);
        break;
      case 'lr':
      case 'sc':
        this.#reserve(row.name.slice(-1));
        break;
      case 'csr':
        this.#csr(row, this.#random.choose([CSR.fflags, CSR.fflags, CSR.frm, CSR.fcsr]));
        break;
      default:
        this.#transfer(row);
    }
  }

  /** Points a register into the scratch area and accesses it, at any alignment. */
  #memory(insn: Insn): void {
    const { load, store } = facts(insn);
    const bytes = (load ?? store)!.bytes;
    const pointer = insn.rs1 !== 0 && insn.size === 2 ? insn.rs1 : this.#target(false);
    if (pointer === this.#base || pointer === 0 || this.#pending.has(pointer)) return;
    const aligned = this.#random.oneIn(2) ? bytes : 1;
    // A compressed form has its own offset, never negative; otherwise any that the pointer can make up for.
    const imm = insn.imm >= 768 ? insn.imm - 2048 : insn.imm;
    const low = Math.max(SCRATCH.START, SCRATCH.START + imm);
    const target = low + Math.floor(this.#random.below(SCRATCH.END - bytes - low) / aligned) * aligned;
    if (store && insn.rs2 !== pointer) this.#refresh(insn.rs2, insn.row);
    this.#prepare(makeInsn(ADDI, { rd: pointer, rs1: this.#base, imm: target - imm }));
    this.#test({ ...insn, rs1: pointer, imm });
  }

  #point(bytes: number): number {
    const pointer = this.#target(false, [5, 6, 7, 8, 9, 10, 17, 28, 29, 30, 31, 1, 2]);
    const offset = SCRATCH.START + this.#random.below(16) * 8 + (this.#random.oneIn(2) ? bytes % 8 : 0);
    this.#prepare(makeInsn(ADDI, { rd: pointer, rs1: this.#base, imm: offset }));
    return pointer;
  }
  #atomic(row: Row): void {
    const insn = this.#anyInsn(row);
    this.#refresh(insn.rs2, row);
    const pointer = this.#point(row.name.endsWith('.w') ? 4 : 8);
    this.#test({ ...insn, rs1: pointer });
  }
  /** lr, perhaps something between, sc to the same or another address, and an sc that must fail. */
  #reserve(suffix: string): void {
    const random = this.#random;
    const lr = this.#anyInsn(named(`lr.${suffix}`));
    const sc = named(`sc.${suffix}`);
    const pointer = this.#point(suffix === 'w' ? 4 : 8);
    this.#test({ ...lr, rs1: pointer });
    // The register of the address may be overwritten by what follows; then sc would go anywhere.
    if (facts(lr).writes === pointer || lr.rd === pointer) return;
    const free = () => {
      const insn = this.#anyInsn(random.choose(SIMPLE));
      return insn.rd === pointer ? { ...insn, rd: 0 } : insn;
    };
    if (random.oneIn(2)) this.#test(free());
    if (random.oneIn(4)) {
      this.#prepare(makeInsn(ADDI, { rd: pointer, rs1: pointer, imm: 8 }));
    }
    const store = () => {
      const insn = { ...this.#anyInsn(sc), rs1: pointer };
      return insn.rd === pointer ? { ...insn, rd: 0 } : insn;
    };
    this.#test(store());
    if (random.oneIn(2)) this.#test(store());
  }

  /** CSR instructions on the floating-point state. frm is known here at every point, and never reserved where it can be used. */
  #csr(row: Row, csr: number): void {
    const random = this.#random;
    const rd = this.#target(false);
    const immediate = row.format === 'csri';
    const operation = row.name.slice(0, 5);
    if (csr === CSR.fflags) {
      const rs1 = immediate ? 0 : random.oneIn(3) ? 0 : this.#source(false);
      this.#test(makeInsn(row, { rd, rs1, imm: immediate ? random.below(32) : 0, csr }));
      return;
    }
    const shift = csr === CSR.fcsr ? 5 : 0;
    const apply = (operand: number) => {
      const bits = (operand >> shift) & 7;
      return operation === 'csrrw' ? bits : operation === 'csrrs' ? this.#frm | bits : this.#frm & ~bits;
    };
    let operand = immediate ? random.below(32) : random.below(256);
    if (apply(operand) > 4) {
      if (csr === CSR.frm && random.oneIn(4)) {
        // A reserved mode can be held and read back.
        this.#test(makeInsn(named('csrrwi'), { rd: 0, imm: 5 + random.below(3), csr }));
        this.#test(makeInsn(named('csrrs'), { rd, csr: CSR.fcsr }));
        this.#test(makeInsn(named('csrrwi'), { rd: 0, imm: this.#frm, csr }));
        return;
      }
      operand = operation === 'csrrw' ? random.below(5) << shift : 0;
      if (immediate && operand > 31) operand = 0;
    }
    this.#frm = apply(operand);
    if (immediate) {
      this.#test(makeInsn(row, { rd, imm: operand, csr }));
      return;
    }
    const rs1 = operand === 0 && random.oneIn(2) ? 0 : this.#target(false, [1, 3, 4, 6, 7, 16, 17, 19, 30]);
    if (rs1 !== 0) this.#prepare(makeInsn(ADDI, { rd: rs1, rs1: 0, imm: operand }));
    this.#test(makeInsn(row, { rd, rs1, csr }));
  }

  /** A transfer over one simple instruction, which it skips or not. */
  #transfer(row: Row): void {
    const random = this.#random;
    const skipped = this.#anyInsn(random.choose(SIMPLE));
    const kind = KINDS.get(row);
    const insn = this.#anyInsn(row);
    const near = (jump: Insn): Insn => {
      if (!random.oneIn(2)) return jump;
      const short = { ...jump, imm: jump.imm - 2, size: 2 as const };
      return compress(short) === undefined ? jump : short;
    };
    if (kind === 'indirect') {
      const pointer = this.#target(false, [1, 5, 6, 7, 8, 9, 10, 15, 16, 28]);
      this.#prepare(makeInsn(AUIPC, { rd: pointer }));
      const short = { ...insn, rs1: pointer, rd: random.oneIn(2) ? 0 : 1, imm: 0, size: 2 as const };
      if (random.oneIn(3) && this.#base !== 1 && compress(short) !== undefined) {
        this.#prepare(makeInsn(ADDI, { rd: pointer, rs1: pointer, imm: 4 + 4 + 2 + 4 }));
        this.#test(short);
      } else {
        // The lowest bit of the target is dropped.
        const imm = 4 + 4 + 4 + random.below(2);
        this.#test({ ...insn, rs1: pointer, imm });
      }
    } else {
      if (kind === 'branch') {
        this.#refreshSources(insn);
        const zero = random.oneIn(3) ? { ...insn, rs1: 8 + random.below(8), rs2: 0 } : insn;
        this.#test(near({ ...(random.oneIn(4) ? { ...zero, rs2: zero.rs1 } : zero), imm: 8 }));
      } else this.#test(near({ ...insn, rd: random.oneIn(2) ? 0 : insn.rd, imm: 8 }));
    }
    this.#insns.push(skipped);
    const { writes } = facts(skipped);
    if (writes !== undefined) this.#pending.add(writes);
  }

  #compressed(): void {
    const alias = this.#random.choose(TESTED_ALIASES);
    const half = alias.match | (this.#random.next() & ~alias.mask & 0xffff);
    const insn = decode(half);
    if (insn === undefined) return;
    const { writes } = facts(insn);
    if (writes === this.#base) return;
    switch (KINDS.get(insn.row)) {
      case 'compute':
        this.#refreshSources(insn);
        this.#test(insn);
        break;
      case 'memory':
        this.#memory(insn);
        break;
      default:
        // Transfers come by way of their full rows; c.ebreak not at all.
        break;
    }
  }
}

/** @param tested about how many instructions under test */
export function randomProgram(random: Random, tested: number, dumpEvery: number): RandomProgram {
  const base = random.choose(BASES);
  const pool = makePool(random);
  const data = new Uint8Array(4096);
  for (let i = 0; i < SCRATCH.END - SCRATCH.START; i += 4) new DataView(data.buffer).setUint32(i, random.next(), true);
  data.set(new Uint8Array(pool.buffer), 2048 + POOL.START);
  const generator = new Generator(random, base);
  const groups: Group[] = [];
  for (let done = 0; done < tested; ) {
    const group = generator.group(dumpEvery);
    groups.push(group);
    done += group.tested;
  }
  return { base, groups, data };
}

/** The bytes of an instruction, in the size that it says. */
export const bytesOf = (insn: Insn): Uint8Array => encodeBytes(insn, insn.size === 2);
