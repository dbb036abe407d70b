/** Kinds of forgeries. Each makes one change, with what must be changed along with it so that it looks right, where somebody runs by it. */
import type { Addr } from '../../../src/base/units.ts';
import { numberAt } from '../../../src/cfg/accesses.ts';
import { imageTables } from '../../../src/cfg/jump-tables.ts';
import { codeOf } from '../../../src/code/code.ts';
import { facts } from '../../../src/domain/record.ts';
import { PT } from '../../../src/elf/constants.ts';
import { viewOf } from '../../../src/elf/fields.ts';
import { findNote } from '../../../src/elf/segment.ts';
import { readFrames, recordAt, tableAt } from '../../../src/elf/unwind/index.ts';
import type { MappedSuperblock } from '../../../src/emit/map.ts';
import { encodeBytes } from '../../../src/isa/encode.ts';
import { immediateFits } from '../../../src/isa/fields.ts';
import { addImmediateInsn, jumpInsn, pcRelativeAddress, reachesJump } from '../../../src/isa/idioms.ts';
import type { Insn } from '../../../src/isa/row.ts';
import { print } from '../../../src/isa/text.ts';
import { FIELDS, type Field, Forgery } from '../../support/forgery.ts';
import { bytesOf, CHANGES } from '../../support/prove-mutations.ts';
import type { Random } from '../../support/random.ts';
import type { Program } from './programs.ts';

export interface Forged {
  readonly kind: string;
  readonly what: string;
  readonly bytes: Uint8Array;
}

/** What an edit says of itself; undefined where it cannot be made. */
type Edit = (bench: Bench) => string | undefined;

const hex = (value: number | bigint) => value.toString(16);

/** A forgery in the making, and what edits choose from. */
class Bench {
  readonly random: Random;
  readonly forged: Forgery;
  readonly #program: Program;

  constructor(program: Program, random: Random) {
    this.#program = program;
    this.random = random;
    this.forged = new Forgery(program.original, program.optimized);
  }
  get original() {
    return this.#program.original;
  }
  get optimized() {
    return this.#program.optimized;
  }
  get superblocks(): readonly MappedSuperblock[] {
    return this.forged.map.superblocks;
  }
  pick<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : this.random.choose(list);
  }
  /** One that runs, mostly. */
  superblock(): MappedSuperblock {
    const hot = this.superblocks.filter(({ count }) => count > 0);
    return this.random.choose(hot.length > 0 && !this.random.oneIn(8) ? hot : this.superblocks);
  }
  /** An instruction of its line, or of its stubs. */
  site(): { at: Addr; insn: Insn; superblock: MappedSuperblock } | undefined {
    const superblock = this.superblock();
    const parts = [[superblock.start, superblock.end] as const, ...(this.random.oneIn(4) ? superblock.stubs : [])];
    const [from, to] = this.random.choose(parts);
    const code = codeOf(this.optimized);
    const places: Addr[] = [];
    for (let at = from; at < to; at += code.insnAt(at)?.size ?? to) places.push(at);
    const at = this.pick(places);
    const insn = at === undefined ? undefined : code.insnAt(at);
    return at === undefined || insn === undefined ? undefined : { at, insn, superblock };
  }
  /** An address that means something to somebody. */
  place(): Addr {
    const { map } = this.forged;
    const superblock = this.random.choose(map.superblocks);
    const pair = this.pick(map.returns) ?? [superblock.start, superblock.head];
    const near = this.random.choose([0, 0, 0, 2, -2, 4, -4, 8]);
    return near + this.random.choose([superblock.start, superblock.head, superblock.end, ...pair]);
  }
  /** A jump over what is at an address. */
  jump(at: Addr, to: Addr): Uint8Array | undefined {
    return reachesJump(to - at) ? encodeBytes(jumpInsn(to - at), false) : undefined;
  }
}

function changeInsn(bench: Bench): string | undefined {
  const site = bench.site();
  if (site === undefined) return undefined;
  const starts = bench.superblocks.map(({ start }) => start);
  const kind = bench.random.choose(Object.keys(CHANGES));
  const changed = CHANGES[kind]!({ ...site, starts }, bench.random.below);
  const bytes = changed && bytesOf(changed, site.insn.size);
  if (changed === undefined || bytes === undefined) return undefined;
  bench.forged.write(site.at, bytes);
  return `${kind} at ${hex(site.at)}: ${print(site.insn)} -> ${print(changed)}`;
}

