/** The guest's input, for commands that run the guest more than once: the same for every run. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Command } from 'commander';
import { cannotRead, IsoformError } from '../base/errors.ts';
import { readToEnd } from '../base/read.ts';
import type { Image } from '../elf/image.ts';
import { DEFAULT_ENGINE, ENGINE_HELP } from '../engine/names.ts';
import type { GuestInput } from '../pipeline/profile-run.ts';
import { type GuestFlags, guestOptions, withMachineOptions } from './options.ts';

export interface InputFlags extends GuestFlags {
  readonly stdin?: string;
  readonly engine: string;
}

/** Adds the options of commands that run a guest several times on the same input. */
export const withInputOptions = (command: Command): Command =>
  withMachineOptions(command)
    .option(
      '--stdin <file>',
      "the guest's standard input (default: isoform's own, read to its end before the first run; a terminal is not read)",
    )
    .option('--engine <name>', ENGINE_HELP, DEFAULT_ENGINE);

/** Paths of two forms of one program. */
export interface FilePair {
  readonly original: string;
  readonly optimized: string;
}

export interface GuestRun {
  readonly input: GuestInput;
  /** Name of the input: the file of standard input, `standard input`, the arguments, or `no input`. */
  readonly name: string;
  /** Names of the guest's inputs, as far as they are known. */
  readonly inputs: readonly string[];
}

/** The input that follows from the options. @throws cannot-read */
export function guestRun(flags: InputFlags, image: Image, args: readonly string[]): GuestRun {
  const stdin = flags.stdin === undefined ? ownInput() : readInputFile(flags.stdin);
  const from = flags.stdin ?? (stdin.length > 0 ? 'standard input' : undefined);
  return {
    input: inputOf(flags, image, args, stdin),
    name: from ?? (args.length > 0 ? args.join(' ') : 'no input'),
    inputs: from === undefined ? [] : [from],
  };
}

/** The same guest on another standard input. */
export const otherRun = (run: GuestRun, file: string): GuestRun => ({
  input: { ...run.input, stdin: readInputFile(file) },
  name: file,
  inputs: [file],
});

function inputOf(flags: GuestFlags, image: Image, args: readonly string[], stdin: Uint8Array): GuestInput {
  const { env, grants, memorySize, clock } = guestOptions(flags, image, args);
  return { args, env, grants, memorySize, clock, stdin };
}

/**
 * The bytes of an input file. A FIFO may be meant, as in a shell's process substitution.
 * @throws cannot-read, limit for an input that has no end
 */
export function readInputFile(file: string): Uint8Array {
  try {
    const fd = openSync(file, 'r');
    try {
      return readToEnd(fd, file);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw error instanceof IsoformError ? error : cannotRead(file, error);
  }
}

function ownInput(): Uint8Array {
  if (isatty(0)) return new Uint8Array(0);
  try {
    // A standard input that is closed or a directory counts as empty.
    if (fstatSync(0).isDirectory()) return new Uint8Array(0);
    return readToEnd(0, 'standard input');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBADF' || code === 'EOF') return new Uint8Array(0);
    throw error instanceof IsoformError ? error : cannotRead('standard input', error);
  }
}

/** The options as words again, for the commands that a report prints. */
export const inputWords = (flags: InputFlags): string[] => [
  ...flags.dir.flatMap((dir) => ['--dir', dir]),
  ...flags.env.flatMap((variable) => ['--env', variable]),
  ...(flags.memory === undefined ? [] : ['--memory', String(flags.memory)]),
  ...(flags.time === undefined ? [] : ['--time', String(flags.time)]),
  ...(flags.stdin === undefined ? [] : ['--stdin', flags.stdin]),
];
