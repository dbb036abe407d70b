/** Who interrupts `isoform profile` gets what was counted up to there. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { blocksOf } from '../../src/profile/blocks.ts';
import { decodeProfile } from '../../src/profile/store.ts';
import { CLI } from '../support/cli.ts';
import { compile, needs } from '../support/tools.ts';
import { workplace } from './support.ts';

const place = workplace('interrupt');
/** Waits for input that never comes. */
const WAITING = `
#include <unistd.h>
int main(void) { char c; write(1, "begun\\n", 6); return (int)read(0, &c, 1); }`;
/** Writes when it has begun, and never ends. */
const GUEST = `
#include <unistd.h>
int main(void) { write(1, "begun\\n", 6); for (volatile unsigned long i = 0;; i++) ; }`;

test.runIf(needs('an interrupted profile', 'gcc')).each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s: the profile is written, whole, and the status says why it ended', async (signal, status) => {
  const file = compile(GUEST);
  const child = spawn(process.execPath, [CLI, 'profile', '-o', place.path('p'), file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => {
    said += bytes;
  });
  await once(child.stdout, 'data');
  child.kill(signal);
  expect((await once(child, 'exit'))[0]).toBe(status);
  expect(said).toMatch(/instructions, stopped: interrupted/);
  expect(place.files()).toEqual(['p']);
  const image = readImage(file);
  const [profile] = decodeProfile(readFileSync(place.path('p')), 'p').images;
  expect(blocksOf(profile!, image).retired).toBeGreaterThan(1000);
});

describe.runIf(needs('waiting for input', 'gcc'))('while the guest waits for input', () => {
  /** Standard inputs of which nothing comes: a socket, as Node makes them, and a FIFO that somebody holds open. */
  const INPUTS: Readonly<Record<string, () => 'pipe' | number>> = {
    socket: () => 'pipe',
    FIFO: () => {
      spawnSync('mkfifo', [place.path('fifo')]);
      return openSync(place.path('fifo'), 'r+');
    },
  };
  async function start(input: 'pipe' | number, args: readonly string[]) {
    const child = spawn(process.execPath, [CLI, ...args, compile(WAITING)], { stdio: [input, 'pipe', 'pipe'] });
    let said = '';
    child.stderr!.on('data', (bytes: Buffer) => {
      said += bytes;
    });
    await once(child.stdout!, 'data');
    return { child, said: () => said };
  }

  test.each(Object.entries(INPUTS))('of a %s, an interrupted profile is written', async (_, open) => {
    const input = open();
    const { child, said } = await start(input, ['profile', '-o', place.path('waiting')]);
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(130);
    expect(said()).toMatch(/instructions, stopped: interrupted/);
    expect(decodeProfile(readFileSync(place.path('waiting')), 'p').instructions).toBeGreaterThan(100);
    if (input !== 'pipe') closeSync(input);
  });

  test.each(Object.entries(INPUTS))('of a %s, its time runs out', async (_, open) => {
    const input = open();
    const { child, said } = await start(input, ['run', '--limit-time', '0.5']);
    expect((await once(child, 'exit'))[0]).toBe(2);
    expect(said()).toMatch(/^isoform: the guest has run for 0.5 seconds, the limit \(raise --limit-time\)\n$/);
    if (input !== 'pipe') closeSync(input);
  });

  test('what comes late is read all the same', async () => {
    const { child } = await start('pipe', ['run', '--limit-time', '60']);
    setTimeout(() => child.stdin!.end('x'), 300);
    expect((await once(child, 'exit'))[0]).toBe(1);
  });
});
