/**
 * Single changes to optimized files and their address maps, and what the prover says of each. A change is known to be wrong where a
 * concrete state has been found on which the two forms differ, both having been run on it; a wrong one that is called proved is a fault
 * of the prover.
 */
import { type Addr, hex } from '../../src/base/units.ts';
import { buildCfg } from '../../src/cfg/build.ts';
import { type Liveness, livenessOf } from '../../src/cfg/liveness.ts';
import { facts } from '../../src/domain/record.ts';
import type { Image } from '../../src/elf/image.ts';
import { parseImage } from '../../src/elf/read.ts';
import { readOptimizedCode } from '../../src/elf/write.ts';
import { AddressMap, type AddressMapData, type MappedSuperblock } from '../../src/emit/map.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { compress, encode, makeInsn } from '../../src/isa/encode.ts';
import { immediateFits } from '../../src/isa/fields.ts';
import type { Insn } from '../../src/isa/row.ts';
import { ROWS } from '../../src/isa/table.ts';
import { print } from '../../src/isa/text.ts';
import { differenceOn } from '../../src/verify/prove/concrete.ts';
import { mapOf, prove, sidesOf } from '../../src/verify/prove/prove.ts';
import { refute, waysThrough } from '../../src/verify/prove/refute.ts';
import { makeRandom, randomStart, searchStart } from '../../src/verify/prove/search.ts';
import type { Entry, Sides } from '../../src/verify/prove/sides.ts';
import type { Solver } from '../../src/verify/prove/solver.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';

export interface Score {
  /** Changes made. */
  made: number;
  /** Not proved, and a state found that shows it wrong. */
  caught: number;
  /** Not proved; no such state found. */
  doubted: number;
  /** Proved; no state found against it: the change makes no difference. */
  harmless: number;
  /** Proved, and wrong: must stay empty. */
  readonly missed: string[];
  readonly byKind: Map<string, { made: number; caught: number; doubted: number; harmless: number }>;
}

export const newScore = (): Score => ({ made: 0, caught: 0, doubted: 0, harmless: 0, missed: [], byKind: new Map() });

type Random = (below: number) => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)]!;

/** The bytes of an instruction in so much room, or undefined. */
export function bytesOf(insn: Insn, size: 2 | 4): Uint8Array | undefined {
  const word = size === 4 ? encode({ ...insn, size: 4 }) : compress(insn);
  if (word === undefined) return undefined;
  return Uint8Array.from({ length: size }, (_, i) => (word >>> (8 * i)) & 0xff);
}

const NOTHING = makeInsn('addi', {});
const ROLES = ['rd', 'rs1', 'rs2', 'rs3'] as const;
const withImm = (insn: Insn, imm: number): Insn | undefined =>
  immediateFits(insn.row, imm) ? { ...insn, imm } : undefined;

/** Where a mutation happens: an instruction of a superblock's line or stubs. */
interface Site {
  readonly at: Addr;
  readonly insn: Insn;
  readonly superblock: MappedSuperblock;
  readonly starts: readonly Addr[];
}

type Change = (site: Site, random: Random) => Insn | undefined;

