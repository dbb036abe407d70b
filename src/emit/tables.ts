/**
 * Jump tables retargeted in place: where all profiled targets of an indirect jump are entries of one table, entries that lead to a
 * superblock's head are changed to lead to the superblock (assumption A4). Without the change each such jump would land on a patched
 * head and jump once more.
 */
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { imageTables } from '../cfg/jump-tables.ts';
import { codeOf } from '../code/code.ts';
import { facts } from '../domain/record.ts';
import { runTerms, type Term, Terms } from '../domain/term.ts';
import type { Image } from '../elf/image.ts';
import type { Patch } from '../elf/write.ts';
import type { Flow, FlowBlock } from '../superblock/flow.ts';
import { type Evidence, readTable } from './evidence.ts';

export interface JumpTable {
  /** The jump that reads the table. */
  readonly site: Addr;
  readonly at: Addr;
  readonly width: 4 | 8;
  /** Entries are distances from here; 0: addresses. */
  readonly base: Addr;
  readonly targets: readonly Addr[];
  /** Targets that the profile saw; only their entries are changed. */
  readonly profiled: ReadonlySet<Addr>;
}

/** Targets that must match before a table counts whose address the jump's own block does not show. */
const MIN_TARGETS = 4;
/** Largest distance from a jump to the instruction that makes its base, where no symbol tells the function. */
const BASE_DISTANCE: ByteCount = 32768;

/** The tables behind the indirect jumps of a profile. */
export function findTables(image: Image, flow: Flow, evidence: Evidence): JumpTable[] {
  const tables: JumpTable[] = [];
  let words: Map<Addr, Addr[]> | undefined;
  for (const block of flow.blocks.values()) {
    if (block.control !== 'indirect' || block.links) continue;
    const targets = new Set(block.out.filter((edge) => edge.kind === 'indirect').map((edge) => edge.to));
    if (targets.size === 0) continue;
    const shape = jumpShape(block);
    if (shape === undefined) continue;
    let table: Found | undefined;
    if (shape.at !== undefined && (shape.width === 8 || shape.base !== undefined))
      table = tableAt(image, shape.at, shape.width, shape.base ?? 0, targets);
    else if (shape.width === 4 && (shape.register !== undefined || targets.size >= MIN_TARGETS))
      table = smallTable(image, evidence, block.insns.at(-1)!.pc, targets, shape.register);
    else if (targets.size >= MIN_TARGETS) {
      words ??= addressWords(image);
      table = wordTable(image, words, targets);
    }
    // In a PIE absolute entries are written by relocations when the program starts.
    if (table === undefined || (image.relocatable && table.base === 0)) continue;
    const shown = shownPart(image, table);
    if ([...targets].every((target) => shown.targets.includes(target)))
      tables.push({ ...shown, site: block.insns.at(-1)!.pc, profiled: targets });
  }
  return tables.sort((a, b) => a.at - b.at || a.width - b.width || a.site - b.site);
}

type Found = Omit<JumpTable, 'site' | 'profiled'>;

/** The part of a table that the code itself shows and that nothing else uses: the proof asks for such a table. */
function shownPart(image: Image, table: Found): Found {
  const { at, width, base, targets } = table;
  const shown = imageTables(image).find((each) => each.at === at && each.width === width && each.base === base);
  return { ...table, targets: targets.slice(0, shown === undefined ? 0 : (shown.end - at) / width) };
}

interface JumpShape {
  readonly width: 4 | 8;
  /** The table's address, if the block shows one. */
  readonly at: Addr | undefined;
  /** The base that entries are relative to; 0 for addresses; undefined if the block does not show a base. */
  readonly base: Addr | undefined;
  /** The register that holds the base on entry to the block, where the base was made outside (hoisted out of a loop). */
  readonly register: Reg | undefined;
}

/** How the block computes its jump: from a loaded address, or from a loaded distance plus a base. Undefined: not from a table. */
function jumpShape(block: FlowBlock): JumpShape | undefined {
  const terms = new Terms();
  const regs = new Map<number, Term>([[0, terms.const(0n)]]);
  const loads = new Map<Term, { address: Term | undefined; bytes: number }>();
  const read = (reg: number) => regs.get(reg) ?? terms.input(`r${reg}`);
  for (const { pc, insn } of block.insns) {
    const fact = facts(insn);
    let opaque: Term | undefined;
    const operands = { rs1: read(insn.rs1), rs2: read(insn.rs2), rs3: read(insn.rs3), pc: terms.const(BigInt(pc)) };
    if (fact.control === 'indirect') {
      const target = insn.imm === 0 ? operands.rs1 : undefined;
      return target === undefined ? undefined : shapeOf(target, loads);
    }
    const effects = runTerms(terms, insn, operands, (widths) => (opaque = terms.input(`%${pc}`, widths)));
    if (opaque !== undefined && fact.load !== undefined)
      loads.set(opaque, { address: effects.address, bytes: fact.load.bytes });
    if (fact.writes !== undefined) regs.set(fact.writes, effects.result ?? terms.input(`%${pc}`));
  }
  return undefined;
}

