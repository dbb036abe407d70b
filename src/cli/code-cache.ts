/**
 * Translated code kept between runs, a file for each program: the second run of a program need not find out and compile again what is hot
 * in it. A file that does not fit is not used, and one that cannot be read or written is none: nothing depends on it but time.
 */
import {
  closeSync,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Image } from '../elf/image.ts';
import type { Engine } from '../engine/engine.ts';
import { decodeKept, encodeKept, type Kept } from '../engine/translate/kept.ts';

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
/** Numbers of a file that its name is made from. Whether it is the same program is seen from its code, byte for byte. */
const SAMPLES = 4096;

/** What made the files that this run can use; undefined: none can be told from others. */
let build: string | undefined;
export function setBuild(id: string): void {
  build = id;
}

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
export function openCodeCache(
  { engine: name, codeCache }: CodeCacheFlags,
  { file, bytes }: Image,
  form: string,
): CodeCache {
  const { XDG_CACHE_HOME, HOME } = process.env;
  const standard = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
  const folder =
    codeCache === false ? undefined : codeCache ? resolve(codeCache) : standard && join(standard, 'isoform');
  if (name !== KEEPS || folder === undefined || folder === '' || build === undefined) return NONE;
  const identity = [build, process.version, process.arch, process.execArgv.join(' '), form].join('\n');
  const path = join(folder, `${basename(file)}-${fingerprint(bytes)}-${form}${SUFFIX}`);
  return {
    kept: read(path, identity),
    save: (engine) => {
      const kept = engine.keep?.();
      if (kept !== undefined) write(folder, path, encodeKept(kept, identity));
    },
  };
}

function fingerprint(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length & ~3);
  const step = Math.max(4, Math.floor(bytes.length / SAMPLES) & ~3);
  let hash = 0x811c9dc5;
  for (let at = 0; at + 4 <= view.byteLength; at += step)
    hash = Math.imul(hash ^ view.getUint32(at, true), 0x01000193) ^ (hash >>> 15);
  return `${bytes.length.toString(16)}-${(hash >>> 0).toString(16)}`;
}

/** Machine code will be run from it, so it must be the user's own. */
function read(path: string, identity: string): Kept | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const { size, uid, mode } = fstatSync(descriptor);
    const mine = process.getuid === undefined || uid === process.getuid();
    if (!mine || (mode & 0o022) !== 0) return undefined;
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
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, bytes, { mode: 0o600 });
    renameSync(temporary, path);
    tidy(folder);
  } catch {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // There is no such folder.
    }
  }
}

function tidy(folder: string): void {
  const files = readdirSync(folder)
    .filter((name) => name.includes(SUFFIX))
    .map((name) => ({ path: join(folder, name), ...statSync(join(folder, name)) }))
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  let sum = 0;
  for (const { path, size } of files) if ((sum += size) > MOST_BYTES) rmSync(path, { force: true });
}
