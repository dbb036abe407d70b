/**
 * Runs before `npm test`: says which tools are missing, and installs them where that is asked for (install.sh says how). As
 * `npm run setup` it asks for it. Plain JavaScript, so that it needs nothing to be built.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const args = process.argv.slice(2);
const env = args[0] === 'setup' ? { ...process.env, ISOFORM_INSTALL: '1' } : process.env;

if (process.platform === 'linux') {
  spawnSync('sh', [join(dirname(fileURLToPath(import.meta.url)), 'install.sh'), ...args], {
    stdio: 'inherit',
    timeout: 900_000,
    env,
  });
} else {
  console.error(
    'isoform tests: suites that need a cross compiler, qemu or other tools of Linux are left out where these are missing; only on Debian and Ubuntu can they be installed from here',
  );
}
