/** Lists of passes, as commands take them. */
import { expect, test } from 'vitest';
import { choosePasses, PASSES } from '../../passes/index.ts';

const chosen = (list: string) => choosePasses(list).map(({ name }) => name);
const names = PASSES.map(({ name }) => name);

test('passes to make, and passes to leave out, each named once or more often', () => {
  expect(chosen('stores,jumps,stores')).toEqual(['jumps', 'stores']);
  expect(chosen('-sink')).toEqual(names.filter((name) => name !== 'sink'));
  expect(chosen('-sink,-sink')).toEqual(chosen('-sink'));
  expect(chosen(names.map((name) => `-${name}`).join())).toEqual([]);
});

test('a list that does both is refused', () => {
  expect(() => choosePasses('sink,-stores')).toThrow("the passes 'sink,-stores'");
});
