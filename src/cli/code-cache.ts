/**
 * Translated code kept between runs, a file for each program: the second run of a program need not find and compile its hot code again.
 * A file that does not fit the run or cannot be read is not used, and a failed write is ignored: only time depends on the cache.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Command } from 'commander';
import { momentaryName } from '../base/files.ts';
import type { Image } from '../elf/image.ts';
import type { Engine } from '../engine/engine.ts';
import { decodeKept, encodeKept, type Kept } from '../engine/translate/kept.ts';
import { writeWhole } from './output.ts';
import type { Session } from './session.ts';

export interface CodeCacheFlags {
  readonly engine: string;
  /** A folder; false: no cache. */
  readonly codeCache?: string | false;
}

/** The engine whose code is kept. */
const TRANSLATING_ENGINE = 'translate';
/** Size of all files together; beyond it, the files least recently used are deleted. */
const MOST_BYTES = 2 ** 28;
const SUFFIX = '.isocode';

export const withCodeCache = (command: Command): Command =>
  command
    .option('--code-cache <dir>', 'where translated code is kept for the next run (default: ~/.cache/isoform)')
    .option('--no-code-cache', 'translate anew, and keep nothing');

export interface CodeCache {
  readonly kept: Kept | undefined;
  /** Keeps the engine's translated code, if the engine finds that worth while. */
  save(engine: Engine): void;
}

const NO_CACHE: CodeCache = { kept: undefined, save: () => {} };

/** @param form tells runs apart that translate to different code (counting or not) */
export function openCodeCache(session: Session, flags: CodeCacheFlags, image: Image, form: string): CodeCache {
  const { engine, codeCache } = flags;
  const { build } = session;
  const { XDG_CACHE_HOME, HOME } = process.env;
  const standard = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
  const folder =
    codeCache === false ? undefined : codeCache ? resolve(codeCache) : standard && join(standard, 'isoform');
  session.standardFolderUsed = codeCache === undefined && !!folder;
  if (engine !== TRANSLATING_ENGINE || !folder || build === undefined) return NO_CACHE;
  const identity = [build, process.version, process.arch, process.execArgv.join(' '), form].join('\n');
  const path = join(folder, `${basename(image.file)}-${image.hash.slice(0, 16)}-${form}${SUFFIX}`);
  return {
    kept: read(path, identity),
    save: (translator) => {
      const kept = translator.keep?.();
      if (kept !== undefined) write(folder, path, encodeKept(kept, identity));
    },
  };
}

/** Machine code from the file will be run, so the file must be the user's own and writable by nobody else. */
function read(path: string, identity: string): Kept | undefined {
  let descriptor: number;
  try {
    // If the path is a named pipe, opening must not wait for a writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(descriptor);
    const { size, uid, mode } = stat;
    const mine = process.getuid === undefined || uid === process.getuid();
    if (!mine || (mode & 0o022) !== 0 || !stat.isFile()) return undefined;
    const bytes = new Uint8Array(size);
    let length = 0;
    for (let got = -1; got !== 0 && length < size; length += got)
      got = readSync(descriptor, bytes, length, size - length, length);
    const kept = decodeKept(bytes.subarray(0, length), identity);
    // The new time tells tidy that the file was used.
    if (kept !== undefined) futimesSync(descriptor, new Date(), new Date());
    return kept;
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

function write(folder: string, path: string, bytes: Uint8Array): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeWhole(path, bytes, 0o600);
    tidy(folder);
  } catch {
    // There is no room or no permission: the next run has no file.
  }
}

/** A file of V8's compiled code of the bundle that is to be made. */
export interface Compiled {
  /** Path at which runs look for the file. */
  readonly file: string;
  /** Path of the program that makes the file (compiled.cts). */
  readonly by: string;
}

/** Has V8's compiled code made, for the standard folder. After a failure of the program, an empty file prevents further trials. */
export function keepCompiled({ file, by }: Compiled): void {
  // Loading node:child_process takes longer than running a small guest.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const folder = momentaryName(dirname(file));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    spawnSync(process.execPath, [by, folder], { stdio: 'ignore' });
    const made = join(folder, 'compiled');
    write(dirname(file), file, existsSync(made) ? sealed(readFileSync(made)) : new Uint8Array(0));
  } catch {
    // There is no room or no permission: runs begin a little later.
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The bytes with their checksum behind them. */
function sealed(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(bytes));
  return Buffer.concat([bytes, sum]);
}

function tidy(folder: string): void {
  const files = readdirSync(folder)
    .filter((name) => name.includes(SUFFIX))
    .map((name) => ({ path: join(folder, name), ...statSync(join(folder, name)) }))
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  let sum = 0;
  for (const { path, size } of files) if ((sum += size) > MOST_BYTES) rmSync(path, { force: true });
}
