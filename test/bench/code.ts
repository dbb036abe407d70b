/**
 * What optimizing is worth on real programs, in exact counts, beside what users would do instead:
 *
 *     node test/run.mjs bench/code [--programs lua,sqlite] [--parts isoform,bolt] [--json FILE] [--fresh]
 *
 * Prints tables (tables.ts), and PASS or FAIL against each mark (marks.ts); exits 1 on FAIL, 2 if nothing could be measured. Results are
 * kept (kept.ts), so a run that was cut off goes on where it was; `--fresh` measures again.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readImage } from '../../src/elf/read.ts';
import { BENCH_PROGRAMS, type Program, program, type Variant } from '../support/programs.ts';
import { compilerVersion, findTool, tool } from '../support/tools.ts';
import { boltVersion, measureBolt } from './bolt.ts';
import { hashOfCode, hashOfRun, kept } from './kept.ts';
import { judge } from './marks.ts';
import { type Count, counted, INPUTS, type InputName, type Measured, measure } from './measure.ts';
import { measureRebuild, type Rebuild } from './rebuilds.ts';
import { type Line, type Other, tables } from './tables.ts';
import { timeForms } from './times.ts';

const PARTS = ['isoform', 'rva22', 'bolt', 'pgo', 'clang', 'o3', 'o0', 'time'] as const;
type Part = (typeof PARTS)[number];

const TARGET = 'rva22u64';

/** How we count, whatever is counted. */
const COUNTING = [
  ...['base', 'isa', 'domain', 'elf', 'machine', 'engine', 'profile', 'cost'].map((floor) => `src/${floor}`),
  'test/bench/measure.js',
];

const { values } = parseArgs({
  options: {
    programs: { type: 'string' },
    parts: { type: 'string', default: PARTS.join() },
    json: { type: 'string' },
    fresh: { type: 'boolean', default: false },
  },
});

const names = chosen('program', values.programs, BENCH_PROGRAMS);
const parts = new Set<Part>(chosen('part', values.parts, PARTS));
const fails: string[] = [];
leaveOutParts();

const lines: Line[] = [];
for (const name of names) {
  try {
    lines.push(await measureProgram(await program(name)));
  } catch (error) {
    fails.push(`${name}: ${reason(error)}`);
  }
}
const { summary, verdicts, passed } = judge(lines, fails);
if (lines.length > 0) console.log(tables(lines));
console.log(`\n${[...summary, '', ...verdicts].join('\n')}`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ lines, summary, verdicts }, null, 2)}\n`);
process.exitCode = lines.length === 0 ? 2 : passed ? 0 : 1;

function chosen<T extends string>(what: string, list: string | undefined, all: readonly T[]): readonly T[] {
  return (list?.split(',') ?? all).map((name) => {
    const found = all.find((each) => each === name);
    if (found === undefined) {
      console.error(`no ${what} is called ${name}; there are ${all.join(', ')}`);
      process.exit(2);
    }
    return found;
  });
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().split('\n')[0]!;
}

function leaveOutParts(): void {
  const leave = (part: Part, why: string) => {
    if (parts.delete(part)) console.error(`LEFT OUT: ${part}: ${why}`);
  };
  if (findTool('bolt') === undefined) leave('bolt', 'llvm-bolt-19 is not installed');
  if (findTool('clang') === undefined) leave('clang', 'clang-19 is not installed');
}

async function measureProgram(found: Program): Promise<Line> {
  const { name } = found;
  const inputs = INPUTS.map((input) => hashOfRun(found[input]));
  const counting = hashOfCode(COUNTING);
  const optimizing = hashOfCode(['src', 'passes', 'test/bench/measure.js']);
  const keep = <T>(what: string, keys: readonly string[], make: (say: (step: string) => void) => T | Promise<T>) =>
    kept(`${name}-${what}`, [...keys, ...inputs], values.fresh, () =>
      make((step) => console.error(`${name}, ${what}: ${step}`)),
    );
  /** What goes wrong in one part is a failure; the others are measured all the same. */
  const attempt = async <T>(part: Part, what: string, work: () => Promise<T>): Promise<T | undefined> => {
    if (!parts.has(part)) return undefined;
    try {
      return await work();
    } catch (error) {
      fails.push(`${name}, ${what}: ${reason(error)}`);
      return undefined;
    }
  };
  const optimized = (file: string, what: string, options: readonly string[], which: readonly InputName[]) =>
    keep(
      what,
      [readImage(file).hash, optimizing, ...options, ...which],
      (say): Measured => measure({ ...found, name: `${name}.${what.replaceAll(' ', '')}`, file }, options, which, say),
    );
  const rebuilt = (part: Part, rebuild: Rebuild) =>
    attempt(part, rebuild, () =>
      keep(
        `rebuild ${rebuild}`,
        [readImage(found.file).hash, counting, compilerVersion(tool(part === 'clang' ? 'clang' : 'gcc'))],
        (say) => measureRebuild(found, rebuild, say),
      ),
    );
  const other = (part: Part, what: Other, variant: Variant) =>
    attempt(part, `isoform on ${what}`, async () =>
      optimized(await found.built(variant), `isoform ${what}`, [], ['train']),
    );

  const original = await keep('input', [readImage(found.file).hash, counting], (say) => {
    say('count');
    const image = readImage(found.file);
    return Object.fromEntries(INPUTS.map((input) => [input, counted(image, found[input]).count])) as Record<
      InputName,
      Count
    >;
  });
  const isoform = await attempt('isoform', 'isoform', () => optimized(found.file, 'isoform', [], INPUTS));
  const retargeted = await attempt('rva22', TARGET, () =>
    optimized(found.file, TARGET, ['--target', TARGET], ['train']),
  );
  const bolt = await attempt('bolt', 'BOLT', async () => {
    const linked = readImage(await found.built({ link: ['-Wl,-q'] })).hash;
    const keys = [linked, boltVersion(), counting, hashOfCode(['test/bench/bolt.js'])];
    return keep('bolt', keys, (say) => measureBolt(found, say));
  });
  const rebuilds = {
    '-O3': await rebuilt('pgo', '-O3'),
    '-O2 PGO': await rebuilt('pgo', '-O2 PGO'),
    '-O3 PGO': await rebuilt('pgo', '-O3 PGO'),
    'clang -O2': await rebuilt('clang', 'clang -O2'),
  };
  const others = {
    'clang -O2': await other('clang', 'clang -O2', { clang: true }),
    '-O3': await other('o3', '-O3', { level: '-O3' }),
    '-O0': await other('o0', '-O0', { level: '-O0' }),
  };
  const times = await attempt('time', 'time', async () => {
    const forms = {
      isoform: isoform?.file,
      [TARGET]: retargeted?.file,
      BOLT: bolt?.kind === 'made' ? bolt.file : undefined,
      '-O2 PGO': rebuilds['-O2 PGO']?.file,
      '-O3 PGO': rebuilds['-O3 PGO']?.file,
    };
    const files = Object.fromEntries(Object.entries(forms).flatMap(([form, file]) => (file ? [[form, file]] : [])));
    const hashes = Object.entries(files).flatMap(([form, file]) => [form, readImage(file).hash]);
    const keys = [readImage(found.file).hash, ...hashes, compilerVersion(tool('qemu'))];
    return keep('time', keys, (say) => {
      say('under qemu');
      return timeForms(found, files);
    });
  });
  return { program: name, original, isoform, retargeted, bolt, rebuilds, others, times };
}
