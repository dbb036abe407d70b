/** The prover on small pieces of code, written as text: originals at 0x1000, optimized forms at 0x9000. */
import { expect } from 'vitest';
import { regSet } from '../../src/base/regset.ts';
import { extensionSet } from '../../src/isa/extensions.ts';
import type { Insn } from '../../src/isa/row.ts';
import { parse } from '../../src/isa/text.ts';
import { Machine } from '../../src/verify/prove/extensions.ts';
import { reasonText } from '../../src/verify/prove/reasons.ts';
import { refute } from '../../src/verify/prove/refute.ts';
import type { Sides } from '../../src/verify/prove/sides.ts';
import { type EntryProof, proveEntry } from '../../src/verify/prove/superblock.ts';

export const HEAD = 0x1000;
const START = 0x9000;

/** Lines of text, four bytes each, from an address on. `@0x...` moves on. */
export function assemble(text: string, from: number): Map<number, Insn> {
  const code = new Map<number, Insn>();
  let at = from;
  for (const line of text.split('\n').map((part) => part.trim())) {
    if (line === '') continue;
    if (line.startsWith('@')) at = Number(line.slice(1));
    else {
      code.set(at, { ...parse(line, at), size: 4 });
      at += 4;
    }
  }
  return code;
}

interface Options {
  /** Live everywhere, by name; default: all, and no assumption A1. */
  readonly live?: readonly number[];
  /** The original's instructions at these addresses save registers, by assumption A3. */
  readonly saves?: readonly number[];
  /** Others may look and write in between: assumption A11 is not made. */
  readonly watched?: boolean;
  readonly jumpTables?: boolean;
  readonly deadFrames?: boolean;
  readonly returns?: ReadonlyMap<number, number>;
  readonly relocatable?: boolean;
  /** What the machine has, what the program was built for, and whether more may be asked of it (A9); default: it has everything. */
  readonly machine?: { readonly has: readonly string[]; readonly declared?: readonly string[]; readonly more: boolean };
}

export function sidesOf(original: string, optimized: string, options: Options = {}): Sides {
  const was = assemble(original, HEAD);
  const is = assemble(optimized, START);
  const { machine } = options;
  const live = options.live && regSet(options.live);
  return {
    jumpTables: options.jumpTables ?? false,
    original: { insnAt: (at) => was.get(at) },
    optimized: { insnAt: (at) => is.get(at) },
    returns: options.returns ?? new Map(),
    relocatable: options.relocatable ?? false,
    liveness: live && { liveIn: () => live, liveAfter: () => live },
    saves: options.saves && { savesAt: (at) => options.saves!.includes(at) },
    watched: options.watched ?? false,
    deadFrames: options.deadFrames ?? false,
    machine: machine && new Machine(extensionSet(machine.has), extensionSet(machine.declared ?? []), machine.more),
    standsFor: (at) => (at === START ? HEAD : at < START ? at : undefined),
    inside: (at) => at >= START,
  };
}

export const entry = { head: HEAD, start: START, first: true, progress: true };
export const proof = (original: string, optimized: string, options?: Options): EntryProof =>
  proveEntry(sidesOf(original, optimized, options), entry);

export const textOf = ({ reason }: EntryProof): string => reasonText(reason);
/** Why it is not proved, in words. */
export const why = (...pieces: Parameters<typeof proof>): string => textOf(proof(...pieces));

/** Not proved, and a state shows why. */
export function expectWrong(original: string, optimized: string, options?: Options): void {
  const sides = sidesOf(original, optimized, options);
  const result = proveEntry(sides, entry);
  expect(result.verdict).toBe('unproved');
  expect(refute(sides, entry, result)?.difference).toBeDefined();
}
