/**
 * Forged files: structured changes of whole optimized files. One that is called proved must run as the original does.
 *
 *     node test/run.mjs campaign/forge --files 5000 --seed 1 [--only PROGRAM,...] [--kinds] [--state FILE] [--number N]
 *
 * Files are made until so many have been judged that run otherwise than the original under qemu, with a bound on the time for those that do not
 * end: on one input, and on all where the file is called proved. Such a one is also run in isoform's own machine, and proved again as a
 * whole, as is every fiftieth of the others (forge/judge.ts says why the rest need not be); for every tenth the solver is asked. With a state
 * file, one line a file, what is in it is not done again; `--number` makes just that one. Prints the seed and a score; on a file that is called
 * proved and runs otherwise, what was changed, and exits 1.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeSolver } from '../../src/verify/prove/solver.ts';
import { makeRandom } from '../support/random.ts';
import { CACHE, leaveOut, needs, scratch } from '../support/tools.ts';
import { forge, KINDS } from './forge/edits.ts';
import { Judge } from './forge/judge.ts';
import { makeProgram, PROGRAMS } from './forge/programs.ts';
import { keep, readState } from './state.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    kinds: { type: 'boolean', default: false },
    state: { type: 'string' },
    number: { type: 'string' },
  },
});
const wanted = Number(values.files);
const seed = Number(values.seed);
const names = values.only?.split(',') ?? PROGRAMS;

interface Line {
  readonly number: number;
  readonly program: string;
  readonly kind: string;
  readonly what: string;
  readonly accepted: boolean;
  /** How it runs otherwise. */
  readonly different?: string;
  /** Why it is wrong that it was judged so; must not be. */
  readonly fault?: string;
}

/** Of so many files that are not proved one is proved again as a whole. */
const WHOLE = 50;
/** And of so many the solver is asked of one, which takes long. */
const ASKED = 10;

if (needs('campaign/forge', 'gcc', 'gxx', 'qemu')) {
  const { state } = values;
  const lines = readState<Line>(state);
  console.log(`seed ${seed}`);
  const folder = scratch('forge-campaign');
  const solver = makeSolver();
  const made = new Map<string, { readonly program: ReturnType<typeof makeProgram>; readonly judge: Judge }>();
  const programOf = (name: string) => {
    let found = made.get(name);
    if (found === undefined) {
      const program = makeProgram(name);
      found = { program, judge: new Judge(program, folder, solver) };
      made.set(name, found);
    }
    return found;
  };
  const judged = (number: number): Line => {
    const name = names[number % names.length]!;
    const { program, judge } = programOf(name);
    const { kind, what, bytes } = forge(program, makeRandom(seed * 1_000_003 + number));
    const begun = performance.now();
    const accepted = judge.accepts(bytes, number % ASKED === 0);
    const taken = performance.now() - begun;
    if (taken > 5000) console.error(`${number}: ${kind} in ${name}: ${what}: ${(taken / 1000).toFixed(1)} s`);
    let different = judge.difference(bytes, accepted ? undefined : 1);
    if (accepted) different ??= judge.differenceInMachine(bytes);
    const whole = accepted || number % WHOLE === 0 ? judge.acceptsWhole(bytes) : accepted;
    const fault =
      whole !== accepted
        ? `${accepted ? '' : 'not '}proved, but as a whole it is${whole ? '' : ' not'}`
        : accepted && different !== undefined
          ? 'PROVED, AND RUNS OTHERWISE'
          : undefined;
    if (fault !== undefined) writeFileSync(join(CACHE, `forged-${seed}-${number}`), bytes, { mode: 0o755 });
    const line = {
      number,
      program: name,
      kind,
      what,
      accepted,
      ...(different && { different }),
      ...(fault && { fault }),
    };
    return line;
  };
  try {
    if (values.number !== undefined) console.log(judged(Number(values.number)));
    else {
      let different = lines.filter((line) => line.different !== undefined).length;
      for (let number = lines.length; different < wanted; number++) {
        const line = judged(number);
        lines.push(line);
        if (line.different !== undefined) different++;
        if (line.fault !== undefined) console.log(JSON.stringify(line));
        keep(state, line);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const score = (of: readonly Line[]) => {
    const accepted = of.filter((line) => line.accepted);
    const rejected = of.filter((line) => !line.accepted);
    const different = (list: readonly Line[]) => list.filter((line) => line.different !== undefined).length;
    return `${of.length} forged, ${accepted.length} proved, of which ${different(accepted)} run otherwise; ${rejected.length} not proved, of which ${different(rejected)} run otherwise`;
  };
  if (values.kinds)
    for (const kind of KINDS) console.log(`${kind}: ${score(lines.filter((line) => line.kind === kind))}`);
  const faults = lines.filter((line) => line.fault !== undefined).length;
  console.log(`forge: ${score(lines)}; ${faults} faults`);
  process.exitCode = faults > 0 ? 1 : 0;
} else {
  leaveOut('campaign/forge', 'needs the cross compilers and qemu');
  process.exitCode = 2;
}
