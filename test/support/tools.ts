/**
 * The programs outside Node that tests compare against: cross compiler, binutils, qemu, a browser.
 * A suite asks `describe.runIf(needs('title', 'gcc', 'qemu'))`; where a tool is missing the suite is left out, counted by
 * vitest as skipped, and named on standard error with the tool it wants.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout: found by a file only it has, since scripts run this file compiled, from inside the cache. */
export const ROOT = (() => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'vitest.config.ts'))) {
    if (dirname(folder) === folder) throw new Error('not inside the checkout');
    folder = dirname(folder);
  }
  return folder;
})();
/** What tests build and fetch; not under version control; may be deleted at any time between runs. */
export const CACHE = join(ROOT, '.cache');

/** Names tried in order on PATH; an environment variable ISOFORM_<NAME> overrides them. */
const CANDIDATES = {
  gcc: ['riscv64-linux-gnu-gcc', 'riscv64-unknown-linux-gnu-gcc'],
  gxx: ['riscv64-linux-gnu-g++', 'riscv64-unknown-linux-gnu-g++'],
  objdump: ['riscv64-linux-gnu-objdump', 'riscv64-unknown-linux-gnu-objdump'],
  objcopy: ['riscv64-linux-gnu-objcopy', 'riscv64-unknown-linux-gnu-objcopy'],
  readelf: ['riscv64-linux-gnu-readelf', 'riscv64-unknown-linux-gnu-readelf'],
  strip: ['riscv64-linux-gnu-strip', 'riscv64-unknown-linux-gnu-strip'],
  nm: ['riscv64-linux-gnu-nm', 'riscv64-unknown-linux-gnu-nm'],
  qemu: ['qemu-riscv64', 'qemu-riscv64-static'],
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
  clang: ['clang-19', 'clang'],
  csmith: ['csmith'],
  strace: ['strace'],
  bolt: ['llvm-bolt-19', 'llvm-bolt'],
  apt: ['apt-get'],
  tar: ['tar'],
  npm: ['npm'],
} as const;

export type Tool = keyof typeof CANDIDATES;

const found = new Map<Tool, string | undefined>();

function lookUp(name: Tool): string | undefined {
  const chosen = process.env[`ISOFORM_${name.toUpperCase()}`];
  if (chosen !== undefined) return chosen === '' ? undefined : chosen;
  for (const candidate of CANDIDATES[name]) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const file = join(folder, candidate);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

/** The path of a tool, or undefined where it is not installed. `ISOFORM_QEMU=` (empty) hides one. */
export function findTool(name: Tool): string | undefined {
  if (!found.has(name)) found.set(name, lookUp(name));
  return found.get(name);
}

/** The path of a tool that a suite has already asked for with `needs`. */
export function tool(name: Tool): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`${CANDIDATES[name][0]} is not installed`);
  return path;
}

/** Says on standard error that a suite is left out, and why. */
export function leaveOut(suite: string, why: string): void {
  process.stderr.write(`LEFT OUT: ${suite}: ${why}\n`);
}

/** True if all the tools are here; else names the suite that will be left out. For `describe.runIf(...)`. */
export function needs(suite: string, ...tools: Tool[]): boolean {
  const missing = tools.filter((name) => findTool(name) === undefined);
  if (missing.length === 0) return true;
  leaveOut(suite, `needs ${missing.map((name) => CANDIDATES[name][0]).join(', ')}, not installed`);
  return false;
}

export interface Result {
  /** Exit status; 128 + n after signal n. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly stdin?: Uint8Array | undefined;
  readonly env?: Record<string, string>;
  /** Milliseconds; default two minutes. */
  readonly timeout?: number;
}

