/**
 * Real programs for tests: fetched from where everyone gets them, built with the cross compiler, never committed.
 * Debian source packages come from the mirrors that this machine's own apt is set up for, read through a private apt
 * configuration in the cache; SQLite's amalgamation comes from npm's better-sqlite3.
 *
 *     for (const name of PROGRAMS) describe.runIf(await has(name))(name, ...)
 *
 * What cannot be fetched or built is named on standard error and missing from the list; `describe.runIf(await has('lua'))`
 * makes vitest count it.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assignments, generator, prose, sql, vocabulary } from './inputs.ts';
import { CACHE, compilerVersion, findTool, leaveOut, publish, qemu, ROOT, runAsync, scratch, tool } from './tools.ts';

export interface Run {
  /** Arguments after the program's name; paths in them are relative to `dir`. */
  readonly args: readonly string[];
  readonly stdin?: Uint8Array;
  /** The folder to run in and to grant. Read only: every run leaves it as it was. */
  readonly dir: string;
}

export interface Program {
  readonly name: string;
  /** Built with `-O2 -static`. */
  readonly file: string;
  /** What profiles are trained on: some 30 to 150 million instructions. */
  readonly train: Run;
  /** Another input, for checking; as large. */
  readonly other: Run;
  /** Some 2 to 5 million instructions: half a million a second is what the slowest engine does. */
  readonly small: Run;
  /** Runs for measuring speed: seconds (`long`) and tenths of a second (`short`) under qemu. Made when asked for. */
  timed(): Promise<TimedRuns>;
  /** The same program linked with more flags, for example `-Wl,-q` (keep relocations, which BOLT wants). */
  linked(flags: readonly string[]): Promise<string>;
}

export interface TimedRuns {
  /** At least two seconds. */
  readonly long: Run;
  /** Some 0.3 seconds. */
  readonly short: Run;
}

interface Recipe {
  readonly name: string;
  /** Key of SOURCES; two programs may share sources and objects. */
  readonly source: keyof typeof SOURCES;
  /** Writes inputs into `dir`; `file` is the built program. */
  inputs(dir: string, file: string): Promise<void>;
  readonly train: readonly string[];
  readonly other: readonly string[];
  readonly small: readonly string[];
  readonly timed: {
    /** Writes what those runs read into `dir`. */
    inputs(dir: string, file: string): Promise<void>;
    readonly long: readonly string[];
    readonly short: readonly string[];
  };
}

interface Source {
  /** Fills an empty folder with sources. */
  fetch(folder: string): Promise<void>;
  /** Source files to compile, relative to the folder, given what is in it. */
  files(folder: string): string[];
  readonly flags: readonly string[];
  readonly libraries?: readonly string[];
}

const OWN = join(ROOT, 'test/programs');

const SOURCES = {
  lua: {
    fetch: (folder) => debianSource('lua5.4', folder),
    // The interpreter; luac and the readline front end stay out.
    files: (folder) => sourcesIn(folder, 'src').filter((file) => !file.endsWith('/luac.c')),
    flags: [],
    libraries: ['-lm'],
  },
  bzip2: {
    fetch: (folder) => debianSource('bzip2', folder),
    files: () =>
      ['blocksort', 'huffman', 'crctable', 'randtable', 'compress', 'decompress', 'bzlib', 'bzip2'].map(
        (f) => `${f}.c`,
      ),
    flags: ['-D_FILE_OFFSET_BITS=64'],
  },
  minigzip: {
    fetch: (folder) => debianSource('zlib', folder),
    files: (folder) => [...sourcesIn(folder, '.'), 'test/minigzip.c'],
    flags: ['-DHAVE_UNISTD_H', '-D_LARGEFILE64_SOURCE=1', '-I.'],
  },
  sqlite: {
    fetch: fetchSqlite,
    files: () => ['sqlite3.c', 'driver.c'],
    flags: ['-DSQLITE_THREADSAFE=0', '-DSQLITE_OMIT_LOAD_EXTENSION'],
    libraries: ['-lm'],
  },
  cxx: {
    fetch: async (folder) => copyFileSync(join(OWN, 'cxx.cpp'), join(folder, 'cxx.cpp')),
    files: () => ['cxx.cpp'],
    flags: [],
  },
} satisfies Record<string, Source>;

