/**
 * Runs a script of test/ that is not a test (campaigns, measurements), without vitest:
 *
 *     node test/run.mjs campaign/insns --engine basic --count 1000000 --seed 1
 *
 * Compiles src, passes, test/campaign, test/bench and test/support to .cache/test-build (test/tsconfig.json; only what has
 * changed) and imports the script from there. The script reads its options from process.argv.slice(2), as if it were started itself.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [name, ...options] = process.argv.slice(2);
if (name === undefined) {
  process.stderr.write('usage: node test/run.mjs SCRIPT [OPTIONS...], for example campaign/insns\n');
  process.exit(2);
}
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const built = spawnSync(process.execPath, [tsc, '-p', join(root, 'test/tsconfig.json')], { stdio: ['ignore', 2, 2] });
const script = join(root, '.cache/test-build/test', `${name.replace(/\.ts$/, '')}.js`);
// Type errors do not keep the compiler from writing; they are shown, and the script runs.
if (built.error || !existsSync(script)) {
  process.stderr.write(`test/${name}: not compiled\n`);
  process.exit(2);
}
process.argv = [process.argv[0], script, ...options];
await import(pathToFileURL(script).href);
