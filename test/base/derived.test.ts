/** Facts that are found once for each object. */
import { describe, expect, test } from 'vitest';
import { derived } from '../../src/base/derived.ts';

describe('a derived fact', () => {
  test('is found once for an object, also where it is undefined', () => {
    let found = 0;
    const fact = derived('length', (of: { readonly text?: string }) => {
      found++;
      return of.text?.length;
    });
    const [none, some] = [{}, { text: 'four' }];
    expect([fact(none), fact(none), fact(some), fact(some), found]).toEqual([undefined, undefined, 4, 4, 2]);
  });

  test('that asks for itself is an internal error that names it', () => {
    const fact: (of: object) => number = derived('depth', (of) => fact(of) + 1);
    for (let times = 0; times < 2; times++)
      expect(() => fact({})).toThrow('internal error: depth is asked for while it is being found');
  });

  test('that could not be found is looked for again', () => {
    let works = false;
    const fact = derived('number', () => {
      if (!works) throw new Error('not yet');
      return 7;
    });
    const of = {};
    expect(() => fact(of)).toThrow('not yet');
    works = true;
    expect(fact(of)).toBe(7);
  });
});
