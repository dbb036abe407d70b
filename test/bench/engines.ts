/**
 * How fast the engines are, against qemu-riscv64 on the same program and input:
 *
 *     node test/run.mjs bench/engines [--parts long,short,start] [--programs lua,bzip2] [--rounds 3] [--engines dispatch,threaded] [--json FILE]
 *
 * Whole processes are measured, in processor time (user and system, all threads). In each round qemu and isoform run one after the
 * other; a ratio is of the two in one round, and the median over the rounds is what is printed. `long` and `short` are runs of
 * at least 2 s and some 0.3 s under qemu; `start` is what it takes to start. Engines other than translate run the short inputs only.
 *
 * Translated code is kept between runs. In each round a program runs three times, at first with nothing kept: the first run and the third
 * are printed, the first with the time that keeping takes.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { has, PROGRAMS, program, type Run } from '../support/programs.ts';
import { compile, compileFile, ROOT, temporary, tool } from '../support/tools.ts';
import { geometricMean, ISOFORM, type Measured, measure, median } from './processes.ts';

/** Marks: seconds relative to qemu's; for starting, relative to `node -e 0`. */
const MARKS = { counted: 0.9, countedWorst: 1.5, plain: 0.8, short: 3, start: 2.5 } as const;

const KERNELS: Readonly<Record<string, { readonly long: readonly string[]; readonly short: readonly string[] }>> = {
  double: { long: ['900'], short: ['105'] },
  recursive: { long: ['260', '40'], short: ['30', '35'] },
  chase: { long: ['5000'], short: ['600'] },
};

