/**
 * The differential test of single instructions against qemu-riscv64: random programs (random-insns.ts) dump all registers, fcsr and
 * the scratch memory with write(1, ...) every few instructions, run under qemu and under an engine, and must write the same bytes.
 * The first difference is narrowed down to one group by dumping after each.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Addr, regName } from '../../src/base/units.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import { print } from '../../src/isa/text.ts';
import { CSR } from '../../src/isa/zicsr.ts';
import { Hart } from '../../src/machine/hart.ts';
import { Memory, PERMISSION } from '../../src/machine/memory.ts';
import { bareElf } from './bare-elf.ts';
import { makeRandom } from './random.ts';
import { bytesOf, type RandomProgram, randomProgram, SAVE, SCRATCH, SECTION } from './random-insns.ts';
import { qemu } from './tools.ts';

const TEXT = 0x10000;
const DATA = 0x400000;
/** Bytes of a dump: the scratch area, 64 registers, fcsr. */
const DUMP = 1024 + 65 * 8;
const WRITE = 64;
const EXIT = 93;
/** Overwritten by the dump, and restored: a0 a1 a2 a7. */
const CALL_REGS = [10, 11, 12, 17];
/** Two more that the dump borrows; neither is ever the base where it is borrowed. */
const TEMPORARY = 6;
const POINTER = 5;

interface Code {
  readonly bytes: Uint8Array;
  /** For each dump, the groups that it follows: groups[from .. to-1] ran since the one before. */
  readonly windows: readonly (readonly [number, number])[];
}

/** @param isDump whether to dump behind this group */
function assemble(program: RandomProgram, isDump: (group: number) => boolean): Code {
  const { base, groups } = program;
  const parts: Uint8Array[] = [];
  const emit = (row: string, fields: Parameters<typeof makeInsn>[1]) => parts.push(bytesOf(makeInsn(row, fields)));
  const slot = (reg: number) => SAVE.START + reg * 8;
  const dump = () => {
    for (let reg = 0; reg < 64; reg++) emit(reg < 32 ? 'sd' : 'fsd', { rs1: base, rs2: reg, imm: slot(reg) });
    emit('csrrs', { rd: TEMPORARY, csr: CSR.fcsr });
    emit('sd', { rs1: base, rs2: TEMPORARY, imm: slot(64) });
    const pointer = CALL_REGS.includes(base) ? POINTER : base;
    if (pointer !== base) emit('addi', { rd: pointer, rs1: base });
    emit('addi', { rd: 11, rs1: pointer, imm: SCRATCH.START });
    emit('addi', { rd: 12, imm: DUMP });
    emit('addi', { rd: 10, imm: 1 });
    emit('addi', { rd: 17, imm: WRITE });
    emit('ecall', {});
    for (const reg of [...CALL_REGS, TEMPORARY]) emit('ld', { rd: reg, rs1: pointer, imm: slot(reg) });
    if (pointer !== base) emit('ld', { rd: pointer, rs1: pointer, imm: slot(pointer) });
  };
  emit('lui', { rd: base, imm: DATA });
  emit('addi', { rd: base, rs1: base, imm: 2047 });
  emit('addi', { rd: base, rs1: base, imm: 1 });
  emit('csrrwi', { csr: CSR.fcsr });
  const first = (reg: number) =>
    (reg < 32 ? SECTION.ints : reg % 2 ? SECTION.singles : SECTION.doubles).from + (reg % 32);
  for (let reg = 1; reg < 64; reg++)
    if (reg !== base) emit(reg < 32 ? 'ld' : 'fld', { rd: reg, rs1: base, imm: SAVE.END + first(reg) * 8 });
  const windows: (readonly [number, number])[] = [];
  let from = 0;
  for (const [i, group] of groups.entries()) {
    for (const insn of group.insns) parts.push(bytesOf(insn));
    if (!isDump(i)) continue;
    dump();
    windows.push([from, i + 1]);
    from = i + 1;
  }
  emit('addi', { rd: 10 });
  emit('addi', { rd: 17, imm: EXIT });
  emit('ecall', {});
  return { bytes: Buffer.concat(parts), windows };
}

/** Runs bare programs under an engine, one after another in one memory, with the two syscalls that they make. */
export class Bench {
  readonly memory = new Memory(2 ** 24, 2 ** 27);
  readonly #hart = new Hart(this.memory);
  readonly #engine: Engine;

  constructor(make: (memory: Memory) => Engine) {
    this.#engine = make(this.memory);
  }

  run(text: Uint8Array, data: Uint8Array): Uint8Array {
    const { memory } = this;
    const hart = this.#hart;
    memory.protect(0, memory.size, 0);
    const place = (at: Addr, bytes: Uint8Array, permissions: number) => {
      memory.bytes.set(bytes, at);
      memory.protect(at, bytes.length, permissions | PERMISSION.MAPPED);
      this.#engine.invalidate(at, bytes.length);
    };
    place(TEXT, text, PERMISSION.READ | PERMISSION.EXECUTE);
    place(DATA, data, PERMISSION.READ | PERMISSION.WRITE);
    for (let reg = 1; reg < 64; reg++) hart.set(reg, 0n);
    hart.fflags = 0;
    hart.frm = 0;
    hart.reservation = -1n;
    hart.pc = TEXT;
    const written: Uint8Array[] = [];
    for (;;) {
      const { stop, retired } = this.#engine.run(hart, 10_000_000);
      hart.retired += retired;
      if (stop.kind !== 'ecall') {
        written.push(new TextEncoder().encode(`stopped at ${hart.pc.toString(16)}: ${JSON.stringify(stop, plain)}`));
        return Buffer.concat(written);
      }
      if (hart.get(17) === BigInt(EXIT)) return Buffer.concat(written);
      const at = Number(hart.get(11));
      const length = Number(hart.get(12));
      written.push(memory.bytes.slice(at, at + length));
      hart.set(10, BigInt(length));
    }
  }
}

