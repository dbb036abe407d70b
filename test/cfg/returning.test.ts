/** Which calls are seen to come back. */
import { beforeAll, describe, expect, test } from 'vitest';
import { buildCfg, type Cfg } from '../../src/cfg/build.ts';
import { returning } from '../../src/cfg/returning.ts';
import { readImage } from '../../src/elf/read.ts';
import { compile, needs } from '../support/tools.ts';

const SOURCE = `
  .option norelax
  .globl _start
_start:
  call plain
  call never
  call loops
  call asks
  call tail
  call either
  call first
  call unknown
  li a7, 93
  ecall
plain: ret
never: j never
loops:
  addi sp, sp, -16
  sd ra, 8(sp)
  call never
  ld ra, 8(sp)
  addi sp, sp, 16
  ret
asks:
  call plain
  ebreak
tail: j plain
either:
  beqz a0, 1f
  call never
1: ret
first:
  mv s1, ra
  call second
  jr s1
second:
  beqz a0, 1f
  mv s2, ra
  call first
  mv ra, s2
1: ret
unknown: jr a5
`;

describe.runIf(needs('calls that come back', 'gcc'))('a call', () => {
  let cfg: Cfg;
  beforeAll(() => {
    cfg = buildCfg(readImage(compile(SOURCE, ['-nostdlib', '-static', '-march=rv64gc'], 's')));
  });
  const at = (name: string) => cfg.image.symbols.find((symbol) => symbol.name === name)!.address;
  test.each([
    ['plain', true],
    ['never', false],
    ['loops', false],
    ['asks', false],
    ['tail', true],
    ['either', true],
    ['first', true],
    ['unknown', true],
  ] as const)('of %s: %s', (name, expected) => {
    const calls = cfg.blocks.filter(({ returnPoint, start }) => returnPoint !== undefined && start < at('plain'));
    const call = calls.find(({ target }) => target === at(name))!;
    expect(returning(cfg)(call)).toBe(expected);
  });
});
