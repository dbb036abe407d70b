/** All of isoform's own output goes through these functions, so that no text from outside comes to a terminal unescaped. */
import { printable, printableJson, printableLines } from '../base/printable.ts';

/** A line on standard error. */
export const say = (line: string): void => void process.stderr.write(`isoform: ${printable(line)}\n`);
/** A line on standard error without isoform's name before it. */
export const sayBare = (line: string): void => void process.stderr.write(`${printable(line)}\n`);
/** Lines on standard output. */
export const print = (text: string): void => void process.stdout.write(printableLines(text));
export const printJson = (data: unknown): void => void process.stdout.write(`${printableJson(data)}\n`);
