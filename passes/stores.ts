/**
 * Dead-store elimination with sinking.
 *
 * What: a store is removed from the line if a later store of the line overwrites it, or if it went to a frame that the line gives back.
 * Side exits at which the stored value can still be read get the store in their stubs. So an inlined callee's registers are saved only
 * where control leaves the callee early.
 * Why it is safe: no later load of the line may read the stored value, and at every exit memory holds what it held before the pass, except
 * below the stack pointer and in frames that were given back, which are dead (assumption A8). Registers saved in a frame are out of reach
 * of other pointers (assumption A3). No fault is hidden: the overwriting store faults in the removed store's stead, and a frame's pages
 * belong to the stack.
 * Risk: code size: exits get copies of the stores, so the number of copies is limited.
 * Source: partial dead-store elimination (Knoop, Ruething, Steffen: Partial Dead Code Elimination, PLDI 1994).
 */
import { hasReg } from '../src/base/regset.ts';
import { SP } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import { type Exit, exitWith, isOrdered, type Op, opWith, type Superblock, wanted } from '../src/superblock/form.ts';
import { positionIn } from '../src/superblock/homes.ts';
import { cannotOverlap, overwrites, type Place } from '../src/superblock/line-memory.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { withFreeHomes } from '../src/superblock/rewrite.ts';
import { fromTheEnd, rewriteEachOp } from '../src/superblock/rewrite-each.ts';
import type { SuperblockTerms } from '../src/superblock/terms.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** A store stays in the line if more exits than this need it: each would get a copy. */
const MAX_STORES = 12;

const sunkPlaces = (exit: Exit, terms: SuperblockTerms): Place[] =>
  exit.sunk.map((op) => terms.place(op)).filter((place) => place !== undefined);

/** Is a place dead at an exit: overwritten by the exit's sunk stores, or below the stack pointer there? */
function deadAt(exit: Exit, place: Place, terms: SuperblockTerms, deadFrames: boolean): boolean {
  if (sunkPlaces(exit, terms).some((other) => overwrites(other, place))) return true;
  // The snapshot of an exit tells the stack pointer only where sp is live.
  const stack = hasReg(exit.live, SP) ? terms.stackOffset(wanted(exit, SP)) : undefined;
  return deadFrames && place.stack && stack !== undefined && place.offset + BigInt(place.bytes) <= stack;
}

/** Positions of the side exits that need a store; undefined if the line or the final exit needs it. */
function exitsThatNeed(superblock: Superblock, at: number, terms: SuperblockTerms, deadFrames: boolean) {
  const place = terms.place(superblock.ops[at]!);
  if (place === undefined) return undefined;
  const exits: number[] = [];
  /** A store since then may have overwritten a part of the place, so this store cannot be made any later. */
  let late = false;
  for (let position = at + 1; position < superblock.ops.length; position++) {
    const op = superblock.ops[position]!;
    // From the id `saved` on the frame is given back, and its slots are dead at every exit. (For a save at an unknown distance from the
    // stack pointer at the head, `saved` is the store's own id, and nothing follows.)
    const { saved = 0 } = place;
    if (deadFrames && place.stack && saved > place.id && op.id >= saved) return exits;
    const { store, load } = facts(op.insn);
    if (isOrdered(op)) return undefined;
    const other = terms.place(op);
    if (other !== undefined && !cannotOverlap(place, other)) {
      if (load !== undefined) return undefined;
      if (overwrites(other, place)) return exits;
      late = true;
    } else if (other === undefined && (store ?? load) !== undefined) return undefined;
    if (op.exit === undefined || deadAt(op.exit, place, terms, deadFrames)) continue;
    if (late || sunkPlaces(op.exit, terms).some((other) => !cannotOverlap(other, place))) return undefined;
    exits.push(position);
  }
  return deadAt(superblock.final.exit, place, terms, deadFrames) ? exits : undefined;
}

/** The superblock with a store of the line in these exits instead. */
function withSunkStore(superblock: Superblock, store: Op, exits: ReadonlySet<number>): Superblock {
  const ops = superblock.ops.map((op, position) =>
    op.exit !== undefined && exits.has(position)
      ? opWith(op, { exit: exitWith(op.exit, op.exit.snapshot, [...op.exit.sunk, store]) })
      : op,
  );
  return { ...superblock, ops: ops.filter((op) => op !== store) };
}

export const stores: Pass = {
  name: 'stores',
  description: 'removes stores that nobody looks at and moves what only side exits need into their stubs',
  run(superblock, context) {
    const { deadFrames = false } = context;
    const terms = context.termsOf(superblock);
    const withoutStore = (current: Superblock, store: Op): Superblock | undefined => {
      if (facts(store.insn).store === undefined || isOrdered(store)) return undefined;
      const exits = exitsThatNeed(current, positionIn(current, store.id)!, terms, deadFrames);
      if (exits === undefined || exits.length > MAX_STORES) return undefined;
      const next = withFreeHomes(current, withSunkStore(current, store, new Set(exits)));
      return next !== undefined && weightOf(next) < weightOf(current) ? next : undefined;
    };
    // From the end: an overwriting store may itself be needed by exits only.
    return rewriteEachOp(superblock, context, withoutStore, fromTheEnd(superblock));
  },
};