export const CHANGES: Readonly<Record<string, Change>> = {
  'another register': ({ insn }, random) => {
    const roles = ROLES.filter(
      (role) => facts(insn).reads.includes(insn[role]) || (role === 'rd' && facts(insn).writes),
    );
    if (roles.length === 0) return undefined;
    const role = pick(random, roles);
    const reg = (insn[role] & 32) | random(32);
    return reg === insn[role] ? undefined : { ...insn, [role]: reg };
  },
  'another immediate': ({ insn }, random) => {
    const by = pick(random, [1, -1, 2, 4, -4, 8, 16, -16, 2048, 4096, -4096]);
    return facts(insn).control === 'none' ? withImm(insn, insn.imm + by) : undefined;
  },
  'another instruction': ({ insn }, random) => {
    const { row } = insn;
    const others = ROWS.filter(
      (other) => other !== row && other.format === row.format && other.operands.join() === row.operands.join(),
    );
    if (others.length === 0) return undefined;
    const changed = { ...insn, row: pick(random, others) };
    return immediateFits(changed.row, changed.imm) ? changed : undefined;
  },
  'another width or sign': ({ insn }, random) => {
    const fact = facts(insn);
    if (fact.ordered || (fact.load === undefined && fact.store === undefined)) return undefined;
    const others = ROWS.filter((row) => {
      if (row === insn.row || row.operands.join() !== insn.row.operands.join()) return false;
      const other = facts({ ...insn, row });
      return (other.load === undefined) === (fact.load === undefined) && (other.load ?? other.store) !== undefined;
    });
    return others.length === 0 ? undefined : { ...insn, row: pick(random, others) };
  },
  dropped: () => NOTHING,
  'another target': ({ insn, at, starts }, random) => {
    const { control } = facts(insn);
    if (control !== 'branch' && control !== 'jump') return undefined;
    const near = random(2) === 0 ? pick(random, starts) : at + insn.imm + pick(random, [2, -2, 4, -4, 6, 8, -8, 12]);
    return near === at + insn.imm ? undefined : withImm(insn, near - at);
  },
  'branch the other way': ({ insn }) => {
    if (facts(insn).control !== 'branch') return undefined;
    const row = ROWS.find((other) => other.format === 'B' && other.match === (insn.row.match ^ 0x1000) >>> 0);
    return row && { ...insn, row };
  },
  'another rounding mode': ({ insn }, random) => {
    const rm = pick(random, [0, 1, 2, 3, 4, 7]);
    return insn.row.operands.includes('rm') && rm !== insn.rm ? { ...insn, rm } : undefined;
  },
};

/** The optimized code with bytes changed in place; what was decoded there is forgotten. */
class Overlay {
  readonly #bytes: Uint8Array;
  readonly #base: Addr;
  readonly #known = new Map<Addr, Insn | undefined>();
  constructor(bytes: Uint8Array, base: Addr) {
    this.#bytes = Uint8Array.from(bytes);
    this.#base = base;
  }
  insnAt(address: Addr): Insn | undefined {
    if (!this.#known.has(address)) this.#known.set(address, decodeAt(this.#bytes, address - this.#base));
    return this.#known.get(address);
  }
  write(address: Addr, bytes: Uint8Array): Uint8Array {
    const old = this.#bytes.slice(address - this.#base, address - this.#base + bytes.length);
    this.#bytes.set(bytes, address - this.#base);
    for (let at = address - 2; at < address + bytes.length; at++) this.#known.delete(at);
    return old;
  }
  read(address: Addr, size: number): Uint8Array {
    return this.#bytes.slice(address - this.#base, address - this.#base + size);
  }
}

/** States tried against what is called proved. */
const HARD = 60;

export class Mutations {
  readonly original: Image;
  readonly optimized: Image;
  readonly map: AddressMap;
  readonly #sides: Sides;
  readonly #code: Overlay;
  readonly #liveness: Liveness;
  readonly #name: string;
  readonly #solver: Solver | undefined;

  /** @param solver tells those that are right from those that are not, where nothing else does */
  constructor(name: string, original: Image, optimized: Image, solver?: Solver) {
    this.#name = name;
    this.#solver = solver;
    this.original = original;
    this.optimized = optimized;
    this.map = mapOf(original, optimized);
    this.#liveness = livenessOf(buildCfg(original));
    const { address, bytes } = readOptimizedCode(optimized)!;
    this.#code = new Overlay(bytes, address);
    this.#sides = { ...sidesOf(original, optimized, this.map, this.#liveness).sides, optimized: this.#code };
  }