const SIGNALS: Record<string, number> = {
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/** Runs a host command to its end. A command that cannot start or that runs out of time throws. */
export function run(file: string, args: readonly string[], options: CommandOptions = {}): Result {
  const done = spawnSync(file, args, {
    cwd: options.cwd,
    input: options.stdin ?? new Uint8Array(),
    env: options.env ?? process.env,
    timeout: options.timeout ?? 120_000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 28,
  });
  // Who ends without having read its input is no less done.
  const error = done.error as NodeJS.ErrnoException | undefined;
  if (error && !(error.code === 'EPIPE' && (done.status ?? done.signal) !== null))
    throw new Error(`${basename(file)}: ${error.message}`);
  const status = done.status ?? 128 + (SIGNALS[done.signal ?? ''] ?? 0);
  return { status, stdout: done.stdout, stderr: done.stderr };
}

/**
 * As `run`, without blocking the event loop: a vitest worker that does not answer for a minute is given up. Throws on any
 * other status than 0, with the end of what the command said.
 */
export function runAsync(file: string, args: readonly string[], options: CommandOptions = {}): Promise<Result> {
  return new Promise((done, fail) => {
    const child = spawn(file, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: 'pipe' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeout ?? 120_000);
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? new Uint8Array());
    child.on('error', (error) => {
      clearTimeout(timer);
      fail(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const stderr = Buffer.concat(err);
      if (code === 0) return done({ status: 0, stdout: Buffer.concat(out), stderr });
      const why = signal === null ? `exit ${code}` : `killed by ${signal}`;
      fail(new Error(`${basename(file)} ${args.slice(0, 3).join(' ')}...: ${why}: ${stderr.toString().slice(-2000)}`));
    });
  });
}

/** Runs a guest under qemu-user, with an empty environment so that the stack is laid out the same every time. */
export function qemu(file: string, args: readonly string[] = [], options: CommandOptions = {}): Result {
  return run(tool('qemu'), [file, ...args], { env: {}, ...options });
}

/** Moves a finished file into the cache; of two processes that made the same one, either may win. */
export function publish(temporary: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  renameSync(temporary, target);
}

/** A fresh folder that the caller removes, inside the cache so that renames out of it are atomic. */
export function scratch(name: string): string {
  mkdirSync(join(CACHE, 'tmp'), { recursive: true });
  return mkdtempSync(join(CACHE, 'tmp', `${name}-`));
}

/** A fresh folder under the system's temporary one. */
export function temporary(name: string): string {
  return mkdtempSync(join(tmpdir(), `isoform-${name}-`));
}

export type Language = 'c' | 'c++' | 's';

/**
 * Compiles source text for RV64GC Linux and returns the executable's path. Kept in the cache by the hash of text, flags and
 * compiler version. Default flags: `-O2 -static`.
 */
export function compile(text: string, flags: readonly string[] = ['-O2', '-static'], language: Language = 'c'): string {
  const compiler = tool(language === 'c++' ? 'gxx' : 'gcc');
  const key = createHash('sha256')
    .update(JSON.stringify([compilerVersion(compiler), text, flags, language]))
    .digest('hex')
    .slice(0, 24);
  const target = join(CACHE, 'compiled', `${key}.elf`);
  if (existsSync(target)) return target;
  const folder = scratch('compile');
  try {
    const source = { c: 'main.c', 'c++': 'main.cpp', s: 'main.S' }[language];
    writeFileSync(join(folder, source), text);
    const result = run(compiler, [source, ...flags, '-o', 'out.elf'], { cwd: folder });
    if (result.status !== 0) throw new Error(`${basename(compiler)} failed:\n${result.stderr}`);
    publish(join(folder, 'out.elf'), target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return target;
}

/** As `compile`, from a source file of the checkout (path relative to the checkout, or absolute). */
export function compileFile(file: string, flags?: readonly string[]): string {
  const language = /\.(cpp|cc)$/.test(file) ? 'c++' : /\.[sS]$/.test(file) ? 's' : 'c';
  return compile(readFileSync(resolve(ROOT, file), 'utf8'), flags, language);
}

const versions = new Map<string, string>();

/** First line of `--version`. */
export function compilerVersion(compiler: string): string {
  let version = versions.get(compiler);
  if (version === undefined) {
    version = run(compiler, ['--version']).stdout.toString().split('\n')[0]!;
    versions.set(compiler, version);
  }
  return version;
}
