/** What `npm run test:quick` runs stays quick: it fetches and builds no real programs and does not need the command built. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/tools.ts';
import { importsOf } from './imports.ts';

const read = (file: string): string => readFileSync(posix.join(ROOT, file), 'utf8');

/** The one place that lists the folders. */
const folders: string[] = JSON.parse(read('package.json')).scripts['test:quick'].match(/(?<= )test\/\S+/g);

const tests = folders
  .filter((folder) => existsSync(posix.join(ROOT, folder)))
  .flatMap((folder) => readdirSync(posix.join(ROOT, folder)).map((name) => `${folder}/${name}`))
  .filter((file) => file.endsWith('.test.ts'));

/** Those of a file's imports, and of theirs, that lie in test/. */
function helpersOf(file: string, seen = new Set<string>()): Set<string> {
  for (const specifier of importsOf(read(file))) {
    const target = posix.join(posix.dirname(file), specifier);
    // Tests of the floors also hold imports of files that are not there.
    if (!target.startsWith('test/') || seen.has(target) || !existsSync(posix.join(ROOT, target))) continue;
    seen.add(target);
    helpersOf(target, seen);
  }
  return seen;
}

test('tests of real programs and of the built command are in other folders', () => {
  expect(tests.length).toBeGreaterThan(10);
  // The search finds them where they are.
  expect(helpersOf('test/programs/objdump.test.ts')).toContain('test/support/programs.ts');
  expect(helpersOf('test/cli/run.test.ts')).toContain('test/support/cli.ts');
  const slow = ['test/support/programs.ts', 'test/support/cli.ts'];
  expect(tests.filter((file) => slow.some((helper) => helpersOf(file).has(helper)))).toEqual([]);
});
