/** Long lines: what proving them takes grows hardly faster than they do. Work is counted, not timed. */
import { describe, expect, test } from 'vitest';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { lineOf, SHAPES, type Shape } from '../support/long-lines.ts';
import { entry, HEAD, sidesOf } from '../support/prove-pieces.ts';

/** As the pieces of these tests are written. A branch hardly reaches beyond a long line. */
const pieceOf = (shape: Shape, length: number): string[] =>
  lineOf(shape, length).flatMap((line) =>
    line === 'beq a1, zero, out' ? ['bne a1, zero, .+8', 'jal zero, 0x200'] : [line],
  );

/** The operand that says where an instruction accesses memory. */
const placeOf = (line: string): { base: string; offset: string } => {
  const [, offset = '', base = ''] = /(-?\d+)\((\w+)\)$/.exec(line) ?? [];
  return { base, offset };
};

/** A line, and what an optimizer could make of it: neighbours that do not depend on each other change places. */
function proofOf(shape: Shape, length: number) {
  const was = pieceOf(shape, length);
  const is = was.slice();
  for (let at = 1; at < is.length; at++) {
    const [first, second] = [is[at - 1]!, is[at]!];
    if (
      first.startsWith('fsd') &&
      placeOf(first).base === placeOf(second).base &&
      placeOf(first).offset !== placeOf(second).offset
    )
      is.splice(at - 1, 2, second, first);
  }
  const end = `jal zero,0x${(HEAD + 4 * was.length).toString(16)}`;
  return proveEntry(sidesOf(was.join('\n'), `${is.join('\n')}\n${end}`), entry);
}

describe.each(SHAPES)('a line of the shape %s', (shape) => {
  test('twice as long takes little more than twice the work', () => {
    // From where on everything has been stored to before, where that is so.
    const proofs = [3500, 7000].map((length) => proofOf(shape, length));
    expect(proofs.map(({ verdict, reason }) => reason ?? verdict)).toEqual(['proved', 'proved']);
    expect(proofs[1]!.work / proofs[0]!.work).toBeLessThan(2.3);
  });
});