const RECIPES: readonly Recipe[] = [
  {
    name: 'lua',
    source: 'lua',
    inputs: async (dir) => {
      for (const script of ['mixed.lua', 'fannkuch.lua']) copyFileSync(join(OWN, script), join(dir, script));
    },
    train: ['mixed.lua', '70'],
    other: ['fannkuch.lua', '7'],
    small: ['mixed.lua', '2'],
    timed: {
      inputs: async (dir) => copyFileSync(join(OWN, 'mixed.lua'), join(dir, 'mixed.lua')),
      long: ['mixed.lua', '1700'],
      short: ['mixed.lua', '190'],
    },
  },
  {
    name: 'bzip2',
    source: 'bzip2',
    inputs: async (dir) => texts(dir, 200_000, 4_000),
    train: ['-c', 'train.txt'],
    other: ['-c', 'other.txt'],
    small: ['-c', 'small.txt'],
    timed: {
      inputs: async (dir) => timedTexts(dir, 6_000_000, 800_000),
      long: ['-c', 'long.txt'],
      short: ['-c', 'short.txt'],
    },
  },
  {
    name: 'bunzip2',
    source: 'bzip2',
    inputs: (dir, file) => packed(dir, file, 'bz2', 400_000, 15_000),
    train: ['-dc', 'train.txt.bz2'],
    other: ['-dc', 'other.txt.bz2'],
    small: ['-dc', 'small.txt.bz2'],
    timed: {
      inputs: (dir, file) => timedPacked(dir, file, 'bz2', 16_000_000, 2_000_000),
      long: ['-dc', 'long.txt.bz2'],
      short: ['-dc', 'short.txt.bz2'],
    },
  },
  {
    name: 'minigzip',
    source: 'minigzip',
    inputs: async (dir) => texts(dir, 260_000, 12_000),
    train: ['-c', 'train.txt'],
    other: ['-c', 'other.txt'],
    small: ['-c', 'small.txt'],
    timed: {
      inputs: async (dir) => timedTexts(dir, 15_000_000, 1_700_000),
      long: ['-c', 'long.txt'],
      short: ['-c', 'short.txt'],
    },
  },
  {
    name: 'minigunzip',
    source: 'minigzip',
    inputs: (dir, file) => packed(dir, file, 'gz', 1_800_000, 100_000),
    train: ['-c', '-d', 'train.txt.gz'],
    other: ['-c', '-d', 'other.txt.gz'],
    small: ['-c', '-d', 'small.txt.gz'],
    timed: {
      inputs: (dir, file) => timedPacked(dir, file, 'gz', 100_000_000, 10_000_000),
      long: ['-c', '-d', 'long.txt.gz'],
      short: ['-c', '-d', 'short.txt.gz'],
    },
  },
  {
    name: 'sqlite',
    source: 'sqlite',
    inputs: async (dir) => {
      writeFileSync(join(dir, 'train.sql'), sql(11, 400));
      writeFileSync(join(dir, 'other.sql'), sql(23, 300));
      writeFileSync(join(dir, 'small.sql'), sql(5, 2));
    },
    train: [':memory:', 'train.sql'],
    other: [':memory:', 'other.sql'],
    small: [':memory:', 'small.sql'],
    timed: {
      inputs: async (dir) => {
        writeFileSync(join(dir, 'long.sql'), sql(11, 10_000));
        writeFileSync(join(dir, 'short.sql'), sql(11, 900));
      },
      long: [':memory:', 'long.sql'],
      short: [':memory:', 'short.sql'],
    },
  },
  {
    name: 'cxx',
    source: 'cxx',
    inputs: async (dir) => {
      writeFileSync(join(dir, 'train.txt'), assignments(3, 40, true));
      writeFileSync(join(dir, 'other.txt'), assignments(8, 60, true));
      writeFileSync(join(dir, 'small.txt'), assignments(4, 20, false));
    },
    train: ['train.txt', '300'],
    other: ['other.txt', '150'],
    small: ['small.txt', '40'],
    timed: {
      inputs: async (dir) => writeFileSync(join(dir, 'train.txt'), assignments(3, 40, true)),
      long: ['train.txt', '5000'],
      short: ['train.txt', '550'],
    },
  },
];

