/** All that isoform itself writes to the streams goes through here: nothing from outside comes to a terminal raw. */
import { printable, printableJson, printableLines } from '../base/printable.ts';

/** A line on standard error. */
export const say = (line: string): void => void process.stderr.write(`isoform: ${printable(line)}\n`);
/** One that is not in isoform's name. */
export const sayBare = (line: string): void => void process.stderr.write(`${printable(line)}\n`);
/** Lines on standard output. */
export const print = (text: string): void => void process.stdout.write(printableLines(text));
export const printJson = (data: unknown): void => void process.stdout.write(`${printableJson(data)}\n`);
