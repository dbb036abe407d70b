// Runs at the end of a build: makes `npx isoform` in the checkout start the checkout's own build at once. npm links only the
// commands of dependencies; without a link, npx sets up a copy of the package in its cache first, which not every npm can.
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const bin = join(root, 'node_modules/.bin');
if (process.platform !== 'win32') {
  chmodSync(join(root, 'dist/src/cli/main.js'), 0o755);
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, 'isoform'), { force: true });
  symlinkSync('../../dist/src/cli/main.js', join(bin, 'isoform'));
}
