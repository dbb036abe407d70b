/**
 * Placement decides the order of the pieces of code. Pieces are the lines of superblocks and the exit stubs that are hot enough to
 * stand among them. A piece is chained to the line it goes on to, hottest first, if no other piece is chained to that line yet; the
 * piece then needs no jump. So a line is chained to its final exit's target, a stub to its target, and a line that ends in a branch
 * may as well be chained to the branch's other side, since the branch can be inverted. A call's return point stands right behind the
 * call if it can.
 *
 * Chains then go into groups, whose other stubs stand before or behind them: a conditional branch reaches 4 KiB only. The next chain
 * is the chain with the most branches per byte to and from the code in reach (after Pettis and Hansen, Profile Guided Code
 * Positioning, 1990), so that side exits lead straight to other lines.
 */
import { derived } from '../base/derived.ts';
import type { Addr, ByteCount } from '../base/units.ts';
import type { Item, LoweredSuperblock } from '../lower/item.ts';

/** An exit stub that stands among the lines. */
export interface ChainedStub {
  readonly of: LoweredSuperblock;
  readonly stub: number;
}

export type Piece = LoweredSuperblock | ChainedStub;

/** Pieces in the order they stand. The stubs of its lines that are no pieces themselves stand all before or all behind them. */
export interface Group {
  readonly pieces: readonly Piece[];
  readonly stubs: 'before' | 'behind';
}

export const isStub = (piece: Piece): piece is ChainedStub => 'of' in piece;
export const isLine = (piece: Piece): piece is LoweredSuperblock => !isStub(piece);

/** A branch's reach, less a margin for the error of estimated sizes. */
const REACH: ByteCount = 3900;
/** A stub that runs less often than this share of its target's entries stays away from the lines. */
const HOT_STUB = 1 / 32;
/** Weight by which a call's return point goes behind the call whatever the counts: its frame description covers one place only. */
const CALL_WEIGHT = 1e6;

type Key = string;
const keyOf = (piece: Piece): Key => (isStub(piece) ? `${piece.of.head}.${piece.stub}` : `${piece.head}`);

interface Link {
  readonly from: Key;
  readonly to: Key;
  readonly weight: number;
}

/** A run of pieces, each of which runs on into the next. `weights[i]`: how often piece i does so. */
interface Chain {
  readonly pieces: readonly Piece[];
  readonly weights: readonly number[];
}

/** @param aliases heads of empty superblocks, each with the head that it leads to */
export function place(
  superblocks: readonly LoweredSuperblock[],
  aliases: ReadonlyMap<Addr, Addr> = new Map(),
): Group[] {
  const byHead = new Map(superblocks.map((lowered) => [lowered.head, lowered]));
  const lineAt = (head: Addr | undefined): LoweredSuperblock | undefined =>
    head === undefined ? undefined : byHead.get(aliases.get(head) ?? head);
  const whole = chainsOf(superblocks, lineAt);
  const chained = new Map<LoweredSuperblock, Set<number>>();
  for (const { pieces } of whole)
    for (const piece of pieces) {
      if (!isStub(piece)) continue;
      const stubs = chained.get(piece.of);
      if (stubs === undefined) chained.set(piece.of, new Set([piece.stub]));
      else stubs.add(piece.stub);
    }
  const isPiece = (of: LoweredSuperblock, stub: number) => chained.get(of)?.has(stub) === true;
  const chains = whole.flatMap((chain) => withinReach(chain, isPiece));
  const chainOf = new Map<Key, Chain>();
  for (const chain of chains) for (const piece of chain.pieces) chainOf.set(keyOf(piece), chain);
  return groupsOf(arrange(chains, chainOf, lineAt), isPiece);
}