/** All program names, whether or not they can be had here. */
export const PROGRAMS: readonly string[] = RECIPES.map((recipe) => recipe.name);

/** One program by name; throws, with the reason, where it cannot be had. */
export async function program(name: string): Promise<Program> {
  const found = await attempt(name);
  if (found === undefined) throw new Error(`${name} cannot be had here: ${failures.get(name)}`);
  return found;
}

/** True if the program can be had here; else its suite is named on standard error. For `describe.runIf(await has(...))`. */
export async function has(name: string): Promise<boolean> {
  return (await attempt(name)) !== undefined;
}

const ready = new Map<string, Promise<Program | undefined>>();
const failures = new Map<string, string>();

function attempt(name: string): Promise<Program | undefined> {
  const recipe = RECIPES.find((candidate) => candidate.name === name);
  if (recipe === undefined) throw new Error(`no program is called ${name}`);
  let promise = ready.get(name);
  if (promise === undefined) {
    promise = make(recipe).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      failures.set(name, why);
      leaveOut(`everything that runs ${name}`, why);
      return undefined;
    });
    ready.set(name, promise);
  }
  return promise;
}

async function make(recipe: Recipe): Promise<Program> {
  for (const name of ['gcc', 'gxx', 'qemu'] as const) {
    if (findTool(name) === undefined) throw new Error(`needs the cross toolchain and qemu (${name} is missing)`);
  }
  const file = await build(recipe.source, []);
  const dir = await once('inputs', recipe.name, [file, ...inputMakers(recipe)], (folder) =>
    recipe.inputs(folder, file),
  );
  return {
    name: recipe.name,
    file,
    train: { args: recipe.train, dir },
    other: { args: recipe.other, dir },
    small: { args: recipe.small, dir },
    timed: () => timedRuns(recipe, file),
    linked: (flags) => build(recipe.source, flags),
  };
}

async function timedRuns({ name, timed }: Recipe, file: string): Promise<TimedRuns> {
  const makers = [timed.inputs, timedTexts, timedPacked, generator, vocabulary, prose, sql, assignments].map(String);
  const script = readFileSync(join(OWN, 'mixed.lua'), 'utf8');
  const dir = await once('timed', name, [file, ...makers, script], (folder) => timed.inputs(folder, file));
  return { long: { args: timed.long, dir }, short: { args: timed.short, dir } };
}

/**
 * Inputs are made again when what makes them changes: the code as this process has loaded it, which the files on disk may
 * have left behind, and our scripts.
 */
const inputMakers = (recipe: Recipe): string[] => [
  ...[recipe.inputs, texts, packed, generator, vocabulary, prose, sql, assignments].map(String),
  ...['mixed.lua', 'fannkuch.lua'].map((file) => readFileSync(join(OWN, file), 'utf8')),
];

async function build(name: keyof typeof SOURCES, linkFlags: readonly string[]): Promise<string> {
  const source: Source = SOURCES[name];
  const own = name === 'sqlite' ? ['sqlite.c'] : name === 'cxx' ? ['cxx.cpp'] : [];
  const folder = await once(
    'sources',
    name,
    own.map((file) => readFileSync(join(OWN, file), 'utf8')),
    source.fetch,
  );
  const version = compilerVersion(tool('gcc'));
  const objects = await once('objects', name, [folder, version, ...source.flags], async (target) => {
    const waiting = source.files(folder);
    const worker = async () => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        // Compiled from inside the source folder, so that no absolute path gets into the program.
        const object = join(target, `${file.replaceAll('/', '-')}.o`);
        const compiler = tool(file.endsWith('.cpp') ? 'gxx' : 'gcc');
        await runAsync(compiler, ['-O2', ...source.flags, '-c', file, '-o', object], { cwd: folder, timeout: 600_000 });
      }
    };
    await Promise.all([worker(), worker()]);
  });
  const linked = await once('linked', name, [objects, ...linkFlags], async (target) => {
    const all = readdirSync(objects).sort();
    const compiler = tool(all.some((file) => file.endsWith('.cpp.o')) ? 'gxx' : 'gcc');
    const out = join(target, name);
    await runAsync(compiler, ['-O2', '-static', ...linkFlags, ...all, ...(source.libraries ?? []), '-o', out], {
      cwd: objects,
    });
  });
  return join(linked, name);
}

