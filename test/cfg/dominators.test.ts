import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dominatorsOf } from '../../src/cfg/dominators.ts';
import { naturalLoops } from '../../src/cfg/loops.ts';

const graphs = fc
  .integer({ min: 1, max: 9 })
  .chain((size) => fc.array(fc.array(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }));

/** Nodes reachable from `from` without ever entering `without`. */
function reachable(successors: readonly (readonly number[])[], from: number, without: number): Set<number> {
  const seen = new Set<number>();
  const visit = (node: number) => {
    if (node === without || seen.has(node)) return;
    seen.add(node);
    for (const to of successors[node]!) visit(to);
  };
  visit(from);
  return seen;
}

test('dominance is what removing a node cuts off', () => {
  fc.assert(
    fc.property(graphs, (successors) => {
      const { dominates, immediate } = dominatorsOf({ successors });
      const all = reachable(successors, 0, -1);
      for (let a = 0; a < successors.length; a++) {
        const left = reachable(successors, 0, a);
        for (let b = 0; b < successors.length; b++)
          expect(dominates(a, b)).toBe(all.has(a) && all.has(b) && (a === b || !left.has(b)));
      }
      // The immediate one is dominated by every other strict dominator.
      for (let b = 1; b < successors.length; b++) {
        const strict = [...all].filter((a) => a !== b && dominates(a, b));
        if (!all.has(b)) expect(immediate[b]).toBe(-1);
        else expect(strict.every((a) => dominates(a, immediate[b]!))).toBe(true);
      }
    }),
    { seed: 11, numRuns: 500 },
  );
});

describe('natural loops', () => {
  const loopsIn = (successors: number[][]) => naturalLoops(successors, dominatorsOf({ successors }));

  test('nest', () => {
    // 0 -> 1 (outer) -> 2 (inner) -> 3 -> 2, 3 -> 4 -> 1, 4 -> 5
    const { loops, irreducible } = loopsIn([[1], [2], [3], [2, 4], [1, 5], []]);
    expect(irreducible).toBe(false);
    expect(loops).toEqual([
      { header: 1, blocks: [1, 2, 3, 4], latches: [4], parent: undefined, depth: 1 },
      { header: 2, blocks: [2, 3], latches: [3], parent: 1, depth: 2 },
    ]);
  });

  test('with one header are one', () => {
    expect(loopsIn([[1], [2, 3], [1], [1, 4], []]).loops).toEqual([
      { header: 1, blocks: [1, 2, 3], latches: [2, 3], parent: undefined, depth: 1 },
    ]);
  });

  test('a block that jumps to itself is one', () => {
    expect(loopsIn([[1], [1, 2], []]).loops).toMatchObject([{ header: 1, blocks: [1], depth: 1 }]);
  });

  test('a cycle with two entries is none, and is flagged', () => {
    expect(loopsIn([[1, 2], [2], [1]])).toEqual({ loops: [], irreducible: true });
  });

  test('hold the definition on random graphs', () => {
    fc.assert(
      fc.property(graphs, (successors) => {
        const dominators = dominatorsOf({ successors });
        const { loops, irreducible } = naturalLoops(successors, dominators);
        for (const { header, blocks, latches, parent, depth } of loops) {
          for (const block of blocks) expect(dominators.dominates(header, block)).toBe(true);
          for (const latch of latches) expect(successors[latch]).toContain(header);
          // The loop can be left only from inside, and entered only at the header.
          for (const [from, list] of successors.entries())
            if (dominators.immediate[from] !== -1 && !blocks.includes(from))
              for (const to of list) if (blocks.includes(to)) expect(to).toBe(header);
          const around = loops.filter((other) => other.header !== header && other.blocks.includes(header));
          expect(depth).toBe(around.length + 1);
          if (parent !== undefined) expect(around.map((other) => other.header)).toContain(parent);
        }
        // Brute force: a graph is reducible if every cycle has a node that dominates the whole cycle.
        const all = [...reachable(successors, 0, -1)];
        const cyclicWithout = all.some((node) => {
          const stays = (from: number, seen: Set<number>): boolean =>
            successors[from]!.some((to) => {
              if (dominators.dominates(to, from)) return false;
              if (to === node) return true;
              if (seen.has(to)) return false;
              seen.add(to);
              return stays(to, seen);
            });
          return stays(node, new Set());
        });
        expect(irreducible).toBe(cyclicWithout);
      }),
      { seed: 12, numRuns: 400 },
    );
  });
});
