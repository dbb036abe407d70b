/** Damaged forms of the files that isoform itself writes and reads again. Whoever reads one must say so in one line, or do without it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { IsoformError } from '../../src/base/errors.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import type { AddressMapData } from '../../src/emit/map.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { decodeKept, encodeKept } from '../../src/engine/translate/kept.ts';
import { createProcess } from '../../src/machine/process.ts';
import { countPair } from '../../src/pipeline/count.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { reportModel } from '../../src/pipeline/report-model.ts';
import { verifyRun } from '../../src/pipeline/verify-run.ts';
import { decodeProfile, encodeProfile, profileOf } from '../../src/profile/store.ts';
import { caseOf, readCase, replayCase } from '../../src/verify/prove/case.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { refute } from '../../src/verify/prove/refute.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { Forgery } from './forgery.ts';
import { entry, sidesOf } from './prove-pieces.ts';
import type { Random } from './random.ts';
import { ROOT } from './tools.ts';

const EDGES = [
  0,
  1,
  2,
  3,
  4,
  7,
  255,
  4095,
  4096,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 52,
  2 ** 53 - 1,
];

/** A number near the old one, or one that things go wrong at. */
const otherNumber = (old: number, random: Random): number =>
  Math.max(0, random.oneIn(2) ? random.choose(EDGES) : old + random.below(17) - 8);

/** Data with one value in it changed: a number, a text, or an entry that is lost or comes twice. */
export function mutateData(data: unknown, random: Random): unknown {
  if (typeof data === 'number') return otherNumber(data, random);
  if (typeof data === 'string') {
    if (random.oneIn(3))
      return random.choose(['', '0x', '0x10000000000000000', '-1', 'zero', '0xffffffffffffffff', '0x7', '\n']);
    const at = random.below(data.length + 1);
    return `${data.slice(0, at)}${random.choose(['', '0', 'f', '0x', 'ffff', ' '])}${data.slice(at + random.below(3))}`;
  }
  if (typeof data === 'boolean') return random.oneIn(2) ? !data : null;
  if (data === null || typeof data !== 'object') return 0;
  if (random.oneIn(30)) return random.choose([null, 0, '', [], {}]);
  if (Array.isArray(data)) {
    if (data.length === 0) return [0];
    const at = random.below(data.length);
    if (random.oneIn(6)) return data.filter((_, k) => k !== at);
    if (random.oneIn(6)) return [...data, data[at]];
    return data.map((entry, k) => (k === at ? mutateData(entry, random) : entry));
  }
  const entries = Object.entries(data);
  if (entries.length === 0) return { 0: 0 };
  const at = random.below(entries.length);
  if (random.oneIn(10)) return Object.fromEntries(entries.filter((_, k) => k !== at));
  return Object.fromEntries(
    entries.map(([name, value], k) =>
      k !== at
        ? [name, value]
        : random.oneIn(6)
          ? [String(mutateData(name, random)), value]
          : [name, mutateData(value, random)],
    ),
  );
}

/** How a reader took a damaged form. */
export type Taken = 'refused' | 'read';

/** Takes a damaged form the whole way. Throws what must not happen. */
export type Reader = (random: Random) => Taken;