/** Three texts, two of them of so many bytes; the other one is of another kind than what is trained on. */
function texts(dir: string, train: number, small: number): void {
  writeFileSync(join(dir, 'train.txt'), prose(7, train));
  writeFileSync(join(dir, 'other.txt'), sql(17, Math.floor(train / 150)));
  writeFileSync(join(dir, 'small.txt'), prose(9, small));
}

/** Two texts of so many bytes: prose again and again, at distances that the compressors do not look back over. */
function timedTexts(dir: string, long: number, short: number): void {
  const part = prose(7, Math.min(1_900_000, long));
  for (const [name, bytes] of [
    ['long.txt', long],
    ['short.txt', short],
  ] as const)
    writeFileSync(join(dir, name), part.repeat(Math.ceil(bytes / part.length)).slice(0, bytes));
}

async function timedPacked(dir: string, file: string, suffix: string, long: number, short: number): Promise<void> {
  timedTexts(dir, long, short);
  for (const name of ['long.txt', 'short.txt']) pack(dir, file, name, suffix);
}

/** As `texts`, packed by the program itself under qemu. */
async function packed(dir: string, file: string, suffix: string, train: number, small: number): Promise<void> {
  texts(dir, train, small);
  for (const name of ['train.txt', 'other.txt', 'small.txt']) pack(dir, file, name, suffix);
}

function pack(dir: string, file: string, name: string, suffix: string): void {
  const result = qemu(file, ['-c', name], { cwd: dir });
  if (result.status !== 0) throw new Error(`packing ${name} failed: ${result.stderr}`);
  writeFileSync(join(dir, `${name}.${suffix}`), result.stdout);
  rmSync(join(dir, name));
}

function sourcesIn(folder: string, below: string): string[] {
  return readdirSync(join(folder, below))
    .filter((file) => file.endsWith('.c'))
    .map((file) => join(below, file))
    .sort();
}

/**
 * A folder of the cache, made once per content of `key` by `fill`, whole or not at all, by one process at a time.
 * A failure that took long is remembered for ten minutes: without a network, each test file would otherwise wait for the
 * time-outs again.
 */
async function once(
  kind: string,
  name: string,
  key: readonly string[],
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 16);
  const target = join(CACHE, 'programs', kind, `${name}-${hash}`);
  if (existsSync(target)) return target;
  const failed = `${target}.failed`;
  const release = await lock(`${kind}-${name}`);
  try {
    if (existsSync(target)) return target;
    if (existsSync(failed) && Date.now() - statSync(failed).mtimeMs < 600_000)
      throw new Error(readFileSync(failed, 'utf8'));
    const folder = scratch(`${kind}-${name}`);
    const start = Date.now();
    try {
      await fill(folder);
      publish(folder, target);
      rmSync(failed, { force: true });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(join(CACHE, 'programs', kind), { recursive: true });
      if (Date.now() - start > 5000) writeFileSync(failed, error instanceof Error ? error.message : String(error));
      throw error;
    }
    return target;
  } finally {
    release();
  }
}

/** A lock between processes: a folder with the holder's process id; one whose holder is gone is taken over. */
async function lock(name: string): Promise<() => void> {
  const folder = join(CACHE, 'locks', name);
  mkdirSync(join(CACHE, 'locks'), { recursive: true });
  for (;;) {
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'pid'), String(process.pid));
      return () => rmSync(folder, { recursive: true, force: true });
    } catch {
      if (!alive(folder)) {
        const gone = `${folder}.${process.pid}`;
        try {
          renameSync(folder, gone);
          rmSync(gone, { recursive: true, force: true });
        } catch {
          // another one was faster
        }
      } else {
        await sleep(200);
      }
    }
  }
}

