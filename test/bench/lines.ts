/**
 * How the work on straight lines grows with their length:
 *
 *     node test/run.mjs bench/lines [--sizes 50,200,1000] [--shapes one,two,spread,walk,mixed,exits] [--rounds 1]
 *
 * Each is a program that is one line of so many instructions (test/support/long-lines.ts). Processor time of `isoform optimize` (proving
 * included), `prove` and `pgo`, less what starting takes, and of the proof of a line that is one superblock, which optimize would cut; beside
 * each that time divided by n log n, relative to the one at a thousand instructions: where work grows as n log n, it is 1.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { lineProgram, lineProof, SHAPES, type Shape } from '../support/long-lines.ts';
import { compile, temporary } from '../support/tools.ts';
import { ISOFORM, measure, median } from './processes.ts';

/** Ratios are relative to what it is here. */
const REFERENCE = 1000;

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '50,100,200,500,1000,2000,5000,10000,20000' },
    shapes: { type: 'string', default: SHAPES.join() },
    rounds: { type: 'string', default: '1' },
  },
});
const sizes = values.sizes.split(',').map(Number);
const shapes = values.shapes.split(',').map((name) => {
  const shape = SHAPES.find((each) => each === name);
  if (shape === undefined) throw new Error(`there is no shape '${name}': ${SHAPES.join(', ')}`);
  return shape;
});
const rounds = Number(values.rounds);
const folder = temporary('lines');
const seconds = (...args: string[]): number =>
  median(
    Array.from({ length: rounds }, () => {
      const done = measure([...ISOFORM, ...args], { cwd: folder });
      if (done.status !== 0) throw new Error(`isoform ${args.join(' ')}: ${done.stderr}`);
      return done.seconds;
    }),
  );

const STEPS = ['optimize', 'prove', 'pgo', 'one proof'] as const;

/** Processor time of one proof, in this process. */
function proofOf(shape: Shape, size: number): number {
  const { sides, entry } = lineProof(shape, size);
  const before = process.cpuUsage();
  const { verdict, reason } = proveEntry(sides, entry);
  if (verdict !== 'proved') throw new Error(`a line of ${size} instructions is not proved: ${reason}`);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function timesOf(shape: Shape, size: number): Record<(typeof STEPS)[number], number> {
  const file = compile(lineProgram(shape, size), ['-static', '-nostdlib'], 's');
  const [profile, out] = [join(folder, 'line.profile'), join(folder, 'line.isoform')];
  // Room for all of it: a line is the whole file.
  const growth = ['--max-growth', '64M'];
  seconds('profile', '--quiet', '-o', profile, file);
  return {
    optimize: seconds('optimize', '--quiet', ...growth, '-p', profile, '-o', out, file),
    prove: seconds('prove', file, out),
    pgo: seconds('pgo', '--quiet', ...growth, '-o', out, '--report', join(folder, 'line.html'), file),
    'one proof': median(Array.from({ length: 3 }, () => proofOf(shape, size))),
  };
}

for (const shape of shapes) {
  process.stdout.write(`${shape}\n${'instructions'.padStart(14)}`);
  for (const step of STEPS) process.stdout.write(`${`${step}, s`.padStart(14)}${'/ n log n'.padStart(10)}`);
  process.stdout.write('\n');
  // So that what is measured first is not slower for being so.
  for (let warm = 0; warm < 3; warm++) proofOf(shape, REFERENCE);
  const start = timesOf(shape, 5);
  const above = (size: number) => {
    const times = timesOf(shape, size);
    return STEPS.map((step) => Math.max(0, times[step] - start[step]));
  };
  const growth = (size: number) => size * Math.log2(size);
  const reference = above(REFERENCE);
  for (const size of sizes) {
    const times = above(size);
    const cells = times.map((time, index) => {
      const ratio = time / growth(size) / (reference[index]! / growth(REFERENCE));
      return `${time.toFixed(2).padStart(14)}${ratio.toFixed(2).padStart(10)}`;
    });
    process.stdout.write(`${String(size).padStart(14)}${cells.join('')}\n`);
  }
}
