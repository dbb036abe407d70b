/**
 * Dead-store elimination with sinking.
 *
 * What: a store goes that the line itself overwrites before it ends, or that was made to a frame that the line gives back; side exits that
 * may look at what was stored store it in their stubs. So what an inlined callee saves is saved only where control leaves it early.
 * Why it is safe: no load of the line that is behind the store may read what was stored, and where control leaves, memory is what it was
 * to be; what lies below the stack pointer there is nobody's, nor is what is left of a frame that was given back (assumption A8). Registers
 * saved in a frame are out of reach of other pointers (assumption A3). No fault is hidden: what overwrites a store faults in its stead, and a frame's pages are the stack's.
 * Risk: code size: exits get copies of the stores, so the number is limited.
 * Source: partial dead-store elimination (Knoop, Ruething, Steffen: Partial Dead Code Elimination, PLDI 1994).
 */
import { SP } from '../src/base/units.ts';
import { facts } from '../src/domain/record.ts';
import {
  type Exit,
  exitWith,
  inSet,
  isOrdered,
  type Op,
  opWith,
  type Superblock,
  wanted,
} from '../src/superblock/form.ts';
import { positionIn } from '../src/superblock/homes.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { settled } from '../src/superblock/rewrite.ts';
import { apart, overwrites, type Place, type SuperblockTerms, termsOf } from '../src/superblock/terms.ts';
import { weightOf } from '../src/superblock/weight.ts';

/** A store that more exits than this need stays: each has a copy. */
const MAX_STORES = 12;

const sunkPlaces = (exit: Exit, terms: SuperblockTerms): Place[] =>
  exit.sunk.map((op) => terms.place(op)).filter((place) => place !== undefined);

/** Does nobody look at a place once control has left there? */
function deadAt(exit: Exit, place: Place, terms: SuperblockTerms, deadFrames: boolean): boolean {
  if (sunkPlaces(exit, terms).some((other) => overwrites(other, place))) return true;
  // Where nobody needs it the exit does not say what it is.
  const stack = inSet(exit.live, SP) ? terms.stackOffset(wanted(exit, SP)) : undefined;
  return deadFrames && place.stack && stack !== undefined && place.offset + BigInt(place.bytes) <= stack;
}

/** Positions of the side exits that need a store, which the line itself does not; undefined if it does. */
function exitsThatNeed(superblock: Superblock, at: number, terms: SuperblockTerms, deadFrames: boolean) {
  const place = terms.place(superblock.ops[at]!);
  if (place === undefined) return undefined;
  const exits: number[] = [];
  /** Something has been stored since then that may have overwritten a part of it: it cannot be stored any later. */
  let late = false;
  for (let position = at + 1; position < superblock.ops.length; position++) {
    const op = superblock.ops[position]!;
    // Nobody looks at what is left of a frame that is given back, wherever control leaves then. (Of a save to where was not known it is not
    // known when that is: it ends where it begins.)
    const { saved = 0 } = place;
    if (deadFrames && place.stack && saved > place.id && op.id >= saved) return exits;
    const { store, load } = facts(op.insn);
    if (isOrdered(op)) return undefined;
    const other = terms.place(op);
    if (other !== undefined && !apart(place, other)) {
      if (load !== undefined) return undefined;
      if (overwrites(other, place)) return exits;
      late = true;
    } else if (other === undefined && (store ?? load) !== undefined) return undefined;
    if (op.exit === undefined || deadAt(op.exit, place, terms, deadFrames)) continue;
    if (late || sunkPlaces(op.exit, terms).some((other) => !apart(other, place))) return undefined;
    exits.push(position);
  }
  return deadAt(superblock.final.exit, place, terms, deadFrames) ? exits : undefined;
}

/** The superblock with a store of the line in these exits instead. */
function sunk(superblock: Superblock, store: Op, exits: ReadonlySet<number>): Superblock {
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
  run(superblock, { fuel, deadFrames = false }) {
    const terms = termsOf(superblock);
    let current = superblock;
    // From the end: what overwrites a store may itself be needed by exits only.
    for (const store of [...superblock.ops].reverse()) {
      if (facts(store.insn).store === undefined || isOrdered(store)) continue;
      const exits = exitsThatNeed(current, positionIn(current, store.id)!, terms, deadFrames);
      if (exits === undefined || exits.length > MAX_STORES) continue;
      const next = settled(current, sunk(current, store, new Set(exits)));
      if (next === undefined || weightOf(next) >= weightOf(current)) continue;
      if (!fuel.spend('stores', superblock.head)) return current;
      current = next;
    }
    return current;
  },
};
