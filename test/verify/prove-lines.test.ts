/** Long lines: what proving them takes grows hardly faster than they do. Work is counted, not timed. */
import { describe, expect, test } from 'vitest';
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
