/** Finding the superblock at fault, by switching superblocks off in a process before it runs. */
import type { Addr } from '../base/units.ts';
import { encodeBytes } from '../isa/encode.ts';
import { breakInsn, jumpInsn, reachesJump } from '../isa/idioms.ts';
import type { Process } from '../machine/process.ts';
import { entryProofs, outsideProblem, unproved } from './prove/prove.ts';
import type { Setting, Side } from './setting.ts';

/** Heads of the superblocks that ran: those between where control came in and the next place where it left. */
export function superblocksRun({ map }: Setting, { engine, process }: Side): Set<Addr> {
  const transfers = engine.transfers();
  const left = new Set(transfers.map(({ from }) => from - process.bias));
  left.add(process.hart.pc - process.bias);
  const exits = [...left].sort((a, b) => a - b);
  const entries = [...new Set(transfers.map(({ to }) => to - process.bias))].sort((a, b) => a - b);
  const spans = map.data.superblocks
    .flatMap(({ head, start, end, stubs }) =>
      [[start, end], ...stubs].map(([from, to]) => ({ head, from: from, to: to })),
    )
    .sort((a, b) => a.from - b.from);
  const ran = new Set<Addr>();
  let exit = 0;
  let span = 0;
  for (const entry of entries) {
    while (exit < exits.length && exits[exit]! < entry) exit++;
    const last = exits[exit] ?? entry;
    while (span < spans.length && spans[span]!.to <= entry) span++;
    for (let i = span; i < spans.length && spans[i]!.from <= last; i++) ran.add(spans[i]!.head);
  }
  return ran;
}

/**
 * Switches superblocks off: their first instruction becomes a jump to the original head, where the patch, if any, is undone. Where there is
 * no room for a jump, or it does not reach, it becomes a compressed breakpoint.
 * @returns where these are, and where to go on instead (run-time addresses)
 */
export function disable(setting: Setting, process: Process, heads: ReadonlySet<Addr>): ReadonlyMap<Addr, Addr> {
  const { map, options } = setting;
  const { memory, bias } = process;
  const patches = new Map(map.data.patches);
  const stops = new Map<Addr, Addr>();
  for (const { head, start, end } of map.data.superblocks) {
    if (!heads.has(head)) continue;
    const jump = reachesJump(head - start) ? encodeBytes(jumpInsn(head - start), false) : undefined;
    if (jump !== undefined && jump.length <= end - start) memory.bytes.set(jump, start + bias);
    else {
      memory.bytes.set(encodeBytes(breakInsn(), true), start + bias);
      stops.set(start + bias, head + bias);
    }
    const size = patches.get(head);
    if (size === undefined) continue;
    const segment = options.original.segments.find((s) => head >= s.address && head < s.address + s.size);
    if (segment) memory.bytes.set(segment.bytes.subarray(head - segment.address).subarray(0, size), head + bias);
  }
  return stops;
}

export interface Culprit {
  /** The superblock at fault; undefined if there is none. */
  readonly head: Addr | undefined;
  /** What is shipped has been proved: then one of these assumptions does not hold. Empty where it has not. */
  readonly assumptions: readonly string[];
}

/**
 * The superblock at fault. A wrong one cannot be proved, so only those that ran and are not proved are suspects, where there are any.
 * Of several suspects it is, in the order of their addresses, the first that brings a difference when it joins those before it.
 * (Without the proof a superblock that leads to the wrong one would be blamed as well: with it off, the wrong one is not reached.)
 * @param differs runs with these switched off
 */
export function findCulprit(
  { map, options: { original, optimized } }: Setting,
  ran: ReadonlySet<Addr>,
  differs: (disabled: ReadonlySet<Addr>) => boolean,
): Culprit {
  const proofs = entryProofs(original, optimized, map, ran);
  const suspects = unproved(proofs);
  if (suspects.size === 1) return { head: [...suspects][0], assumptions: [] };
  const inOrder = map.data.superblocks
    .filter(({ head }) => ran.has(head))
    .sort((a, b) => a.start - b.start)
    .map(({ head }) => head);
  // Those that did not run stay off: original code that runs instead of another superblock would enter them.
  const idle = map.data.superblocks.filter(({ head }) => !ran.has(head)).map(({ head }) => head);
  const goesWrong = (off: readonly Addr[]) => differs(new Set([...idle, ...off]));
  const suspect = firstToDiffer(
    inOrder.filter((head) => suspects.has(head)),
    goesWrong,
  );
  if (suspect !== undefined) return { head: suspect, assumptions: [] };
  const head = firstToDiffer(inOrder, goesWrong);
  if (suspects.size > 0) return { head, assumptions: [] };
  if (head !== undefined) return { head, assumptions: proofs.get(head)?.assumptions ?? [] };
  // No code is to blame: the program sees that it is in another file.
  return { head, assumptions: outsideProblem(original, optimized, map) === undefined ? ['A5'] : [] };
}

function firstToDiffer(heads: readonly Addr[], goesWrong: (off: readonly Addr[]) => boolean): Addr | undefined {
  if (heads.length === 0 || goesWrong(heads)) return undefined;
  let [good, bad] = [0, heads.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (goesWrong(heads.slice(middle))) bad = middle;
    else good = middle;
  }
  return heads[bad - 1];
}
