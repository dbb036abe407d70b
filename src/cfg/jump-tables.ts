/**
 * Jump tables, as the code itself shows them: an indirect jump whose target is loaded from a constant address plus something that varies, or
 * is such a load plus a constant. A table begins where the jump's load begins, and goes on as long as its entries lead to code and nothing
 * else in the image shows that something else lies there or that the table serves another purpose: no other load or store at or from an
 * address in it, no address in it that code makes (but its first), stores or hands to a function, none that stands in the data, and no other
 * object by the symbols.
 *
 * Constants are followed along the flow within functions (blocks that only an indirect jump can lead to are taken to be led to by those of
 * their function). What is followed wrongly only shows in which tables are found: that their entries are for jumping alone is an
 * assumption (A4), of which this is the part that can be decided.
 */
import { A0, type Addr, GP, REG_COUNT, type Reg } from '../base/units.ts';
import { evaluate } from '../domain/concrete.ts';
import { facts } from '../domain/record.ts';
import { runTerms, type Term, Terms } from '../domain/term.ts';
import { PROGRAM_HEADER_SIZE } from '../elf/constants.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import { PRESERVED } from './abi.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg } from './build.ts';
import { imageConstants } from './constants.ts';
import { hasReg } from './regset.ts';

export interface ReadTable {
  /** Its first entry. */
  readonly at: Addr;
  /** First address behind it. */
  readonly end: Addr;
  readonly width: 4 | 8;
  /** Entries are distances from here; 0: addresses. */
  readonly base: Addr;
  /** The jumps that read it. */
  readonly sites: readonly Addr[];
}

const known = new WeakMap<Image, readonly ReadTable[]>();

/** All tables of an image, by rising address. */
export function imageTables(image: Image): readonly ReadTable[] {
  let tables = known.get(image);
  if (tables === undefined) {
    tables = tablesOf(image);
    known.set(image, tables);
  }
  return tables;
}

/** A number of 4 or 8 bytes, with its sign, in an image's loaded bytes; undefined where there is none. */
export function numberAt(image: Image, address: Addr, size: number): number | undefined {
  const segment = image.segments.find((s) => address >= s.address && address + size <= s.address + s.bytes.length);
  if (segment === undefined || (size !== 4 && size !== 8)) return undefined;
  const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
  return size === 4
    ? view.getInt32(address - segment.address, true)
    : Number(view.getBigInt64(address - segment.address, true));
}

/** An upper part is so near to what it is a part of. */
const PART = 4096;
/** Tables are at most this long. */
const MOST_BYTES = 65536;

/** What registers are known to hold: addresses of the image. */
type Known = ReadonlyMap<Reg, number>;

/** A place in the data that is used for something: so many bytes there (accessed), or what begins there (0). */
interface Use {
  readonly at: Addr;
  readonly bytes: number;
  /** What nothing but its value makes an address, and a symbol, which may name the table itself. */
  readonly by?: 'word' | 'symbol';
}

/** A load that a jump goes by. */
interface JumpRead {
  readonly site: Addr;
  readonly at: Addr;
  readonly width: 4 | 8;
  readonly base: Addr;
}

function tablesOf(image: Image): ReadTable[] {
  const cfg = imageCfg(image);
  const reads: JumpRead[] = [];
  const uses: Use[] = [];
  const ownerOf = functionsBy(cfg);
  const isEntry = (address: Addr) => ownerOf(address) === address;
  const { states, using } = constantsAlong(cfg, ownerOf);
  const isData = inImage(image);
  let terms = new Terms();
  for (const [index, block] of cfg.blocks.filter(({ start }) => using.has(start)).entries()) {
    // Terms are kept by their makers: now and then all are let go.
    if (index % 4096 === 4095) terms = new Terms();
    readBlock(cfg, block, states.get(block.start), terms, isData, isEntry, reads, uses);
  }
  uses.push(...wordsOf(image, isData));
  for (const { kind, address } of image.symbols)
    if (kind === 'object') uses.push({ at: address, bytes: 0, by: 'symbol' });
  uses.sort((a, b) => a.at - b.at);
  const tables = new Map<string, ReadTable & { sites: Addr[] }>();
  for (const { site, at, width, base } of reads) {
    const key = `${at},${width},${base}`;
    const table = tables.get(key) ?? { at, end: endOf(image, cfg, uses, { at, width, base }), width, base, sites: [] };
    table.sites.push(site);
    tables.set(key, table);
  }
  // One place, one way to read it.
  const all = [...tables.values()].filter(({ at, end, width }) => end - at >= 2 * width);
  return all
    .filter((table) => !all.some((other) => other !== table && other.at < table.end && table.at < other.end))
    .sort((a, b) => a.at - b.at);
}

