/** Which original instruction an optimized one stands for, found again from the code alone. */
import type { Addr } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { PlacedInsn } from './counts.ts';

/** The same but for what a move to another address changes. */
export function sameInsn(a: Insn, b: Insn): boolean {
  const moves = targetOf(a, 0) !== undefined || facts(a).readsPc;
  return (
    a.row === b.row &&
    a.rd === b.rd &&
    a.rs1 === b.rs1 &&
    a.rs2 === b.rs2 &&
    a.rs3 === b.rs3 &&
    a.rm === b.rm &&
    a.csr === b.csr &&
    (moves || a.imm === b.imm)
  );
}

/** How alike two instructions are: 0 is not at all. Two rewritten forms must lose against one that is unchanged. */
function likeness(a: Insn, b: Insn): number {
  if (sameInsn(a, b)) return 5;
  const one = facts(a);
  const other = facts(b);
  if (one.control === 'branch' && other.control === 'branch')
    return [a.rs1, a.rs2].sort().join() === [b.rs1, b.rs2].sort().join() ? 4 : 2;
  if (one.control !== other.control || one.control !== 'none') return 0;
  if (
    (one.load === undefined) !== (other.load === undefined) ||
    (one.store === undefined) !== (other.store === undefined)
  )
    return 0;
  if (a.row === b.row) return one.writes === other.writes ? 3 : 1;
  return one.pure && other.pure && one.writes === other.writes ? 1 : 0;
}

/** Beyond this product of lengths, matching is left to what is unchanged, in order. */
const MOST_CELLS = 4_000_000;

/**
 * For each instruction of `line` the index in `path` of the one it stands for, or -1: the pairing without crossings that is most
 * alike in sum (Needleman and Wunsch, 1970). Exact where code was only moved, copied and dropped; where it was rewritten, a good guess.
 */
export function matchInOrder(path: readonly Insn[], line: readonly Insn[]): number[] {
  if (path.length * line.length > MOST_CELLS) return matchGreedily(path, line);
  const width = path.length + 1;
  const best = new Int32Array((line.length + 1) * width);
  for (let l = line.length - 1; l >= 0; l--)
    for (let p = path.length - 1; p >= 0; p--) {
      const alike = likeness(path[p]!, line[l]!);
      const pair = alike === 0 ? 0 : alike + best[(l + 1) * width + p + 1]!;
      best[l * width + p] = Math.max(pair, best[(l + 1) * width + p]!, best[l * width + p + 1]!);
    }
  const found: number[] = line.map(() => -1);
  for (let l = 0, p = 0; l < line.length && p < path.length; ) {
    const here = best[l * width + p];
    const alike = likeness(path[p]!, line[l]!);
    if (alike > 0 && here === alike + best[(l + 1) * width + p + 1]!) found[l++] = p++;
    else if (here === best[l * width + p + 1]) p++;
    else l++;
  }
  return found;
}

function matchGreedily(path: readonly Insn[], line: readonly Insn[]): number[] {
  let p = 0;
  return line.map((insn) => {
    const at = path.findIndex((original, index) => index >= p && sameInsn(original, insn));
    if (at >= 0) p = at + 1;
    return at;
  });
}

/**
 * Addresses of the originals by address of the optimized instruction: the line in order, then what is in the stubs, where each
 * instruction stands for an equal one of the path that the line has lost.
 */
export function originsOf(
  path: readonly PlacedInsn[],
  line: readonly PlacedInsn[],
  stubs: readonly PlacedInsn[],
): Map<Addr, Addr> {
  const insns = path.map(({ insn }) => insn);
  const matched = matchInOrder(
    insns,
    line.map(({ insn }) => insn),
  );
  const origins = new Map<Addr, Addr>();
  for (const [index, place] of matched.entries())
    if (place >= 0) origins.set(line[index]!.address, path[place]!.address);
  const kept = new Set(matched);
  for (const { address, insn } of stubs) {
    const place = insns.findIndex((original, index) => !kept.has(index) && sameInsn(original, insn));
    if (place >= 0 && facts(insn).control === 'none') origins.set(address, path[place]!.address);
  }
  return origins;
}