const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? value.toString(16) : value);

const underQemu = (folder: string, text: Uint8Array, data: Uint8Array): Uint8Array => {
  const file = join(folder, 'insns.elf');
  const segments = [
    { address: TEXT, bytes: text, execute: true },
    { address: DATA, bytes: data, write: true },
  ];
  writeFileSync(file, bareElf(segments, TEXT), { mode: 0o755 });
  const { status, stdout, stderr } = qemu(file);
  // 128 + SIGILL.
  if (status === 132)
    throw new Error(
      `qemu does not know an instruction after ${stdout.length} bytes of results (if it is of a new extension: peers.ts)`,
    );
  if (status !== 0) throw new Error(`qemu ended with status ${status} after ${stdout.length} bytes: ${stderr}`);
  return stdout;
};

export interface Campaign {
  /** Instructions under test that have run, those that prepare operands left out. */
  readonly tested: number;
  /** The first difference, as text; undefined if there is none. */
  readonly mismatch: string | undefined;
  /** How often each row was tested. */
  readonly rows: ReadonlyMap<string, number>;
}

export interface CampaignOptions {
  readonly count: number;
  readonly seed: number;
  /** Instructions under test a program; each is one start of qemu. */
  readonly programSize?: number;
  readonly dumpEvery?: number;
  readonly progress?: (tested: number) => void;
}

/** Runs random programs until `count` instructions have been tested or there is a difference. */
export function runCampaign(make: (memory: Memory) => Engine, options: CampaignOptions): Campaign {
  const { count, seed, programSize = 2000, dumpEvery = 16 } = options;
  const random = makeRandom(seed);
  const bench = new Bench(make);
  const rows = new Map<string, number>();
  const folder = mkdtempSync(join(tmpdir(), 'isoform-insns-'));
  let tested = 0;
  try {
    while (tested < count) {
      const program = randomProgram(random, Math.min(programSize, count - tested), dumpEvery);
      const last = program.groups.length - 1;
      const dumps = new Set<number>();
      let since = 0;
      for (const [i, group] of program.groups.entries()) {
        tested += group.tested;
        since += group.tested;
        for (const { row } of group.insns) rows.set(row.name, (rows.get(row.name) ?? 0) + 1);
        if (since < dumpEvery && i !== last) continue;
        dumps.add(i);
        since = 0;
      }
      const both = (code: Code) =>
        [underQemu(folder, code.bytes, program.data), bench.run(code.bytes, program.data)] as const;
      const code = assemble(program, (group) => dumps.has(group));
      const [expected, got] = both(code);
      if (Buffer.compare(expected, got) !== 0) {
        const window = code.windows[firstDump(expected, got)] ?? [0, last + 1];
        const fine = assemble(program, (group) => group >= window[0] - 1 && group < window[1]);
        const [fineExpected, fineGot] = both(fine);
        const where = `seed ${seed}, around test ${tested}: `;
        const text = describe(program, fine, fineExpected, fineGot);
        return { tested, mismatch: where + (text ?? `gone when dumped after each, in groups ${window}`), rows };
      }
      options.progress?.(tested);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { tested, mismatch: undefined, rows };
}

const firstDifference = (a: Uint8Array, b: Uint8Array): number => {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
};
const firstDump = (a: Uint8Array, b: Uint8Array): number => Math.floor(firstDifference(a, b) / DUMP);

/** The group, its operands before it, and what differs after it. */
function describe(program: RandomProgram, code: Code, expected: Uint8Array, got: Uint8Array): string | undefined {
  const at = firstDump(expected, got);
  const window = code.windows[at];
  if (window === undefined || (expected.length === got.length && Buffer.compare(expected, got) === 0)) return undefined;
  const state = (bytes: Uint8Array, dump: number): DataView | undefined =>
    dump < 0 || (dump + 1) * DUMP > bytes.length
      ? undefined
      : new DataView(bytes.buffer, bytes.byteOffset + dump * DUMP, DUMP);
  const register = (view: DataView, reg: number) => `0x${view.getBigUint64(1024 + reg * 8, true).toString(16)}`;
  const name = (reg: number) => (reg === 64 ? 'fcsr' : regName(reg));
  const lines: string[] = [];
  const insns = program.groups.slice(...window).flatMap((group) => group.insns);
  for (const insn of insns) lines.push(`    ${print(insn)}${insn.size === 2 ? ' (compressed)' : ''}`);
  const before = state(expected, at - 1);
  const used = new Set(insns.flatMap(({ rd, rs1, rs2, rs3 }) => [rs1, rs2, rs3, rd]).concat(64));
  if (before) for (const reg of used) lines.push(`    before: ${name(reg)} = ${register(before, reg)}`);
  const [good, bad] = [state(expected, at), state(got, at)];
  if (good && bad) {
    for (let reg = 0; reg <= 64; reg++)
      if (register(good, reg) !== register(bad, reg))
        lines.push(`    ${name(reg)}: qemu ${register(good, reg)}, here ${register(bad, reg)}`);
    for (let i = 0; i < 1024; i++)
      if (good.getUint8(i) !== bad.getUint8(i))
        lines.push(`    scratch+${i}: qemu ${good.getUint8(i)}, here ${bad.getUint8(i)}`);
  } else
    lines.push(
      `    ${Buffer.from(got.slice(-120))
        .toString('latin1')
        .replace(/[^ -~]/g, '')}`,
    );
  return `first difference after\n${lines.slice(0, 60).join('\n')}`;
}
