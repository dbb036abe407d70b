/**
 * What the prover says of a forged file, and how it runs. Only what a change can make a difference to is proved again: each proof of a superblock
 * is made once with all that it asks of the optimized file noted by address (instructions, what an address stands for, return
 * points). A proof that asks for nothing that has changed comes to the same; `whole` shows that it does.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Addr } from '../../../src/base/units.ts';
import type { Image } from '../../../src/elf/image.ts';
import { parseImage } from '../../../src/elf/read.ts';
import type { AddressMapData } from '../../../src/emit/map.ts';
import { entryProofs, mapOf, sidesOf, unproved } from '../../../src/verify/prove/prove.ts';
import type { Solver } from '../../../src/verify/prove/solver.ts';
import { proveEntry } from '../../../src/verify/prove/superblock.ts';
import { doubts } from '../../support/forgery.ts';
import { runGuest } from '../../support/guest.ts';
import { tool } from '../../support/tools.ts';
import { type Input, type Program, writeProgram } from './programs.ts';

/** A run that takes longer than this, in milliseconds, does not end; originals take some hundredths of a second. */
const LONGEST = 3000;
const MOST_OUTPUT = 1 << 20;

export class Judge {
  readonly #program: Program;
  readonly #folder: string;
  readonly #solver: Solver;
  /** By address, the heads whose proofs asked for it. */
  readonly #asked = new Map<Addr, Set<Addr>>();
  readonly #map: AddressMapData;
  readonly #expected: readonly string[];

  constructor(program: Program, folder: string, solver: Solver) {
    this.#program = program;
    this.#folder = folder;
    this.#solver = solver;
    const { original, optimized, inputs } = program;
    const map = mapOf(original, optimized);
    this.#map = map.data;
    const { sides } = sidesOf(original, optimized, map);
    for (const { head, start } of map.data.superblocks) {
      const note = (address: Addr) => {
        const heads = this.#asked.get(address);
        if (heads === undefined) this.#asked.set(address, new Set([head]));
        else heads.add(head);
      };
      const returns = new Map(sides.returns);
      returns.get = (address) => {
        note(address);
        return sides.returns.get(address);
      };
      const noted = {
        ...sides,
        returns,
        optimized: {
          insnAt: (address: Addr) => {
            note(address);
            return sides.optimized.insnAt(address);
          },
        },
        standsFor: (address: Addr) => {
          note(address);
          return sides.standsFor(address);
        },
      };
      proveEntry(noted, { head, start, first: true, progress: true });
    }
    const whole = doubts(original, optimized.bytes);
    if (whole.length > 0) throw new Error(`${program.name} is not proved as it was made: ${whole[0]}`);
    this.#expected = inputs.map((input) => this.#observe(original.file, input));
    // An exception that nobody may catch ends in SIGABRT.
    if (!this.#expected.every((outcome) => /^\d|^SIGABRT/.test(outcome)))
      throw new Error(`${program.name} does not run`);
    const different = this.difference(optimized.bytes);
    if (different !== undefined) throw new Error(`${program.name} runs otherwise as it was made: ${different}`);
  }

  /** Is it proved? @param asking what rewriting does not close goes to the solver, as it does for who calls `prove` */
  accepts(bytes: Uint8Array, asking: boolean): boolean {
    const { original } = this.#program;
    if (doubts(original, bytes, { heads: new Set() }).length > 0) return false;
    const image = parseImage(bytes, 'forged');
    const map = mapOf(original, image);
    const heads = this.#touched(bytes) ?? new Set(map.data.superblocks.map(({ head }) => head));
    const open = unproved(entryProofs(original, image, map, heads));
    return open.size === 0 || (asking && doubts(original, bytes, { solver: this.#solver, heads: open }).length === 0);
  }
  /** The same, with all of it proved, whatever has changed. */
  acceptsWhole(bytes: Uint8Array): boolean {
    return doubts(this.#program.original, bytes, { solver: this.#solver }).length === 0;
  }

  /** Heads of superblocks whose proofs may come out otherwise; undefined: all. */
  #touched(bytes: Uint8Array): ReadonlySet<Addr> | undefined {
    const { original, optimized } = this.#program;
    let image: Image;
    let map: AddressMapData;
    try {
      image = parseImage(bytes, 'forged');
      map = mapOf(original, image).data;
    } catch {
      return undefined;
    }
    const was = this.#map;
    if (map.assumptions.join() !== was.assumptions.join()) return undefined;
    const heads = new Set<Addr>();
    const touch = (address: Addr) => {
      // An instruction has up to four bytes.
      for (let at = address - 3; at <= address; at++) for (const head of this.#asked.get(at) ?? []) heads.add(head);
    };
    for (const segment of optimized.segments) {
      const now = image.segments.find(({ address }) => address === segment.address);
      for (let at = 0; at < segment.bytes.length; at++)
        if (now?.bytes[at] !== segment.bytes[at]) touch(segment.address + at);
    }
    const key = (list: readonly number[]) => list.join();
    const differing = <T>(a: readonly T[], b: readonly T[], keyOf: (each: T) => string): T[] => {
      const [first, second] = [new Set(a.map(keyOf)), new Set(b.map(keyOf))];
      return [...a.filter((each) => !second.has(keyOf(each))), ...b.filter((each) => !first.has(keyOf(each)))];
    };
    for (const { head, start } of differing(was.superblocks, map.superblocks, (each) => key([each.head, each.start]))) {
      heads.add(head);
      touch(start);
    }
    for (const [at] of differing(was.returns, map.returns, key)) touch(at);
    for (const [at, size] of differing(was.patches, map.patches, key))
      for (let i = 0; i < Math.min(size, 64); i++) touch(at + i);
    return heads;
  }

  /** How it differs from the original on some of the first inputs; undefined if it does on none. */
  difference(bytes: Uint8Array, most = this.#program.inputs.length): string | undefined {
    const file = this.#written(bytes);
    for (const [index, input] of this.#program.inputs.slice(0, most).entries()) {
      const found = this.#observe(file, input);
      if (found !== this.#expected[index]) return `on input ${index}: ${found}, not ${this.#expected[index]}`;
    }
    return undefined;
  }

  /** The same in isoform's own machine, where the file can be loaded at all. */
  differenceInMachine(bytes: Uint8Array): string | undefined {
    const file = join(this.#folder, 'machine');
    writeProgram(file, bytes);
    for (const { args, stdin } of this.#program.inputs) {
      const run = { args, stdin, dir: this.#folder };
      const [is, was] = [file, this.#program.original.file].map((each) => {
        try {
          const { status, stdout } = runGuest(each, run, 'dispatch', { limitInstructions: 400_000_000 });
          return `${status} ${digest(stdout)}`;
        } catch (error) {
          return (error as Error).message;
        }
      });
      if (is !== was) return `in the machine: ${is}, not ${was}`;
    }
    return undefined;
  }

  #written(bytes: Uint8Array): string {
    const file = join(this.#folder, 'forged');
    rmSync(file, { force: true });
    writeProgram(file, bytes);
    return file;
  }

  #observe(file: string, { args, stdin }: Input): string {
    const { status, signal, stdout, error } = spawnSync(tool('qemu'), [file, ...args], {
      input: stdin,
      env: {},
      timeout: LONGEST,
      killSignal: 'SIGKILL',
      maxBuffer: MOST_OUTPUT,
    });
    if (error !== undefined) return (error as NodeJS.ErrnoException).code ?? 'no run';
    return `${status ?? signal} ${digest(stdout)}`;
  }
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 12);
