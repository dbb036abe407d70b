/** Sets the original path and the optimized line side by side, so that what stands for each other stands in one row. */
import type { OptimizedLine, OriginalLine, PathBlock } from './model.ts';

export type LeftRow = { readonly block: PathBlock } | { readonly line: OriginalLine };
export interface Row {
  readonly left?: LeftRow;
  readonly right?: OptimizedLine;
}

/**
 * All rows of both sides in their own orders. As many pairs as can be without crossing stand in one row: the longest increasing
 * sequence of partners (patience method); the n-th time an original instruction is on the path pairs with its n-th time in the line.
 */
export function align(path: readonly PathBlock[], line: readonly OptimizedLine[]): Row[] {
  const left: LeftRow[] = path.flatMap((block) => [{ block }, ...block.lines.map((each) => ({ line: each }))]);
  const places = new Map<string, number[]>();
  for (const [index, row] of left.entries()) {
    if (!('line' in row)) continue;
    const there = places.get(row.line.address);
    if (there) there.push(index);
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
    // What has no partner here shares rows too: the pictures stay short.
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

/** The longest subsequence of rising `left`; `right` rises already. */
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
