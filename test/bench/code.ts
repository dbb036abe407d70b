/**
 * What optimizing is worth on real programs, in exact counts, beside LLVM BOLT:
 *
 *     node test/run.mjs bench/code [--programs lua,sqlite] [--json FILE] [--no-bolt] [--fresh] [--target rva22u64]
 *
 * Prints a table and PASS or FAIL against the marks; exits 1 on FAIL, 2 if nothing could be measured. Results are kept (kept.ts); `--fresh`
 * measures again.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readImage } from '../../src/elf/read.ts';
import { BENCH_PROGRAMS, type Program, program } from '../support/programs.ts';
import { findTool } from '../support/tools.ts';
import { type Bolted, boltVersion, measureBolt } from './bolt.ts';
import { hashOfCode, hashOfRun, kept } from './kept.ts';
import { type Count, INPUTS, type InputName, type Measured, measure } from './measure.ts';

/** Over the real programs, on the training input. */
const MARKS = { takenBranches: 0.66, instructions: 0.99, worstInstructions: 1.01, inside: 0.97 };

/** BOLT's side depends on how we count, not on how we optimize. */
const COUNTING = ['base', 'isa', 'domain', 'elf', 'machine', 'engine', 'profile'].map((floor) => `src/${floor}`);

const MEASURING = ['bolt', 'measure'].map((file) => `test/bench/${file}.js`);

