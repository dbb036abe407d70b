/** Sets the original path and the optimized line side by side, so that instructions which correspond share a row. */
import type { OptimizedLine, OriginalLine, PathBlock } from './model.ts';

export type LeftRow = { readonly block: PathBlock } | { readonly line: OriginalLine };
export interface Row {
  readonly left?: LeftRow;
  readonly right?: OptimizedLine;
}

/**
 * All rows of both sides, each side in its own order. As many pairs as possible without crossings share a row: the longest increasing
 * sequence of partners (patience method). The n-th occurrence of an instruction on the path pairs with the n-th in the line.
 */
export function align(path: readonly PathBlock[], line: readonly OptimizedLine[]): Row[] {
  const left: LeftRow[] = path.flatMap((block) => [{ block }, ...block.lines.map((each) => ({ line: each }))]);
  const places = new Map<string, number[]>();
  for (const [index, row] of left.entries()) {
    if (!('line' in row)) continue;
    const indexes = places.get(row.line.address);
    if (indexes) indexes.push(index);
    else places.set(row.line.address, [index]);
  }
  const pairs: Pair[] = [];
  for (const [right, { originalAddress }] of line.entries()) {
    const partner = originalAddress === undefined ? undefined : places.get(originalAddress)?.shift();
    if (partner !== undefined) pairs.push({ left: partner, right });
  }
  const rows: Row[] = [];
  let l = 0;
  let r = 0;
  for (const pair of [...longestIncreasing(pairs), { left: left.length, right: line.length }]) {
    // Lines without a partner share rows too, which keeps the table short.
    while (l < pair.left || r < pair.right)
      rows.push({
        ...(l < pair.left ? { left: left[l++]! } : {}),
        ...(r < pair.right ? { right: line[r++]! } : {}),
      });
    if (l < left.length) rows.push({ left: left[l++]!, right: line[r++]! });
  }
  return rows;
}

interface Pair {
  readonly left: number;
  readonly right: number;
}

/** The longest subsequence of rising `left`; the pairs come by rising `right`. */
function longestIncreasing(pairs: readonly Pair[]): Pair[] {
  /** The pair that ends the best sequence of each length. */
  const ends: Pair[] = [];
  const before = new Map<Pair, Pair | undefined>();
  for (const pair of pairs) {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ends[middle]!.left < pair.left) low = middle + 1;
      else high = middle;
    }
    before.set(pair, ends[low - 1]);
    ends[low] = pair;
  }
  const found: Pair[] = [];
  for (let at = ends.at(-1); at !== undefined; at = before.get(at)) found.push(at);
  return found.reverse();
}