function alive(folder: string): boolean {
  try {
    const pid = join(folder, 'pid');
    // Between mkdir and writing the id there is a moment without one.
    if (!existsSync(pid)) return Date.now() - statSync(folder).mtimeMs < 5000;
    process.kill(Number(readFileSync(pid, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * An upstream tarball as Debian or Ubuntu carries it, unpacked. The system's own apt configuration is only read: its
 * sources are rewritten from `deb` to `deb-src` into the cache, where lists and downloads go as well.
 */
async function debianSource(name: string, folder: string): Promise<void> {
  if (findTool('apt') === undefined) throw new Error('needs apt-get to fetch Debian source packages');
  const root = join(CACHE, 'apt');
  const options = [
    '-q',
    '-o',
    `Dir::Etc::sourcelist=/dev/null`,
    '-o',
    `Dir::Etc::sourceparts=${join(root, 'parts')}`,
    '-o',
    `Dir::State::lists=${join(root, 'lists')}`,
    '-o',
    `Dir::Cache=${join(root, 'cache')}`,
    '-o',
    'APT::Sandbox::User=root',
    '-o',
    'Acquire::Languages=none',
    '-o',
    'Acquire::Retries=1',
    '-o',
    'Acquire::http::Timeout=20',
  ];
  const release = await lock('apt');
  try {
    const stamp = join(root, 'updated');
    if (!existsSync(stamp)) {
      for (const part of ['parts', 'lists/partial', 'cache/archives/partial'])
        mkdirSync(join(root, part), { recursive: true });
      writeSourceEntries(join(root, 'parts'));
      // A mirror without source packages makes update fail in part; whether it matters shows when fetching.
      await runAsync(tool('apt'), [...options, 'update'], { timeout: 240_000 }).catch(() => undefined);
    }
    await runAsync(tool('apt'), [...options, 'source', '--download-only', name], { cwd: folder, timeout: 240_000 });
    writeFileSync(stamp, '');
  } finally {
    release();
  }
  const tarball = readdirSync(folder).find((file) => file.includes('.orig.tar.') && !file.endsWith('.asc'));
  if (tarball === undefined) throw new Error(`the source package ${name} has no upstream tarball`);
  await runAsync(tool('tar'), ['xf', tarball, '--strip-components=1'], { cwd: folder });
}

function writeSourceEntries(parts: string): void {
  const files = ['/etc/apt/sources.list'];
  const folder = '/etc/apt/sources.list.d';
  if (existsSync(folder)) files.push(...readdirSync(folder).map((file) => join(folder, file)));
  for (const file of files.filter((candidate) => existsSync(candidate))) {
    const text = readFileSync(file, 'utf8');
    if (file.endsWith('.sources'))
      writeFileSync(join(parts, basename(file)), text.replace(/^Types:.*$/gim, 'Types: deb-src'));
    if (file.endsWith('.list')) writeFileSync(join(parts, basename(file)), text.replace(/^\s*deb(?=\s)/gm, 'deb-src'));
  }
}

/** The amalgamation out of npm's better-sqlite3, and our driver in place of the shell, which it lacks. */
async function fetchSqlite(folder: string): Promise<void> {
  const packed = scratch('sqlite');
  try {
    await runAsync(tool('npm'), ['pack', '--silent', 'better-sqlite3@12'], { cwd: packed, timeout: 240_000 });
    const tarball = readdirSync(packed).find((file) => file.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack better-sqlite3 gave no file');
    await runAsync(tool('tar'), ['xf', tarball], { cwd: packed });
    for (const file of ['sqlite3.c', 'sqlite3.h'])
      copyFileSync(join(packed, 'package/deps/sqlite3', file), join(folder, file));
    copyFileSync(join(OWN, 'sqlite.c'), join(folder, 'driver.c'));
  } finally {
    rmSync(packed, { recursive: true, force: true });
  }
}
