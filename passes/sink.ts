/**
 * Dead-code removal with sinking into exit stubs.
 *
 * What: an op whose result is unused is removed; an op that only side exits need moves into their stubs, where it runs only when that
 * exit is taken.
 * Why it is safe: only pure ops and links sink, and only where the home rule still holds: values that would overwrite a sunk op's operands
 * before the exit get other homes. An unused load is removed too: a load has no effect on memory, and its fault need not be kept
 * (assumption A6).
 * Risk: code size: an op needed by many exits is copied into each of them, so the number of copies is limited.
 */
import { usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES, removable, removeOp, sinkable, sinkOp, withFreeHomes } from '../src/superblock/rewrite.ts';
import { fromTheEnd, rewriteEach } from '../src/superblock/rewrite-each.ts';

export const sink: Pass = {
  name: 'sink',
  description: 'removes what nobody needs and moves what only side exits need into their stubs',
  run: (superblock, context) =>
    // Ops are taken as the pass found them. One to which a rewrite has given another home is another object in the line, and stays there.
    rewriteEach(superblock, fromTheEnd(superblock), context, (current, op) => {
      if (!removable(op)) return undefined;
      const uses = usesOf(current).get(op.id);
      if (uses !== undefined && (uses.line.length > 0 || uses.final)) return undefined;
      const exits = uses === undefined ? 0 : new Set(uses.exits).size;
      if (exits > MAX_COPIES || (exits > 0 && !sinkable(op))) return undefined;
      return withFreeHomes(current, exits === 0 ? removeOp(current, op) : sinkOp(current, op));
    }),
};