function shapeOf(
  target: Term,
  loads: ReadonlyMap<Term, { address: Term | undefined; bytes: number }>,
): JumpShape | undefined {
  const constant = (term: Term | undefined): Addr | undefined =>
    term?.value !== undefined && term.value < 2n ** 48n ? Number(term.value) : undefined;
  const tableOf = (address: Term | undefined) =>
    address?.op === 'add' ? constant(address.args[1]) : constant(address);
  const direct = loads.get(target);
  if (direct !== undefined && (direct.bytes === 4 || direct.bytes === 8))
    return { width: direct.bytes, at: tableOf(direct.address), base: 0, register: undefined };
  if (target.op !== 'add') return undefined;
  for (const [entry, base] of [target.args, [...target.args].reverse()]) {
    const load = loads.get(entry!);
    if (load?.bytes !== 4) continue;
    const register = base!.name?.startsWith('r') ? Number(base!.name.slice(1)) : undefined;
    return { width: 4, at: tableOf(load.address), base: constant(base), register };
  }
  return undefined;
}

function tableAt(image: Image, at: Addr, width: 4 | 8, base: Addr, targets: ReadonlySet<Addr>): Found | undefined {
  const entries = readTable(image, at, width, base);
  const set = new Set(entries);
  return [...targets].every((target) => set.has(target)) ? { at, width, base, targets: entries } : undefined;
}

/** The range of the function at an address, by its symbol; without a symbol, the addresses near it. */
function functionAround(image: Image, address: Addr): { start: Addr; end: Addr } {
  const symbol = image.symbols.find(
    (s) => s.kind === 'function' && s.size > 0 && address >= s.address && address < s.address + s.size,
  );
  if (symbol !== undefined) return { start: symbol.address, end: symbol.address + symbol.size };
  return { start: address - BASE_DISTANCE, end: address + BASE_DISTANCE };
}

/**
 * A table of distances from its own start, at a constant that the function puts into the register that the jump adds; undefined
 * unless exactly one such table fits.
 */
function smallTable(
  image: Image,
  evidence: Evidence,
  site: Addr,
  targets: ReadonlySet<Addr>,
  register: Reg | undefined,
): Found | undefined {
  const { start, end } = functionAround(image, site);
  const found = new Map<Addr, Found>();
  for (const { address, pc, reg } of evidence.dataAddresses) {
    if (pc < start || pc >= end || found.has(address)) continue;
    if (register !== undefined && reg !== register) continue;
    const table = tableAt(image, address, 4, address, targets);
    if (table !== undefined) found.set(address, table);
  }
  return found.size === 1 ? [...found.values()][0] : undefined;
}

/** The places where each code address stands in the image as an aligned 8-byte word. */
function addressWords(image: Image): Map<Addr, Addr[]> {
  const code = codeOf(image);
  const words = new Map<Addr, Addr[]>();
  for (const segment of image.segments) {
    const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
    for (let at = (8 - (segment.address % 8)) % 8; at + 8 <= segment.bytes.length; at += 8) {
      if (view.getUint32(at + 4, true) !== 0) continue;
      const value = view.getUint32(at, true);
      if (value === 0 || !code.isExecutable(value)) continue;
      const list = words.get(value);
      if (list === undefined) words.set(value, [segment.address + at]);
      else list.push(segment.address + at);
    }
  }
  return words;
}

/** A run of 8-byte code addresses that holds all targets: grown both ways from a place of the rarest target. */
function wordTable(image: Image, words: ReadonlyMap<Addr, Addr[]>, targets: ReadonlySet<Addr>): Found | undefined {
  const rarest = [...targets].sort((a, b) => (words.get(a)?.length ?? 0) - (words.get(b)?.length ?? 0) || a - b)[0]!;
  const all = new Map<Addr, Addr>();
  for (const [value, places] of words) for (const place of places) all.set(place, value);
  const found: Found[] = [];
  for (const place of words.get(rarest) ?? []) {
    let first = place;
    while (all.has(first - 8)) first -= 8;
    const run = readTable(image, first, 8, 0);
    const set = new Set(run);
    if ([...targets].every((target) => set.has(target)) && !found.some((table) => table.at === first))
      found.push({ at: first, width: 8, base: 0, targets: run });
  }
  return found.length === 1 ? found[0] : undefined;
}

/** Patches of the tables' entries. @param addressOf the address of a head's superblock, if there is one */
export function retarget(tables: readonly JumpTable[], addressOf: (head: Addr) => Addr | undefined): Patch[] {
  const patches = new Map<Addr, Patch>();
  for (const table of tables)
    table.targets.forEach((target, index) => {
      const address = table.profiled.has(target) ? addressOf(target) : undefined;
      if (address === undefined) return;
      const bytes = new Uint8Array(table.width);
      const view = new DataView(bytes.buffer);
      if (table.width === 8) view.setBigInt64(0, BigInt(address - table.base), true);
      else view.setInt32(0, address - table.base, true);
      const at = table.at + index * table.width;
      patches.set(at, { address: at, bytes });
    });
  return [...patches.values()].sort((a, b) => a.address - b.address);
}
