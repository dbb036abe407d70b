/**
 * Makes dist/guest.js, all that `isoform run` and `isoform profile` need in one file (src/cli/start.cts tells what for), and copies the
 * schemas. Part of `npm run build`, after the compiler:
 *
 *     node scripts/bundle.mjs [FOLDER]     FOLDER is where the compiler has written to; default: dist
 */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const folder = resolve(process.argv[2] ?? join(root, 'dist'));
const file = join(folder, 'guest.js');

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

await bundle();
for (const name of ['main.js', 'start.cjs']) chmodSync(join(folder, 'src/cli', name), 0o755);
mkdirSync(join(folder, 'schema'), { recursive: true });
copyFileSync(join(root, 'src/report/schema.json'), join(folder, 'schema/report.json'));
