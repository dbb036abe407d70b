/**
 * Uses of the data that the code shows: loads and stores at constant addresses or from such an address on, the loads that indirect jumps
 * take their targets from, and other references to places in the data: addresses that code stores, passes to functions or that the data
 * itself holds, and object symbols. None of these lists is complete: pointers are not followed.
 */
import { derived } from '../base/derived.ts';
import { A0, type Addr, type Reg } from '../base/units.ts';
import { imageConstants } from '../code/constants.ts';
import { imageLabels, imageTableStarts } from '../code/labels.ts';
import { facts } from '../domain/record.ts';
import { type Term, Terms } from '../domain/term.ts';
import { runTerms } from '../domain/term-step.ts';
import { lowZeros } from '../domain/widths.ts';
import { PROGRAM_HEADER_SIZE } from '../elf/constants.ts';
import type { Image } from '../elf/image.ts';
import type { Insn } from '../isa/row.ts';
import type { CfgBlock } from './block.ts';
import { type Cfg, imageCfg } from './build.ts';
import { isComputedJump } from './computed-jumps.ts';
import { callTargets, functionsBy, groupAt } from './groups.ts';
import {
  blockFrom,
  type JumpKnowledge,
  type Known,
  type KnownAddresses,
  knownAddresses,
  readsAddress,
} from './known-addresses.ts';
import { jumpsByGroup, madeLabels } from './landings.ts';

/** A use of a place in the data. */
export interface Use {
  readonly at: Addr;
  /** Number of bytes accessed; 0 stands for an object of unknown size that begins there. */
  readonly bytes: number;
  /** A load or store; an address that code stores or passes on; a data word whose value looks like an address; an object's symbol. */
  readonly by: 'access' | 'address' | 'word' | 'symbol';
}

/** A table load that an indirect jump takes its target from. */
export interface JumpRead {
  readonly site: Addr;
  readonly at: Addr;
  readonly width: 4 | 8;
  readonly base: Addr;
}

export interface Accesses {
  /** Sorted by rising address. */
  readonly uses: readonly Use[];
  readonly reads: readonly JumpRead[];
}

export const imageAccesses = derived('accesses', findAccesses);

/** Is a load or store of one of these bytes known? */
export function isAccessed(image: Image, from: Addr, to: Addr): boolean {
  const { uses } = imageAccesses(image);
  for (let i = firstUse(uses, from - 8); i < uses.length && uses[i]!.at < to; i++) {
    const { at, bytes, by } = uses[i]!;
    if (by === 'access' && (at >= from || at + bytes > from)) return true;
  }
  return false;
}

