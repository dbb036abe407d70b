/** `isoform optimize`, `dump superblock` and `bisect`. */
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { AVOIDABLE_ASSUMPTIONS } from '../../src/emit/assumptions.ts';
import { parseSuperblock, superblockText } from '../../src/superblock/text.ts';
import { expectOneLine, sample, workplace } from './support.ts';

const place = workplace('optimize');
const { elf, input } = sample('queens');
const PROFILE = 'queens.isoprof';

beforeAll(() => {
  expect(place.run(['profile', '-q', elf], { stdin: readFileSync(input) }).status).toBe(0);
});

const said = (args: readonly string[]) => {
  const { status, stdout, stderr } = place.run(args);
  expect([status, stderr.toString()]).toEqual([0, '']);
  return stdout.toString();
};
const summary = (...options: string[]) =>
  JSON.parse(said(['optimize', '-q', '--json', '-p', PROFILE, '-o', 'out', ...options, elf])) as {
    bytesAdded: number;
    rewrites: number;
    superblocks: { head: string; count: number; verdict: string }[];
    passes: { name: string; rewrites: number; removed: number }[];
    assumptions: string[];
    dropped: string[];
    proof: {
      verdict: string;
      superblocks: number;
      proved: number;
      coverage: number;
      ways: number;
      assumptions: string[];
    };
    rejected: unknown[];
    each?: { pass?: string; superblocks: number; proved: number; broken: unknown[] }[];
  };

describe('what is made', () => {
  test('NAME.isoform, executable, and one line about it', () => {
    const { status, stdout, stderr } = place.run(['optimize', '-p', PROFILE, elf]);
    expect([status, stdout.toString()]).toEqual([0, '']);
    expect(stderr.toString()).toMatch(
      /^isoform: queens\.isoform: \d+ superblocks, [\d,]+ bytes added.*\nisoform: (\d+) of \1 superblocks proved, 100\.00 % by weight, in [\d.]+ s\n$/,
    );
    expect(statSync(place.path('queens.isoform')).mode & 0o111).not.toBe(0);
  });

  test('--json', () => {
    const { bytesAdded, superblocks, rewrites, passes, assumptions, proof, rejected, each } = summary();
    expect(bytesAdded).toBe(statSync(place.path('out')).size - statSync(elf).size);
    expect(superblocks[0]).toMatchObject({ head: expect.stringMatching(/^0x/), identity: false });
    expect(passes.reduce((sum, pass) => sum + pass.rewrites, 0)).toBe(rewrites);
    const numbers = assumptions.map((id) => Number(id.slice(1)));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(assumptions).toEqual(expect.arrayContaining(['A1', 'A11']));
    expect(proof).toMatchObject({ verdict: 'proved', proved: superblocks.length, coverage: 1 });
    expect(proof.assumptions).toContain('A1');
    expect([rejected, each]).toEqual([[], undefined]);
    expect(superblocks.every(({ verdict }) => verdict === 'proved')).toBe(true);
  });

  test('--strict, --without, --passes, --fuel', () => {
    expect(summary('--strict').assumptions.filter((id) => AVOIDABLE_ASSUMPTIONS.some((each) => each === id))).toEqual(
      [],
    );
    expect(summary('--without', 'A1,A3').assumptions).not.toContain('A1');
    const none = summary('--passes', 'none');
    expect([none.passes, none.rewrites]).toEqual([[], 0]);
    const names = summary().passes.map(({ name }) => name);
    expect(summary(`--passes=-${names[0]}`).passes.map(({ name }) => name)).toEqual(names.slice(1));
    expect(summary('--fuel', '0').rewrites).toBe(0);
    expect(summary('--fuel', '3').rewrites).toBe(3);
  });

  test('--prove=each: what was proved before the first pass and after each', () => {
    const { each, passes, proof } = summary('--prove=each');
    expect(each!.map(({ pass }) => pass)).toEqual([undefined, ...passes.map(({ name }) => name)]);
    expect(each!.every(({ proved, superblocks, broken }) => proved === superblocks && broken.length === 0)).toBe(true);
    expect(proof.verdict).toBe('proved');
  });

  test('--max-growth', () => {
    const free = summary();
    expect(free.dropped).toEqual([]);
    const size = Math.round(free.bytesAdded * 0.7);
    const bound = summary('--max-growth', String(size));
    expect(bound.bytesAdded).toBeLessThanOrEqual(size);
    expect(bound.dropped.length).toBeGreaterThan(0);
  });

  test('--target', () => {
    const plain = summary();
    expect(plain.assumptions).not.toContain('A9');
    const made = summary('--target', 'rva22u64');
    expect(made.assumptions).toContain('A9');
    expect(made.passes.find(({ name }) => name === 'retarget')?.removed).toBeGreaterThan(0);
    expect(said(['prove', elf, 'out'])).toMatch(/A9 \(.*\): .* Here: Zb[abs](, Zb[abs])*\.\n/);
    const { status, stderr } = place.run(['optimize', '-p', PROFILE, '--target', 'rva99', elf]);
    expect([status, stderr.toString()]).toEqual([2, expect.stringContaining("there is no target 'rva99'")]);
  });

  test('a link stays a link, its file is replaced', () => {
    writeFileSync(place.path('target'), 'old');
    symlinkSync('target', place.path('link'));
    expect(place.run(['optimize', '-q', '-p', PROFILE, '-o', 'link', elf]).status).toBe(0);
    expect(readFileSync(place.path('target')).subarray(1, 4).toString()).toBe('ELF');
  });
});

