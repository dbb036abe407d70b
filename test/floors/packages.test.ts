/** The packages of others that isoform is made with: what package-lock.json says of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../support/tools.ts';

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
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
