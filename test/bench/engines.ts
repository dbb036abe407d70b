/**
 * How fast the engines are, against qemu-riscv64 on the same program and input in the same run:
 *
 *     node test/run.mjs bench/engines [--engines dispatch,threaded] [--programs lua,bzip2] [--rounds 2]
 *
 * The least of the rounds counts: for engines the processor time of all threads (the optimizing compiler's too) without Node's
 * start-up, for qemu the time on the clock. So on a busy machine the ratios flatter the engines.
 */
import { parseArgs } from 'node:util';
import { runGuest } from '../support/guest.ts';
import { has, PROGRAMS, program } from '../support/programs.ts';
import { qemu } from '../support/tools.ts';

const { values } = parseArgs({
  options: {
    engines: { type: 'string', default: 'dispatch,threaded' },
    programs: { type: 'string', default: PROGRAMS.join() },
    rounds: { type: 'string', default: '2' },
  },
});
const rounds = Number(values.rounds);

/** @param onClock time on the clock, for work that another process does; else this process's processor time */
function seconds(work: () => void, onClock: boolean): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.resourceUsage();
    const started = performance.now();
    work();
    const after = process.resourceUsage();
    const used = onClock ? (performance.now() - started) / 1000 : (after.userCPUTime - before.userCPUTime) / 1e6;
    best = Math.min(best, used);
  }
  return best;
}

for (const name of values.programs.split(',')) {
  if (!(await has(name))) {
    console.log(`${name}: cannot be built here`);
    continue;
  }
  const { file, train } = await program(name);
  const reference = seconds(() => void qemu(file, train.args, { cwd: train.dir, stdin: train.stdin }), true);
  for (const engine of values.engines.split(',')) {
    let instructions = 0;
    const own = seconds(() => {
      instructions = runGuest(file, train, engine).outcome.instructions;
    }, false);
    console.log(
      `${name.padEnd(10)} ${engine.padEnd(9)} ${(instructions / 1e6).toFixed(1).padStart(8)} M insns  ${own.toFixed(2).padStart(6)} s  qemu ${reference.toFixed(2)} s  ratio ${(own / reference).toFixed(1)}`,
    );
  }
}
