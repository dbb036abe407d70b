/**
 * Real programs for tests and measurements: fetched from where everyone gets them (sources.ts), built with the cross compiler, never
 * committed.
 *
 *     for (const name of PROGRAMS) describe.runIf(await has(name))(name, ...)
 *
 * What cannot be fetched or built is named on standard error and missing from the list; `describe.runIf(await has('lua'))`
 * makes vitest count it.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { once } from './cached.ts';
import { BENCH_RECIPES, inputMakers, RECIPES, type Recipe, timedMakers } from './recipes.ts';
import { OWN, SOURCES, type Source } from './sources.ts';
import { CACHE, compilerVersion, findTool, leaveOut, qemu, runAsync, tool } from './tools.ts';

export interface Run {
  /** Arguments after the program's name; paths in them are relative to `dir`. */
  readonly args: readonly string[];
  readonly stdin?: Uint8Array;
  /** The folder to run in and to grant. Read only: every run leaves it as it was. */
  readonly dir: string;
}

/** Another way to build a program than `gcc -O2 -static`. */
export interface Variant {
  readonly level?: '-O0' | '-O2' | '-O3';
  /** Compiled by clang; the C library stays the cross compiler's. */
  readonly clang?: boolean;
  /** Rebuilt with what `-fprofile-generate` counted on the training input, for gcc only. */
  readonly trained?: boolean;
  /** More flags for linking, for example `-Wl,-q` (keep relocations, which BOLT wants). */
  readonly link?: readonly string[];
}

export interface Program {
  readonly name: string;
  /** Built with `-O2 -static`. */
  readonly file: string;
  /** What profiles are trained on: some 30 to 150 million instructions. */
  readonly train: Run;
  /** Another input, for checking; as large. */
  readonly other: Run;
  /** Some 2 to 5 million instructions: half a million a second is what the slowest engine does. */
  readonly small: Run;
  /** Runs for measuring speed: seconds (`long`) and tenths of a second (`short`) under qemu. Made when asked for; not every program has them. */
  timed(): Promise<TimedRuns>;
  /** The same program built otherwise. */
  built(variant: Variant): Promise<string>;
}

export interface TimedRuns {
  /** At least two seconds. */
  readonly long: Run;
  /** Some 0.3 seconds. */
  readonly short: Run;
}

/** The programs of the tests, whether or not they can be had here. */
export const PROGRAMS: readonly string[] = RECIPES.map((recipe) => recipe.name);

/** These, and those that only the measurements fetch and build. */
export const BENCH_PROGRAMS: readonly string[] = [...RECIPES, ...BENCH_RECIPES].map((recipe) => recipe.name);

/** One program by name; throws, with the reason, where it cannot be had. */
export async function program(name: string): Promise<Program> {
  const found = await attempt(name);
  if (found === undefined) throw new Error(`${name} cannot be had here: ${failures.get(name)}`);
  return found;
}

/** True if the program can be had here; else its suite is named on standard error. For `describe.runIf(await has(...))`. */
export async function has(name: string): Promise<boolean> {
  return (await attempt(name)) !== undefined;
}

const ready = new Map<string, Promise<Program | undefined>>();
const failures = new Map<string, string>();

function attempt(name: string): Promise<Program | undefined> {
  const recipe = [...RECIPES, ...BENCH_RECIPES].find((candidate) => candidate.name === name);
  if (recipe === undefined) throw new Error(`no program is called ${name}`);
  let promise = ready.get(name);
  if (promise === undefined) {
    promise = make(recipe).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      failures.set(name, why);
      leaveOut(`everything that runs ${name}`, why);
      return undefined;
    });
    ready.set(name, promise);
  }
  return promise;
}

async function make(recipe: Recipe): Promise<Program> {
  for (const name of ['gcc', 'gxx', 'qemu'] as const) {
    if (findTool(name) === undefined) throw new Error(`needs the cross toolchain and qemu (${name} is missing)`);
  }
  const file = await build(recipe.source, {});
  const dir = await once('inputs', recipe.name, [inCache(file), ...inputMakers(recipe)], (folder) =>
    recipe.inputs(folder, file),
  );
  const train = makeRun(recipe.train, dir);
  return {
    name: recipe.name,
    file,
    train,
    other: makeRun(recipe.other, dir),
    small: makeRun(recipe.small, dir),
    timed: () => timedRuns(recipe, file),
    built: (variant) => build(recipe.source, variant, variant.trained ? { ...train, name: recipe.name } : undefined),
  };
}

