import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EVERY_EXTENSION, extensionNames, RV64GC } from '../../src/isa/extensions.ts';
import { ROOT } from '../support/tools.ts';
import { cycles, importsOf, type Sources, unnamedFolders, upwardImports } from './imports.ts';

function readSources(): Sources {
  const sources = new Map<string, string>();
  for (const top of ['src', 'passes']) {
    for (const entry of readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })) {
      if (entry.endsWith('.ts'))
        sources.set(`${top}/${entry.replaceAll('\\', '/')}`, readFileSync(join(ROOT, top, entry), 'utf8'));
    }
  }
  return sources;
}

describe('the floors of the house', () => {
  const sources = readSources();

  test('imports go down only', () => {
    expect(sources.size).toBeGreaterThan(20);
    expect(upwardImports(sources)).toEqual([]);
  });

  test('no cycles', () => {
    expect(cycles(sources)).toEqual([]);
  });

  test('ARCHITECTURE.md names every folder', () => {
    const file = join(ROOT, 'ARCHITECTURE.md');
    expect(existsSync(file)).toBe(true);
    expect(unnamedFolders(sources, readFileSync(file, 'utf8'))).toEqual([]);
  });
});

describe('the pages for developers', () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^(src|passes|test|samples|scripts|reports)\//.test(file));

  test.each(['ARCHITECTURE.md', 'HACKING.md', 'CONTRIBUTING.md'])('%s names only files that are there', (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/\]\([^)]*\)/g, '');
    const named = [...text.matchAll(/`([\w./-]+\.(?:ts|cts|mjs|cpp|sh))`/g)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(0);
    // NAME stands for the reader's own.
    const gone = named.filter(
      (name) => !name.includes('NAME') && !files.some((file) => file === name || file.endsWith(`/${name}`)),
    );
    expect(gone).toEqual([]);
  });

  test('comments name only files that are there', () => {
    const gone: string[] = [];
    for (const [file, text] of readSources())
      for (const [comment] of text.matchAll(/^\s*(?:\/?\*|\/\/).*$/gm))
        for (const [name] of comment.matchAll(/[\w-][\w./-]*\.(?:ts|cts|mjs)\b/g))
          if (!files.some((each) => each === name || each.endsWith(`/${name}`))) gone.push(`${file}: ${name}`);
    expect(gone).toEqual([]);
  });
});

/** What one file imports at run time, directly or by others. */
function reached(sources: Sources, from: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const open = [from];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const values = sources.get(file)!.replaceAll(/^import type [^;]*;$/gms, '');
    for (const specifier of importsOf(values))
      if (specifier.startsWith('.')) open.push(posix.join(posix.dirname(file), specifier));
  }
  return seen;
}

test('links of ARCHITECTURE.md lead to its headings, and every heading of the second level has one', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const anchorOf = (heading: string) =>
    `#${heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(/\s/g, '-')}`;
  const headings = [...text.matchAll(/^##+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));
  const links = [...text.matchAll(/\]\((#[^)]*)\)/g)].map(([, link]) => link!);
  expect(links.filter((link) => !headings.includes(link))).toEqual([]);
  const chapters = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => anchorOf(heading!));
  expect(chapters.filter((chapter) => !links.includes(chapter))).toEqual([]);
});

test('every file of src/cli that registers a command is in main.ts, and in the table of README.md', () => {
  const main = readFileSync(join(ROOT, 'src/cli/main.ts'), 'utf8');
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const commands = [...readSources()]
    .filter(([file, text]) => file.startsWith('src/cli/') && /^export function register\(/m.test(text))
    .map(([file]) => posix.basename(file, '.ts'));
  expect(commands.length).toBeGreaterThan(10);
  const missing = commands.filter((name) => !main.includes(`import('./${name}.ts')`));
  expect(missing.map((name) => `${name} is not in src/cli/main.ts`)).toEqual([]);
  const unsaid = commands.filter((name) => !new RegExp(`^\\| \`${name}\\b`, 'm').test(readme));
  expect(unsaid.map((name) => `${name} has no row in README.md`)).toEqual([]);
});

test('README.md names every extension that is understood beyond RV64GC', () => {
  const limits = readFileSync(join(ROOT, 'README.md'), 'utf8')
    .split('\n')
    .find((line) => line.startsWith('- RV64GC Linux executables'))!;
  expect(extensionNames(EVERY_EXTENSION & ~RV64GC).filter((name) => !limits.includes(name))).toEqual([]);
});

describe('what has to be believed of a proof', () => {
  test('every file that the prover runs is named in ARCHITECTURE.md', () => {
    const page = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const trusted = page.slice(page.indexOf('## Trusted, and not'));
    const files = reached(readSources(), 'src/verify/prove/prove.ts');
    expect(files.size).toBeGreaterThan(50);
    // Named as a whole: the rows, the base, the readers of unwind tables.
    const whole = ['src/isa/', 'src/base/', 'src/elf/unwind/'];
    const unnamed = [...files].filter(
      (file) => !whole.some((folder) => file.startsWith(folder)) && !trusted.includes(posix.basename(file)),
    );
    expect(unnamed).toEqual([]);
  });
});

describe('the check itself', () => {
  test('sees every form of import, and no comment', () => {
    const text = `
      import a, { b } from './a.ts';
      import type { C } from "../c.ts";
      export {
        d,
        e } from './d.ts';
      export * from './e.ts';
      import './f.ts';
      const g = await import('./g.ts');
      // import x from './x.ts';
      /* import y from './y.ts'; */
      export const name = 'not an import';`;
    expect(importsOf(text).sort()).toEqual(['../c.ts', './a.ts', './d.ts', './e.ts', './f.ts', './g.ts']);
  });

  test('finds planted offences', () => {
    const up = new Map([
      ['src/isa/row.ts', "import { run } from '../engine/engine.ts';"],
      ['src/engine/engine.ts', "import type { Row } from '../isa/row.ts';"],
      ['src/elf/read.ts', "import { x } from '../domain/concrete.ts';"],
      ['src/domain/concrete.ts', "import { gone } from './gone.ts';"],
      ['src/attic/bat.ts', ''],
    ]);
    expect(upwardImports(up)).toEqual([
      'src/isa/row.ts: imports src/engine/engine.ts, which is not below it',
      'src/elf/read.ts: imports src/domain/concrete.ts, which is not below it',
      'src/domain/concrete.ts: imports ./gone.ts, which is no source file',
      'src/attic/bat.ts: src/attic is on no floor',
    ]);
    expect(cycles(up)).toEqual(['src/engine/engine.ts -> src/isa/row.ts -> src/engine/engine.ts']);
    const long = new Map([
      ['src/base/a.ts', "import './b.ts';"],
      ['src/base/b.ts', "export * from './c.ts';"],
      ['src/base/c.ts', "const a = import('./a.ts');"],
      ['passes/one.ts', "import '../src/base/a.ts';"],
    ]);
    expect(upwardImports(long)).toEqual([]);
    expect(cycles(long)).toEqual(['src/base/a.ts -> src/base/b.ts -> src/base/c.ts -> src/base/a.ts']);
    expect(
      unnamedFolders(
        new Map([
          ['src/base/a.ts', ''],
          ['src/attic/deep/b.ts', ''],
        ]),
        'src/ base/ deep/',
      ),
    ).toEqual(['src/attic']);
  });
});
