/**
 * Golden cases: a title, a superblock, `===`, and what the pass makes of it. A title that ends with `(target NAME)` or `(no target)` says
 * for which machine; else it is one that has all that a pass could ask for. `BLESS=1 npm test` writes what it makes now. Besides the
 * text, each case checks the checker, that the pass has nothing more to do with its own result, and that both superblocks do the same on
 * many states.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PASSES } from '../../passes/index.ts';
import { makeFuel } from '../../src/base/fuel.ts';
import { SP } from '../../src/base/units.ts';
import { extensionsOf } from '../../src/isa/targets.ts';
import { checkSuperblock } from '../../src/superblock/check.ts';
import type { Superblock } from '../../src/superblock/form.ts';
import { runPasses } from '../../src/superblock/pass.ts';
import { makeTerms } from '../../src/superblock/terms.ts';
import { parseSuperblock, superblockText } from '../../src/superblock/text.ts';
import { makeRandom } from '../support/random.ts';
import { compareSuperblocks, type State } from '../support/superblock-eval.ts';
import { ROOT } from '../support/tools.ts';

const CASES = join(ROOT, 'test/passes/cases');
const STATES = 60;
const LARGEST_TARGET = 'rva23u64';
/** The target that a case's title names; undefined for none. */
function targetOf(title: string): string | undefined {
  const named = /\(target (\S+)\)$/.exec(title)?.[1];
  return named ?? (title.endsWith('(no target)') ? undefined : LARGEST_TARGET);
}
const contextFor = (title: string) => ({
  fuel: makeFuel(),
  extensions: extensionsOf(targetOf(title)),
  deadFrames: true,
  termsOf: makeTerms,
  spend: () => true,
});

const folders = readdirSync(CASES).sort();

test('every pass has cases, and nothing else has', () => {
  expect(folders).toEqual(PASSES.map((pass) => pass.name).sort());
});

/** No other register leads to the stack (assumption A3). Every other state lets the guards hold. */
function holding(superblock: Superblock): (state: State) => State {
  return (state) => {
    const stack = state.registers[SP]!;
    const registers = state.registers.map((value, reg) =>
      reg !== SP && value === stack ? value ^ (1n << 40n) : value,
    );
    if ((state.seed & 1) === 0) return { ...state, registers };
    for (const op of superblock.ops)
      if (op.expect !== undefined && op.rs1?.kind === 'head') registers[op.rs1.reg] = BigInt(op.expect);
    return { ...state, registers };
  };
}

for (const pass of PASSES)
  describe(pass.name, () => {
    for (const name of readdirSync(join(CASES, pass.name)).sort()) {
      const file = join(CASES, pass.name, name);
      const text = readFileSync(file, 'utf8');
      const end = text.indexOf('\n');
      const title = text.slice(0, end);
      test(`${title} (${name})`, () => {
        const context = () => contextFor(title);
        const [input, output] = text.slice(end + 1).split('===\n');
        const before = parseSuperblock(input!);
        checkSuperblock(before, 'the case');
        const bless = process.env.BLESS === '1';
        if (!bless) expect(superblockText(before)).toBe(input);
        const after = runPasses(before, [pass], context());
        const found = superblockText(after);
        if (bless) writeFileSync(file, `${title}\n${superblockText(before)}===\n${found}`);
        else expect(found).toBe(output);
        expect(after === before).toBe(found === superblockText(before));
        expect(pass.run(after, context())).toBe(after);
        // What it prints is all there is to it.
        expect(superblockText(pass.run(parseSuperblock(input!), context()))).toBe(found);
        const random = makeRandom(text.length);
        const dead = pass.name === 'stores';
        expect(compareSuperblocks(before, after, random, STATES, holding(before), dead)).toBeUndefined();
      });
    }
  });
