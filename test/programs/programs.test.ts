/** That the real programs can be had, and that their inputs make sense; what isoform does with them is tested elsewhere. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { article, clauses, pigeons, prose, records, sql, wave } from '../support/inputs.ts';
import { has, PROGRAMS, program, type Run } from '../support/programs.ts';
import { qemu } from '../support/tools.ts';

const outputs: Record<string, (output: string, run: Run) => void> = {
  lua: (output) => expect(output).toMatch(/queens|fannkuch\(7\) = 16/),
  bunzip2: (output, run) => expect(output === unpacked(run, 400_000, 15_000), 'the text that was packed').toBe(true),
  minigunzip: (output, run) =>
    expect(output === unpacked(run, 1_800_000, 100_000), 'the text that was packed').toBe(true),
  sqlite: (output) => expect(output).toMatch(/^ok\nchanges \d{2,}$/m),
  cxx: (output) => expect(output).toMatch(/, depth 0\n$/),
};

function unpacked(run: Run, train: number, small: number): string {
  const name = run.args.at(-1)!;
  return name.startsWith('train')
    ? prose(7, train)
    : name.startsWith('small')
      ? prose(9, small)
      : sql(17, Math.floor(train / 150));
}

for (const name of PROGRAMS) {
  describe.runIf(await has(name))(name, () => {
    test.each(['train', 'other', 'small'] as const)('%s runs under qemu', async (which) => {
      const { file, [which]: run } = await program(name);
      const result = qemu(file, run.args, { cwd: run.dir, stdin: run.stdin });
      expect(result.stderr.toString()).toBe('');
      expect(result.status).toBe(0);
      expect(result.stdout.length).toBeGreaterThan(0);
      outputs[name]?.(result.stdout.toString('latin1'), run);
    });

    test('can be linked with its relocations kept', async () => {
      const { file, built } = await program(name);
      const kept = await built({ link: ['-Wl,-q'] });
      expect(kept).not.toBe(file);
      expect(readFileSync(kept).length).toBeGreaterThan(readFileSync(file).length);
    });
  });
}

test('inputs are the same every time', () => {
  expect(prose(3, 2000)).toBe(prose(3, 2000));
  expect(prose(3, 2000)).not.toBe(prose(4, 2000));
  expect(sql(3, 10)).toContain('CREATE TABLE');
});

test('inputs of the measurements have the form that their programs read', () => {
  for (const text of [records(5, 20), article(5, 20_000)]) {
    const open: string[] = [];
    const bare = text.replace(/<!\[CDATA\[.*?\]\]>|<[?!][^\n]*\n/g, '');
    for (const [, close, name] of bare.matchAll(/<(\/?)([\w:]+)[^<>]*>/g))
      if (close === '') open.push(name!);
      else expect(open.pop()).toBe(name);
    expect(open).toEqual([]);
  }
  for (const text of [clauses(5, 20, 60), pigeons(4)]) {
    const [head, ...rest] = text.trim().split('\n');
    const [variables, count] = head!.split(' ').slice(2).map(Number);
    expect(rest).toHaveLength(count!);
    const literals = rest.flatMap((line) => line.split(' ').map(Number));
    expect(Math.max(...literals.map(Math.abs))).toBe(variables);
    expect(rest.every((line) => line.endsWith(' 0'))).toBe(true);
  }
  const sound = wave(5, 8000, 2, 100);
  const view = new DataView(sound.buffer);
  expect(sound).toHaveLength(44 + view.getUint32(40, true));
  expect(view.getUint32(40, true)).toBe(100 * 2 * 2);
  expect(new Set(sound.subarray(44)).size).toBeGreaterThan(50);
});