const { values } = parseArgs({
  options: {
    programs: { type: 'string' },
    json: { type: 'string' },
    'no-bolt': { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    target: { type: 'string' },
  },
});

interface Line {
  readonly program: string;
  readonly isoform: Measured;
  readonly bolt: Bolted | undefined;
}

const wanted = values.programs?.split(',') ?? BENCH_PROGRAMS;
for (const name of wanted)
  if (!BENCH_PROGRAMS.includes(name)) {
    console.error(`no program is called ${name}; there are ${BENCH_PROGRAMS.join(', ')}`);
    process.exit(2);
  }
const withBolt = !values['no-bolt'] && findTool('bolt') !== undefined;
if (!values['no-bolt'] && !withBolt) console.error('LEFT OUT: BOLT: llvm-bolt-19 is not installed');

const lines: Line[] = [];
const failures: string[] = [];
for (const name of wanted) {
  try {
    lines.push(await measureProgram(await program(name)));
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
if (lines.length > 0) {
  console.log(table());
  console.log(`\n${summary().join('\n')}`);
}
for (const failure of failures) console.log(`FAIL: ${failure}`);
console.log(failures.length === 0 ? 'PASS' : `FAIL (${failures.length})`);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ marks: MARKS, lines, failures }, null, 2)}\n`);
process.exitCode = lines.length === 0 ? 2 : failures.length === 0 ? 0 : 1;

async function measureProgram(found: Program): Promise<Line> {
  const { name } = found;
  const say = (step: string) => console.error(`${name}: ${step}`);
  const inputs = INPUTS.map((input) => hashOfRun(found[input]));
  const code = hashOfCode(['src', 'passes', ...MEASURING]);
  const made = values.target === undefined ? [] : [values.target];
  const isoform = await kept(
    `${name}-isoform`,
    [readImage(found.file).hash, ...inputs, code, ...made],
    values.fresh,
    () => measure(found, say, values.target),
  );
  const bolt = withBolt
    ? await kept(
        `${name}-bolt`,
        [
          readImage(await found.built({ link: ['-Wl,-q'] })).hash,
          ...inputs,
          boltVersion(),
          hashOfCode([...COUNTING, ...MEASURING]),
        ],
        values.fresh,
        () => measureBolt(found, say),
      )
    : undefined;
  return { program: name, isoform, bolt };
}

/** How much of the original's count is left, by kind. */
function ratio({ original, optimized }: { readonly original: Count; readonly optimized: Count }, kind: keyof Count) {
  return optimized[kind] / original[kind];
}

function table(): string {
  const rows = [
    ['', '', 'original (M)', '', 'isoform', '', '', '', '', '', '', '', '', 'BOLT', '', '', ''],
    [
      'program',
      'input',
      'insns',
      'taken',
      'insns',
      'taken',
      'inside',
      'superblocks',
      'bytes',
      'verify',
      'qemu',
      'readelf',
      'seconds',
      'insns',
      'taken',
      'bytes',
      'output',
    ],
  ];
  for (const { program, isoform, bolt } of lines)
    for (const input of INPUTS) {
      const first = input === 'train';
      const on = isoform.inputs[input];
      rows.push([
        first ? program : '',
        input,
        millions(on.original.instructions),
        millions(on.original.takenBranches),
        ratio(on, 'instructions').toFixed(4),
        ratio(on, 'takenBranches').toFixed(3),
        `${(100 * on.inside).toFixed(2)}%`,
        first ? String(isoform.superblocks) : '',
        first ? signed(isoform.bytesAdded) : '',
        on.verify === 'equivalent' ? 'equivalent' : 'DIFFERENT',
        on.qemu === 'equal' ? 'equal' : 'DIFFERENT',
        first ? (isoform.readelf === 'silent' ? 'silent' : 'COMPLAINS') : '',
        first ? isoform.optimizeSeconds.toFixed(1) : '',
        ...boltCells(bolt, input, first),
      ]);
    }
  return align(rows);
}

function boltCells(bolt: Bolted | undefined, input: InputName, first: boolean): string[] {
  if (bolt === undefined) return [];
  if (bolt.kind === 'fails') return first ? ['fails', '', '', bolt.reason] : [];
  const on = bolt.inputs[input];
  return [
    ratio(on, 'instructions').toFixed(4),
    ratio(on, 'takenBranches').toFixed(3),
    first ? signed(bolt.bytesAdded) : '',
    on.output,
  ];
}

/** Also collects what misses the marks. */
function summary(): string[] {
  const out: string[] = [];
  for (const input of INPUTS) {
    const on = lines.map((line) => line.isoform.inputs[input]);
    const taken = mean(on.map((each) => ratio(each, 'takenBranches')));
    const insns = mean(on.map((each) => ratio(each, 'instructions')));
    const worst = lines.reduce((a, b) =>
      ratio(a.isoform.inputs[input], 'instructions') >= ratio(b.isoform.inputs[input], 'instructions') ? a : b,
    );
    const worstInsns = ratio(worst.isoform.inputs[input], 'instructions');
    out.push(
      `${input}: isoform, geometric means over ${lines.length} programs: taken branches ${taken.toFixed(3)}, instructions ${insns.toFixed(4)}; worst in instructions: ${worst.program} ${worstInsns.toFixed(4)}`,
    );
    const both = lines.flatMap(({ isoform, bolt }) =>
      bolt?.kind === 'made' ? [{ isoform: isoform.inputs[input], bolt: bolt.inputs[input] }] : [],
    );
    if (both.length > 0) {
      const over = (side: 'isoform' | 'bolt', kind: keyof Count) => mean(both.map((each) => ratio(each[side], kind)));
      out.push(
        `${input}: BOLT, over the ${both.length} programs it works on: taken branches ${over('bolt', 'takenBranches').toFixed(3)}, instructions ${over('bolt', 'instructions').toFixed(4)} (isoform on these: ${over('isoform', 'takenBranches').toFixed(3)}, ${over('isoform', 'instructions').toFixed(4)})`,
      );
    }
    if (input !== 'train') continue;
    if (taken > MARKS.takenBranches) failures.push(`taken branches ${taken.toFixed(4)}, above ${MARKS.takenBranches}`);
    if (insns > MARKS.instructions) failures.push(`instructions ${insns.toFixed(4)}, above ${MARKS.instructions}`);
  }
  for (const { program, isoform } of lines) {
    const { train } = isoform.inputs;
    const insns = ratio(train, 'instructions');
    if (insns > MARKS.worstInstructions)
      failures.push(`${program}: instructions ${insns.toFixed(4)}, above ${MARKS.worstInstructions}`);
    if (train.inside < MARKS.inside)
      failures.push(
        `${program}: ${(100 * train.inside).toFixed(2)} % inside superblocks, below ${100 * MARKS.inside} %`,
      );
    if (isoform.readelf !== 'silent') failures.push(`${program}: readelf -a: ${isoform.readelf}`);
    for (const input of INPUTS) {
      const { verify, qemu } = isoform.inputs[input];
      if (verify !== 'equivalent') failures.push(`${program}, ${input}: verify: ${verify}`);
      if (qemu !== 'equal') failures.push(`${program}, ${input}: under qemu: ${qemu}`);
    }
  }
  const options = new Set(lines.flatMap(({ bolt }) => (bolt?.kind === 'made' ? [bolt.options] : [])));
  for (const each of options) out.push(`BOLT's options: ${each}`);
  return out;
}

function mean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, each) => sum + Math.log(each), 0) / ratios.length);
}

function millions(count: number): string {
  return (count / 1e6).toFixed(1);
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '' : '+'}${bytes}`;
}

/** The first row names groups of columns and makes no column wider. A column of numbers stands right, its title with it. */
function align(rows: readonly (readonly string[])[]): string {
  const columns = rows[1]!.map((_, i) => {
    const cells = rows.slice(1).map((row) => row[i] ?? '');
    return { width: Math.max(...cells.map(({ length }) => length)), right: /^[-+\d]/.test(cells[1]!) };
  });
  return rows
    .map((row, at) => {
      let text = '';
      let start = 0;
      for (const [i, cell] of row.entries()) {
        const { width, right } = columns[i]!;
        text = `${text.padEnd(start)}${right && at > 0 ? cell.padStart(width) : cell}`;
        start += width + 2;
      }
      return text.trimEnd();
    })
    .join('\n');
}
