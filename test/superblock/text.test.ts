import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PASSES } from '../../passes/index.ts';
import { makeFuel } from '../../src/base/fuel.ts';
import { facts } from '../../src/domain/record.ts';
import { lowerSuperblock } from '../../src/lower/lower.ts';
import type { Op, Superblock } from '../../src/superblock/form.ts';
import { runPasses } from '../../src/superblock/pass.ts';
import { parseSuperblock, superblockText } from '../../src/superblock/text.ts';
import { makeTrace, recipe } from '../support/random-superblock.ts';
import { SAMPLES, sampleSuperblocks } from '../support/samples.ts';

/** Passes change operands, not the hints in `insn`: where a value is comes from the values. */
function withoutHints(superblock: Superblock): Superblock {
  const strip = (op: Op): Op => {
    const { rs1 } = op.insn;
    const kept = facts(op.insn).control === 'indirect' ? rs1 : 0;
    return { ...op, insn: { ...op.insn, rs1: kept, rs2: 0, rs3: 0 } };
  };
  const { final } = superblock;
  return {
    ...superblock,
    ops: superblock.ops.map((op) => ({
      ...strip(op),
      ...(op.exit && { exit: { ...op.exit, sunk: op.exit.sunk.map(strip) } }),
    })),
    final: {
      ...final,
      op: final.op && strip(final.op),
      exit: { ...final.exit, sunk: final.exit.sunk.map(strip) },
    },
  };
}

/** The text does not tell why a path ends. */
const withoutReason = (superblock: Superblock): Superblock => ({ ...superblock, ended: undefined });

function roundTrip(formed: Superblock): void {
  const superblock = withoutReason(formed);
  expect(parseSuperblock(superblockText(superblock))).toEqual(superblock);
  const after = runPasses(superblock, PASSES, { fuel: makeFuel() });
  const again = parseSuperblock(superblockText(after));
  expect(withoutHints(again)).toEqual(withoutHints(after));
  // Hints or not, the same code comes out.
  expect(lowerSuperblock(again)).toEqual(lowerSuperblock(after));
}

describe('the text of a superblock parses back to it', () => {
  test('random superblocks, before and after the passes', () => {
    fc.assert(
      fc.property(recipe(20), (one) => roundTrip(makeTrace(one).superblock)),
      { numRuns: 80, seed: 5 },
    );
  });

  test.each(SAMPLES.slice(0, 1))('superblocks of %s', (name) => {
    const { superblocks } = sampleSuperblocks(name);
    expect(superblocks.length).toBeGreaterThan(10);
    for (const superblock of superblocks) roundTrip(superblock);
  });
});

describe('what does not parse is told with its line', () => {
  const GOOD = [
    'superblock 0x1000 x100',
    'path 0x1000',
    '%0:a0 = addi a0, 1 @0x1000/2',
    '%1:a1 = lw 8(%0) @0x1002',
    '%2 = beq %0, a1, .+20 @0x1006 leaves taken -> 0x101a x2 live a0,a1 {a0=%0 a1=%1}',
    '| %3:a1 = fmv.x.d fa0 @0x1004',
    'goto -> 0x100a x98 live a0 {a0=%0}',
  ];
  test('the text itself does', () =>
    expect(superblockText(parseSuperblock(GOOD.join('\n')))).toBe(`${GOOD.join('\n')}\n`));

  const edits: readonly (readonly [string, number, string | RegExp, string])[] = [
    ['an unknown instruction', 3, 'addi', 'addy'],
    ['too few operands', 3, 'a0, 1', 'a0'],
    ['too many operands', 3, 'a0, 1', 'a0, 1, 2'],
    ['no number', 3, ', 1', ', one'],
    ['no register', 3, ':a0', ':q0'],
    ['no address', 4, '8(%0)', '8[%0]'],
    ['no offset', 4, '8(', 'x('],
    ['no operand', 5, 'beq %0', 'beq $0'],
    ['a value that is none', 5, 'a0=%0', 'a0=%x'],
    ['a live register that is none', 5, 'live a0', 'live b0'],
    ['a register in the snapshot that is none', 5, '{a0', '{b0'],
    ['no live set', 5, 'live a0,a1 ', ''],
    ['no exit', 7, /->.*/, '-> nowhere'],
    ['no final exit', 7, 'goto', 'go'],
    ['a path that is none', 2, '0x1000', '1000'],
    ['a sunk op without an exit', 3, /.*/, '| %0:a0 = addi a0, 1 @0x1000/2'],
    ['an op without an address', 3, '@0x1000/2', ''],
  ];
  test.each(edits)('%s', (_, line, from, to) => {
    const lines = [...GOOD];
    const changed = lines[line - 1]!.replace(from, to);
    expect(changed).not.toBe(lines[line - 1]);
    lines[line - 1] = changed;
    expect(() => parseSuperblock(lines.join('\n'))).toThrow(new RegExp(`^line ${line}: `));
  });

  test('a text that ends too early', () => {
    expect(() => parseSuperblock(GOOD.slice(0, -1).join('\n'))).toThrow('no final exit');
    expect(() => parseSuperblock(GOOD.slice(1).join('\n'))).toThrow('which superblock this is');
  });
});
