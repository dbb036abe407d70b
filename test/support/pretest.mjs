// Runs before `npm test`: installs missing tools where it may. Plain JavaScript, so that it needs nothing to be built.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

if (process.platform === 'linux') {
  spawnSync('sh', [join(dirname(fileURLToPath(import.meta.url)), 'install.sh')], {
    stdio: 'inherit',
    timeout: 900_000,
  });
} else {
  console.error('isoform tests: not Linux: suites that need the cross toolchain or qemu are left out');
}
