/**
 * Translated code kept between runs, a file for each program: the second run of a program need not find out and compile again what is hot
 * in it. A file that does not fit is not used, and one that cannot be read or written is none: nothing depends on it but time.
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

export interface CodeCacheFlags {
  readonly engine: string;
  /** A folder; false: none. */
  readonly codeCache?: string | false;
}

/** The engine that translates. */
const KEEPS = 'translate';
/** All files together; then those go that have not been used for longest. */
const MOST_BYTES = 2 ** 28;
const SUFFIX = '.isocode';

/** What made the files that this run can use; undefined: none can be told from others. */
let build: string | undefined;
export function setBuild(id: string | undefined): void {
  build = id;
}

/** The standard folder may be written to: a run has used it. */
let used = false;

export const withCodeCache = (command: Command): Command =>
  command
    .option('--code-cache <dir>', 'where translated code is kept for the next run (default: ~/.cache/isoform)')
    .option('--no-code-cache', 'translate anew, and keep nothing');

export interface CodeCache {
  readonly kept: Kept | undefined;
  /** Keeps what the engine has translated, if that is worth while. */
  save(engine: Engine): void;
}

const NONE: CodeCache = { kept: undefined, save: () => {} };

/** @param form tells runs apart whose code is not the same */
export function openCodeCache({ engine, codeCache }: CodeCacheFlags, image: Image, form: string): CodeCache {
  const { XDG_CACHE_HOME, HOME } = process.env;
  const standard = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
  const folder =
    codeCache === false ? undefined : codeCache ? resolve(codeCache) : standard && join(standard, 'isoform');
  used = codeCache === undefined && !!folder;
  if (engine !== KEEPS || !folder || build === undefined) return NONE;
  const identity = [build, process.version, process.arch, process.execArgv.join(' '), form].join('\n');
  const path = join(folder, `${basename(image.file)}-${image.hash.slice(0, 16)}-${form}${SUFFIX}`);
  return {
    kept: read(path, identity),
    save: (used) => {
      const kept = used.keep?.();
      if (kept !== undefined) write(folder, path, encodeKept(kept, identity));
    },
  };
}

/** Machine code will be run from it, so it must be the user's own. */
function read(path: string, identity: string): Kept | undefined {
  let descriptor: number;
  try {
    // Where a pipe is, opening must not wait for who writes to it.
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
    // Used now: when files have to go, others come first.
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
    // There is no room or no permission: the next run does without.
  }
}

/** V8's compiled code of the bundle, to be made. */
export interface Compiled {
  /** Where it will be looked for. */
  readonly file: string;
  /** The program that makes it (compiled.cts). */
  readonly by: string;
}

/** Has V8's compiled code made and keeps it, if this run keeps code where it will be looked for. What goes wrong is not tried again. */
export function keepCompiled({ file, by }: Compiled): void {
  if (!used) return;
  // Loading it takes longer than a small guest.
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

/** With its checksum behind it. */
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
