/** The cost of running a superblock over all entries, by its counts. A pass's gain is reported in these units. */
import { derived } from '../base/derived.ts';
import type { InsnCount } from '../base/units.ts';
import { type Timing, TURN, timingAt } from '../cost/core.ts';
import { cyclesToExits } from '../cost/exits.ts';
import { Pipeline } from '../cost/pipeline.ts';
import { facts } from '../domain/record.ts';
import type { Superblock, Value } from './form.ts';
import { homesOf } from './homes.ts';
import { weightOf } from './weight.ts';

export interface RunCost {
  readonly instructions: InsnCount;
  /** Branches and jumps of the line that are taken. */
  readonly taken: InsnCount;
  /** Cycles on the model core of src/cost. */
  readonly cycles: number;
}

/** Timings of the line's ops on the model core, with their operands' homes as registers. */
export function timingsOf(superblock: Superblock): Timing[] {
  const { homeOf } = homesOf(superblock);
  const reg = (value: Value | undefined) => (value === undefined ? 0 : (homeOf(value) ?? 0));
  return superblock.ops.map(({ insn, rs1, rs2, rs3 }) => timingAt(insn, reg(rs1), reg(rs2), reg(rs3)));
}

export const runCost = derived('run cost', run);

/** Instructions beyond the line's ops (moves, constants and jumps at exits) are counted as a cycle each. */
function run(superblock: Superblock): RunCost {
  const { ops } = superblock;
  let at = superblock.count;
  let executed = 0;
  let taken = 0;
  for (const { insn, exit, leaves } of ops) {
    executed += at;
    const { control, writes } = facts(insn);
    if (control === 'jump' && writes === undefined) taken += at;
    if (exit === undefined) continue;
    at -= exit.count;
    taken += leaves === 'untaken' ? at : exit.count;
  }
  const exits = { leaves: ops.map(({ exit }) => exit?.count ?? 0), ends: at };
  const order = ops.map((_, position) => position);
  const cycles = cyclesToExits(new Pipeline(), timingsOf(superblock), exits, order);
  const instructions = weightOf(superblock);
  return { instructions, taken, cycles: cycles + taken * TURN + (instructions - executed) };
}