function chainsOf(
  superblocks: readonly LoweredSuperblock[],
  lineAt: (head: Addr | undefined) => LoweredSuperblock | undefined,
): Chain[] {
  const pieces = new Map<Key, Piece>(superblocks.map((lowered) => [keyOf(lowered), lowered]));
  const links: Link[] = [];
  const link = (from: Piece, to: Piece | undefined, weight: number) => {
    if (to !== undefined && to !== from) links.push({ from: keyOf(from), to: keyOf(to), weight });
  };
  for (const lowered of superblocks) {
    const { final, line, stubs } = lowered;
    const target = lineAt(final.to);
    link(lowered, target, final.kind === 'call' ? final.count * CALL_WEIGHT : final.count);
    const hot = stubs.map((stub, number) => {
      const to = lineAt(stub.to);
      if (to === undefined || stub.items.length === 0 || stub.count === 0 || stub.count < to.count * HOT_STUB)
        return undefined;
      const piece: ChainedStub = { of: lowered, stub: number };
      pieces.set(keyOf(piece), piece);
      link(piece, to, stub.count);
      return piece;
    });
    const last = line.at(-1);
    if (!final.flippable || last?.kind !== 'branch' || target === undefined) continue;
    const stub = stubs[last.stub]!;
    link(lowered, stub.items.length === 0 ? lineAt(stub.to) : hot[last.stub], stub.count);
  }
  links.sort((a, b) => b.weight - a.weight || (a.from < b.from ? -1 : a.from > b.from ? 1 : a.to < b.to ? -1 : 1));
  const next = new Map<Key, Link>();
  const before = new Set<Key>();
  const parent = new Map<Key, Key>();
  const root = (key: Key): Key => {
    let at = key;
    for (let up = parent.get(at); up !== undefined; up = parent.get(at)) at = up;
    if (at !== key) parent.set(key, at);
    return at;
  };
  for (const made of links) {
    const { from, to } = made;
    if (next.has(from) || before.has(to) || root(from) === root(to)) continue;
    next.set(from, made);
    before.add(to);
    parent.set(root(to), root(from));
  }
  const chains: Chain[] = [];
  for (const [key, piece] of pieces) {
    if (before.has(key)) continue;
    const chain = { pieces: [piece], weights: [] as number[] };
    for (let on = next.get(key); on !== undefined; on = next.get(on.to)) {
      chain.pieces.push(pieces.get(on.to)!);
      chain.weights.push(on.weight);
    }
    // A stub that is chained to no line stays with the other stubs.
    if (chain.pieces.length > 1 || !isStub(piece)) chains.push(chain);
  }
  return chains;
}

/** An upper bound on an item's size. */
const itemBytes = (item: Item): ByteCount =>
  item.kind === 'insn' ? item.insn.size : item.kind === 'branch' || item.kind === 'low' || item.kind === 'call' ? 4 : 8;
/** The size of a line or a stub: each chain that might join a group asks for it again. */
const bytesOf = derived(
  'size',
  (items: readonly Item[]): ByteCount => items.reduce((sum, item) => sum + itemBytes(item), 0),
);
const JUMP_BYTES: ByteCount = 4;

const pieceBytes = (piece: Piece): ByteCount =>
  (isStub(piece) ? bytesOf(piece.of.stubs[piece.stub]!.items) : bytesOf(piece.line)) + JUMP_BYTES;
const chainBytes = (chain: Chain): ByteCount => chain.pieces.reduce((sum, piece) => sum + pieceBytes(piece), 0);

/**
 * The longest distance of a branch of these pieces from its stub, for stubs before and for stubs behind the pieces; stubs stand in the
 * order of their branches. For a stub that is itself a piece, room is left for a jump to the stub, in case it is out of reach.
 */
function farthest(pieces: readonly Piece[], isPiece: (of: LoweredSuperblock, stub: number) => boolean): Reach {
  let lines = 0;
  let stubs = 0;
  let behind = 0;
  let before = 0;
  for (const piece of pieces) {
    if (!isStub(piece)) {
      let at = lines;
      for (const item of piece.line) {
        if (item.kind === 'branch' || item.kind === 'escape') {
          behind = Math.max(behind, stubs - at);
          before = Math.max(before, at - stubs);
          const { items } = piece.stubs[item.stub]!;
          stubs += (isPiece(piece, item.stub) ? 0 : bytesOf(items)) + JUMP_BYTES;
        }
        at += itemBytes(item);
      }
    }
    lines += pieceBytes(piece);
  }
  return { behind: behind + lines, before: before + stubs };
}

interface Reach {
  readonly behind: ByteCount;
  readonly before: ByteCount;
}

