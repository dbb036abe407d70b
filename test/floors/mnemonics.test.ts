import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { concrete } from '../../src/domain/concrete.ts';
import { COMPRESSED, ROWS } from '../../src/isa/table.ts';
import { ROOT } from '../support/tools.ts';

const sources = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });

/** String literals of a source text. Good enough for code in this repository's style: no literal spans lines. */
const literals = (text: string): string[] =>
  [...text.matchAll(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\\n]|\\.)*)`/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  );

// Short names (or, lb, lr ...) are words of other languages too.
const MNEMONICS = new Set([...ROWS, ...COMPRESSED].map((row) => row.name).filter((name) => name.length >= 3));

/** Names of operations of a domain (floating-point ones too), of effects of a step, of an operand, and of an HTML element: as literals they are no mnemonics. */
const HOMONYMS = new Set([...Object.keys(concrete), 'ecall', 'ebreak', 'fence', 'fence.i', 'div', 'min', 'max']);
/** A decision on a row's name, whatever it is compared with. */
const DECISION =
  /\brow\.name\s*(?:[!=]==?|\.(?:startsWith|endsWith|includes|match)\b)|\btest\([\w.]*row\.name\)|switch \([\w.]*row\.name\)/g;

test('the search finds a mnemonic in a literal', () => {
  expect(literals(`if (row.name === 'addi' || x === "jalr") return \`slli\`;`)).toEqual(['addi', 'jalr', 'slli']);
  expect(MNEMONICS.has('addi')).toBe(true);
  expect("if (insn.row.name === 'ecall')".match(DECISION)).toHaveLength(1);
  expect("insn.row.name.startsWith('f') || /x/.test(row.name)".match(DECISION)).toHaveLength(2);
});

test('no mnemonic is named outside src/isa: ask facts, the row or an idiom', () => {
  const found: string[] = [];
  for (const file of [...sources(join(ROOT, 'src')), ...sources(join(ROOT, 'passes'))]) {
    const path = relative(ROOT, file);
    if (path.startsWith(join('src', 'isa'))) continue;
    const text = readFileSync(file, 'utf8');
    for (const [decision] of text.matchAll(DECISION)) found.push(`${path}: ${decision}`);
    for (const literal of literals(text)) {
      if (MNEMONICS.has(literal) && !HOMONYMS.has(literal)) found.push(`${path}: '${literal}'`);
    }
  }
  expect(found).toEqual([]);
});
