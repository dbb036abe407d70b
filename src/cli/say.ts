/** All of isoform's own output goes through this file, so that no text from outside comes to a terminal unescaped. */
import { printable, printableJson, printableLines } from '../base/printable.ts';
import type { HostStreams } from './streams.ts';

/** Lines on standard error. */
export class Messages {
  readonly #streams: HostStreams;
  #deadline: number | undefined;

  constructor(streams: HostStreams) {
    this.#streams = streams;
  }

  /** From now on standard error is waited for no longer than until so many seconds have passed: a time limit of the user's holds. */
  within(seconds: number): void {
    this.#deadline = performance.now() + seconds * 1000;
  }

  /** Writes a line. */
  readonly say = (line: string): void => this.#write(`isoform: ${printable(line)}\n`);
  /** Writes a line without isoform's name before it. */
  readonly sayBare = (line: string): void => this.#write(`${printable(line)}\n`);

  #write(text: string): void {
    if (this.#deadline === undefined) process.stderr.write(text);
    else this.#streams.writeErrorBefore(this.#deadline, text);
  }
}

/** Lines on standard output. Each is made printable as a whole, so that no name in it begins another. */
export const print = (...lines: readonly string[]): void =>
  void process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
/** A text of many lines on standard output, in which its maker has made names printable: superblocks, graphs, dumps. */
export const printText = (text: string): void => void process.stdout.write(printableLines(text));
export const printJson = (data: unknown): void => void process.stdout.write(`${printableJson(data)}\n`);