  /** Changes to emitted code. @param count how many; not every attempt makes one */
  code(count: number, seed: number, score: Score): void {
    const random = makeRandom(seed);
    const { superblocks } = this.map.data;
    const starts = superblocks.map(({ start }) => start);
    const kinds = [...Object.keys(CHANGES), 'a bit', 'exchanged', 'twice'];
    for (let made = 0, tries = 0; made < count && tries < count * 50; tries++) {
      const superblock = pick(random, superblocks);
      // Half of the changes in stubs, where there are some.
      const [from, to] =
        superblock.stubs.length > 0 && random(2) === 0
          ? pick(random, superblock.stubs)
          : [superblock.start, superblock.end];
      const places: Addr[] = [];
      for (let at = from; at < to; at += this.#code.insnAt(at)?.size ?? to) places.push(at);
      if (places.length === 0) continue;
      const at = pick(random, places);
      const insn = this.#code.insnAt(at);
      if (insn === undefined) continue;
      const kind = pick(random, kinds);
      const bytes = this.#changed(kind, { at, insn, superblock, starts }, random);
      const was = bytes && this.#code.read(at, bytes.length);
      if (bytes === undefined || bytes.every((byte, i) => byte === was![i])) continue;
      made++;
      this.#code.write(at, bytes);
      const now = this.#code.insnAt(at);
      const text = `${print(insn)} -> ${now === undefined ? 'nothing' : print(now)}`;
      const where = `${this.#name} ${hex(superblock.head)} at ${hex(at)}: ${kind}: ${text}`;
      this.#judge(this.#sides, this.#entriesAt(superblock), kind, where, score);
      this.#code.write(at, was!);
    }
  }

  #changed(kind: string, site: Site, random: Random): Uint8Array | undefined {
    const { at, insn } = site;
    const next = at + insn.size;
    const other = this.#code.insnAt(next);
    switch (kind) {
      case 'a bit': {
        const bytes = this.#code.read(at, insn.size);
        bytes[random(bytes.length)]! ^= 1 << random(8);
        return bytes;
      }
      case 'exchanged':
        if (other === undefined || next >= site.superblock.end) return undefined;
        return Uint8Array.from([...this.#code.read(next, other.size), ...this.#code.read(at, insn.size)]);
      case 'twice':
        if (other === undefined || other.size !== insn.size || next >= site.superblock.end) return undefined;
        return Uint8Array.from([...this.#code.read(at, insn.size), ...this.#code.read(at, insn.size)]);
      default: {
        const changed = CHANGES[kind]!(site, random);
        return changed && bytesOf(changed, insn.size);
      }
    }
  }

  /** The superblock, and what comes behind its call. */
  #entriesAt({ head, start, end }: MappedSuperblock): Entry[] {
    const returns = this.map.data.returns.filter(([at]) => at > start && at <= end);
    return [
      { head, start, first: true, progress: true },
      ...returns.map(([at, link]) => ({ head: link, start: at, first: false, progress: false })),
    ];
  }

  /** Proves pieces and runs them on states; keeps the score. */
  #judge(sides: Sides, entries: readonly Entry[], kind: string, where: string, score: Score): void {
    let proved = true;
    let wrong: string | undefined;
    for (const entry of entries) {
      let proof = proveEntry(sides, entry);
      if (proof.verdict === 'unproved') {
        wrong ??= refute(sides, entry, proof)?.difference;
        if (wrong === undefined && this.#solver !== undefined) proof = proveEntry(sides, entry, this.#solver);
      }
      proved &&= proof.verdict === 'proved';
      if (proof.verdict === 'proved') wrong ??= strike(sides, entry);
    }
    this.#count(kind, where, proved, wrong, score);
  }

  #count(kind: string, where: string, proved: boolean, wrong: string | undefined, score: Score): void {
    let of = score.byKind.get(kind);
    if (of === undefined) {
      of = { made: 0, caught: 0, doubted: 0, harmless: 0 };
      score.byKind.set(kind, of);
    }
    score.made++;
    of.made++;
    if (proved && wrong !== undefined) score.missed.push(`${where}: ${wrong}`);
    else {
      const what = proved ? 'harmless' : wrong !== undefined ? 'caught' : 'doubted';
      score[what]++;
      of[what]++;
    }
  }

  /** Changes to the address map's superblocks and return points, with the file as it is. */
  mapEntries(count: number, seed: number, score: Score): void {
    const random = makeRandom(seed);
    const { data } = this.map;
    const other = (at: Addr, list: readonly Addr[]): Addr =>
      random(2) === 0 ? pick(random, list) : at + pick(random, [2, -2, 4, -4, 8]);
    const heads = data.superblocks.map(({ head }) => head);
    const starts = data.superblocks.map(({ start }) => start);
    for (let made = 0, tries = 0; made < count && tries < count * 20; tries++) {
      const index = random(data.superblocks.length);
      const superblock = data.superblocks[index]!;
      const changedReturn = data.returns.length > 0 && random(3) === 0 ? random(data.returns.length) : undefined;
      let changed: AddressMapData;
      let entries: Entry[];
      let what: string;
      if (changedReturn !== undefined) {
        const [at, link] = data.returns[changedReturn]!;
        const now = other(
          link,
          data.returns.map(([, head]) => head),
        );
        if (now === link || this.#sides.original.insnAt(now) === undefined) continue;
        changed = { ...data, returns: data.returns.map((pair, i) => (i === changedReturn ? [at, now] : pair)) };
        entries = [{ head: now, start: at, first: false, progress: false }];
        what = `return point ${hex(at)} of ${hex(link)} now of ${hex(now)}`;
      } else {
        const asHead = random(2) === 0;
        const now = asHead ? other(superblock.head, heads) : other(superblock.start, starts);
        if (now === (asHead ? superblock.head : superblock.start)) continue;
        if (asHead && this.#sides.original.insnAt(now) === undefined) continue;
        const entry = { ...superblock, [asHead ? 'head' : 'start']: now };
        changed = { ...data, superblocks: data.superblocks.map((old, i) => (i === index ? entry : old)) };
        entries = [{ head: entry.head, start: entry.start, first: true, progress: true }];
        what = `${asHead ? 'head' : 'start'} of ${hex(superblock.head)} now ${hex(now)}`;
      }
      made++;
      const { sides } = sidesOf(this.original, this.optimized, new AddressMap(changed), this.#liveness);
      this.#judge(sides, entries, 'map entry', `${this.#name}: ${what}`, score);
    }
  }

  /** Changes to patches and to bytes that nobody may change; the file is checked as a whole. */
  file(count: number, seed: number, score: Score): void {
    const random = makeRandom(seed);
    const { patches } = this.map.data;
    const text = this.original.segments.find((segment) => segment.flags.execute)!;
    for (let made = 0; made < count; made++) {
      const [address, size] =
        random(4) > 0 && patches.length > 0
          ? pick(random, patches)
          : [text.address + 64 + random(text.bytes.length - 64), 0];
      const at = address + (size === 0 ? 0 : random(size));
      const segment = this.optimized.segments.find((s) => at >= s.address && at < s.address + s.bytes.length)!;
      const offset = segment.offset + (at - segment.address);
      // The program headers say where things are; their bytes are not compared one by one.
      if (size === 0 && offset < this.original.programHeaderOffset + 56 * (this.original.programHeaders.length + 1))
        continue;
      const bytes = Uint8Array.from(this.optimized.bytes);
      bytes[offset]! ^= 1 << random(8);
      const kind = size === 0 ? 'a byte of the original' : 'patch';
      const changed = parseImage(bytes, 'changed');
      const proof = prove(this.original, changed, this.map, {
        heads: new Set(),
        liveness: this.#liveness,
      });
      const proved = proof.file.every(({ problems }) => problems.length === 0);
      const { sides } = sidesOf(this.original, changed, this.map, this.#liveness);
      // A link that nobody needs may be written on the way. Elsewhere every bit counts.
      const inside = (here: Addr) => here >= address && here < address + size;
      const entry = { head: address, start: address, first: true, progress: false };
      const wrong = size > 0 && proved ? strike({ ...sides, inside }, entry) : 'a bit of it has changed';
      this.#count(kind, `${this.#name}: ${kind} at ${hex(at)}`, proved, wrong, score);
    }
  }
}

/** Tries many states on what is called proved. */
function strike(sides: Sides, entry: Entry): string | undefined {
  for (let seed = 1; seed <= HARD / 3; seed++) {
    const found = differenceOn(sides, entry, randomStart(seed));
    if (found !== undefined) return found.text;
  }
  const ways = waysThrough(sides, entry);
  for (let seed = 1; seed <= Math.max(1, HARD / Math.max(1, ways.length)); seed++)
    for (const { facts: known, state } of ways) {
      const start = searchStart(known, [state.accesses], seed);
      const found = start && differenceOn(sides, entry, start);
      if (found !== undefined) return found.text;
    }
  return undefined;
}

export const scoreText = ({ made, caught, doubted, harmless, missed }: Score): string =>
  `${made} changes: ${caught} shown wrong and not proved, ${doubted} not proved, ${harmless} proved and no state against it, ${missed.length} WRONG AND PROVED`;
