import { describe, expect, test } from 'vitest';
import { timingOf } from '../../src/cost/core.ts';
import { cycles, Pipeline } from '../../src/cost/pipeline.ts';
import { parse } from '../../src/isa/text.ts';

const cost = (...lines: readonly string[]) => cycles(lines.map(parse));

describe('what issues together', () => {
  test.each([
    ['two integer operations', 1, ['addi a0,a0,1', 'addi a1,a1,1']],
    ['no three', 2, ['addi a0,a0,1', 'addi a1,a1,1', 'addi a2,a2,1']],
    ['an access and an integer operation', 1, ['ld a0,0(a1)', 'addi a2,a2,1']],
    ['no two accesses', 2, ['ld a0,0(a1)', 'sd a2,0(a3)']],
    ['no branch and a product', 2, ['mul a0,a1,a2', 'beq a3,a4,.+8']],
    ['a branch and an access', 1, ['ld a0,0(a1)', 'beq a3,a4,.+8']],
    ['nothing with what it depends on', 2, ['addi a0,a0,1', 'addi a1,a0,1']],
    ['nor with what writes the same register', 2, ['addi a0,a1,1', 'addi a0,a2,1']],
    ['but with what reads it before', 1, ['addi a1,a0,1', 'addi a0,a2,1']],
    ['nothing with a CSR access', 2, ['csrrs a0,fcsr,zero', 'addi a1,a1,1']],
  ])('%s', (_, expected, lines) => expect(cost(...lines)).toBe(expected));
});

describe('when results are there', () => {
  test.each([
    ['a load for an integer operation, which can be late', 2, ['ld a0,0(a1)', 'addi a2,a0,1']],
    ['a load for an address, which cannot', 4, ['ld a0,0(a1)', 'ld a2,0(a0)']],
    ['a load as data to store', 2, ['ld a0,0(a1)', 'sd a0,0(a2)']],
    ['an integer operation for an address', 2, ['addi a0,a1,1', 'ld a2,0(a0)']],
    ['a late one for an address', 5, ['ld a0,0(a1)', 'addi a2,a0,1', 'ld a3,0(a2)']],
    ['a late one for another', 3, ['ld a0,0(a1)', 'addi a2,a0,1', 'addi a3,a2,1']],
    ['a load for a factor', 4, ['ld a0,0(a1)', 'mul a2,a0,a0']],
    ['a product for an integer operation', 2, ['mul a0,a1,a2', 'addi a0,a0,1']],
    ['a word quotient, for another', 68, ['divw a0,a1,a2', 'divw a3,a4,a5', 'mul a6,a3,a3']],
    ['a double sum, for another', 8, ['fadd.d fa0,fa1,fa2', 'fadd.d fa3,fa0,fa1']],
    ['a single sum, for another', 6, ['fadd.s fa0,fa1,fa2', 'fadd.s fa3,fa0,fa1']],
    ['a double quotient', 57, ['fdiv.d fa0,fa1,fa2', 'fadd.d fa3,fa0,fa1']],
    ['a floating-point comparison for a branch', 3, ['feq.d a0,fa0,fa1', 'beq a0,zero,.+8']],
    ['a floating-point load', 3, ['fld fa0,0(a0)', 'fadd.d fa1,fa0,fa0']],
  ])('%s', (_, expected, lines) => expect(cost(...lines)).toBe(expected));
});

test('a transfer turns the fetch', () => {
  const pipeline = new Pipeline();
  expect(pipeline.issue(timingOf(parse('jal zero,.+8')))).toBe(0);
  const straight = new Pipeline(pipeline);
  pipeline.turn();
  expect(pipeline.issue(timingOf(parse('addi a0,a0,1')))).toBe(2);
  expect(pipeline.cause).toBe('turn');
  expect(straight.issue(timingOf(parse('addi a0,a0,1')))).toBe(0);
});

test('what was waited for is named', () => {
  const cause = (...lines: readonly string[]) => {
    const pipeline = new Pipeline();
    for (const line of lines) pipeline.issue(timingOf(parse(line)));
    return pipeline.cause;
  };
  expect(cause('ld a0,0(a1)', 'ld a2,0(a0)')).toBe('load');
  expect(cause('addi a0,a0,1', 'addi a1,a0,1')).toBe('pair');
  expect(cause('addi a0,a0,1', 'addi a1,a1,1', 'addi a2,a1,1')).toBe('issue');
  expect(cause('divw a0,a1,a2', 'addi a1,a0,1')).toBe('divide');
});
