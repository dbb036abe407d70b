/**
 * Instructions against qemu-riscv64, as many as wanted:
 *
 *     node test/run.mjs campaign/insns --engine basic --count 1000000 --seed 1 [--dump-every 16] [--rows]
 *
 * Prints the seed and a score; on a difference, where it is, and exits 1.
 */
import { parseArgs } from 'node:util';
import { makeEngine } from '../../src/engine/engines.ts';
import { runCampaign } from '../support/insn-campaign.ts';
import { TESTED_ROWS } from '../support/random-insns.ts';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'basic' },
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    'dump-every': { type: 'string', default: '16' },
    rows: { type: 'boolean', default: false },
  },
});
const engine = values.engine;
const count = Number(values.count);
const seed = Number(values.seed);
console.log(`seed ${seed}`);
let shown = 0;
const { tested, mismatch, rows } = runCampaign((memory) => makeEngine(engine, memory), {
  count,
  seed,
  dumpEvery: Number(values['dump-every']),
  progress(done) {
    if (done - shown < 100_000) return;
    shown = done;
    console.error(`${done} instructions`);
  },
});
if (values.rows) for (const [name, times] of [...rows].sort((a, b) => a[1] - b[1])) console.log(`${times}\t${name}`);
const missed = TESTED_ROWS.filter(({ name }) => !rows.has(name)).length;
if (mismatch !== undefined) console.log(mismatch);
console.log(
  `${engine}: ${tested} instructions, ${TESTED_ROWS.length - missed} of ${TESTED_ROWS.length} rows, ${mismatch === undefined ? 'no mismatch' : 'MISMATCH'}`,
);
process.exitCode = mismatch === undefined ? 0 : 1;
