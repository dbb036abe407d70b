/**
 * Owners of the bytes of one memory, which have stored these bytes last: trees by base and address that share common parts (treap.ts).
 * No two owners of one tree have a byte in common.
 */
import type { Term } from '../../domain/term.ts';
import { before, type Extent, endOf, idOf, type Owner, type Owners, type Piece, sizeOf } from './pieces.ts';
import { countFirst, itemsOf, nextBehind, noise, Treap } from './treap.ts';

/** A base with no more owners has its runs taken out of a line one by one. */
const MOST_OWNERS = 8;

export class OwnerTrees {
  readonly #trees = new Treap<Owner, Owners>(
    ({ base, offset }) => noise(offset, 0, idOf(base)),
    (left, item, right) => {
      this.made++;
      return { left, item, right, size: sizeOf(left, right) };
    },
  );
  /** Number of nodes made: a measure of the work done. */
  made = 0;

  with(owners: Owners | undefined, owner: Owner): Owners {
    return this.#trees.insert(owners, owner, before(owner));
  }
  without(owners: Owners | undefined, owner: Owner): Owners | undefined {
    return this.#trees.without(owners, before(owner), (other) => other !== owner);
  }

  /** The first owner of any of these bytes. */
  first(owners: Owners | undefined, bytes: Extent): Owner | undefined {
    const owner = nextBehind(owners, before(bytes));
    return owner !== undefined && owner.base === bytes.base && owner.offset < endOf(bytes) ? owner : undefined;
  }
  all(owners: Owners | undefined, { base, offset, bytes }: Extent): Owner[] {
    const found: Owner[] = [];
    for (let at = offset; at < offset + bytes; at = endOf(found.at(-1)!)) {
      const owner = this.first(owners, { base, offset: at, bytes: offset + bytes - at });
      if (owner === undefined) break;
      found.push(owner);
    }
    return found;
  }
  /** The owner of a whole piece, and of no more of its store. */
  ofPiece(owners: Owners | undefined, piece: Piece): Owner | undefined {
    const owner = this.first(owners, piece);
    if (owner === undefined || owner.kept) return undefined;
    const { offset, bytes, at, value } = owner.piece;
    const same = offset === piece.offset && bytes === piece.bytes && at === piece.at && value === piece.value;
    return same ? owner : undefined;
  }
  /** Have all of these bytes been stored behind a run of the line, through another base? */
  areBehind(owners: Owners | undefined, bytes: Extent, stamp: number): boolean {
    const found = this.all(owners, bytes);
    let covered = 0;
    for (const owner of found) covered += Math.min(endOf(owner), endOf(bytes)) - Math.max(owner.offset, bytes.offset);
    return covered === bytes.bytes && found.every((owner) => owner.stamp > stamp);
  }
  /** All owners of a base, if they are few. */
  few(owners: Owners | undefined, base: Term | undefined): Owner[] | undefined {
    const isBefore = before({ base, offset: Number.NEGATIVE_INFINITY });
    const isWithin = (owner: Owner) => isBefore(owner) || owner.base === base;
    if (countFirst(owners, isWithin) - countFirst(owners, isBefore) > MOST_OWNERS) return undefined;
    return itemsOf(this.#trees.split(this.#trees.split(owners, isBefore)[1], ({ base: of }) => of === base)[0]);
  }
}
