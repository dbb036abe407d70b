/** What a command says on standard error while it works: a spinner on a terminal, plain lines otherwise, nothing if quiet. */
import { printable } from '../base/printable.ts';
import { say } from './say.ts';

export interface Progress {
  /** A step begins. Only a terminal shows it, and only until the next word. */
  begin(step: string): void;
  /** Something is done. */
  say(line: string): void;
  /** Takes a running step away, before anybody else writes to the terminal. */
  clear(): void;
}

const SILENT: Progress = { begin: () => {}, say: () => {}, clear: () => {} };

export async function makeProgress(quiet: boolean | undefined): Promise<Progress> {
  if (quiet) return SILENT;
  // On a terminal that does not tell its width ora would clear lines for ever.
  if (!process.stderr.isTTY || !(process.stderr.columns > 0)) return { ...SILENT, say };
  const { default: ora } = await import('ora');
  // The work is synchronous: the spinner shows what is being done, it cannot turn meanwhile.
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

/** Says what is being done, and takes the time of it, summed over all times that it is done. */
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

/** `12,345`, everywhere alike. */
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
