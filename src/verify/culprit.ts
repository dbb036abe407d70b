/** Finding the superblock at fault, by switching superblocks off in a process before it runs. */
import type { Addr, RunAddr } from '../base/units.ts';
import type { AssumptionId } from '../emit/assumptions.ts';
import { encodeBytes } from '../isa/encode.ts';
import { breakInsn, jumpInsn, reachesJump } from '../isa/idioms.ts';
import type { Process } from '../machine/process.ts';
import { entryProofs, outsideProblem, unproved } from './prove/prove.ts';
import type { Setting, Side } from './setting.ts';

/** Heads of the superblocks that ran: those between each entry of control and the next place where control left. */
export function superblocksRun({ map }: Setting, { engine, process }: Side): Set<Addr> {
  const transfers = engine.transfers();
  const { place } = process;
  const left = new Set(transfers.map(({ from }) => place.toLinked(from)));
  left.add(place.toLinked(process.hart.pc));
  const exits = [...left].sort((a, b) => a - b);
  const entries = [...new Set(transfers.map(({ to }) => place.toLinked(to)))].sort((a, b) => a - b);
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
 * Switches superblocks off: their first instruction becomes a jump to the original head, where the patch, if any, is undone. Where a jump
 * has no room or does not reach, the instruction becomes a compressed breakpoint.
 * @returns the addresses of breakpoints, each with the address to go on at
 */
export function disable(setting: Setting, process: Process, heads: ReadonlySet<Addr>): ReadonlyMap<RunAddr, RunAddr> {
  const { map, options } = setting;
  const { memory, place } = process;
  const patches = new Map(map.data.patches);
  const stops = new Map<RunAddr, RunAddr>();
  for (const { head, start, end } of map.data.superblocks) {
    if (!heads.has(head)) continue;
    const jump = reachesJump(head - start) ? encodeBytes(jumpInsn(head - start), false) : undefined;
    if (jump !== undefined && jump.length <= end - start) memory.bytes.set(jump, place.toRun(start));
    else {
      memory.bytes.set(encodeBytes(breakInsn(), true), place.toRun(start));
      stops.set(place.toRun(start), place.toRun(head));
    }
    const size = patches.get(head);
    if (size === undefined) continue;
    const segment = options.original.segments.find((s) => head >= s.address && head < s.address + s.size);
    if (segment) memory.bytes.set(segment.bytes.subarray(head - segment.address).subarray(0, size), place.toRun(head));
  }
  return stops;
}

export interface Culprit {
  /** The superblock at fault; undefined if there is none. */
  readonly head: Addr | undefined;
  /** If the shipped code has been proved: assumptions of which one does not hold. Empty if the code has not been proved. */
  readonly assumptions: readonly AssumptionId[];
  /** Why the program differs though no code is at fault, in words. */
  readonly cause?: string | undefined;
}

/**
 * The superblock at fault. A wrong superblock cannot be proved, so only superblocks that ran and are not proved are suspects, if there
 * are any. Of several suspects, in the order of their addresses, the first is blamed that brings a difference when it joins those before.
 * (Without the proof a superblock that leads to the wrong one would be blamed as well: with the former off, the latter is not reached.)
 * @param differs does a run with these superblocks switched off differ?
 * @param causeOf why the original alone would differ too, in words
 */
export function findCulprit(
  { map, options: { original, optimized } }: Setting,
  ran: ReadonlySet<Addr>,
  differs: (disabled: ReadonlySet<Addr>) => boolean,
  causeOf: () => string | undefined,
): Culprit {
  const proofs = entryProofs(original, optimized, map, ran);
  const suspects = unproved(proofs);
  const cause = suspects.size === 0 ? causeOf() : undefined;
  if (cause !== undefined) return { head: undefined, assumptions: [], cause };
  if (suspects.size === 1) return { head: [...suspects][0], assumptions: [] };
  const inOrder = map.data.superblocks
    .filter(({ head }) => ran.has(head))
    .sort((a, b) => a.start - b.start)
    .map(({ head }) => head);
  // Superblocks that did not run stay off: original code that runs instead of a superblock would enter them.
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
  // No code is to blame: the program sees that its file is another.
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
