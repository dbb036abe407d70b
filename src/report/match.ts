/** Finds the original instruction of each optimized instruction from the code alone. */
import type { Addr } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { type Insn, targetOf } from '../isa/row.ts';
import type { PlacedInsn } from './counts.ts';

/** Are two instructions equal, except for pc-relative immediates, which a move to another address changes? */
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

/** How alike two instructions are: 0 is not at all. A pair of rewritten forms must lose against an unchanged pair. */
function likeness(a: Insn, b: Insn): number {
  if (sameInsn(a, b)) return 5;
  const factsA = facts(a);
  const factsB = facts(b);
  if (factsA.control === 'branch' && factsB.control === 'branch')
    return [a.rs1, a.rs2].sort().join() === [b.rs1, b.rs2].sort().join() ? 4 : 2;
  if (factsA.control !== factsB.control || factsA.control !== 'none') return 0;
  if (
    (factsA.load === undefined) !== (factsB.load === undefined) ||
    (factsA.store === undefined) !== (factsB.store === undefined)
  )
    return 0;
  if (a.row === b.row) return factsA.writes === factsB.writes ? 3 : 1;
  return factsA.pure && factsB.pure && factsA.writes === factsB.writes ? 1 : 0;
}

/** Beyond this product of lengths, only unchanged instructions are matched, greedily and in order. */
const MOST_CELLS = 4_000_000;

/**
 * For each instruction of `line` the index in `path` of its original, or -1: the pairing without crossings that has the largest sum
 * of likeness (Needleman and Wunsch, 1970). Exact where code was only moved, copied and dropped; a good guess for rewritten code.
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

/** Is `b` perhaps `a` in other registers? Loads and stores of another offset, and transfers, are not matched. */
const sameInOtherRegisters = (a: Insn, b: Insn): boolean =>
  a.row === b.row && a.imm === b.imm && facts(a).control === 'none';

/**
 * Addresses of the originals by address of the optimized instruction. The line is matched in order. Of the instructions without a partner,
 * each one of the line is then matched with the first equal one of the path: it has moved past others. Each one of a stub is matched with
 * the first equal one that the line has lost. The rest of the line is matched with what differs in registers only.
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
  /** Indexes in `path` of the instructions that have a partner. */
  const kept = new Set(matched);
  const sunk = new Set<number>();
  /** @param found receives the indexes in `path` of the partners; an instruction of the path may have several until it is in `kept` */
  const matchRest = (code: readonly PlacedInsn[], same: (a: Insn, b: Insn) => boolean, found: Set<number>): void => {
    for (const { address, insn } of code) {
      if (origins.has(address) || facts(insn).control !== 'none') continue;
      const place = insns.findIndex((original, index) => !kept.has(index) && same(original, insn));
      if (place < 0) continue;
      origins.set(address, path[place]!.address);
      found.add(place);
    }
  };
  matchRest(line, sameInsn, kept);
  matchRest(stubs, sameInsn, sunk);
  for (const place of sunk) kept.add(place);
  matchRest(line, sameInOtherRegisters, kept);
  return origins;
}
