/** The packages of others that isoform is made with: what package-lock.json says of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../support/tools.ts';

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  /** True of what only development needs. */
  readonly dev?: boolean;
  readonly optional?: boolean;
  /** True of a folder of this checkout that stands in node_modules. */
  readonly link?: boolean;
}

/** Where a package goes (`node_modules/NAME`, perhaps below another package's), and what the lock file says of it. */
const packages = Object.entries<Entry>(
  JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages,
).filter(([path]) => path !== '');

describe('package-lock.json', () => {
  // npm leaves the hash out, silently, where it has not seen a package for another platform; what it has no hash of it installs unchecked.
  test('every package has the hash that it is checked against', () => {
    expect(packages.length).toBeGreaterThan(50);
    const unchecked = packages.filter(
      ([, entry]) => !entry.link && !/^sha512-[\w+/]{86}==$/.test(entry.integrity ?? ''),
    );
    expect(unchecked.map(([path]) => path)).toEqual([]);
  });
});

describe('THIRD-PARTY.md', () => {
  const text = readFileSync(join(ROOT, 'THIRD-PARTY.md'), 'utf8');
  const [installed, development] = text.split('\n## For development only\n').map((part) =>
    part
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2)
      .map((line) => line.slice(2, -2).split(' | ')),
  ) as [string[][], string[][]];
  const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

  test('lists what is installed with isoform, with version and licence', () => {
    const expected = packages
      .filter(([, { dev }]) => !dev)
      .map(([path, { version, license, optional }]) => [nameOf(path), version, license, optional === true]);
    const listed = installed.map(([name, version, license, use]) => [
      name,
      version,
      license,
      use!.startsWith('optional: '),
    ]);
    expect(expected.length).toBeGreaterThan(5);
    expect(listed.sort()).toEqual(expected.sort());
  });

  test('lists the licences of what development needs', () => {
    const expected = new Set(packages.filter(([, { dev }]) => dev).map(([, { license }]) => license));
    expect(development.map(([license]) => license).sort()).toEqual([...expected].sort());
  });
});
