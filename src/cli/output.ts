/** Output files of commands: checked before the work begins, written whole or not at all. */
import { closeSync, existsSync, mkdirSync, openSync, readSync, realpathSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { badOption, cannotWrite } from '../base/errors.ts';
import { momentaryName, replaceFile } from '../base/files.ts';
import { print } from './say.ts';

/** The default stem of a program's output files: `dir/prog.elf` -> `prog`. */
export const stemOf = (file: string): string => basename(file).replace(/(?<=.)\.elf$/, '');

export interface OutputOptions {
  /** Files that the command reads, which must not be overwritten. */
  readonly inputs?: readonly string[];
  /** Missing directories will be made when the file is written. */
  readonly parents?: boolean;
  /** The output may replace an executable. */
  readonly executable?: boolean;
}

/**
 * Checks, before hours of work, that a file can be written; leaves no file behind.
 * @returns the path to write to: for a symbolic link to an existing file, the path of that file, so that the link stays a link
 * @throws cannot-write, bad-option
 */
export function checkOutput(path: string, options: OutputOptions = {}): string {
  const target = existsSync(path) ? realpathSync(path) : resolve(path);
  if (existsSync(target)) {
    const stat = statSync(target);
    if (stat.isDirectory()) throw cannotWrite(path, { code: 'it is a directory' });
    // A rename would put a file in the place of a device or pipe.
    if (!stat.isFile()) throw cannotWrite(path, { code: 'it is not a regular file' });
    for (const input of options.inputs ?? [])
      if (existsSync(input) && sameFile(target, input))
        throw badOption(`${path}: would overwrite ${input}, which is read`, 'choose another name with -o');
    if (!options.executable && isElf(target)) throw badOption(`${path}: is an executable and would be overwritten`);
  }
  let folder = dirname(target);
  while (options.parents && !existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const probe = momentaryName(folder);
  try {
    closeSync(openSync(probe, 'wx', 0o600));
    unlinkSync(probe);
  } catch (error) {
    throw cannotWrite(path, error);
  }
  return target;
}

function sameFile(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}

function isElf(file: string): boolean {
  const head = Buffer.alloc(4);
  try {
    const fd = openSync(file, 'r');
    try {
      readSync(fd, head, 0, 4, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
  return head.toString('latin1') === '\x7fELF';
}

/**
 * @param target the path that checkOutput returned
 * @throws cannot-write
 */
export function writeWhole(target: string, content: string | Uint8Array, mode?: number): void {
  try {
    mkdirSync(dirname(target), { recursive: true });
  } catch (error) {
    throw cannotWrite(target, error);
  }
  replaceFile(target, content, mode);
}

/** The file name that means standard output: `--json -`. */
export const STDOUT = '-';

/** Checks a text output now and returns the function that writes it; undefined if no path is given. */
export function textOutput(path: string | undefined, inputs: readonly string[]): ((text: string) => void) | undefined {
  if (path === undefined) return undefined;
  if (path === STDOUT) return print;
  const target = checkOutput(path, { inputs, parents: true });
  return (text) => writeWhole(target, text);
}
