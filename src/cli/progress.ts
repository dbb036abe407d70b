/** A command's progress on standard error: a spinner and lines on a terminal, plain lines otherwise, nothing if quiet. */
import { printable } from '../base/printable.ts';
import type { Messages } from './say.ts';

export interface Progress {
  /** A step begins. Only a terminal shows the step, until the next line or step. */
  begin(step: string): void;
  /** Prints a line about a finished step. */
  say(line: string): void;
  /** Removes the running step from the terminal, before other output comes there. */
  clear(): void;
}

const SILENT: Progress = { begin: () => {}, say: () => {}, clear: () => {} };

export async function makeProgress({ say }: Messages, quiet: boolean | undefined): Promise<Progress> {
  if (quiet) return SILENT;
  // On a terminal of unknown width ora would clear lines for ever.
  if (!process.stderr.isTTY || !(process.stderr.columns > 0)) return { ...SILENT, say };
  const { default: ora } = await import('ora');
  // The work is synchronous: the spinner shows the step's name but cannot turn meanwhile.
  const spinner = ora({ discardStdin: false });
  const clear = () => void spinner.stop();
  return {
    clear,
    begin: (step) => void spinner.start(printable(step)),
    say(line) {
      clear();
      say(line);
    },
  };
}

export interface Stopwatch {
  readonly milliseconds: () => number;
  readonly around: <T>(work: () => T) => T;
}

/** Calls `begin` before each piece of work and sums the times that the work takes. */
export function makeStopwatch(begin: () => void): Stopwatch {
  let sum = 0;
  return {
    milliseconds: () => Math.round(sum),
    around(work) {
      begin();
      const begun = performance.now();
      const result = work();
      sum += performance.now() - begun;
      return result;
    },
  };
}

/** `12,345`, in every locale. */
export const count = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');

/** `-3.2 %`, `±0.0 %`: how much more `after` is than `before`. */
export function change(before: number, after: number): string {
  if (before === 0) return after === 0 ? '±0.0 %' : '';
  const percent = (100 * (after - before)) / before;
  const text = Math.abs(percent).toFixed(1);
  return `${text === '0.0' ? '±' : percent < 0 ? '-' : '+'}${text} %`;
}

/** `1 superblock`, `2 superblocks`. */
export const plural = (value: number, one: string): string => `${count(value)} ${one}${value === 1 ? '' : 's'}`;