/** Where a table ends that begins here: entries that lead to no code, or something else. */
function endOf(
  image: Image,
  { code }: Cfg,
  uses: readonly Use[],
  { at, width, base }: Pick<ReadTable, 'at' | 'width' | 'base'>,
): Addr {
  if (at % width !== 0) return at;
  let end = Math.min(at + MOST_BYTES, imageConstants(image).nextAbove(at));
  for (let i = firstFrom(uses, at - 8); i < uses.length && uses[i]!.at < end; i++) {
    const { at: other, bytes, by } = uses[i]!;
    // A pointer leads to an entry.
    if (by === 'word' && (other - at) % width !== 0) continue;
    if (by === 'symbol' ? other > at : other >= at || other + bytes > at) end = Math.max(at, other);
  }
  let last = at;
  for (; last + width <= end; last += width) {
    const entry = numberAt(image, last, width);
    if (entry === undefined || entry === 0 || code.insnAt(base + entry) === undefined) break;
  }
  return last;
}

function firstFrom(uses: readonly Use[], at: Addr): number {
  let [low, high] = [0, uses.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (uses[middle]!.at < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Addresses that stand in the data: somebody may find what they lead to. Segments' own in the program headers are none of them. */
function wordsOf(image: Image, isData: (value: number) => boolean): Use[] {
  const uses: Use[] = [];
  const headers = image.programHeaderOffset + image.programHeaders.length * PROGRAM_HEADER_SIZE;
  for (const { address, bytes, offset } of image.segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = (8 - (address % 8)) % 8; at + 8 <= bytes.length; at += 8) {
      if (offset + at >= image.programHeaderOffset && offset + at < headers) continue;
      if (view.getUint32(at + 4, true) !== 0) continue;
      const value = view.getUint32(at, true);
      if (value !== 0 && isData(value)) uses.push({ at: value, bytes: 0, by: 'word' });
    }
  }
  return uses;
}

/** A sum: what is constant of it, and the rest. */
function partsOf(term: Term): { readonly constant: number; readonly rest: readonly Term[] } {
  const rest: Term[] = [];
  let constant = 0n;
  const open = [term];
  for (let at = open.pop(); at !== undefined; at = open.pop())
    if (at.value !== undefined) constant += at.value;
    else if (at.op === 'add') open.push(...at.args);
    else rest.push(at);
  return { constant: Number(BigInt.asIntN(64, constant)), rest };
}

/** Notes what one block reads for jumping, and all else that it gets at in the data. */
function readBlock(
  { code }: Cfg,
  block: CfgBlock,
  state: Known | undefined,
  terms: Terms,
  isData: (value: number) => boolean,
  isEntry: (address: Addr) => boolean,
  reads: JumpRead[],
  uses: Use[],
): void {
  const regs = new Map<Reg, Term>([[0, terms.const(0n)]]);
  for (const [reg, value] of state ?? []) regs.set(reg, terms.const(BigInt(value)));
  /** Registers that whole addresses were put into here: handed to a function they tell it of what is there. */
  const made = new Set<Reg>();
  const loads = new Map<Term, { readonly at: Addr; readonly width: number; readonly signed: boolean; users: number }>();
  const read = (reg: Reg) => regs.get(reg) ?? terms.input(`r${reg}`);
  const dataIn = (term: Term | undefined) => {
    const value = term?.value === undefined ? undefined : Number(term.value);
    return value !== undefined && isData(value) ? value : undefined;
  };
  for (let pc = block.start; pc < block.end; ) {
    const insn = code.insnAt(pc)!;
    const fact = facts(insn);
    for (const reg of fact.reads) for (const leaf of partsOf(read(reg)).rest) countUser(loads.get(leaf));
    if (fact.control === 'indirect' && fact.writes === undefined) {
      const jump = jumpRead(pc, insn, read(insn.rs1), loads);
      if (jump !== undefined) reads.push(jump);
      break;
    }
    let opaque: Term | undefined;
    const operands = { rs1: read(insn.rs1), rs2: read(insn.rs2), rs3: read(insn.rs3), pc: terms.const(BigInt(pc)) };
    const effects = runTerms(terms, insn, operands, (widths) => (opaque = terms.input(`%${pc}`, widths)));
    if (effects.address !== undefined) {
      const { constant, rest } = partsOf(effects.address);
      const { load } = fact;
      if (isData(constant)) {
        const fits = rest.length > 0 && opaque !== undefined && (load?.bytes === 4 || load?.bytes === 8);
        if (fits) loads.set(opaque!, { at: constant, width: load!.bytes, signed: load!.signed, users: 0 });
        else uses.push({ at: constant, bytes: rest.length > 0 ? 0 : 8 });
      }
      const stored = fact.store === undefined ? undefined : dataIn(read(insn.rs2));
      if (stored !== undefined && made.has(insn.rs2)) uses.push({ at: stored, bytes: 0 });
    }
    if (
      fact.control === 'indirect' ||
      (fact.control === 'jump' && (fact.writes !== undefined || isEntry(pc + insn.imm)))
    )
      for (let reg = A0; reg < A0 + 8; reg++) {
        const given = made.has(reg) ? dataIn(regs.get(reg)) : undefined;
        if (given !== undefined) uses.push({ at: given, bytes: 0 });
      }
    if (fact.writes !== undefined) {
      regs.set(fact.writes, effects.result ?? terms.input(`%${pc}`));
      // Nothing but an upper part is a part of something.
      if (fact.reads.length > 0) made.add(fact.writes);
      else made.delete(fact.writes);
    }
    pc += insn.size;
  }
  // What no jump goes by is a load like others.
  for (const { at } of loads.values()) uses.push({ at, bytes: 0 });
}

function countUser(load: { users: number } | undefined): void {
  if (load !== undefined) load.users++;
}

/** What a jump loads its target from, if nothing else is made of what is loaded; that load is none of the others then. */
function jumpRead(
  site: Addr,
  insn: Insn,
  target: Term,
  loads: Map<Term, { readonly at: Addr; readonly width: number; readonly signed: boolean; readonly users: number }>,
): JumpRead | undefined {
  const { constant: base, rest } = partsOf(target);
  const [leaf] = rest;
  const load = rest.length === 1 ? loads.get(leaf!) : undefined;
  if (load === undefined || insn.imm !== 0) return undefined;
  const { at, width, signed, users } = load;
  // The jump itself, and the addition before it.
  if (users > (base === 0 ? 1 : 2) || base < 0) return undefined;
  if (width === 8 ? base !== 0 : !signed) return undefined;
  loads.delete(leaf!);
  return { site, at, width: width as 4 | 8, base };
}

/** By block, what registers hold where it begins, as far as that is the same on all ways there. */
function constantsAlong(
  cfg: Cfg,
  ownerOf: (address: Addr) => Addr,
): {
  readonly states: ReadonlyMap<Addr, Known>;
  /** Blocks in which something is done with such a constant. */
  readonly using: ReadonlySet<Addr>;
} {
  const { blocks, image } = cfg;
  const gp = globalPointer(image);
  const start: Known = new Map(gp === undefined ? [] : [[GP, gp]]);
  const led = new Set(blocks.flatMap(({ flow }) => flow));
  /** By function: blocks that no known way leads to, and what is known where an unknown jump is made. */
  const orphans = new Map<Addr, Addr[]>();
  for (const block of blocks) {
    const owner = ownerOf(block.start);
    if (block.start === owner || led.has(block.start)) continue;
    const list = orphans.get(owner);
    if (list === undefined) orphans.set(owner, [block.start]);
    else list.push(block.start);
  }
  const states = new Map<Addr, Known>();
  const open = new Set<Addr>();
  const lead = (to: Addr, state: Known) => {
    const was = states.get(to);
    const now = to === ownerOf(to) ? start : was === undefined ? state : common(was, state);
    if (was !== undefined && now.size === was.size) return;
    states.set(to, now);
    open.add(to);
  };
  for (const { start: at } of blocks) if (at === ownerOf(at)) lead(at, start);
  const using = new Set<Addr>();
  const terms = new Terms();
  for (const at of open) {
    open.delete(at);
    const block = cfg.blockAt(at);
    if (block === undefined) continue;
    const { after: state, uses } = through(cfg, block, states.get(at)!);
    if (uses) using.add(at);
    const unknown = block.ending === 'indirect' && block.target === undefined;
    const shown = unknown ? shownTargets(cfg, block, states.get(at)!, terms) : block.flow;
    for (const to of shown ?? orphans.get(ownerOf(at)) ?? []) lead(to, state);
  }
  // What nothing led to knows the global pointer at least.
  for (const block of blocks) {
    if (states.has(block.start)) continue;
    states.set(block.start, start);
    if (through(cfg, block, start).uses) using.add(block.start);
  }
  return { states, using };
}

/** Where a jump leads by the table that it reads, if what is known shows one. */
function shownTargets(cfg: Cfg, block: CfgBlock, state: Known, terms: Terms): Addr[] | undefined {
  const reads: JumpRead[] = [];
  readBlock(cfg, block, state, terms, inImage(cfg.image), () => false, reads, []);
  const [read] = reads;
  if (read === undefined) return undefined;
  const { at, width, base } = read;
  const targets: Addr[] = [];
  for (let entry = at, end = endOf(cfg.image, cfg, [], read); entry < end; entry += width)
    targets.push(base + numberAt(cfg.image, entry, width)!);
  return targets;
}

const inImage =
  ({ segments, end }: Image) =>
  (value: number): boolean =>
    value >= segments[0]!.address && value < end;

/** The entry of the function that an address is in: the last one that is called or has a name before it. */
function functionsBy({ image, blocks }: Cfg): (address: Addr) => Addr {
  const entries = new Set<Addr>([image.entry]);
  for (const { ending, target } of blocks) if (ending === 'call' && target !== undefined) entries.add(target);
  for (const { kind, address } of image.symbols) if (kind === 'function') entries.add(address);
  const rising = [...entries].sort((a, b) => a - b);
  return (address) => {
    let [low, high] = [0, rising.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rising[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return rising[low - 1] ?? 0;
  };
}

const common = (a: Known, b: Known): Known => new Map([...a].filter(([reg, value]) => b.get(reg) === value));

/** What is known behind a block; of the parts of constants only what is an address of the image. */
function through(
  { code, image }: Cfg,
  block: CfgBlock,
  state: Known,
): { readonly after: Known; readonly uses: boolean } {
  const [low, high] = [BigInt(image.segments[0]!.address - PART), BigInt(image.end + PART)];
  let uses = false;
  const made: (bigint | undefined)[] = new Array(REG_COUNT).fill(undefined);
  for (const [reg, value] of state) made[reg] = BigInt(value);
  const operand = (reg: Reg): bigint | undefined => (reg === 0 ? 0n : made[reg]);
  for (let pc = block.start; pc < block.end; ) {
    const insn = code.insnAt(pc)!;
    const { pure, writes, reads } = facts(insn);
    uses ||= reads.some((reg) => made[reg] !== undefined && made[reg]! >= low && made[reg]! < high);
    if (writes !== undefined && writes !== GP) {
      const ready = pure && reads.every((reg) => made[reg] !== undefined);
      made[writes] = ready
        ? evaluate(insn, { rs1: operand(insn.rs1), rs2: operand(insn.rs2), rs3: operand(insn.rs3), pc: BigInt(pc) })
        : undefined;
    }
    pc += insn.size;
  }
  const after = new Map<Reg, number>();
  const calls = block.returnPoint !== undefined;
  for (const [reg, value] of made.entries()) {
    if (value === undefined || reg === 0 || (calls && !hasReg(PRESERVED, reg))) continue;
    if (value >= BigInt(image.segments[0]!.address) && value < BigInt(image.end)) after.set(reg, Number(value));
  }
  return { after, uses };
}

/** What the one instruction that sets it gives the global pointer. */
function globalPointer(image: Image): number | undefined {
  const values = new Map<Addr, number>();
  for (const { reg, pc, value } of imageConstants(image).all) if (reg === GP) values.set(pc, value);
  // An upper part comes right before what completes it.
  const whole = [...values].filter(([pc]) => !values.has(pc + 4)).map(([, value]) => value);
  return new Set(whole).size === 1 ? whole[0] : undefined;
}
