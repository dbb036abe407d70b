/** `isoform prove`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { mapOf } from '../../src/verify/prove/prove.ts';
import { expectOneLine, sample, workplace } from './support.ts';

const place = workplace('prove');
const { elf, input } = sample('queens');

beforeAll(() => {
  expect(place.run(['profile', '-q', '-o', 'p', elf], { stdin: readFileSync(input) }).status).toBe(0);
  expect(place.run(['optimize', '-q', '-p', 'p', '-o', 'out', elf]).status).toBe(0);
});

describe('exit status and words', () => {
  test('0: all is proved', () => {
    const { status, stdout, stderr } = place.run(['prove', elf, 'out']);
    expect([status, stderr.toString()]).toEqual([0, '']);
    expect(stdout.toString()).toMatch(/^(\d+) of \1 superblocks proved, 100\.00 % by weight/);
    expect(stdout.toString()).toContain('A1 (calling convention; ');
  });

  test('--json, -q', () => {
    const { stdout } = place.run(['prove', '--json', elf, 'out']);
    const proof = JSON.parse(stdout.toString());
    expect(proof).toMatchObject({ verdict: 'proved', unproved: 0, refuted: 0, coverage: 1 });
    expect(proof.superblocks[0]).toMatchObject({ head: expect.stringMatching(/^0x/), verdict: 'proved' });
    const quiet = place.run(['prove', '-q', elf, 'out']);
    expect([quiet.status, quiet.stdout.length, quiet.stderr.length]).toEqual([0, 0, 0]);
  });

  test('says how much rests on each assumption, and proves without those that are not accepted', () => {
    const { stdout } = place.run(['prove', elf, 'out']);
    const text = stdout.toString();
    const resting = [...text.matchAll(/^ {2}(A\d+) \(.*; ([\d,]+) superblocks?, ([\d.]+) % by weight\): /gm)];
    const ids = resting.map(([, id]) => Number(id!.slice(1)));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(resting.find(([, id]) => id === 'A6')![3]).toBe('100.00');
    const withAll = JSON.parse(place.run(['prove', '--json', elf, 'out']).stdout.toString());
    expect(withAll.resting.map(({ id }: { id: string }) => id)).toEqual(withAll.assumptions);
    const without = place.run(['prove', '--json', '--without', 'A1,A11', elf, 'out']);
    expect(without.status).toBe(1);
    const fewer = JSON.parse(without.stdout.toString());
    expect(fewer.assumptions).not.toContain('A1');
    expect(fewer.proved).toBeLessThan(withAll.proved);
    expect(fewer.proved).toBeGreaterThan(0);
    for (const id of ['A0', 'A10', 'A12', 'a1']) {
      const unknown = place.run(['prove', '--without', id, elf, 'out']);
      expect([unknown.status, unknown.stderr.toString()]).toEqual([
        2,
        expect.stringContaining(`no assumption '${id}'`),
      ]);
    }
  });

  test('1: something is wrong; a state is given that shows it', () => {
    const optimized = readImage(place.path('out'));
    const bytes = Uint8Array.from(optimized.bytes);
    const { start } = mapOf(readImage(elf), optimized).data.superblocks[0]!;
    const segment = optimized.segments.find((s) => start >= s.address && start < s.address + s.bytes.length)!;
    // c.li a0,1 and what was behind it.
    bytes.set([0x05, 0x45], segment.offset + (start - segment.address));
    writeFileSync(place.path('wrong'), bytes);
    const { status, stdout } = place.run(['prove', elf, 'wrong']);
    expect(status).toBe(1);
    expect(stdout.toString()).toMatch(/0x[0-9a-f]+ refuted: .*\n {4}on (?:\w+ = 0x[0-9a-f]+|\[0x)/);
    const saving = place.run(['prove', '--json', '--save-counterexamples', 'cases', elf, 'wrong']);
    const proof = JSON.parse(saving.stdout.toString());
    expect(proof.verdict).toBe('refuted');
    const refuted = proof.superblocks.filter(({ verdict }: { verdict: string }) => verdict === 'refuted');
    expect(refuted[0].counterexample).toMatchObject({
      difference: expect.any(String),
      registers: { sp: expect.stringMatching(/^0x/) },
    });
    expect(refuted[0]).toMatchObject({
      kind: expect.stringMatching(/^refuted (exit|way) \w+$/),
      reason: expect.stringContaining('on some state'),
    });
    const files = readdirSync(place.path('cases'));
    expect(files.length).toBe(refuted.length);
    for (const file of files) expect(saving.stderr.toString()).toContain(`isoform: wrote cases/${file}\n`);

    const replay = place.run(['replay', `cases/${files[0]}`]);
    expect([replay.status, replay.stdout.toString()]).toEqual([1, expect.stringMatching(/^0x[0-9a-f]+: \S/)]);
    expect(expectOneLine(place.run(['replay', 'out']))).toMatch(/out: cannot be read/);
  });

  test('2: not an optimized file, or that of another program', () => {
    const none = place.run(['prove', elf, elf]);
    expect([none.status, none.stderr.toString()]).toEqual([2, expect.stringContaining('has no address map')]);
    const other = place.run(['prove', sample('sort').elf, 'out']);
    expect([other.status, other.stderr.toString()]).toEqual([2, expect.stringContaining('another file')]);
  });
});
