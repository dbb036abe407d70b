/** Every real program and every sample runs under every engine as under qemu, and the engines count the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ENGINES, type EngineOptions } from '../../src/engine/engines.ts';
import { type GuestResult, runGuest } from '../support/guest.ts';
import { has, PROGRAMS, program, type Run } from '../support/programs.ts';
import { qemu, ROOT } from '../support/tools.ts';

const FAST = ENGINES.filter((name) => name !== 'basic');

/** Runs under each engine; all must give the same output, exit status, instruction count and transfers. */
function agree(file: string, run: Run, engines: readonly string[]): GuestResult {
  const [first, ...others] = engines.map((name) => runGuest(file, run, name));
  for (const [i, other] of others.entries()) alike(other, first!, `${engines[i + 1]} against ${engines[0]}`);
  return first!;
}

/** Both did the same, to the last count. */
function alike(other: GuestResult, first: GuestResult, what: string): void {
  expect(other.status, what).toBe(first.status);
  expect(other.stdout.equals(first.stdout), what).toBe(true);
  expect(other.stderr.equals(first.stderr), what).toBe(true);
  expect(other.outcome.instructions, what).toBe(first.outcome.instructions);
  // One comparison of text: a program has thousands of transfers, and an assertion for each is slow.
  expect(textOf(other) === textOf(first), `transfers, ${what}`).toBe(true);
  expect(first.transfers.length).toBeGreaterThan(20);
}

const textOf = (result: GuestResult) => result.transfers.map((t) => `${t.from}>${t.to}:${t.count}`).join(' ');

for (const name of PROGRAMS) {
  describe.runIf(await has(name))(name, () => {
    const cases = [
      ['small', ENGINES],
      ['train', FAST],
      ['other', FAST],
    ] as const;
    test.each(cases)('%s run', async (which, engines) => {
      const { file, [which]: run } = await program(name);
      const result = agree(file, run, engines);
      const reference = qemu(file, run.args, { cwd: run.dir, stdin: run.stdin });
      expect(result.status).toBe(reference.status);
      expect(result.stdout.equals(reference.stdout)).toBe(true);
      expect(result.stderr.toString()).toBe(reference.stderr.toString());
    });
    test('with what runs before have left', async () => {
      const { file, ...runs } = await program(name);
      let kept: EngineOptions['kept'];
      let regions = 0;
      for (const which of ['small', 'train', 'other', 'train'] as const) {
        const result = runGuest(file, runs[which], 'translate', { kept });
        alike(result, runGuest(file, runs[which], 'dispatch'), which);
        kept = result.engine.keep!() ?? kept;
        regions = result.engine.statistics!().kept!;
      }
      expect(regions).toBeGreaterThan(0);
    });
  });
}

describe('samples', () => {
  const samples = join(ROOT, 'samples');
  const list = JSON.parse(readFileSync(join(samples, 'samples.json'), 'utf8')) as { name: string }[];
  // The slow engine gets the shorter inputs of those samples that have them.
  const slow = ['nbody', 'sort', 'queens', 'words', 'base64', 'sha256'];
  const cases = list.flatMap(({ name }) => [
    { name, which: 'input', engines: [...FAST, 'translate-soon'] },
    { name, which: 'input.other', engines: slow.includes(name) ? ENGINES : FAST },
  ]);
  test.each(cases)('$name $which', ({ name, which, engines }) => {
    const folder = join(samples, name);
    const stdin = readFileSync(join(folder, which));
    const result = agree(join(folder, `${name}.elf`), { args: [], stdin, dir: folder }, engines);
    expect(result.status).toBe(0);
    expect(result.stdout.equals(readFileSync(join(folder, which.replace('input', 'expected'))))).toBe(true);
  });
});
