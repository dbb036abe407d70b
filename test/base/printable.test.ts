/** Names from outside cannot write to a terminal what its owner would take for ours. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/base/printable.ts';

test('what would act on a terminal is shown instead', () => {
  expect(printable('a\x1b[2J\nisoform: proved\r\t\x7f\x9b0m\u202etxt\u2028\0')).toBe(
    'a\\x1b[2J\\nisoform: proved\\r\\t\\x7f\\x9b0m\\u202etxt\\u2028\\x00',
  );
  expect(printable('\ud800x\udc00')).toBe('\\ud800x\\udc00');
});

test('all other text is as it was', () => {
  for (const text of ['', 'main.c', 'Straße/ファイル/🙂', 'a b\\n"\'']) expect(printable(text)).toBe(text);
});

test('lines stay lines, and JSON the same data', () => {
  expect(printableLines('one\n\ttwo\x1b\n')).toBe('one\n\ttwo\\x1b\n');
  fc.assert(
    fc.property(fc.anything({ withBigInt: false }), fc.string({ unit: 'binary' }), (data, name) => {
      const all = { data: JSON.parse(JSON.stringify(data) ?? 'null'), name };
      const text = printableJson(all);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(all)));
      expect(printableLines(text)).toBe(text);
    }),
  );
});