const EDITS: Readonly<Record<string, readonly [share: number, edit: Edit]>> = {
  'an instruction': [40, changeInsn],
  'two instructions': [
    16,
    (bench) => {
      const [first, second] = [changeInsn(bench), changeInsn(bench)];
      return first && second && `${first}; ${second}`;
    },
  ],
  'a bit of optimized code': [
    10,
    (bench) => {
      const site = bench.site();
      if (site === undefined) return undefined;
      const bytes = bench.forged.read(site.at, site.insn.size);
      bytes[bench.random.below(bytes.length)]! ^= 1 << bench.random.below(8);
      bench.forged.write(site.at, bytes);
      return `${hex(site.at)}: ${print(site.insn)}`;
    },
  ],
  'instructions exchanged': [
    6,
    (bench) => {
      const site = bench.site();
      const other = site && codeOf(bench.optimized).insnAt(site.at + site.insn.size);
      if (site === undefined || other === undefined || site.at + site.insn.size >= site.superblock.end)
        return undefined;
      const first = bench.forged.read(site.at, site.insn.size);
      const second = bench.forged.read(site.at + site.insn.size, other.size);
      bench.forged.write(site.at, Uint8Array.from([...second, ...first]));
      return `${hex(site.at)}: ${print(site.insn)} and ${print(other)}`;
    },
  ],
  'another way': [
    12,
    (bench) => {
      const site = bench.site();
      if (site === undefined) return undefined;
      const { control } = facts(site.insn);
      if (control !== 'branch' && control !== 'jump') return undefined;
      const near = Array.from({ length: 20 }, () => bench.place());
      const to = near.find((place) => immediateFits(site.insn.row, place - site.at));
      const bytes = to && bytesOf({ ...site.insn, imm: to - site.at }, site.insn.size);
      if (to === undefined || bytes === undefined || to === site.at + site.insn.imm) return undefined;
      bench.forged.write(site.at, bytes);
      return `${hex(site.at)}: ${print(site.insn)} to ${hex(to)}`;
    },
  ],
  'a made address': [
    8,
    (bench) => {
      // An upper part and what completes it.
      const superblock = bench.superblock();
      const code = codeOf(bench.optimized);
      const found: [Addr, Addr, Insn][] = [];
      for (let at = superblock.start; at < superblock.end; ) {
        const insn = code.insnAt(at);
        if (insn === undefined) break;
        const upper = pcRelativeAddress(insn, at);
        const next = code.insnAt(at + insn.size);
        if (upper !== undefined && next?.rs1 === insn.rd && next.size === 4) found.push([upper, at + insn.size, next]);
        at += insn.size;
      }
      const one = bench.pick(found);
      if (one === undefined) return undefined;
      const [upper, at, insn] = one;
      const wanted = bench.random.oneIn(2)
        ? bench.place()
        : upper + insn.imm + bench.random.choose([1, 2, 4, 8, -8, 64]);
      const imm = wanted - upper;
      if (imm < -2048 || imm > 2047) return undefined;
      const changed =
        facts(insn).control === 'none' && facts(insn).pure
          ? addImmediateInsn(insn.rd, insn.rs1, imm)
          : { ...insn, imm };
      const bytes = bytesOf(changed, 4);
      if (bytes === undefined) return undefined;
      bench.forged.write(at, bytes);
      return `${hex(at)}: ${print(insn)} -> ${print(changed)}`;
    },
  ],
  'a constant in original code': [
    3,
    (bench) => {
      const { original, forged, random } = bench;
      const path = bench.superblock().path;
      const at = bench.pick(path);
      const insn = at === undefined ? undefined : codeOf(original).insnAt(at);
      if (at === undefined || insn === undefined) return undefined;
      const bytes = forged.read(at, insn.size);
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      forged.write(at, bytes);
      // Perhaps as if it were a patch.
      if (random.oneIn(2)) forged.setMap({ patches: [...forged.map.patches, [at, insn.size]] });
      return `${hex(at)}: ${print(insn)}`;
    },
  ],
  'a patch elsewhere': [
    8,
    (bench) => {
      const { forged } = bench;
      const patch = bench.pick(forged.map.patches.filter(([at]) => codeOf(bench.original).isExecutable(at)));
      if (patch === undefined) return undefined;
      const to = bench.random.oneIn(3) ? bench.place() : bench.superblock().start;
      const bytes = bench.jump(patch[0], to);
      if (bytes === undefined || patch[1] !== 4) return undefined;
      forged.write(patch[0], bytes);
      return `${hex(patch[0])} to ${hex(to)}`;
    },
  ],
  'one more patch': [
    6,
    (bench) => {
      const { forged, original } = bench;
      const code = codeOf(original);
      const superblock = bench.superblock();
      let at = bench.pick(superblock.path) ?? superblock.head;
      for (let steps = bench.random.below(6); steps > 0; steps--) at += code.insnAt(at)?.size ?? 0;
      const to = bench.random.oneIn(2) ? superblock.start : bench.superblock().start;
      const bytes = bench.jump(at, to);
      if (code.insnAt(at) === undefined || bytes === undefined) return undefined;
      forged.write(at, bytes);
      const assumptions = [...new Set([...forged.map.assumptions, 'A2'])].sort();
      forged.setMap({ patches: [...forged.map.patches, [at, 4]], assumptions });
      return `${hex(at)} to ${hex(to)} of ${hex(superblock.head)}`;
    },
  ],
  'a patch that begins later': [
    3,
    (bench) => {
      const { forged } = bench;
      const superblock = bench.superblock();
      const first = codeOf(bench.optimized).insnAt(superblock.start);
      const patch = forged.map.patches.find(([at, size]) => at === superblock.head && size === 4);
      if (first === undefined || patch === undefined) return undefined;
      const start = superblock.start + first.size;
      const bytes = bench.jump(patch[0], start);
      if (bytes === undefined) return undefined;
      forged.write(patch[0], bytes);
      forged.setMap({
        superblocks: bench.superblocks.map((each) => (each === superblock ? { ...superblock, start } : each)),
      });
      return `${hex(superblock.head)} begins at ${hex(start)}`;
    },
  ],
  'heads exchanged': [
    6,
    (bench) => {
      const { forged } = bench;
      const [a, b] = [bench.superblock(), bench.superblock()];
      const patchOf = (head: Addr) => forged.map.patches.find(([at, size]) => at === head && size === 4);
      if (a === b) return undefined;
      let patched = 0;
      for (const [one, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const bytes = patchOf(one.head) && bench.jump(one.head, other.start);
        if (bytes === undefined) continue;
        forged.write(one.head, bytes);
        patched++;
      }
      if (patched === 0) return undefined;
      forged.setMap({
        superblocks: bench.superblocks.map((each) =>
          each === a ? { ...a, head: b.head } : each === b ? { ...b, head: a.head } : each,
        ),
      });
      return `${hex(a.head)} and ${hex(b.head)}`;
    },
  ],
  'the map alone': [
    2,
    (bench) => {
      const { forged, random } = bench;
      const { superblocks, returns, patches } = forged.map;
      const at = random.below(superblocks.length);
      const other = bench.superblock();
      switch (random.below(6)) {
        case 0:
          forged.setMap({ superblocks: superblocks.filter((_, index) => index !== at) });
          return `no ${hex(superblocks[at]!.head)}`;
        case 1:
          forged.setMap({
            superblocks: superblocks.map((s, index) => (index === at ? { ...s, start: other.start } : s)),
          });
          return `${hex(superblocks[at]!.head)} at ${hex(other.start)}`;
        case 2:
          forged.setMap({ superblocks: [...superblocks, { ...superblocks[at]!, head: other.head }] });
          return `twice ${hex(superblocks[at]!.start)}`;
        case 3:
          forged.setMap({
            returns: returns.map(([a], index) => [a, returns[(index + 1) % returns.length]![1]] as const),
          });
          return 'returns turned';
        case 4:
          forged.setMap({ patches: patches.slice(1) });
          return 'no first patch';
        default:
          forged.setMap({ assumptions: [] });
          return 'no assumptions';
      }
    },
  ],
  'an entry of a jump table': [
    18,
    (bench) => {
      const { forged, original, random } = bench;
      const tables = imageTables(original);
      // Those that are changed already, mostly: they are read.
      const tableOf = (place: Addr) => tables.find(({ at, end }) => place >= at && place < end);
      const patched = random.oneIn(4) ? undefined : bench.pick(forged.map.patches.filter(([place]) => tableOf(place)));
      const table = patched === undefined ? bench.pick(tables) : tableOf(patched[0]);
      if (table === undefined) return undefined;
      const { at, end, width, base } = table;
      const place = patched?.[0] ?? at + width * random.below((end - at) / width);
      const to = random.oneIn(3) ? bench.place() : random.oneIn(2) ? bench.superblock().start : bench.superblock().head;
      forged.number(place, width, to - base);
      if (!forged.map.patches.some(([each]) => each === place))
        forged.setMap({ patches: [...forged.map.patches, [place, width]] });
      return `${hex(place)} to ${hex(to)}`;
    },
  ],
  'a number in the data': [
    8,
    (bench) => {
      const { forged, original, random, superblocks } = bench;
      const starts = new Map(superblocks.map(({ head, start }) => [head, start]));
      const data = random.choose(original.segments.filter(({ bytes }) => bytes.length > 64));
      const width = random.oneIn(3) ? 4 : 8;
      const places: Addr[] = [];
      // Numbers that look like code of which there are superblocks, or any.
      const any = random.oneIn(3);
      for (
        let at = data.address + ((8 - (data.address % 8)) % 8);
        at + 8 <= data.address + data.bytes.length;
        at += width
      )
        if (any ? numberAt(original, at, width) !== 0 : starts.has(numberAt(original, at, width)!)) places.push(at);
      const at = bench.pick(places);
      if (at === undefined) return undefined;
      const was = numberAt(original, at, width)!;
      const now = starts.get(was) ?? was ^ (1 << random.below(30));
      forged.number(at, width, now);
      if (!random.oneIn(3)) {
        const assumptions = [...new Set([...forged.map.assumptions, 'A4'])].sort();
        const inside = forged.map.patches.some(([place, size]) => place < at + width && place + size > at);
        if (!inside) forged.setMap({ patches: [...forged.map.patches, [at, width]], assumptions });
      }
      return `${hex(at)}: ${hex(was)} -> ${hex(now)}`;
    },
  ],
  'a word of the new tables': [
    9,
    (bench) => {
      const { forged, random } = bench;
      if (forged.tables.length < 16) return undefined;
      const note = findNote(bench.optimized)!;
      const start = note.address + note.codeOffset + note.codeSize;
      const at = start + random.below(forged.tables.length);
      const bytes = forged.read(at, 1);
      bytes[0] = random.oneIn(2) ? bytes[0]! ^ (1 << random.below(8)) : random.below(256);
      forged.write(at, bytes);
      return hex(at);
    },
  ],
  'a frame description': [
    9,
    (bench) => {
      const { forged, random, original, optimized } = bench;
      const last = readFrames(original)?.last;
      if (last === undefined) return undefined;
      const linked = viewOf(forged.read(last.address, 8));
      const segment = optimized.segments.at(-1)!;
      const next = last.address + 4 + linked.getUint32(0, true);
      if (next < segment.address) return undefined;
      const table = tableAt(optimized, next, segment.address + segment.bytes.length);
      const fde = table && bench.pick(table.fdes);
      if (table?.last === undefined || fde === undefined) return undefined;
      const other = random.choose(table.fdes);
      const of = bench.pick(readFrames(original)!.fdes)!;
      switch (random.below(7)) {
        case 0:
          forged.number(fde.address + 8, 4, other.start - (fde.address + 8));
          return `${hex(fde.address)} of ${hex(other.start)}`;
        case 1:
          forged.number(fde.address + 12, 4, random.choose([0, 1, 2, 4, 64, 4096]));
          return `${hex(fde.address)} of another size`;
        case 2:
          forged.number(fde.address + 4, 4, fde.address + 4 - other.cie.address);
          return `${hex(fde.address)} with another common entry`;
        case 3:
          if (fde.lsda === undefined || other.lsda === undefined) return undefined;
          forged.number(fde.address + 17, 4, other.lsda - (fde.address + 17));
          return `${hex(fde.address)} with another one's data`;
        case 4:
          forged.number(last.address, 4, linked.getUint32(0, true) + random.choose([4, 8, -4, 16, fde.address - next]));
          return 'the chain leads elsewhere';
        case 5:
          forged
            .number(fde.address + 8, 4, of.start - (fde.address + 8))
            .number(fde.address + 12, 4, of.end - of.start);
          return `${hex(fde.address)} of original code at ${hex(of.start)}`;
        default: {
          // One more, of original code, with the row of this one.
          const start = segment.address + findNote(optimized)!.codeOffset + findNote(optimized)!.codeSize;
          const kept = forged.tables.subarray(0, table.last.end - start);
          if (kept.length + 4 < forged.tables.length - 16) return undefined;
          const at = start + kept.length;
          const copy = viewOf(forged.read(fde.address, fde.size));
          const { cie, lsda } = recordAt(optimized, fde.address);
          copy.setUint32(4, at + 4 - cie.address, true);
          copy.setInt32(8, of.start - (at + 8), true);
          copy.setUint32(12, of.end - of.start, true);
          if (lsda !== undefined) copy.setInt32(17, lsda - (at + 17), true);
          forged.setTables(Uint8Array.from([...kept, ...new Uint8Array(copy.buffer), 0, 0, 0, 0]));
          return `one more of ${hex(of.start)}`;
        }
      }
    },
  ],
  'a program header': [
    10,
    (bench) => {
      const { forged, random, optimized } = bench;
      const headers = optimized.programHeaders;
      const index = random.below(headers.length);
      if (random.oneIn(6)) {
        const other = random.below(headers.length);
        const [a, b] = [forged.entryAt(index), forged.entryAt(other)];
        const [first, second] = [forged.bytes.slice(a, a + 56), forged.bytes.slice(b, b + 56)];
        forged.bytes.set(second, a);
        if (random.oneIn(2)) forged.bytes.set(first, b);
        return `${index} and ${other}`;
      }
      const field = random.choose(Object.keys(FIELDS) as Field[]);
      const was = forged.fieldOf(index, field);
      const now = random.choose([
        was + 1n,
        was - 1n,
        was + 4096n,
        was - 4096n,
        was ^ (1n << BigInt(random.below(field === 'type' || field === 'flags' ? 32 : 47))),
        0n,
        4096n,
        BigInt(PT.NOTE),
        1n << 46n,
        forged.fieldOf(random.below(headers.length), field),
      ]);
      if (BigInt.asUintN(64, now) === was) return undefined;
      forged.setField(index, field, BigInt.asUintN(64, now));
      return `${index} (type ${hex(headers[index]!.type)}): ${field} ${hex(was)} -> ${hex(now)}`;
    },
  ],
  'the ELF header': [
    5,
    (bench) => {
      const { forged, random } = bench;
      const at = random.oneIn(2) ? random.choose([16, 18, 24, 25, 26, 32, 33, 48, 52, 54, 56]) : random.below(64);
      forged.bytes[at]! ^= 1 << random.below(8);
      return `byte ${at}`;
    },
  ],
  'what lies between': [
    4,
    (bench) => {
      // Padding of pages, gaps between sections, whatever no section claims.
      const { forged, random, original } = bench;
      const segment = random.choose(original.segments);
      const end = segment.offset + segment.bytes.length;
      const at = random.choose([
        end + random.below(64),
        Math.max(64, segment.offset - 1 - random.below(64)),
        original.programHeaderOffset + 56 * original.programHeaders.length + random.below(64),
        forged.offsetOf(findNote(bench.optimized)!.address)! + random.below(64),
      ]);
      if (at >= forged.bytes.length) return undefined;
      forged.bytes[at]! ^= 1 + random.below(255);
      return `the byte ${hex(at)} of the file`;
    },
  ],
  'a byte of the data': [
    5,
    (bench) => {
      const { forged, random, original } = bench;
      const segment = random.choose(original.segments);
      const at = segment.offset + random.below(segment.bytes.length);
      forged.bytes[at]! ^= 1 << random.below(8);
      return `the byte ${hex(at)} of the file`;
    },
  ],
};

export const KINDS: readonly string[] = Object.keys(EDITS);
const SHARES = KINDS.flatMap((kind) => Array.from({ length: EDITS[kind]![0] }, () => kind));

/** One forged file. Kinds come as often as their shares say; one that cannot be made here gives way to another. */
export function forge(program: Program, random: Random): Forged {
  for (;;) {
    const kind = random.choose(SHARES);
    const bench = new Bench(program, random);
    const what = EDITS[kind]![1](bench);
    if (what === undefined) continue;
    const bytes = bench.forged.file();
    if (Buffer.compare(bytes, program.optimized.bytes) !== 0) return { kind, what, bytes };
  }
}