/** The index of the first use at an address or above it. */
export function firstUse(uses: readonly Use[], at: Addr): number {
  let [low, high] = [0, uses.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (uses[middle]!.at < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function findAccesses(image: Image): Accesses {
  const cfg = imageCfg(image);
  const uses: Use[] = [];
  const ownerOf = functionsBy(cfg);
  const called = callTargets(cfg);
  const isEntry = (address: Addr) => called.has(address) || ownerOf(address) === address;
  const isData = (value: number) => value >= image.segments[0]!.address && value < image.end;
  let terms = new Terms();
  const readsOf = (block: CfgBlock, state: Known | undefined, others: Use[]): JumpRead[] => {
    const found: JumpRead[] = [];
    readBlock(cfg, block, state, terms, isData, isEntry, found, others);
    const tables = found.filter((read) => isTable(cfg, read));
    for (const read of found) if (!tables.includes(read)) others.push({ at: read.at, bytes: 0, by: 'access' });
    return tables;
  };
  const { states, elsewhere } = knownStates(cfg, isEntry, (block, state) => {
    const [table] = readsOf(block, state, []);
    return table && { targets: possibleTargets(cfg, table), exact: table.base !== 0 };
  });
  const reads: JumpRead[] = [];
  /** Jumps that are not seen to read a table on every way into their blocks. */
  const open = new Set<Addr>();
  let blocks = 0;
  const readFrom = (block: CfgBlock, state: Known): JumpRead[] => {
    if (!readsAddress(cfg, block, state)) return [];
    // A Terms object keeps all terms that it has made, so now and then it is replaced to free memory.
    if (blocks++ % 4096 === 0) terms = new Terms();
    return readsOf(block, state, uses);
  };
  for (const [at, state] of states) {
    const block = blockFrom(cfg, at);
    const shown = block === undefined ? [] : readFrom(block, state);
    if (block !== undefined && shown.length === 0) open.add(block.site);
    reads.push(...shown);
  }
  // Code that is not seen to be entered shows no table of a jump, but its accesses count.
  for (const block of cfg.blocks)
    if (!states.has(block.start)) {
      readFrom(block, elsewhere);
      open.add(block.site);
    }
  uses.push(...wordsOf(image, isData));
  for (const { kind, address } of image.symbols)
    if (kind === 'object') uses.push({ at: address, bytes: 0, by: 'symbol' });
  uses.sort((a, b) => a.at - b.at);
  // Where a computed jump shows no table it may lead into the midst of the lines of all others.
  const isComputed = isComputedJump(cfg);
  const unseen = new Set<Addr>();
  for (const [group, jumps] of jumpsByGroup(cfg))
    if (jumps.some((jump) => open.has(jump.site) && isComputed(jump))) unseen.add(group);
  const sure = ({ site }: JumpRead) => !open.has(site) && !unseen.has(groupAt(cfg, site)!);
  return { uses, reads: reads.filter(sure) };
}

function knownStates(
  cfg: Cfg,
  isEntry: (address: Addr) => boolean,
  shownTargets: JumpKnowledge['shownTargets'],
): KnownAddresses {
  const isLabel = (to: Addr) => !isEntry(to) && blockFrom(cfg, to) !== undefined;
  const labels = new Set([...imageLabels(cfg.image)].filter(isLabel));
  return knownAddresses(cfg, isEntry, { shownTargets, isComputed: isComputedJump(cfg), labels });
}

/** The targets of a table's entries, up to the first entry that leads to no code or the next address that code makes: all are sure. */
export const sureTargets = (cfg: Cfg, read: Omit<JumpRead, 'site'>): Addr[] =>
  targetsBefore(cfg, read, imageConstants(cfg.image).nextAbove(read.at));

/** The targets of a table of whole addresses, up to the first entry that leads to no code. */
export const wholeTargets = (cfg: Cfg, read: Omit<JumpRead, 'site'>): Addr[] =>
  targetsBefore(cfg, read, Number.POSITIVE_INFINITY);

/**
 * The targets that a jump may have by the table that it reads. An address that code makes may lead into the middle of the table, whose
 * entries go on behind it: of distances those count that lead into the jump's own function, up to the start of another table.
 */
export function possibleTargets(cfg: Cfg, read: JumpRead): Addr[] {
  const { site, at, width } = read;
  if (width === 8) return wholeTargets(cfg, read);
  const targets = sureTargets(cfg, read);
  const starts = imageTableStarts(cfg.image);
  const own = groupAt(cfg, site);
  for (let place = at + width * targets.length; !starts.has(place); place += width) {
    const target = targetAt(cfg.image, place, width, read.base);
    if (target === undefined || cfg.code.insnAt(target) === undefined || groupAt(cfg, target) !== own) break;
    targets.push(target);
  }
  return targets;
}

function targetsBefore({ image, code }: Cfg, { at, width, base }: Omit<JumpRead, 'site'>, end: number): Addr[] {
  const targets: Addr[] = [];
  for (let place = at; place + width <= end; place += width) {
    const target = targetAt(image, place, width, base);
    if (target === undefined || code.insnAt(target) === undefined) break;
    targets.push(target);
  }
  return targets;
}

function targetAt(image: Image, place: Addr, width: 4 | 8, base: Addr): Addr | undefined {
  const entry = numberAt(image, place, width);
  return entry === undefined ? undefined : base + entry;
}

/**
 * Is what a jump reads surely a table that begins there? One of distances from its own start, which nobody can write to, is: so compilers
 * write switches (assumption A2 says so). One of whole addresses may begin before or go on behind a hole, but all its targets are labels;
 * if it is written to, they are so as long as code makes no address in the function's middle, to which something might be added.
 * Of any other distances (labels as values: `base + table[i - 1]`) the code does not show where the table begins, nor that it has no holes.
 */
function isTable(cfg: Cfg, read: JumpRead): boolean {
  const { site, at, base } = read;
  const segment = cfg.image.segments.find(({ address, size }) => at >= address && at < address + size);
  const constant = segment?.flags.write === false;
  const surely = base === 0 ? constant || !madeLabels(cfg).has(groupAt(cfg, site)!) : base === at && constant;
  return surely && sureTargets(cfg, read).length > 0;
}

/** The signed number of 4 or 8 bytes at an address of an image; undefined if the image's file holds no bytes for it. */
export function numberAt(image: Image, address: Addr, size: number): number | undefined {
  const segment = image.segments.find((s) => address >= s.address && address + size <= s.address + s.bytes.length);
  if (segment === undefined || (size !== 4 && size !== 8)) return undefined;
  const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.length);
  return size === 4
    ? view.getInt32(address - segment.address, true)
    : Number(view.getBigInt64(address - segment.address, true));
}

/** Aligned words that hold addresses of the image: code may load and follow them. Words of the program headers are left out. */
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

/** A term as a sum: its constant part, and the other summands. */
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

/** Adds one block's table loads for jumps to `reads`, and all its other uses of the data to `uses`. */
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
  /** Registers in which this block has made whole addresses: passed as arguments, they let the callee access the place. */
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
      const bytes = load?.bytes ?? fact.store?.bytes ?? 8;
      if (isData(constant)) {
        const tabular = opaque !== undefined && (load?.bytes === 4 || load?.bytes === 8);
        // Entries lie one behind the other: an index is multiplied by their size, and not by the size of something larger.
        const fits = tabular && rest.length > 0 && 2 ** Math.min(...rest.map(lowZeros)) === load.bytes;
        if (fits) loads.set(opaque!, { at: constant, width: load.bytes, signed: load.signed, users: 0 });
        else uses.push({ at: constant, bytes: rest.length > 0 ? 0 : bytes, by: 'access' });
      }
      const stored = fact.store === undefined ? undefined : dataIn(read(insn.rs2));
      if (stored !== undefined && made.has(insn.rs2)) uses.push({ at: stored, bytes: 0, by: 'address' });
    }
    if (
      fact.control === 'indirect' ||
      (fact.control === 'jump' && (fact.writes !== undefined || isEntry(pc + insn.imm)))
    )
      for (let reg = A0; reg < A0 + 8; reg++) {
        const given = made.has(reg) ? dataIn(regs.get(reg)) : undefined;
        if (given !== undefined) uses.push({ at: given, bytes: 0, by: 'address' });
      }
    if (fact.writes !== undefined) {
      regs.set(fact.writes, effects.result ?? terms.input(`%${pc}`));
      // An instruction that reads no register makes only the upper part of an address, not a whole one.
      if (fact.reads.length > 0) made.add(fact.writes);
      else made.delete(fact.writes);
    }
    pc += insn.size;
  }
  // A load that no jump takes its target from is an ordinary access.
  for (const { at } of loads.values()) uses.push({ at, bytes: 0, by: 'access' });
}

function countUser(load: { users: number } | undefined): void {
  if (load !== undefined) load.users++;
}

/** The table load that a jump takes its target from, if the loaded value has no other use. The load is then removed from `loads`. */
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
  // The users are the jump itself and, with a base, the addition before it.
  if (users > (base === 0 ? 1 : 2) || base < 0) return undefined;
  if (width === 8 ? base !== 0 : !signed) return undefined;
  loads.delete(leaf!);
  return { site, at, width: width as 4 | 8, base };
}