async function timedRuns(recipe: Recipe, file: string): Promise<TimedRuns> {
  const { name, timed } = recipe;
  if (timed === undefined) throw new Error(`${name} has no runs for measuring speed`);
  const dir = await once('timed', name, [inCache(file), ...timedMakers(recipe)], (folder) =>
    timed.inputs(folder, file),
  );
  return { long: makeRun(timed.long, dir), short: makeRun(timed.short, dir) };
}

function makeRun(args: readonly string[], dir: string): Run {
  const at = args.indexOf('<');
  return at < 0 ? { args, dir } : { args: args.slice(0, at), dir, stdin: readFileSync(join(dir, args[at + 1]!)) };
}

/** Keys hold paths as they are below the cache, which checkouts may share. */
const inCache = (path: string): string => relative(CACHE, path);

const isCxx = (file: string): boolean => /\.(cpp|cc)(\.o)?$/.test(file);

/** @param training what a trained build is trained on, and the name that keeps two trainings of the same sources apart */
async function build(
  sources: keyof typeof SOURCES,
  { level = '-O2', clang = false, link = [] }: Variant,
  training?: Run & { readonly name: string },
): Promise<string> {
  const source: Source = SOURCES[sources];
  const name = training?.name ?? sources;
  const own = (source.own ?? []).map((file) => readFileSync(join(OWN, file), 'utf8'));
  const folder = await once('sources', sources, own, source.fetch);
  const version = compilerVersion(tool(clang ? 'clang' : 'gcc'));
  const inputs = training === undefined ? [] : ['trained', inCache(training.dir), ...training.args];
  const key = [inCache(folder), version, level, ...source.flags, ...inputs];
  const compileAll = (target: string, more: readonly string[]) =>
    compile(source, folder, target, [level, ...source.flags, ...more], clang);
  const objects = await once('objects', name, key, async (target) => {
    if (training !== undefined) {
      // Counts are written beside the object they are of, and looked for there.
      await compileAll(target, ['-fprofile-generate']);
      const instrumented = join(target, 'instrumented');
      await linkAll(source, target, instrumented, ['-fprofile-generate']);
      const { args, dir: cwd, stdin } = training;
      const { status } = qemu(instrumented, args, { cwd, ...(stdin !== undefined && { stdin }), timeout: 300_000 });
      if (status >= 128) throw new Error(`training ended with status ${status}`);
      rmSync(instrumented);
    }
    await compileAll(target, training === undefined ? [] : ['-fprofile-use', '-Wno-missing-profile']);
  });
  const linked = await once('linked', name, [inCache(objects), ...link], async (target) => {
    await linkAll(source, objects, join(target, name), [level, ...link]);
  });
  return join(linked, name);
}

async function compile(
  source: Source,
  folder: string,
  target: string,
  flags: readonly string[],
  clang: boolean,
): Promise<void> {
  const waiting = source.files(folder);
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      // Compiled from inside the source folder, so that no absolute path gets into the program.
      const object = join(target, `${file.replaceAll('/', '-')}.o`);
      const compiler = tool(clang ? 'clang' : isCxx(file) ? 'gxx' : 'gcc');
      const machine = clang ? ['--target=riscv64-linux-gnu', '-march=rv64gc'] : [];
      await runAsync(compiler, [...machine, ...flags, '-c', file, '-o', object], { cwd: folder, timeout: 600_000 });
    }
  };
  await Promise.all([worker(), worker()]);
}

async function linkAll(source: Source, objects: string, out: string, flags: readonly string[]): Promise<void> {
  const all = readdirSync(objects)
    .filter((file) => file.endsWith('.o'))
    .sort();
  const compiler = tool(all.some(isCxx) ? 'gxx' : 'gcc');
  await runAsync(compiler, ['-static', ...flags, ...all, ...(source.libraries ?? []), '-o', out], { cwd: objects });
}