const { values } = parseArgs({
  options: {
    parts: { type: 'string', default: 'long,short,start' },
    programs: { type: 'string', default: [...PROGRAMS, ...Object.keys(KERNELS)].join() },
    rounds: { type: 'string', default: '3' },
    engines: { type: 'string', default: 'dispatch,threaded' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const parts = values.parts.split(',');
const others = values.engines.split(',').filter((name) => name !== '');

const folder = temporary('engines');
/** Where profiles go; nobody reads them. */
const PROFILE = join(folder, 'profile');

/** What isoform is asked to do with a guest. */
type Mode = (file: string) => readonly string[];
const profiled =
  (engine: string, ...more: string[]): Mode =>
  (file) => [...ISOFORM, 'profile', '--quiet', '-o', PROFILE, '--engine', engine, ...more, file];
const plain =
  (...more: string[]): Mode =>
  (file) => [...ISOFORM, 'run', '--engine', 'translate', ...more, file];
/** Where translated code is kept. */
const CODE = join(folder, 'code');

interface Case {
  readonly name: string;
  readonly file: string;
  readonly long: Run;
  readonly short: Run;
}

async function caseOf(name: string): Promise<Case | undefined> {
  if (Object.hasOwn(KERNELS, name)) {
    const file = compileFile(join('test/bench/kernels', `${name}.c`), ['-O2', '-static', '-lm']);
    const { long, short } = KERNELS[name]!;
    return { name, file, long: { args: long, dir: ROOT }, short: { args: short, dir: ROOT } };
  }
  if (!(await has(name))) return undefined;
  const { file, timed } = await program(name);
  return { name, file, ...(await timed()) };
}

interface Row {
  readonly program: string;
  /** Median seconds of qemu. */
  readonly qemu: number;
  /** Medians by mode: seconds, and seconds relative to qemu's of the same round. */
  readonly modes: Readonly<Record<string, { readonly seconds: number; readonly ratio: number }>>;
  /** What `--stats` says of the counted run. */
  readonly stats: Readonly<Record<string, number>>;
}

/** What is measured of a mode: one run, or the first and the third of three, of which the others find what was kept. */
interface Series {
  readonly mode: Mode;
  readonly runs: readonly (string | undefined)[];
}
const series = (name: string, mode: Mode): Series => ({ mode, runs: [name, undefined, `${name}, 3rd`] });
const once = (name: string, mode: Mode): Series => ({ mode, runs: [name] });

function row(name: string, file: string, run: Run, modes: readonly Series[]): Row {
  const here = { cwd: run.dir, stdin: run.stdin };
  const qemu: number[] = [];
  const seconds: Record<string, number[]> = {};
  const ratios: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    const reference = measure([tool('qemu'), file, ...run.args], here);
    qemu.push(reference.seconds);
    for (const { mode, runs } of modes) {
      rmSync(CODE, { recursive: true, force: true });
      for (const what of runs) {
        const own = measure([...mode(file), ...run.args], here);
        check(`${name}, ${what}`, own, reference);
        if (what === undefined) continue;
        (seconds[what] ??= []).push(own.seconds);
        (ratios[what] ??= []).push(own.seconds / reference.seconds);
      }
    }
  }
  const stats = measure([...plain('--no-code-cache', '--stats')(file), ...run.args], here);
  return {
    program: name,
    qemu: median(qemu),
    modes: Object.fromEntries(
      Object.keys(seconds).map((mode) => [mode, { seconds: median(seconds[mode]!), ratio: median(ratios[mode]!) }]),
    ),
    stats: JSON.parse(stats.stderr.split('\n').at(-1)!),
  };
}

function check(what: string, own: Measured, reference: Measured): void {
  if (own.status !== reference.status || !own.stdout.equals(reference.stdout))
    throw new Error(`${what}: status ${own.status} instead of ${reference.status}, or another output: ${own.stderr}`);
}

function print(cells: readonly (string | number)[]): void {
  console.log(cells.map((cell, i) => (i === 0 ? String(cell).padEnd(22) : String(cell).padStart(11))).join(''));
}

let failed = false;
function judge(what: string, value: number, mark: number): void {
  failed ||= value > mark;
  console.log(`${value <= mark ? 'PASS' : 'FAIL'}  ${what}: ${value.toFixed(2)}, mark ${mark}`);
}

async function measureRuns(length: 'long' | 'short'): Promise<Row[]> {
  const kept = ['--code-cache', CODE];
  const modes = [series('counted', profiled('translate', ...kept)), series('plain', plain(...kept))];
  if (length === 'short') for (const engine of others) modes.push(once(engine, profiled(engine)));
  const names = modes.flatMap(({ runs }) => runs.filter((what) => what !== undefined));
  console.log(
    `${length} runs: processor time / that of qemu-riscv64, medians of ${rounds}; counted: isoform profile, plain: isoform run; 3rd: with what two runs before have kept`,
  );
  print(['', 'qemu s', ...names, 'M insns', 'regions', 'wasm KB', 'transl. ms', 'compile ms']);
  const rows: Row[] = [];
  for (const name of values.programs.split(',')) {
    const found = await caseOf(name);
    if (found === undefined) {
      console.log(`${name}: cannot be had here`);
      continue;
    }
    const made = row(name, found.file, found[length], modes);
    rows.push(made);
    const { instructions = 0, regions = 0, wasmBytes = 0, translating = 0, compiling = 0 } = made.stats;
    print([
      name,
      made.qemu.toFixed(2),
      ...Object.values(made.modes).map(({ ratio }) => ratio.toFixed(2)),
      ...[instructions / 1e6, regions, wasmBytes / 1024, translating, compiling].map((value) => value.toFixed(0)),
    ]);
  }
  const ratios = (mode: string) => rows.map(({ modes }) => modes[mode]!.ratio);
  if (rows.length > 0) {
    print(['geometric mean', '', ...names.map((mode) => geometricMean(ratios(mode)).toFixed(2))]);
    print(['worst', '', ...names.map((mode) => Math.max(...ratios(mode)).toFixed(2))]);
    for (const run of ['', ', 3rd'])
      if (length === 'long') {
        judge(`counted${run}, geometric mean`, geometricMean(ratios(`counted${run}`)), MARKS.counted);
        judge(`counted${run}, worst`, Math.max(...ratios(`counted${run}`)), MARKS.countedWorst);
        judge(`plain${run}, geometric mean`, geometricMean(ratios(`plain${run}`)), MARKS.plain);
      } else judge(`plain${run}, worst`, Math.max(...ratios(`plain${run}`)), MARKS.short);
  }
  console.log('');
  return rows;
}

/** Leaves at its first instructions. */
const EXIT_AT_ONCE = `
  .globl _start
_start:
  li a0, 0
  li a7, 93
  ecall
`;

/** What starting is made of: each line does what the one before it does, and more. */
function measureStart(): Record<string, number> {
  const nothing = compile(EXIT_AT_ONCE, ['-nostdlib', '-static'], 's');
  const small = compile('int main(void) { return 0; }');
  const steps: Readonly<Record<string, readonly string[]>> = {
    'node -e 0': [process.execPath, '-e', '0'],
    'isoform --version': [...ISOFORM, '--version'],
    'isoform run --help': [...ISOFORM, 'run', '--help'],
    'run, dispatch': [...ISOFORM, 'run', '--engine', 'dispatch', nothing],
    'run, translate': [...ISOFORM, 'run', '--engine', 'translate', nothing],
    'run, C library': [...ISOFORM, 'run', '--engine', 'translate', small],
    'profile, C library': [...ISOFORM, 'profile', '--quiet', '-o', PROFILE, '--engine', 'translate', small],
  };
  const seconds: Record<string, number[]> = {};
  for (let round = 0; round < 5 * rounds; round++)
    for (const [name, command] of Object.entries(steps)) (seconds[name] ??= []).push(measure(command).seconds);
  const medians = Object.fromEntries(Object.entries(seconds).map(([name, list]) => [name, median(list)]));
  const base = medians['node -e 0']!;
  console.log(`start: processor time, medians of ${5 * rounds}`);
  print(['', 'ms', '/ node']);
  for (const [name, time] of Object.entries(medians)) print([name, (time * 1000).toFixed(0), (time / base).toFixed(2)]);
  judge('run of a program that exits at once', medians['run, translate']! / base, MARKS.start);
  console.log('');
  return medians;
}

const results: Record<string, unknown> = { node: process.version };
if (parts.includes('long')) results.long = await measureRuns('long');
if (parts.includes('short')) results.short = await measureRuns('short');
if (parts.includes('start')) results.start = measureStart();
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
rmSync(folder, { recursive: true });
process.exitCode = failed ? 1 : 0;
