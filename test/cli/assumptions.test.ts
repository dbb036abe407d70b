/** Programs for which an assumption does not hold: what went wrong is told with its name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { compile, needs, ROOT } from '../support/tools.ts';
import { expectOneLine, workplace } from './support.ts';

/** Built with -pg: each function hands its return address to a function that counts who calls whom. */
const COUNTS_CALLS = `
#include <stdio.h>
__attribute__((noinline)) int f(int x) { return x * 3 + 1; }
__attribute__((noinline)) int g(int x) { return f(x) + f(x + 1); }
int main(void) { int s = 0; for (int i = 0; i < 3000; i++) s += g(i); return printf("%d\\n", s) < 0; }`;

/** Makes one of its instructions a jump in every other round. */
const CHANGES_ITSELF = `
__asm__(".globl _start\\n.option norvc\\n_start: li s0,5000\\nli s1,0\\nla a5,spot\\nla a4,jump\\nlw s2,0(a5)\\nlw s3,0(a4)\\n"
"loop: andi t0,s0,1\\nbeqz t0,1f\\nsw s3,0(a5)\\nj 2f\\n1: sw s2,0(a5)\\n2: fence.i\\n"
"spot: addi s1,s1,1\\naddi s1,s1,2\\naddi s1,s1,3\\naddi s0,s0,-1\\nbnez s0,loop\\nli a0,0\\nli a7,93\\necall\\njump: j jump+12\\n");`;

const place = workplace('assumptions');

describe.runIf(needs('programs that break an assumption', 'gcc'))('an assumption that does not hold', () => {
  test('A7: return addresses are looked at', () => {
    const file = compile(COUNTS_CALLS, ['-O2', '-static', '-pg']);
    expect(place.run(['profile', '-q', '-o', 'p', file]).status).toBe(0);
    expect(place.run(['optimize', '-q', '-p', 'p', '-o', 'fast', file]).status).toBe(0);
    const { status, stdout } = place.run(['verify', file, 'fast']);
    expect(status).toBe(1);
    expect(stdout.toString()).toMatch(
      /superblock 0x[0-9a-f]+; it is proved, so A7 \(return addresses are to return\) does not hold/,
    );
    const json = place.run(['verify', '-q', '--json', file, 'fast']).stdout.toString();
    const model = JSON.parse(json);
    expect(model.verify.differences[0].assumptions).toEqual(['A7']);
    const validate = new Ajv().compile(JSON.parse(readFileSync(join(ROOT, 'src/report/schema.json'), 'utf8')));
    expect([validate(model), validate.errors]).toEqual([true, null]);
  });

  test('A5: code changes as it runs', () => {
    const file = compile(CHANGES_ITSELF, ['-nostdlib', '-static', '-no-pie', '-Wl,-N']);
    expect(place.run(['profile', '-q', '-o', 'p', file]).status).toBe(0);
    for (const command of [
      ['optimize', '-q', '-p', 'p', file],
      ['pgo', '-q', file],
    ])
      expect(expectOneLine(place.run(command))).toContain('assumption A5 does not hold');
  });
});
