/**
 * Makes dist/guest.js, all that `isoform run` and `isoform profile` need in one file, and dist/guest.js.cache, V8's compiled code of
 * it after a run. src/cli/start.cts tells what for. Part of `npm run build`, after the compiler:
 *
 *     node scripts/bundle.mjs [FOLDER]     FOLDER is where the compiler has written to; default: dist
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { constants, Script } from 'node:vm';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const folder = resolve(process.argv[2] ?? join(root, 'dist'));
const file = join(folder, 'guest.js');
const cache = `${file}.cache`;
const again = process.argv[3] === '--cache';

/** Modules of Node that take long to load and that a run does without, and what stands for them. */
const STAND_INS = {
  // Commander's, for subcommands that are programs; isoform has none.
  'node:child_process': 'module.exports = {};',
  'node:tty': "export const isatty = (fd) => process.getBuiltinModule('node:tty').isatty(fd);",
  'node:zlib': "export const crc32 = (...all) => process.getBuiltinModule('node:zlib').crc32(...all);",
  'node:crypto': ['createHash', 'randomBytes']
    .map((name) => `export const ${name} = (...all) => process.getBuiltinModule('node:crypto').${name}(...all);`)
    .join('\n'),
};

async function bundle() {
  const { rolldown } = await import('rolldown');
  const made = await rolldown({
    input: join(folder, 'src/cli/guest.js'),
    platform: 'node',
    external: ['ora'],
    plugins: [
      {
        name: 'stand-ins',
        resolveId: (id) => (Object.hasOwn(STAND_INS, id) ? `\0${id}` : null),
        load: (id) => STAND_INS[id.slice(1)] ?? null,
      },
    ],
  });
  const { output } = await made.generate({ format: 'cjs', codeSplitting: false, minify: true });
  // Read as latin1, which V8 need not decode.
  const text = output[0].code.replace(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const build = createHash('sha256').update(text).digest('hex').slice(0, 32);
  writeFileSync(
    file,
    `/* ${build} */\n(function (require) { const exports = {}, module = { exports };\n${text}\nreturn module.exports; })`,
  );
}

/** Runs a sample, so that the functions which a run needs are compiled, and keeps them. */
async function keepCode() {
  // Compiled code is taken only by a V8 with the same flags, and the translator changes some for a while.
  v8.setFlagsFromString = () => {};
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const { start } = script.runInThisContext()(createRequire(import.meta.url));
  const elf = join(root, 'samples/route/route.elf');
  const input = join(root, 'samples/route/input');
  const kept = `${file}.code`;
  const profile = ['profile', '--quiet', '--engine', 'translate', '--code-cache', kept, '--stdin', input];
  await start(['run', '--engine', 'dispatch', elf], undefined, []);
  // Once more, with what the first has left.
  for (let i = 0; i < 2; i++) await start([...profile, '-o', `${file}.isoprof`, elf], 'none', []);
  rmSync(`${file}.isoprof`);
  rmSync(kept, { recursive: true, force: true });
  if (process.exitCode) throw new Error(`the sample ended with status ${process.exitCode}`);
  writeFileSync(cache, script.createCachedData());
}

if (again) await keepCode();
else {
  rmSync(cache, { force: true });
  await bundle();
  // In a process with no flags and nothing else in it.
  const input = readFileSync(join(root, 'samples/route/input'));
  const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), folder, '--cache'], {
    input,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error('no compiled code was kept');
  for (const name of ['main.js', 'start.cjs']) chmodSync(join(folder, 'src/cli', name), 0o755);
}
