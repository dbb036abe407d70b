/** No patch between an LR and its SC: hardware promises progress only to a short loop that lies in one place. */
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Image } from '../../src/elf/image.ts';
import { parseImage, readImage } from '../../src/elf/read.ts';
import type { makePatches } from '../../src/emit/patch.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import type { makeFlow } from '../../src/superblock/flow.ts';
import { mapOf, prove } from '../../src/verify/prove/prove.ts';
import { compile, needs } from '../support/tools.ts';

/** The optimizer takes sequences for ordinary code, as one would that has never heard of them. */
let blind = false;
vi.mock('../../src/superblock/flow.ts', async (load) => {
  const real = await load<{ makeFlow: typeof makeFlow }>();
  const patient: typeof makeFlow = (profiled, code) => {
    const flow = real.makeFlow(profiled, code);
    if (blind)
      for (const block of flow.blocks.values())
        if (block.insns.every(({ insn }) => !/^(lr|sc)\./.test(insn.row.name)))
          Object.assign(block, { reserved: false });
    return flow;
  };
  return { ...real, makeFlow: patient };
});
vi.mock('../../src/emit/patch.ts', async (load) => {
  const real = await load<{ makePatches: typeof makePatches }>();
  const patient: typeof makePatches = (requests, code, ...rest) => {
    const visible = (at: number) => {
      const insn = code.insnAt(at);
      return blind && insn?.row.name.startsWith('lr.') ? undefined : insn;
    };
    return real.makePatches(requests, { insnAt: visible }, ...rest);
  };
  return { ...real, makePatches: patient };
});

/** The loop at `between` holds neither half, and is hot enough for a superblock. */
const PROGRAM = `
  .globl _start
_start:
  lla s1, word
  li s0, 3000
  li s2, -5
again:
  lr.w a0, (s1)
  beq a0, s2, out
between:
  add a1, a0, s0
  addi a3, a3, 5
  addi a3, a3, 6
  andi a4, a3, 31
  bnez a4, between
  xor a1, a1, s0
  blt a1, s2, out
behind:
  sc.w a2, a1, (s1)
retry:
  bnez a2, again
  addi s0, s0, -1
  bnez s0, again
out:
  li a0, 7
  li a7, 93
  ecall
  .data
word: .word 1
`;

describe.runIf(needs('LR..SC sequences', 'gcc'))('a loop from LR to SC', () => {
  let original: Image;
  const forms = () => {
    const { profile } = profileRun({ image: original, input: {} });
    const made = optimize(original, profileOf(profile, original));
    const optimized = parseImage(made.bytes, 'optimized');
    return {
      patches: made.map.patches.map(([at]) => at),
      proof: prove(original, optimized, mapOf(original, optimized)),
    };
  };
  const at = (name: string) => original.symbols.find((symbol) => symbol.name === name)!.address;

  beforeAll(() => {
    original = readImage(compile(PROGRAM, ['-nostdlib', '-static'], 's'));
  });

  test('is not patched', () => {
    const { patches } = forms();
    expect(patches.filter((patch) => patch > at('again') - 4 && patch < at('retry') + 4)).toEqual([]);
  });

  test('and a file in which it is patched is not proved', () => {
    blind = true;
    const { patches, proof } = forms();
    blind = false;
    const inside = patches.filter((patch) => patch > at('again') && patch < at('retry') + 4);
    expect(inside).not.toEqual([]);
    const problems = proof.file.flatMap((check) => check.problems);
    expect(problems).toContainEqual(expect.stringMatching(/it lies between the LR at 0x[0-9a-f]+ and its SC/));
    expect(proof.file.flatMap(({ places }) => places)).toEqual(expect.arrayContaining(inside));
  });
});
