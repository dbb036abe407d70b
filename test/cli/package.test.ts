/** The package as it is published: what is in it, and that command and library work from there. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ROOT, run } from '../support/tools.ts';
import { workplace } from './support.ts';

const place = workplace('package');
let app: string;
let installed: string;

/** Runs a program in the folder that has isoform installed. @returns what it prints */
function inApp(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = run(program, args, { cwd: app });
  // The compiler tells its errors on standard output.
  expect([status, stderr.toString(), status === 0 ? '' : stdout.toString()]).toEqual([0, '', '']);
  return stdout.toString();
}

beforeAll(() => {
  app = place.path('app');
  installed = join(app, 'node_modules/isoform');
  // The dependencies are those of the checkout: a registry need not be there.
  mkdirSync(installed, { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((entry) => !entry.startsWith('.')))
    symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
  const packed = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', app], { cwd: ROOT });
  expect(packed.status).toBe(0);
  const [{ filename }] = JSON.parse(packed.stdout.toString());
  inApp('tar', 'xzf', filename, '-C', installed, '--strip-components', '1');
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
});

test('it holds what is needed to use it, and nothing that is made where it is used', () => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  for (const name of [
    'dist/guest.js',
    'dist/src/index.d.ts',
    'dist/schema/report.json',
    'samples/route/route.elf',
    'LICENSE',
  ])
    expect(files).toContain(name);
  expect(files.filter((name) => /\.(cache|isocode|isoprof)$|^(src|test)\//.test(name))).toEqual([]);
});

test('the command works', () => {
  expect(inApp(process.execPath, join(installed, 'dist/src/cli/start.cjs'), '--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
});

const PROGRAM = `
import { readFileSync } from 'node:fs';
import {
  type Image, IsoformError, type ProvedForm, optimize, profile, profileOf, prove, readImage, report, summarise, verify,
} from 'isoform';

const folder = 'node_modules/isoform/samples/route';
const original: Image = readImage(\`\${folder}/route.elf\`);
const input = { stdin: readFileSync(\`\${folder}/input\`) };
const counted = profile({ image: original, input });
const made: ProvedForm = optimize(original, profileOf(counted.profile, original));
const checked = verify({ original, optimized: made.image, input });
const proof = prove(original, made.image);
const model = report({ original, optimized: made.image, profile: counted.profile, input: { name: 'train', input } });
let code = '';
try {
  readImage('nothing');
} catch (error) {
  if (error instanceof IsoformError) code = error.code;
}
console.log(JSON.stringify([
  counted.exit, checked.input.verdict, summarise(proof).verdict, proof.superblocks.length === made.map.superblocks.length,
  model.verdict, model.superblocks.length === proof.superblocks.length, code,
]));
`;

test('the library works, and its types are right', () => {
  writeFileSync(join(app, 'program.mts'), PROGRAM);
  const schema = `import schema from 'isoform/schema/report.json' with { type: 'json' }; console.log(schema.title);`;
  writeFileSync(join(app, 'schema.mjs'), schema);
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  inApp(tsc, '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', 'program.mts');
  expect(JSON.parse(inApp(process.execPath, 'program.mjs'))).toEqual([
    { kind: 'status', status: 0 },
    'equivalent',
    'proved',
    true,
    'equivalent',
    true,
    'cannot-read',
  ]);
  const { title } = JSON.parse(readFileSync(join(ROOT, 'src/report/schema.json'), 'utf8'));
  const printed = run(process.execPath, ['schema.mjs'], { cwd: app });
  expect([printed.status, printed.stdout.toString()]).toEqual([0, `${title}\n`]);
});
