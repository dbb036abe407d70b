/** Why something is not proved: told apart by kind, with what it is about, and in words. */
import { describe, expect, test } from 'vitest';
import { type Reason, reasonKind, reasonText } from '../../src/verify/prove/reasons.ts';
import { proof } from '../support/prove-pieces.ts';

describe('a reason', () => {
  const out = 'jal zero,0x1008';
  test.each<[string, string, Parameters<typeof proof>[2], string, string]>([
    [
      'addi a0,a0,1\n addi zero,zero,0',
      `addi a0,a0,2\n ${out}`,
      {},
      'exit register',
      'the exit at 0x9004 to 0x1008: a0 differs',
    ],
    [
      'sd a0,0(a1)\n addi zero,zero,0',
      `sd a2,0(a1)\n ${out}`,
      {},
      'exit memory',
      'the exit at 0x9004 to 0x1008: memory differs',
    ],
    [
      'addi zero,zero,0\n addi zero,zero,0',
      `lw zero,0(a1)\n ${out}`,
      {},
      'exit access',
      'it has a load of 4 bytes that the original has not',
    ],
    [
      'csrrs a0,frm,zero\n addi zero,zero,0',
      `addi zero,zero,0\n ${out}`,
      { live: [2] },
      'exit events',
      'the order of events differs',
    ],
    [
      'fadd.d fa0,fa1,fa2,rne\n addi zero,zero,0',
      `addi zero,zero,0\n ${out}`,
      { live: [2] },
      'exit flags',
      'floating-point flags differ',
    ],
    [
      'lw a0,0(a1)\n lw a2,0(a3)',
      `lw a2,0(a3)\n ${out}`,
      { watched: true, live: [12] },
      'exit seen',
      'not as many accesses',
    ],
    [
      'beq a0,zero,0x1100\n addi zero,zero,0',
      'jal zero,0x1100',
      {},
      'exit open',
      'the exit at 0x9000 to 0x1100: the original decides at 0x1000 what is not decided in the optimized code',
    ],
    [
      'addi zero,zero,0\n addi zero,zero,0',
      'jal zero,0x1100',
      {},
      'exit nothing',
      'the original has no instruction at 0x1008',
    ],
    ['addi zero,zero,0\n ecall', 'jal zero,0x1100', {}, 'exit stops', 'the original comes to a system call at 0x1004'],
    [
      'addi zero,zero,0\n jalr zero,0(a0)',
      'jal zero,0x1100',
      {},
      'exit elsewhere',
      'the original jumps elsewhere at 0x1004',
    ],
    ['addi zero,zero,0\n addi zero,zero,0', 'ecall', {}, 'way stops', 'optimized code has a system call'],
    ['addi zero,zero,0\n addi zero,zero,0', 'addi zero,zero,0', {}, 'way nothing', 'there is no instruction at 0x9004'],
    ['addi zero,zero,0\n addi zero,zero,0', 'addi zero,zero,0\n jal zero,0x9004', {}, 'way endless', 'it does not end'],
  ])('%j, optimized %j, %j: %s', (original, optimized, options, kind, text) => {
    const { reason } = proof(original, optimized, options);
    expect(reason).toBeDefined();
    expect(reasonKind(reason!)).toBe(kind);
    expect(reasonText(reason!)).toContain(text);
  });

  test('says of what is proved that it is', () => {
    expect(proof('addi a0,a0,1\n addi zero,zero,0', `addi a0,a0,1\n ${out}`)).toMatchObject({
      verdict: 'proved',
      reason: undefined,
    });
  });

  test('goes into another one, where a state shows it', () => {
    const inner: Reason = { kind: 'exit', at: 0x9004, to: undefined, what: { kind: 'register', reg: 42 } };
    const outer: Reason = { kind: 'refuted', reason: inner, difference: 'fa0 is 1, not 2' };
    expect(reasonKind(outer)).toBe('refuted exit register');
    expect(reasonText(outer)).toBe('the exit at 0x9004 by a computed jump: fa0 differs; on some state fa0 is 1, not 2');
  });
});