/** Splits a chain that is too long for its branches to reach their stubs, at the weakest links. */
function withinReach(chain: Chain, isPiece: (of: LoweredSuperblock, stub: number) => boolean): Chain[] {
  const { behind, before } = farthest(chain.pieces, isPiece);
  if (Math.max(behind, before) <= REACH || chain.pieces.length === 1) return [chain];
  const size = chainBytes(chain);
  let weakest = (chain.weights.length - 1) >> 1;
  let at = 0;
  for (const [index, weight] of chain.weights.entries()) {
    at += pieceBytes(chain.pieces[index]!);
    // The cut is somewhere in the middle, so that the recursion ends soon.
    if (at >= size / 4 && at <= (size * 3) / 4 && weight < chain.weights[weakest]!) weakest = index;
  }
  const part = (from: number, to: number): Chain => ({
    pieces: chain.pieces.slice(from, to),
    weights: chain.weights.slice(from, to - 1),
  });
  return [part(0, weakest + 1), part(weakest + 1, chain.pieces.length)].flatMap((each) => withinReach(each, isPiece));
}

/** The order of chains: next is the chain with the most branches per byte to and from chains within reach, else the hottest. */
function arrange(
  chains: readonly Chain[],
  chainOf: ReadonlyMap<Key, Chain>,
  lineAt: (head: Addr | undefined) => LoweredSuperblock | undefined,
): Chain[] {
  const heatOf = (chain: Chain) =>
    Math.max(...chain.pieces.map((piece) => (isStub(piece) ? piece.of.stubs[piece.stub]!.count : piece.count)));
  const heat = new Map(chains.map((chain) => [chain, heatOf(chain)]));
  const headOf = (chain: Chain): Key => keyOf(chain.pieces[0]!);
  const byHeat = [...chains].sort(
    (a, b) => heat.get(b)! - heat.get(a)! || (headOf(a) < headOf(b) ? -1 : headOf(a) > headOf(b) ? 1 : 0),
  );
  // Counts of branches between chains, in both directions: such chains should stand near one another.
  const near = new Map<Chain, Map<Chain, number>>(chains.map((chain) => [chain, new Map()]));
  for (const chain of chains)
    for (const piece of chain.pieces) {
      if (isStub(piece)) continue;
      piece.stubs.forEach((stub, number) => {
        const line = lineAt(stub.to);
        // A stub that is no piece stands with its group.
        const to =
          chainOf.get(keyOf({ of: piece, stub: number })) ??
          (stub.items.length > 0 || line === undefined ? undefined : chainOf.get(keyOf(line)));
        if (to === undefined || to === chain || stub.count === 0) return;
        for (const [one, other] of [
          [chain, to],
          [to, chain],
        ] as const)
          near.get(one)!.set(other, (near.get(one)!.get(other) ?? 0) + stub.count);
      });
    }
  const order: Chain[] = [];
  const placed = new Set<Chain>();
  let nextHottest = 0;
  while (order.length < chains.length) {
    const pull = new Map<Chain, number>();
    let back = 0;
    for (let index = order.length - 1; index >= 0 && back < REACH; index--) {
      const chain = order[index]!;
      for (const [other, weight] of near.get(chain)!)
        if (!placed.has(other)) pull.set(other, (pull.get(other) ?? 0) + weight);
      back += chainBytes(chain);
    }
    let best: Chain | undefined;
    let bestPull = 0;
    for (const [chain, weight] of pull) {
      const density = weight / chainBytes(chain);
      if (density > bestPull) [best, bestPull] = [chain, density];
    }
    while (placed.has(byHeat[nextHottest]!)) nextHottest++;
    const chosen = best ?? byHeat[nextHottest]!;
    placed.add(chosen);
    order.push(chosen);
  }
  return order;
}

/** Cuts the order into groups so that every branch reaches the stubs of its group. Groups stand in pairs, their lines side by side. */
function groupsOf(order: readonly Chain[], isPiece: (of: LoweredSuperblock, stub: number) => boolean): Group[] {
  const groups: { pieces: Piece[]; readonly stubs: Group['stubs'] }[] = [];
  for (const chain of order) {
    const group = groups.at(-1);
    if (group !== undefined && farthest([...group.pieces, ...chain.pieces], isPiece)[group.stubs] <= REACH)
      group.pieces.push(...chain.pieces);
    else groups.push({ pieces: [...chain.pieces], stubs: groups.length % 2 === 0 ? 'before' : 'behind' });
  }
  return groups;
}
