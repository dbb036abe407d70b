/** Output files of commands: checked before the work begins, written whole or not at all. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { badOption, cannotWrite } from '../base/errors.ts';
import { momentaryName, replaceFile } from '../base/files.ts';
import { printText } from './say.ts';

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
 * @returns the path to write to, free of symbolic links: a link stays a link, and the file that the link leads to is written
 * @throws cannot-write, bad-option
 */
export function checkOutput(path: string, options: OutputOptions = {}): string {
  const target = realTarget(path, resolve(path));
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

/** Linux follows no more symbolic links in one path (path_resolution(7)). */
const LINK_LIMIT = 40;

/**
 * The path without symbolic links, as realpath(3) has it; the file and its folders need not exist.
 * @param named the output's name, for messages
 * @param links symbolic links followed so far
 */
function realTarget(named: string, path: string, links = 0): string {
  if (existsSync(path)) return realpathSync(path);
  if (links > LINK_LIMIT) throw cannotWrite(named, { code: 'ELOOP' });
  const folder = dirname(path);
  if (folder === path) return path;
  const real = realTarget(named, folder, links);
  const target = join(real, basename(path));
  const next = linked(target);
  return next === undefined ? target : realTarget(named, resolve(real, next), links + 1);
}

/** The text of a symbolic link; undefined if there is no such link. */
function linked(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
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

export interface Outputs {
  /** Checks an output as checkOutput does. @returns the path to write to */
  file(path: string, options?: Omit<OutputOptions, 'inputs'>): string;
  /** Checks a text output now and returns the function that writes it; undefined if no path is given. */
  text(path: string | undefined): ((text: string) => void) | undefined;
}

/**
 * The outputs of a command that writes several files: no two of them go to one file.
 * @param inputs files that the command reads, which must not be overwritten
 */
export function makeOutputs(inputs: readonly string[]): Outputs {
  const targets = new Set<string>();
  const file: Outputs['file'] = (path, options = {}) => {
    const target = checkOutput(path, { ...options, inputs });
    if (targets.has(target)) throw badOption(`${path}: two outputs would go to this file`, 'name another one');
    targets.add(target);
    return target;
  };
  return {
    file,
    text(path) {
      if (path === undefined) return undefined;
      if (path === STDOUT) return printText;
      const target = file(path, { parents: true });
      return (text) => writeWhole(target, text);
    },
  };
}
