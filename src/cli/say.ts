/** All of isoform's own output goes through these functions, so that no text from outside comes to a terminal unescaped. */
import { printable, printableJson, printableLines } from '../base/printable.ts';
import { writeErrorBefore } from './streams.ts';

let deadline: number | undefined;
/** From now on standard error is waited for no longer than until so many seconds have passed: a time limit of the user's holds. */
export const sayWithin = (seconds: number): void => {
  deadline = performance.now() + seconds * 1000;
};
function tell(text: string): void {
  if (deadline === undefined) process.stderr.write(text);
  else writeErrorBefore(deadline, text);
}

/** A line on standard error. */
export const say = (line: string): void => tell(`isoform: ${printable(line)}\n`);
/** A line on standard error without isoform's name before it. */
export const sayBare = (line: string): void => tell(`${printable(line)}\n`);
/** Lines on standard output. */
export const print = (text: string): void => void process.stdout.write(printableLines(text));
export const printJson = (data: unknown): void => void process.stdout.write(`${printableJson(data)}\n`);
