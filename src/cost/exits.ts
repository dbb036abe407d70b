/** The cost of a straight line with exits on the model of core.ts. */
import type { Timing } from './core.ts';
import type { Pipeline } from './pipeline.ts';

export interface CountedExits {
  /** By position: how often control leaves behind the instruction there; 0 where there is no exit. */
  readonly leaves: readonly number[];
  /** How often control reaches the end. */
  readonly ends: number;
}

/**
 * Cycles over all entries of a line: the time to each exit and to the end, times how often control leaves there.
 * @param pipeline holds the instructions before the line, and afterwards the line, too
 * @param order positions in the order of execution
 */
export function cyclesToExits(
  pipeline: Pipeline,
  timings: readonly Timing[],
  { leaves, ends }: CountedExits,
  order: readonly number[],
): number {
  const start = pipeline.cycle;
  let cycles = 0;
  for (const position of order) {
    const at = pipeline.issue(timings[position]!);
    cycles += leaves[position]! * (at - start + 1);
  }
  return cycles + ends * (pipeline.cycle - start + 1);
}
