/** The loop of most passes: one rewrite after another, each paid with fuel. */
import type { Op, Superblock } from './form.ts';
import { opIn } from './homes.ts';
import type { PassContext } from './pass.ts';

/**
 * Tries a rewrite for each item in turn, on what the rewrites before it have made of the superblock. Fuel is asked for when a rewrite is
 * found, just before it takes effect; the loop ends when there is none.
 * @param rewrite makes the rewritten superblock; undefined or the same object if the item gives no rewrite
 */
export function rewriteEach<Item>(
  superblock: Superblock,
  items: Iterable<Item>,
  { spend }: Pick<PassContext, 'spend'>,
  rewrite: (current: Superblock, item: Item) => Superblock | undefined,
): Superblock {
  let current = superblock;
  for (const item of items) {
    const next = rewrite(current, item);
    if (next === undefined || next === current) continue;
    if (!spend()) return current;
    current = next;
  }
  return current;
}

/**
 * As rewriteEach, for the ops of the line as they are in the superblock by then: earlier rewrites may have changed an op, and an op that
 * they removed is left out.
 * @param ops ops of the superblock, in the order in which they are tried; default: from the head on
 */
export const rewriteEachOp = (
  superblock: Superblock,
  context: Pick<PassContext, 'spend'>,
  rewrite: (current: Superblock, op: Op) => Superblock | undefined,
  ops: readonly Op[] = superblock.ops,
): Superblock =>
  rewriteEach(superblock, ops, context, (current, { id }) => {
    const op = opIn(current, id);
    return op && rewrite(current, op);
  });

/** The ops of the line from its end on. */
export const fromTheEnd = ({ ops }: Superblock): readonly Op[] => [...ops].reverse();
