/** Finding the superblock at fault, by switching superblocks off in a process before it runs. */
import type { Addr } from '../base/units.ts';
import { encodeBytes } from '../isa/encode.ts';
import { jumpInsn, reachesJump } from '../isa/idioms.ts';
import type { Process } from '../machine/process.ts';
import { unprovedHeads } from './prove/prove.ts';
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
      [[start, end], ...stubs].map(([from, to]) => ({ head, from: from!, to: to! })),
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

/** Switches superblocks off: their first instruction becomes a jump to the original head, where the patch, if any, is undone. */
export function disable(setting: Setting, process: Process, heads: ReadonlySet<Addr>): void {
  const { map, options } = setting;
  const { memory, bias } = process;
  const patches = new Map(map.data.patches);
  for (const { head, start } of map.data.superblocks) {
    if (!heads.has(head)) continue;
    memory.bytes.set(encodeBytes(jumpInsn(head - start), false), start + bias);
    const size = patches.get(head);
    if (size === undefined) continue;
    const segment = options.original.segments.find((s) => head >= s.address && head < s.address + s.size);
    if (segment) memory.bytes.set(segment.bytes.subarray(head - segment.address).subarray(0, size), head + bias);
  }
}

/**
 * The superblock at fault. A wrong one cannot be proved, so only those that ran and are not proved are suspects, where there are any.
 * Of several suspects it is, in the order of their addresses, the first that brings a difference when it joins those before it.
 * (Without the proof a superblock that leads to the wrong one would be blamed as well: with it off, the wrong one is not reached.)
 * @param differs runs with these switched off
 */
export function findCulprit(
  { map, options }: Setting,
  ran: ReadonlySet<Addr>,
  differs: (disabled: ReadonlySet<Addr>) => boolean,
): Addr | undefined {
  const unproved = unprovedHeads(options.original, options.optimized, map, ran);
  if (unproved.size === 1) return [...unproved][0];
  const inOrder = map.data.superblocks
    .filter(({ head, start, end }) => ran.has(head) && end - start >= 4 && reachesJump(head - start))
    .sort((a, b) => a.start - b.start)
    .map(({ head }) => head);
  const suspects = inOrder.filter((head) => unproved.has(head));
  return firstToDiffer(suspects, differs) ?? firstToDiffer(inOrder, differs);
}

function firstToDiffer(heads: readonly Addr[], differs: (disabled: ReadonlySet<Addr>) => boolean): Addr | undefined {
  if (heads.length === 0 || differs(new Set(heads))) return undefined;
  let [good, bad] = [0, heads.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (differs(new Set(heads.slice(middle)))) bad = middle;
    else good = middle;
  }
  return heads[bad - 1];
}
