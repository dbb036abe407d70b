/**
 * Dead-code removal with sinking into exit stubs.
 *
 * What: an op whose result nobody needs goes; an op that only side exits need moves into their stubs, where it runs only when that
 * exit is taken.
 * Why it is safe: only pure ops and links sink, and only where the home rule still holds: what overwrites their operands before the exit moves elsewhere. A load that
 * nobody needs goes too: its memory effect is none, and a fault it would have raised cannot matter to a result nobody reads.
 * Risk: code size: an op needed by many exits is copied into each of them, so the number is limited.
 */

import { usesOf } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { MAX_COPIES, removable, removeOp, settled, sinkable, sinkOp } from '../src/superblock/rewrite.ts';

export const sink: Pass = {
  name: 'sink',
  description: 'removes what nobody needs and moves what only side exits need into their stubs',
  run(superblock, { fuel }) {
    let current = superblock;
    let known = usesOf(current);
    for (const op of [...superblock.ops].reverse()) {
      if (!removable(op)) continue;
      const uses = known.get(op.id);
      if (uses !== undefined && (uses.line.length > 0 || uses.final)) continue;
      const exits = uses === undefined ? 0 : new Set(uses.exits).size;
      if (exits > MAX_COPIES || (exits > 0 && !sinkable(op))) continue;
      const next = settled(current, exits === 0 ? removeOp(current, op) : sinkOp(current, op));
      if (next === undefined) continue;
      if (!fuel.spend('sink', superblock.head)) return current;
      current = next;
      known = usesOf(current);
    }
    return current;
  },
};
