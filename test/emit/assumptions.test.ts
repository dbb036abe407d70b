/** The table of assumptions. */
import { expect, test } from 'vitest';
import { ASSUMPTIONS, AVOIDABLE_ASSUMPTIONS, byNumber } from '../../src/emit/assumptions.ts';

const ids = ASSUMPTIONS.map(({ id }) => id);

test('each has a number of its own, and they are sorted by it', () => {
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort(byNumber)).toEqual(ids);
});

test('each has users, the prover always among them: nothing is assumed that a proof need not name', () => {
  for (const { by } of ASSUMPTIONS) expect(by).toContain('prover');
});

test('those that --strict switches off', () => {
  expect(AVOIDABLE_ASSUMPTIONS).toEqual(['A1', 'A3', 'A4', 'A8', 'A11']);
});
