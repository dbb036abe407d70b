/** The real programs: which sources, and what they are run on. Training and the other input differ in kind. */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { article, assignments, clauses, generator, pigeons, prose, records, sql, vocabulary, wave } from './inputs.ts';
import { OWN, type SOURCES } from './sources.ts';
import { qemu } from './tools.ts';

export interface Recipe {
  readonly name: string;
  /** Key of SOURCES; two programs may share sources and objects. */
  readonly source: keyof typeof SOURCES;
  /** Files of OWN that `inputs` copies. */
  readonly scripts?: readonly string[];
  /** Writes inputs into `dir`; `file` is the built program. */
  inputs(dir: string, file: string): Promise<void>;
  /** Arguments; `<` and a file of the folder at their end are what standard input comes from. */
  readonly train: readonly string[];
  readonly other: readonly string[];
  readonly small: readonly string[];
  readonly timed?: {
    /** Writes what those runs read into `dir`. */
    inputs(dir: string, file: string): Promise<void>;
    readonly long: readonly string[];
    readonly short: readonly string[];
  };
}

/** Words for pcre2grep: alternatives, a back reference, look-ahead. */
const MATCHED = [
  '-e',
  '\\b(\\w)(\\w)\\w*\\2\\1\\b',
  '-e',
  '(st|th|gr)(ea|ou)\\w*nd(?=[.,?])',
  '-e',
  '^[A-Z][^.]*\\d+\\.',
];

/** Fetched and built by every `npm test`. */
export const RECIPES: readonly Recipe[] = [
  {
    name: 'lua',
    source: 'lua',
    scripts: ['mixed.lua', 'fannkuch.lua'],
    inputs: async (dir) => copyOwn(dir, 'mixed.lua', 'fannkuch.lua'),
    train: ['mixed.lua', '70'],
    other: ['fannkuch.lua', '7'],
    small: ['mixed.lua', '2'],
    timed: {
      inputs: async (dir) => copyOwn(dir, 'mixed.lua'),
      long: ['mixed.lua', '2800'],
      short: ['mixed.lua', '300'],
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
      inputs: async (dir) => timedTexts(dir, 11_000_000, 1_400_000),
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
      inputs: (dir, file) => timedPacked(dir, file, 'bz2', 27_000_000, 3_300_000),
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
      inputs: async (dir) => timedTexts(dir, 26_000_000, 2_700_000),
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
      inputs: (dir, file) => timedPacked(dir, file, 'gz', 300_000_000, 35_000_000),
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
        writeFileSync(join(dir, 'long.sql'), sql(11, 22_000));
        writeFileSync(join(dir, 'short.sql'), sql(11, 1_800));
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
      long: ['train.txt', '8000'],
      short: ['train.txt', '850'],
    },
  },
];

/** Fetched and built by the measurements only. */
export const BENCH_RECIPES: readonly Recipe[] = [
  {
    name: 'mujs',
    source: 'mujs',
    scripts: ['mixed.es5', 'numbers.es5'],
    inputs: async (dir) => copyOwn(dir, 'mixed.es5', 'numbers.es5'),
    train: ['mixed.es5', '10'],
    other: ['numbers.es5', '2'],
    small: ['mixed.es5', '1'],
  },
  {
    name: 'outline',
    source: 'outline',
    inputs: async (dir) => {
      writeFileSync(join(dir, 'train.xml'), records(31, 1100));
      writeFileSync(join(dir, 'other.xml'), article(37, 1_200_000));
      writeFileSync(join(dir, 'small.xml'), records(41, 60));
    },
    train: ['<', 'train.xml'],
    other: ['<', 'other.xml'],
    small: ['<', 'small.xml'],
  },
  {
    name: 'pcre2grep',
    source: 'pcre2grep',
    inputs: async (dir) => {
      writeFileSync(join(dir, 'train.txt'), prose(7, 100_000));
      writeFileSync(join(dir, 'other.txt'), sql(17, 4800));
      writeFileSync(join(dir, 'small.txt'), prose(9, 4_000));
    },
    train: ['-n', ...MATCHED, 'train.txt'],
    other: ['-n', '-i', '-e', "'(\\w+) (\\w)\\w*'.*\\b\\2[a-z]+", '-e', '\\d{3},.*[13]\\.\\d+', 'other.txt'],
    small: ['-n', ...MATCHED, 'small.txt'],
  },
  {
    name: 'lame',
    source: 'lame',
    inputs: async (dir) => {
      writeFileSync(join(dir, 'train.wav'), wave(43, 44_100, 2, 18_000));
      writeFileSync(join(dir, 'other.wav'), wave(47, 22_050, 1, 36_000));
      writeFileSync(join(dir, 'small.wav'), wave(53, 16_000, 1, 600));
    },
    train: ['--quiet', '-b', '128', 'train.wav', '-'],
    other: ['--quiet', '-V', '3', 'other.wav', '-'],
    small: ['--quiet', '-f', 'small.wav', '-'],
  },
  {
    name: 'minisat',
    source: 'minisat',
    inputs: async (dir) => {
      writeFileSync(join(dir, 'train.cnf'), clauses(59, 150, 630));
      writeFileSync(join(dir, 'other.cnf'), pigeons(7));
      writeFileSync(join(dir, 'small.cnf'), clauses(61, 60, 250));
    },
    train: ['-verb=0', 'train.cnf'],
    other: ['-verb=0', 'other.cnf'],
    small: ['-verb=0', 'small.cnf'],
  },
  {
    name: 'box2d',
    source: 'box2d',
    inputs: async () => {},
    train: ['tumbler', '100'],
    other: ['pyramid', '80'],
    small: ['tumbler', '30'],
  },
];

/**
 * Inputs are made again when what makes them changes: the code as this process has loaded it, which the files on disk may
 * have left behind, and our scripts.
 */
export const inputMakers = (recipe: Recipe): string[] => [
  ...[recipe.inputs, texts, packed, generator, vocabulary, prose, sql, assignments].map(String),
  ...[records, article, wave, clauses, pigeons].map(String),
  ...(recipe.scripts ?? []).map((file) => readFileSync(join(OWN, file), 'utf8')),
];

/** As `inputMakers`, of the timed runs. */
export const timedMakers = ({ scripts, timed }: Recipe): string[] => [
  ...[timed?.inputs, timedTexts, timedPacked, generator, vocabulary, prose, sql, assignments].map(String),
  ...(scripts ?? []).map((file) => readFileSync(join(OWN, file), 'utf8')),
];

function copyOwn(dir: string, ...files: readonly string[]): void {
  for (const file of files) copyFileSync(join(OWN, file), join(dir, file));
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
