/** What counts as an entry, and what does not. */
import { describe, expect, test } from 'vitest';
import { codeOf } from '../../src/code/code.ts';
import { readImage } from '../../src/elf/read.ts';
import { gatherEvidence } from '../../src/emit/evidence.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { compile, needs } from '../support/tools.ts';

/** A function that begins with a two-byte branch, taken and not, called through a pointer; `back` is jumped to as well. */
const SOURCE = `
  .globl _start
_start:
  li s0, 6
again:
  andi a0, s0, 1
  lla t0, entry
  jalr t0
  addi s0, s0, -1
  bnez s0, again
  li a0, 0
  li a7, 93
  ecall
  .balign 4
entry:
  beqz a0, even
  addi a1, a1, 1
back:
  addi a1, a1, 2
  ret
even:
  bnez a1, back
  ret
`;

describe.runIf(needs('evidence of entries', 'gcc'))('evidence', () => {
  test('going on behind a branch that is not taken enters nothing; being jumped to does', () => {
    const image = readImage(compile(SOURCE, ['-nostdlib', '-static', '-march=rv64gc'], 's'));
    const profile = profileOf(profileRun({ image, input: {} }).profile, image);
    const code = codeOf(image);
    const at = (name: string) => image.symbols.find((symbol) => symbol.name === name)!.address;
    const { into } = gatherEvidence(image, profile);
    /** Does something enter here, in the middle of a patch that begins two bytes before? */
    const entered = (address: number) => into(address - 2, 4) !== undefined;
    const entry = at('entry');
    expect(code.insnAt(entry)!.size).toBe(2);
    // Both ways were taken in the run, so the profile has a transfer for each.
    expect(profile.transfers.map(({ to }) => to)).toEqual(expect.arrayContaining([at('even'), entry + 2]));
    expect(entered(entry + 2)).toBe(false);
    expect(entered(at('even'))).toBe(true);
    expect(entered(at('back'))).toBe(true);
  });
});