describe('what is shown', () => {
  const hottest = () => [...summary().superblocks].sort((a, b) => b.count - a.count)[0]!.head;

  test('--explain: as formed, then after each pass that changed it', () => {
    const text = said(['optimize', '-q', '-p', PROFILE, '--explain', hottest(), '-o', 'out', elf]);
    const reason = /^# its trace ends because .+\n/m;
    expect(text).toMatch(reason);
    const parts = text.replace(reason, '').split(/^# /m).slice(1);
    expect(parts[0]).toMatch(/^as it was formed: \d+ instructions/);
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts.slice(1)) expect(part).toMatch(/^after \w+: [+-]?\d+ instructions \(.* %\), \d+ instr/);
    // All that is shown parses back.
    for (const part of parts) {
      const body = part.slice(part.indexOf('\n') + 1).replace(/\n+$/, '\n');
      expect(superblockText(parseSuperblock(body))).toBe(body);
    }
    expect(said(['dump', 'superblock', hottest(), '-p', PROFILE, elf])).toBe(
      parts.at(-1)!.slice(parts.at(-1)!.indexOf('\n') + 1),
    );
  });

  test('dump map: every superblock of the file, in the order of the code', () => {
    const { superblocks, assumptions } = summary();
    const lines = said(['dump', 'map', 'out']).trimEnd().split('\n');
    const heads = lines.flatMap((line) => /^superblock (\S+) at (\S+)-\S+ entered \d+$/.exec(line)?.slice(1, 3) ?? []);
    expect(heads.filter((_, index) => index % 2 === 0).sort()).toEqual(superblocks.map(({ head }) => head).sort());
    const starts = heads.filter((_, index) => index % 2 === 1).map(Number);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(lines.at(-1)).toBe(`assumptions ${assumptions.join(' ')}`);
    expect(expectOneLine(place.run(['dump', 'map', elf]))).toMatch(/has no address map/);
  });

  test('dump superblock: text that parses back; by symbol too', () => {
    const text = said(['dump', 'superblock', hottest(), '-p', PROFILE, '--passes', 'none', elf]);
    expect(superblockText(parseSuperblock(text))).toBe(text);
    expect(said(['dump', 'superblock', 'place', '-p', PROFILE, elf])).toMatch(/^superblock 0x/);
  });

  test('no superblock there: one line', () => {
    expect(expectOneLine(place.run(['dump', 'superblock', '0x1', '-p', PROFILE, elf]))).toMatch(/the hottest: 0x/);
    expect(expectOneLine(place.run(['dump', 'superblock', 'no_such', '-p', PROFILE, elf]))).toMatch(/no function/);
    expect(expectOneLine(place.run(['dump', 'superblock', '0x1', elf]))).toMatch(/-p/);
    const files = place.files();
    expectOneLine(place.run(['optimize', '-p', PROFILE, '--explain', '0x1', '-o', 'not-written', elf]));
    expect(place.files()).toEqual(files);
  });

  test('bisect: nothing to find in what is right', () => {
    const { status, stdout } = place.run(['bisect', '-q', '-p', PROFILE, elf], { stdin: Buffer.from('4\n') });
    expect([status, stdout.toString()]).toEqual([0, expect.stringMatching(/^equivalent with all \d+ rewrites/)]);
  });
});

