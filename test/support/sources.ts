/**
 * Where the sources of the real programs come from and how they are compiled. Debian source packages come from the mirrors that this
 * machine's own apt is set up for, read through a private apt configuration in the cache; SQLite's amalgamation comes from npm's
 * better-sqlite3. What a package's configure script would write is given as flags, or as a small file of ours.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { lock } from './cached.ts';
import { CACHE, findTool, ROOT, runAsync, scratch, tool } from './tools.ts';

export interface Source {
  /** Files of OWN that `fetch` puts among the sources. */
  readonly own?: readonly string[];
  /** Fills an empty folder with sources. */
  fetch(folder: string): Promise<void>;
  /** Source files to compile, relative to the folder, given what is in it. */
  files(folder: string): string[];
  readonly flags: readonly string[];
  readonly libraries?: readonly string[];
}

/** Files of ours that go with the programs: sources, scripts, headers. */
export const OWN = join(ROOT, 'test/programs');

export const SOURCES = {
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
    own: ['sqlite.c'],
    fetch: fetchSqlite,
    files: () => ['sqlite3.c', 'driver.c'],
    flags: ['-DSQLITE_THREADSAFE=0', '-DSQLITE_OMIT_LOAD_EXTENSION'],
    libraries: ['-lm'],
  },
  cxx: {
    own: ['cxx.cpp'],
    fetch: async (folder) => copyFileSync(join(OWN, 'cxx.cpp'), join(folder, 'cxx.cpp')),
    files: () => ['cxx.cpp'],
    flags: [],
  },
  mujs: {
    fetch: (folder) => debianSource('mujs', folder),
    // one.c includes all of the library.
    files: () => ['one.c', 'main.c'],
    flags: [],
    libraries: ['-lm'],
  },
  outline: {
    fetch: async (folder) => {
      await debianSource('expat', folder);
      writeFileSync(join(folder, 'expat/lib/expat_config.h'), '');
    },
    files: () => ['lib/xmlparse.c', 'lib/xmlrole.c', 'lib/xmltok.c', 'examples/outline.c'].map((f) => `expat/${f}`),
    flags: [
      ...['-DXML_NS', '-DXML_DTD', '-DXML_CONTEXT_BYTES=1024', '-DHAVE_GETRANDOM', '-DBYTEORDER=1234'],
      '-Iexpat/lib',
    ],
  },
  pcre2grep: {
    // As its NON-AUTOTOOLS-BUILD tells.
    fetch: async (folder) => {
      await debianSource('pcre2', folder);
      for (const [from, to] of [
        ['config.h.generic', 'config.h'],
        ['pcre2.h.generic', 'pcre2.h'],
        ['pcre2_chartables.c.dist', 'pcre2_chartables.c'],
      ] as const)
        copyFileSync(join(folder, 'src', from), join(folder, 'src', to));
    },
    files: (folder) =>
      sourcesIn(folder, 'src').filter(
        (file) => !/(demo|test|posix|printint|fuzzsupport|dftables|jit_match|jit_misc|ucptables)\.c$/.test(file),
      ),
    flags: [
      ...['-DHAVE_CONFIG_H', '-DPCRE2_CODE_UNIT_WIDTH=8', '-DSUPPORT_PCRE2_8', '-DSUPPORT_UNICODE'],
      ...['-DHAVE_STRERROR', '-DHAVE_MEMMOVE', '-Isrc'],
    ],
  },
  lame: {
    own: ['lame-config.h'],
    fetch: async (folder) => {
      await debianSource('lame', folder);
      copyFileSync(join(OWN, 'lame-config.h'), join(folder, 'config.h'));
    },
    files: (folder) => [
      ...sourcesIn(folder, 'libmp3lame'),
      ...['lame_main', 'main', 'brhist', 'console', 'get_audio', 'lametime', 'parse', 'timestatus'].map(
        (f) => `frontend/${f}.c`,
      ),
    ],
    flags: ['-DHAVE_CONFIG_H', '-w', '-I.', '-Iinclude', '-Ilibmp3lame'],
    libraries: ['-lm'],
  },
  minisat: {
    own: ['minisat-zlib.h'],
    fetch: async (folder) => {
      await debianSource('minisat2', folder);
      copyFileSync(join(OWN, 'minisat-zlib.h'), join(folder, 'zlib.h'));
      // A friend declaration may not bring a default argument; compilers of its time let it pass.
      const types = join(folder, 'minisat/core/SolverTypes.h');
      const text = readFileSync(types, 'utf8')
        .replace('friend Lit mkLit(Var var, bool sign = false)', 'friend Lit mkLit(Var var, bool sign)')
        .replace(/(inline +Lit +mkLit +\(Var var, bool sign)\)/, '$1 = false)');
      writeFileSync(types, text);
    },
    files: () => ['core/Main', 'core/Solver', 'utils/Options', 'utils/System'].map((f) => `minisat/${f}.cc`),
    flags: ['-std=gnu++98', '-D__STDC_FORMAT_MACROS', '-D__STDC_LIMIT_MACROS', '-DNDEBUG', '-w', '-I.'],
  },
  box2d: {
    own: ['box2d.cpp'],
    fetch: async (folder) => {
      await debianSource('box2d', folder);
      copyFileSync(join(OWN, 'box2d.cpp'), join(folder, 'driver.cpp'));
    },
    files: (folder) => [
      ...['collision', 'common', 'dynamics'].flatMap((part) => sourcesIn(folder, `src/${part}`, '.cpp')),
      'driver.cpp',
    ],
    flags: ['-DNDEBUG', '-Iinclude', '-Isrc'],
    libraries: ['-lm'],
  },
} satisfies Record<string, Source>;

function sourcesIn(folder: string, below: string, suffix = '.c'): string[] {
  return readdirSync(join(folder, below))
    .filter((file) => file.endsWith(suffix))
    .map((file) => join(below, file))
    .sort();
}

/**
 * An upstream tarball as Debian or Ubuntu carries it, unpacked. The system's own apt configuration is only read: its
 * sources are rewritten from `deb` to `deb-src` into the cache, where lists and downloads go as well.
 */
export async function debianSource(name: string, folder: string): Promise<void> {
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
    const download = (what: string) =>
      runAsync(tool('apt'), [...options, 'source', '--download-only', '--tar-only', what], {
        cwd: folder,
        timeout: 240_000,
      });
    // A security update often names a tarball that only the release's own archive has.
    const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
    await download(`${name}/${codename}`).catch(() => download(name));
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
