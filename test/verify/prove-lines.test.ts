/** Long lines: what proving them takes grows hardly faster than they do. Work is counted, not timed. */
import { describe, expect, test } from 'vitest';
import { parse } from '../../src/isa/text.ts';
import { refute } from '../../src/verify/prove/refute.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { lineProof, SHAPES } from '../support/long-lines.ts';

describe.each(SHAPES)('a line of the shape %s', (shape) => {
  test('takes little more than twice the work where it is twice as long', () => {
    // From where on everything has been stored to before, where that is so.
    const proofs = [3500, 7000].map((length) => {
      const { sides, entry } = lineProof(shape, length);
      return proveEntry(sides, entry);
    });
    expect(proofs.map(({ verdict, reason }) => reason ?? verdict)).toEqual(['proved', 'proved']);
    expect(proofs[1]!.work / proofs[0]!.work).toBeLessThan(2.3);
  });
});

test('a long line that is wrong at its end is found to be', () => {
  const { sides, entry } = lineProof('one', 4000);
  const at = entry.start + 4 * 3990;
  const insnAt = (address: number) =>
    address === at ? { ...parse('addi a0, a0, 8'), size: 4 as const } : sides.optimized.insnAt(address);
  const wrong = { ...sides, optimized: { insnAt } };
  const proof = proveEntry(wrong, entry);
  expect(proof.verdict).toBe('unproved');
  expect(refute(wrong, entry, proof)?.difference).toMatch(/^a0 is 0x/);
});
