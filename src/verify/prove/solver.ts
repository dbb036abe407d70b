/**
 * Goals that rewriting does not close go to a bit-vector solver: Z3, from the npm package z3-solver, which is optional. The solver runs in
 * a process of its own that is started only when there are goals, several at a time. Its effort on a goal is limited in its own units, not
 * in seconds, so that the answers are the same everywhere. Answers are kept by the text of the goal.
 *
 * Only the answer that no values contradict a goal is believed.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { type Goal, goalText } from './smt.ts';

export interface Solver {
  /** By goal: does the goal hold for all values? False also if the answer is unknown. */
  holds(goals: readonly Goal[]): readonly boolean[];
}

/** Z3's `rlimit` for a goal: about a second. */
const MOST_RESOURCES = 4_000_000;
/** A bound for each goal, in milliseconds, should `rlimit` not stop Z3. */
const MOST_MILLISECONDS = 60_000;

/**
 * Reads scripts as a JSON list of texts, writes as another list which of them no values satisfy. The package's own function that runs a
 * script hands the text to a thread that may read it too late; parsing and checking are two calls for that reason. If only a part of a
 * script can be parsed and no values satisfy this part, none satisfy the whole.
 */
const PROCESS = `
const { init } = require(process.argv[1]);
const scripts = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
init().then(async ({ Z3 }) => {
  const answers = [];
  for (const script of scripts) {
    const config = Z3.mk_config();
    const context = Z3.mk_context(config);
    Z3.del_config(config);
    const solver = Z3.mk_solver(context);
    Z3.solver_inc_ref(context, solver);
    const params = Z3.mk_params(context);
    Z3.params_inc_ref(context, params);
    Z3.params_set_uint(context, params, Z3.mk_string_symbol(context, 'rlimit'), ${MOST_RESOURCES});
    Z3.solver_set_params(context, solver, params);
    Z3.params_dec_ref(context, params);
    Z3.solver_from_string(context, solver, script);
    answers.push((await Z3.solver_check(context, solver)) === -1);
    Z3.solver_dec_ref(context, solver);
    Z3.del_context(context);
  }
  process.stdout.write(JSON.stringify(answers), () => process.exit(0));
});
`;

function installed(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('z3-solver');
  } catch {
    return undefined;
  }
}

/** Is a solver installed on this machine? */
export const hasSolver = (): boolean => installed() !== undefined;

/** By script: do no values satisfy it? No answers where there is no solver or it did not come to an end. */
function askZ3(scripts: readonly string[]): readonly boolean[] {
  const file = installed();
  if (file === undefined) return [];
  const { status, stdout } = spawnSync(process.execPath, ['-e', PROCESS, file], {
    input: JSON.stringify(scripts),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: MOST_MILLISECONDS * scripts.length,
    maxBuffer: 2 ** 26,
  });
  return status === 0 ? JSON.parse(stdout) : [];
}

/** @param ask default: Z3; where the package is not installed, nothing holds */
export function makeSolver(ask: (scripts: readonly string[]) => readonly boolean[] = askZ3): Solver {
  const known = new Map<string, boolean>();
  return {
    holds(goals) {
      const scripts = goals.map(goalText);
      const open = [...new Set(scripts)].filter((script) => !known.has(script));
      const answers = open.length === 0 ? [] : ask(open);
      for (const [index, script] of open.entries()) known.set(script, answers[index] === true);
      return scripts.map((script) => known.get(script)!);
    },
  };
}