describe('what is refused', () => {
  const cases: [string, string[], RegExp][] = [
    ['no profile', ['optimize', elf], /required option '-p/],
    ['a profile of another binary', ['optimize', '-p', PROFILE, sample('sort').elf], /the profile of another binary/],
    ['no profile file', ['optimize', '-p', elf, elf], /not a usable profile/],
    ['a missing profile', ['optimize', '-p', 'missing', elf], /missing: cannot be read: ENOENT/],
    ['an unknown pass', ['optimize', '-p', PROFILE, '--passes', 'magic', elf], /no pass 'magic' \(there are: /],
    ['passes to make and to leave out', ['optimize', '-p', PROFILE, '--passes', 'sink,-stores', elf], /'sink,-stores'/],
    ['two outputs in one file', ['pgo', '-o', 'x', '--report', './x', elf], /\.\/x: two outputs would go to this file/],
    ['a page and data in one file', ['report', '-p', PROFILE, '--json', 'queens.html', elf, 'out'], /two outputs/],
    ['an unknown assumption', ['optimize', '-p', PROFILE, '--without', 'A77', elf], /no assumption 'A77'/],
    [
      'an assumption that must be made',
      ['optimize', '-p', PROFILE, '--without', 'A5', elf],
      /A5 cannot be switched off/,
    ],
    [
      'an assumption that comes with every patch',
      ['optimize', '-p', PROFILE, '--without', 'A2', elf],
      /A2 cannot be switched off/,
    ],
    [
      'what is not to be allowed',
      ['optimize', '-p', PROFILE, '--allow', 'anything', elf],
      /Allowed choices are tested/,
    ],
    ['another time to prove', ['pgo', '--prove', 'never', elf], /Allowed choices are final, each/],
    ['no fuel', ['optimize', '-p', PROFILE, '--fuel', 'much', elf], /much: not a number of rewrites/],
    ['an optimized file', ['optimize', '-p', PROFILE, 'queens.isoform'], /already optimized/],
    ['an optimized file (pgo)', ['pgo', 'queens.isoform'], /already optimized/],
  ];
  test.each(cases)('%s', (_, args, line) => {
    const files = place.files();
    expect(expectOneLine(place.run(args))).toMatch(line);
    expect(place.files()).toEqual(files);
  });

  test('the input as the output, under any name', () => {
    const copy = readFileSync(elf);
    writeFileSync(place.path('own'), copy);
    symlinkSync('own', place.path('alias'));
    for (const output of ['own', 'alias', './own']) {
      const line = expectOneLine(place.run(['optimize', '-p', PROFILE, '-o', output, 'own']));
      expect(line).toMatch(/would overwrite own/);
      expect(expectOneLine(place.run(['pgo', '-o', output, 'own']))).toMatch(/would overwrite own/);
    }
    expect(readFileSync(place.path('own')).equals(copy)).toBe(true);
    expect(expectOneLine(place.run(['profile', '-o', 'own', 'own']))).toMatch(/would overwrite own/);
    expect(expectOneLine(place.run(['pgo', '--json', 'queens.isoform', 'own']))).toMatch(/is an executable/);
  });

  test('an output that cannot be written, before any work is done', () => {
    mkdirSync(place.path('directory'), { recursive: true });
    const outputs: [string, RegExp][] = [
      ['no/such/directory/out', /ENOENT/],
      ['queens.isoprof/out', /ENOTDIR/],
      ['directory', /it is a directory/],
      ['/dev/null', /not a regular file/],
    ];
    for (const [output, why] of outputs) expect(expectOneLine(place.run(['pgo', '-o', output, elf]))).toMatch(why);
    const nowhere = outputs[0]![0];
    for (const command of [
      ['profile', '-o', nowhere],
      ['optimize', '-p', PROFILE, '-o', nowhere],
      ['pgo', '--report', 'directory'],
      ['pgo', '--json', 'queens.isoprof/x.json'],
    ])
      expect(expectOneLine(place.run([...command, elf])), command.join(' ')).toMatch(/cannot be written/);
  });
});
