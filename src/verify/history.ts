/** What the original does as it runs, in one digest: events with their results and places, output, and the files changed in the end. */
import { createHash } from 'node:crypto';
import { A0 } from '../base/units.ts';
import { type ProcessEvent, serve } from '../engine/execute.ts';
import type { Process } from '../machine/process.ts';
import { describe, describeExit, filesOf } from './events.ts';
import { makeSide, type Setting, type Side } from './setting.ts';
import { toEvent } from './to-event.ts';

export class History {
  readonly #digest = createHash('sha256');

  /** An event that is to be served next. */
  addEvent({ hart }: Process, event: ProcessEvent): void {
    // a0 holds the result of the event before.
    this.#digest.update(`${describe(event)} ${hart.get(A0)} ${hart.pc}\n`);
  }
  /** An alarm that has been served. */
  addAlarm({ hart }: Process): void {
    this.#digest.update(`alarm ${hart.get(A0)} ${hart.pc}\n`);
  }
  addOutput(bytes: Uint8Array): void {
    this.#digest.update(bytes);
  }
  /** The digest. Nothing can be added any more. */
  end({ process, exit }: Side): string {
    this.#digest.update(exit === undefined ? '' : describeExit(exit));
    for (const line of filesOf(process)) this.#digest.update(`${line}\n`);
    return this.#digest.digest('hex');
  }
}

/** The history of the original (as its companion) run by itself. */
export function companionHistory(setting: Setting): string {
  const side = makeSide(setting, setting.companion);
  const { process } = side;
  const history = new History();
  while (side.exit === undefined) {
    const event = toEvent(side, Number.POSITIVE_INFINITY, true);
    const isAlarm = event.kind === 'budget';
    if (!isAlarm) history.addEvent(process, event);
    const result = isAlarm ? process.alarm() : serve(process, event);
    if (isAlarm) history.addAlarm(process);
    for (const { bytes } of side.output.splice(0)) history.addOutput(bytes);
    if (result !== 'continue') side.exit = result;
  }
  return history.end(side);
}
