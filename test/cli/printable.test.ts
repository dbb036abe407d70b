/** Names that forge lines or drive a terminal: of files, of symbols, in an address map, in arguments. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { profileOf, readProfile } from '../../src/profile/store.ts';
import { Forgery } from '../support/forgery.ts';
import { commandsOn, expectOneLine, sample, workplace } from './support.ts';

const place = workplace('printable');
const { elf } = sample('queens');
const EVIL = '\x1b[2J\nisoform: all is proved\u202e';
const SHOWN = '\\x1b[2J\\nisoform: all is proved\\u202e';

beforeAll(() => {
  copyFileSync(elf, place.path(EVIL));
});

/** Nothing in it acts on a terminal, and no line is one that a name has made. */
function expectPlain(text: string, command = ''): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  expect(text, command).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
  expect(text, command).not.toMatch(/^(isoform: all is proved|forged)/m);
}

test('of files, in errors and in what a command says', () => {
  expect(expectOneLine(place.run(['run', `${EVIL}/missing`]))).toContain(`${SHOWN}/missing: cannot be read`);
  expect(expectOneLine(place.run(['run', '--limit-instructions', EVIL, elf]))).toContain(SHOWN);
  const profiled = place.run(['profile', '--limit-instructions', '100000', EVIL]);
  expect(profiled.status).toBe(0);
  expect(profiled.stderr.toString()).toContain(SHOWN);
  expectPlain(profiled.stderr.toString());
  for (const command of [
    ['dump', 'image', EVIL],
    ['dump', 'profile', `${EVIL}.isoprof`],
  ]) {
    const { status, stdout } = place.run(command);
    expect([status, stdout.toString()]).toEqual([0, expect.stringContaining(SHOWN)]);
    expectPlain(stdout.toString());
  }
});

test('of symbols, in dumps', () => {
  const bytes = Buffer.from(readFileSync(elf));
  const name = parseImage(bytes, elf)
    .symbols.filter(({ kind, size }) => kind === 'function' && size > 0)
    .map((symbol) => symbol.name)
    .sort((a, b) => b.length - a.length)[0]!;
  const evil = '\x1b\x9b\nforged'.padEnd(name.length, 'x').slice(0, name.length);
  bytes.write(`\0${evil}\0`, bytes.indexOf(`\0${name}\0`), 'latin1');
  writeFileSync(place.path('symbols'), bytes);
  for (const more of [[], ['--dot']]) {
    const { status, stdout } = place.run(['dump', 'cfg', ...more, 'symbols']);
    expect([status, stdout.toString()]).toEqual([0, expect.stringContaining('x1b')]);
    expectPlain(stdout.toString());
  }
});

test('in an address map', () => {
  const image = parseImage(readFileSync(elf), elf);
  const run = place.run(['profile', '-q', '--limit-instructions', '100000', '-o', 'p', elf]);
  expect(run.status).toBe(0);
  const made = parseImage(optimize(image, profileOf(readProfile(place.path('p')), image)).bytes, 'made');
  const forgery = new Forgery(image, made);
  const [first, ...rest] = forgery.map.superblocks;
  writeFileSync(
    place.path('mapped'),
    forgery.setMap({ assumptions: ['A1', EVIL], superblocks: [{ ...first!, rejected: EVIL }, ...rest] }).file(),
  );
  const { status, stdout } = place.run(['dump', 'map', 'mapped']);
  expect([status, stdout.toString()]).toEqual([0, expect.stringContaining(`because ${SHOWN}`)]);
  expectPlain(stdout.toString());
  for (const command of [
    ['prove', elf, 'mapped'],
    ['prove', '--json', elf, 'mapped'],
  ])
    expectPlain(place.run(command).stdout.toString());
});

test('of arguments, in --strace and in JSON', () => {
  const traced = place.run(['run', '--strace', '--limit-instructions', '3000', elf, EVIL]);
  expectPlain(traced.stderr.toString());
  const { stdout } = place.run(['optimize', '-q', '--json', '-p', 'p', '-o', `${EVIL}.isoform`, elf]);
  expect(JSON.parse(stdout.toString()).optimized.file).toBe(`${EVIL}.isoform`);
  expectPlain(stdout.toString());
});

test('by every command: of its files, of symbols, and where there are none', { timeout: 180_000 }, () => {
  // No section headers: e_shoff, e_shnum and e_shstrndx are 0.
  const bare = Buffer.from(readFileSync(elf));
  bare.fill(0, 40, 48);
  bare.fill(0, 60, 64);
  writeFileSync(place.path('bare'), bare);
  const listed = [
    ...place
      .run(['--help'])
      .stdout.toString()
      .matchAll(/^ {2}([a-z]+)\b.*<|^ {2}(demo|help)\b/gm),
  ];
  const commands = listed.map(([, name, other]) => name ?? other).filter((name) => name !== 'help');
  expect(Object.keys(commandsOn('')), 'of commandsOn (test/cli/support.ts)').toEqual(commands);
  for (const file of [EVIL, 'symbols', 'bare'])
    for (const [name, args] of Object.entries(commandsOn(file))) {
      const { stdout, stderr } = place.run(args);
      const said = `${stdout}${stderr}`;
      expect(said, name).not.toBe('');
      expect(said, name).not.toContain('internal error');
      expectPlain(said, name);
    }
});
