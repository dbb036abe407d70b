/** The command as it is installed: the bundle does what the files do, and without it they do. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { isoform } from '../support/cli.ts';
import { ROOT, run } from '../support/tools.ts';
import { sample, workplace } from './support.ts';

const START = join(ROOT, 'dist/src/cli/start.cjs');
const BUNDLE = join(ROOT, 'dist/guest.js');
const place = workplace('start');
const start = (args: readonly string[], stdin?: Uint8Array) =>
  run(process.execPath, [START, ...args], {
    cwd: dirname(place.path('x')),
    stdin,
    // What it keeps is none of the user's.
    env: { ...process.env, XDG_CACHE_HOME: place.path('cache') },
  });

/** Each file of src/cli that registers a command is named after it. */
const COMMANDS = readdirSync(join(ROOT, 'src/cli'))
  .filter((file) => /^export function register\(/m.test(readFileSync(join(ROOT, 'src/cli', file), 'utf8')))
  .map((file) => basename(file, '.ts'));

describe('the installed command', () => {
  test('package.json names it, and it is executable', () => {
    expect(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).bin.isoform).toBe('dist/src/cli/start.cjs');
    expect(run(START, ['--version']).stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('who stops reading is told no success', () => {
    const { elf } = sample('bytecode');
    const piped = `"${process.execPath}" "${START}" dump cfg "${elf}" | true; exit \${PIPESTATUS[0]}`;
    expect(run('bash', ['-c', piped])).toMatchObject({ status: 141 });
  });

  test('the first run makes compiled code that this Node takes, and it is made once', () => {
    const { elf, input } = sample('words');
    const stdin = readFileSync(input);
    const folder = place.path('cache/isoform');
    const kept = () => readdirSync(folder).filter((name) => name.startsWith('isoform-'));
    expect(start(['run', '--no-code-cache', elf], stdin).status).toBe(0);
    expect(existsSync(folder)).toBe(false);
    expect(start(['run', elf], stdin).status).toBe(0);
    const [file] = kept();
    const sealed = readFileSync(join(folder, file!));
    const cachedData = sealed.subarray(0, -4);
    const script = new Script(readFileSync(BUNDLE, 'latin1'), { cachedData });
    expect([cachedData.length > 100_000, script.cachedDataRejected]).toEqual([true, false]);
    const { mtimeMs } = statSync(join(folder, file!));
    expect(start(['run', elf], stdin).status).toBe(0);
    expect(statSync(join(folder, file!)).mtimeMs).toBe(mtimeMs);
    // A damaged one is made again; one that could not be made is not.
    for (const damaged of [Buffer.from('x'), sealed.map((byte, at) => (at === sealed.length >> 1 ? ~byte : byte))]) {
      writeFileSync(join(folder, file!), damaged);
      expect(start(['run', elf], stdin).status).toBe(0);
      expect(readFileSync(join(folder, file!)).length).toBeGreaterThan(100_000);
      expect(readFileSync(join(folder, file!)).equals(damaged)).toBe(false);
    }
    writeFileSync(join(folder, file!), '');
    expect(start(['run', elf], stdin).status).toBe(0);
    expect(statSync(join(folder, file!)).size).toBe(0);
    // What others could have written is not run.
    writeFileSync(join(folder, file!), sealed);
    chmodSync(join(folder, file!), 0o666);
    expect(start(['run', elf], stdin).status).toBe(0);
    expect(statSync(join(folder, file!)).mode & 0o777).toBe(0o600);
    expect(kept()).toEqual([file]);
  });

  test('run and profile are the same as from their files', () => {
    const { elf, input, expected } = sample('words');
    const stdin = readFileSync(input);
    const ran = start(['run', '--stats', elf], stdin);
    expect([ran.status, ran.stdout.equals(expected)]).toEqual([0, true]);
    const counted = ({ stderr }: { stderr: Buffer }) => {
      // Times are of this run.
      const { translating, compiling, ...counts } = JSON.parse(stderr.toString());
      expect([translating, compiling]).toEqual([expect.any(Number), expect.any(Number)]);
      return counts;
    };
    expect(counted(ran)).toEqual(counted(isoform(['run', '--stats', elf], { stdin })));
    const profiled = start(['profile', '-o', 'bundled', elf], stdin);
    expect(profiled.stderr.toString()).toMatch(/^isoform: bundled: .+\n$/);
    expect(isoform(['profile', '-o', place.path('loaded'), elf], { stdin }).status).toBe(0);
    expect(readFileSync(place.path('bundled'))).toEqual(readFileSync(place.path('loaded')));
  });

  test.each([
    [['run']],
    [['run', '--engine', 'nothing', 'x']],
    [['run', '/nothing/there']],
    [['profile', '--nothing']],
  ])('says the same of isoform %j', (args) => {
    const [bundled, loaded] = [start(args), isoform(args, { cwd: dirname(place.path('x')) })];
    expect(bundled.status).toBe(2);
    expect([bundled.stdout.toString(), bundled.stderr.toString()]).toEqual([
      loaded.stdout.toString(),
      loaded.stderr.toString(),
    ]);
  });

  test('every command has its help, and the command all of them', () => {
    const all = start(['--help']).stdout.toString();
    expect(COMMANDS.length).toBeGreaterThan(10);
    for (const name of COMMANDS) {
      expect(all).toMatch(new RegExp(`^  ${name} `, 'm'));
      const { status, stdout } = start([name, '--help']);
      expect([status, stdout.toString()]).toEqual([0, isoform([name, '--help']).stdout.toString()]);
      expect(stdout.toString()).toMatch(new RegExp(`^Usage: isoform ${name} `));
    }
  });

  test('without a bundle, the files are loaded', () => {
    const folder = place.path('installed/src/cli');
    mkdirSync(folder, { recursive: true });
    copyFileSync(START, join(folder, 'start.cjs'));
    writeFileSync(join(folder, 'main.js'), 'console.log("main", process.argv.slice(2).join());');
    writeFileSync(place.path('installed/package.json'), '{"type":"module"}');
    expect(existsSync(place.path('installed/guest.js'))).toBe(false);
    const { status, stdout } = run(process.execPath, [join(folder, 'start.cjs'), 'run', 'x']);
    expect([status, stdout.toString()]).toEqual([0, 'main run,x\n']);
  });
});
