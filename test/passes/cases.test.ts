/**
 * Golden cases: a title, a superblock, `===`, and what the pass makes of it. A title that ends with `(target NAME)` or `(no target)` says
 * for which machine; else it is one that has all that a pass could ask for. `BLESS=1 npm test` writes what it makes now. Besides the
 * text, each case checks the checker, that the pass has nothing more to do with its own result, that it rewrites nothing without fuel, and
 * that both superblocks do the same on many states. Then each pass does so on random superblocks.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PASSES } from '../../passes/index.ts';
import { makeFuel } from '../../src/base/fuel.ts';
import { SP } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import { immediateFits } from '../../src/isa/fields.ts';
import type { Insn, Row } from '../../src/isa/row.ts';
import { ROWS } from '../../src/isa/table.ts';
import { extensionsOf } from '../../src/isa/targets.ts';
import { checkSuperblock } from '../../src/superblock/check.ts';
import type { Superblock } from '../../src/superblock/form.ts';
import { runPasses } from '../../src/superblock/pass.ts';
import { makeTerms } from '../../src/superblock/terms.ts';
import { parseSuperblock, superblockText } from '../../src/superblock/text.ts';
import { makeRandom } from '../support/random.ts';
import { makeTrace, randomRecipe } from '../support/random-superblock.ts';
import { compareSuperblocks, type State } from '../support/superblock-eval.ts';
import { ROOT } from '../support/tools.ts';

const CASES = join(ROOT, 'test/passes/cases');
const STATES = 60;
const RANDOM_SUPERBLOCKS = 100;
const MOST_ROUNDS = 8;
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

test('every pass has its row in ARCHITECTURE.md', () => {
  const page = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  expect(PASSES.map(({ name }) => name).filter((name) => !page.includes(`\n| \`${name}\` | `))).toEqual([]);
});

/** Other rows with the operands of a pure instruction. */
const rowsLike = (insn: Insn): Row[] =>
  ROWS.filter(
    (row) =>
      row !== insn.row &&
      row.format === insn.row.format &&
      `${row.operands}` === `${insn.row.operands}` &&
      immediateFits(row, insn.imm) &&
      facts(insn).pure &&
      facts({ ...insn, row }).pure,
  );

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
    test('on random superblocks', () => {
      const random = makeRandom(pass.name.length);
      const dead = pass.name === 'stores';
      let rewritten = 0;
      for (let n = 0; n < RANDOM_SUPERBLOCKS; n++) {
        // As the passes before it leave it: some passes find nothing in code that no other has looked at.
        const earlier = PASSES.slice(0, PASSES.indexOf(pass));
        const before = runPasses(makeTrace(randomRecipe(random, 24)).superblock, earlier, contextFor(''));
        const after = runPasses(before, [pass], contextFor(''));
        if (after !== before) rewritten++;
        // Its own result may show it more to do, but not for ever.
        let last = after;
        for (
          let round = 0, next = pass.run(last, contextFor(''));
          next !== last;
          next = pass.run((last = next), contextFor(''))
        )
          expect(round++, `${pass.name} does not come to an end on random superblock ${n}`).toBeLessThan(MOST_ROUNDS);
        checkSuperblock(after, `${pass.name} on random superblock ${n}`);
        const difference = compareSuperblocks(before, after, random, 8, holding(before), dead);
        expect(difference, `${superblockText(before)}=== ${pass.name}\n${superblockText(after)}`).toBeUndefined();
        const dry = pass.run(before, { ...contextFor(''), spend: () => false });
        expect(superblockText(dry), `${pass.name} rewrites without asking for fuel`).toBe(superblockText(before));
      }
      expect(rewritten).toBeGreaterThan(0);
    });

    const folder = join(CASES, pass.name);
    test('on its cases with other instructions', () => {
      const random = makeRandom(1);
      const dead = pass.name === 'stores';
      for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
        const text = readFileSync(join(folder, name), 'utf8');
        const end = text.indexOf('\n');
        const given = parseSuperblock(text.slice(end + 1).split('===\n')[0]!);
        for (const op of given.ops)
          for (const row of rowsLike(op.insn)) {
            const ops = given.ops.map((each) =>
              each === op ? { ...op, insn: { ...op.insn, row, size: 4 as const } } : each,
            );
            const before = { ...given, ops };
            const after = runPasses(before, [pass], contextFor(text.slice(0, end)));
            const difference =
              after === before ? undefined : compareSuperblocks(before, after, random, 8, holding(before), dead);
            expect(difference, `${pass.name} on ${name}, with ${row.name} for ${op.insn.row.name}`).toBeUndefined();
          }
      }
    });

    for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
      const file = join(folder, name);
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
        expect(superblockText(pass.run(after, context())), `${pass.name} has more to do with its own result`).toBe(
          found,
        );
        expect(pass.run(after, context()), `${pass.name} gives an object that is new, but the same`).toBe(after);
        const dry = { ...context(), spend: () => false };
        expect(pass.run(before, dry), `${pass.name} rewrites without asking for fuel`).toBe(before);
        // What it prints is all there is to it.
        expect(superblockText(pass.run(parseSuperblock(input!), context()))).toBe(found);
        const random = makeRandom(text.length);
        const dead = pass.name === 'stores';
        expect(compareSuperblocks(before, after, random, STATES, holding(before), dead)).toBeUndefined();
      });
    }
  });
