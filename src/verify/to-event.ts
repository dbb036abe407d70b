/** Runs one of the two programs to its next event. */
import type { InsnCount } from '../base/units.ts';
import { type ProcessEvent, runToEvent } from '../engine/execute.ts';
import type { Side } from './setting.ts';

/** Instructions that an engine runs before its progress is checked. */
const SLICE: InsnCount = 2 ** 22;

/**
 * Runs to the next syscall or fault, for at most `budget` instructions. Superblocks that are switched off by a breakpoint are left on the way.
 * @param alarms stop, as if the budget were spent, where an alarm is due
 */
export function toEvent(side: Side, budget: InsnCount, alarms = false): ProcessEvent {
  const { process, engine } = side;
  for (let left = budget; ; ) {
    const before = process.hart.retired;
    const event = runToEvent(process, engine, Math.min(SLICE, left));
    left -= process.hart.retired - before;
    if (event.kind === 'fault' && event.fault.kind === 'ebreak') {
      const instead = side.off.get(process.hart.pc);
      if (instead !== undefined) {
        process.hart.pc = instead;
        continue;
      }
    }
    if (event.kind !== 'budget' || left <= 0 || (alarms && process.alarmDue())) return event;
  }
}