function attempt(work: () => void): Taken {
  try {
    work();
    return 'read';
  } catch (error) {
    if (error instanceof IsoformError && error.code !== 'internal' && !/\n|undefined|NaN|\[object/.test(error.line()))
      return 'refused';
    throw error;
  }
}

/** Readers by what they read. */
export function makeReaders(): Readonly<Record<string, Reader>> {
  const image = readImage(join(ROOT, 'samples/base64/base64.elf'));
  const stdin = readFileSync(join(ROOT, 'samples/base64/input')).subarray(0, 2000);
  const input = { stdin, grants: [], cwd: '/', memorySize: 2 ** 25 };
  const counted = profileRun({ image, input, limitInstructions: 300_000 }).profile;
  const profile = profileOf(counted, image);
  const optimized = parseImage(optimize(image, profile).bytes, 'optimized');
  const sides = sidesOf(
    'lw a3,0(a1)\n lw a4,4(a3)\n sw a4,8(a3)',
    'lw a3,0(a1)\n lw a4,8(a3)\n sw a4,8(a3)\n jal zero,0x100c',
  );
  const saved = caseOf('0123456789abcdef', refute(sides, entry, proveEntry(sides, entry))!);
  const limits = { engine: 'dispatch', limitInstructions: 1_000_000 };

  const map: Reader = (random) => {
    const forgery = new Forgery(image, optimized);
    let data = forgery.map;
    for (let edits = 1 + random.below(3); edits > 0; edits--) {
      const changed = mutateData(data, random) as AddressMapData;
      // What cannot be written at all is none.
      try {
        new Forgery(image, optimized).setMap(changed).file();
        data = changed;
      } catch {}
    }
    forgery.setMap(data);
    return attempt(() => {
      const damaged = parseImage(forgery.file(), 'damaged');
      const proof = prove(image, damaged, mapOf(image, damaged));
      const images = { original: image, optimized: damaged };
      const counts = countPair({ ...images, ...limits, input });
      const verified = [verifyRun({ ...images, ...limits, input, name: 'input', training: true })];
      reportModel({
        original: { image, profile: counts.original },
        optimized: { image: damaged, profile: counts.optimized },
        arguments: [],
        inputs: [],
        verified,
        proof,
        passes: [],
        commands: [],
      });
    });
  };

  const counterexample: Reader = (random) => {
    const folder = mkdtempSync(join(tmpdir(), 'isoform-reader-'));
    try {
      let data: unknown = saved;
      for (let edits = 1 + random.below(3); edits > 0; edits--) data = mutateData(data, random);
      const text = JSON.stringify(data);
      writeFileSync(join(folder, 'case'), random.oneIn(20) ? text.slice(0, random.below(text.length)) : text);
      return attempt(() => void replayCase(readCase(join(folder, 'case'))));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  const profileFile: Reader = (random) =>
    attempt(() => {
      let data: unknown = counted;
      for (let edits = 1 + random.below(3); edits > 0; edits--) data = mutateData(data, random);
      let bytes: Uint8Array;
      try {
        bytes = encodeProfile(data as typeof counted);
      } catch {
        return;
      }
      const read = decodeProfile(bytes, 'damaged');
      optimize(image, profileOf(read, image), { select: { coldShare: 0.03, closureShare: 0.03, unroll: 1 } });
    });

  const looping = readImage(join(ROOT, 'samples/bytecode/bytecode.elf'));
  const run = (kept?: ReturnType<typeof decodeKept>) => {
    const guest = createProcess({
      ...input,
      image: looping,
      stdin: readFileSync(join(ROOT, 'samples/bytecode/input')),
    });
    const engine = makeEngine('translate', guest.memory, { kept });
    execute(guest, engine, { limitInstructions: 3_000_000 });
    return engine;
  };
  const first = run().keep!()!;
  /** Another list of numbers: one is another, or one is lost or more. */
  const otherNumbers = (list: Uint32Array, random: Random): Uint32Array => {
    const at = random.below(list.length);
    if (random.oneIn(5)) return Uint32Array.of(...list, ...list.subarray(at, at + 1 + random.below(3)));
    if (random.oneIn(5)) return list.filter((_, k) => k !== at);
    return list.map((number, k) =>
      k !== at ? number : random.oneIn(3) ? list[random.below(list.length)]! : otherNumber(number, random),
    );
  };
  const cache: Reader = (random) => {
    // Not in what is compiled, which is believed.
    const edit = <T extends object>(data: T): T => {
      const name = random.choose(Object.keys(data)) as keyof T;
      const value = data[name];
      if (value instanceof Uint32Array) return { ...data, [name]: otherNumbers(value, random) };
      return typeof value === 'number' ? { ...data, [name]: otherNumber(value, random) } : data;
    };
    let forged = structuredClone(first);
    for (let edits = 1 + random.below(3); edits > 0; edits--) {
      if (random.oneIn(2)) forged = edit(forged);
      else {
        const modules = forged.modules.map((module) => ({
          ...module,
          regions: module.regions.map((region) => edit(region)),
        }));
        forged = { ...forged, modules };
      }
    }
    const bytes = Uint8Array.from(encodeKept(forged, 'identity'));
    // The lists' lengths, too: what comes before the code.
    const words = new Uint32Array(bytes.buffer);
    if (random.oneIn(3)) {
      const at = 3 + random.below((Buffer.from(bytes.buffer).indexOf('\0asm') >> 2) - 3);
      words[at] = otherNumber(words[at]!, random);
      words[2] = crc32(bytes.subarray(12));
    }
    const kept = decodeKept(bytes, 'identity');
    if (kept === undefined) return 'refused';
    try {
      return (run(kept) as unknown as { statistics(): { kept: number } }).statistics().kept > 0 ? 'read' : 'refused';
    } catch (error) {
      // Numbers that are as they may be, but others than the code was made for: it is believed, and traps.
      if ((error as Error).name === 'RuntimeError') return 'read';
      throw error;
    }
  };
  return { map, case: counterexample, profile: profileFile, cache };
}
