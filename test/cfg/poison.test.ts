/**
 * Liveness put to the test: at the start of every block, all registers that are said to be dead get garbage. The program must not notice.
 */
import { describe, expect, test } from 'vitest';
import { ALL_REGS, regsIn, without } from '../../src/base/regset.ts';
import { buildCfg } from '../../src/cfg/build.ts';
import { livenessOf } from '../../src/cfg/liveness.ts';
import type { Image } from '../../src/elf/image.ts';
import { readImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute, runToEvent, serve } from '../../src/engine/execute.ts';
import { createProcess } from '../../src/machine/process.ts';
import { collect } from '../../src/profile/collect.ts';
import { compile, needs } from '../support/tools.ts';

/** Recursion, longjmp, a callback, libm, long double, scanf: several hand-written and library paths. */
const SOURCE = `
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
static jmp_buf back;
int down(int n) { if (n == 0) longjmp(back, 5); volatile int keep = n; return down(n - 1) + keep; }
static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
double sum(double x, int n) { double s = 0; for (int i = 1; i < n; i++) s += sin(x * i) / i; return s; }
int main(int argc, char **argv) {
  int r = setjmp(back);
  if (r == 0) down(20);
  int table[64];
  for (int i = 0; i < 64; i++) table[i] = (i * 37) % 64;
  qsort(table, 64, sizeof *table, order);
  long double third = 1.0L / 3;
  char word[100];
  printf("%d %d %.4f %Lf\\n", r, table[5], sum(.3, 20), third * argc);
  sscanf("12 abc", "%d %s", &r, word);
  printf("%d %s\\n", r, word);
  return 4;
}`;

function guest(image: Image) {
  const text: string[] = [];
  const process = createProcess({ image, sink: (_, bytes) => text.push(Buffer.from(bytes).toString()) });
  return { process, output: () => text.join('') };
}

describe.runIf(needs('garbage in dead registers', 'gcc'))('garbage in dead registers goes unnoticed', () => {
  test.each([
    ['by symbols', ['-O2', '-static']],
    ['with millicode', ['-Os', '-static', '-msave-restore']],
    ['stripped', ['-O2', '-static', '-s']],
  ])('%s', { timeout: 60_000 }, (_, flags) => {
    const image = readImage(compile(SOURCE, [...flags, '-lm']));
    const plain = guest(image);
    const engine = makeEngine('dispatch', plain.process.memory);
    const { exit, instructions } = execute(plain.process, engine);
    expect(exit).toEqual({ kind: 'status', status: 4 });
    const profile = collect({
      transfers: engine.transfers(),
      starts: plain.process.starts,
      stops: plain.process.stops,
      links: plain.process.links,
      instructions,
    });
    const cfg = buildCfg(image, profile.images[0]);
    const live = livenessOf(cfg);
    const poisoned = guest(image);
    const { process } = poisoned;
    const basic = makeEngine('basic', process.memory);
    let garbage = 0;
    let result: ReturnType<typeof serve> = 'continue';
    for (let steps = 0; result === 'continue' && steps < 2 * instructions; steps++) {
      const at = process.place.toLinked(process.hart.pc);
      if (cfg.blockAt(at) !== undefined)
        for (const reg of regsIn(without(ALL_REGS, live.liveIn(at)))) {
          process.hart.set(reg, 0xdeadbeefdead0000n + BigInt(reg));
          garbage++;
        }
      result = serve(process, runToEvent(process, basic, 1));
    }
    expect(result).toEqual(exit);
    expect(poisoned.output()).toBe(plain.output());
    expect(garbage).toBeGreaterThan(instructions);
  });
});
