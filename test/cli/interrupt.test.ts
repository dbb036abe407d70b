/** Who interrupts `isoform profile` gets what was counted up to there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { blocksOf } from '../../src/profile/blocks.ts';
import { decodeProfile } from '../../src/profile/store.ts';
import { CLI } from '../support/cli.ts';
import { compile, needs } from '../support/tools.ts';
import { workplace } from './support.ts';

const place = workplace('interrupt');
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
