/** The estimate from counts against the same core fed with every instruction in the order it really ran. */
import { describe, expect, test } from 'vitest';
import { codeOf } from '../../src/code/code.ts';
import { timingOf } from '../../src/cost/core.ts';
import { Pipeline } from '../../src/cost/pipeline.ts';
import { modelledCycles } from '../../src/cost/run.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { attach, runToEvent, serve } from '../../src/engine/execute.ts';
import { createProcess } from '../../src/machine/process.ts';
import { profileRun } from '../../src/pipeline/profile-run.ts';
import { profileOf } from '../../src/profile/store.ts';
import { sample } from '../support/samples.ts';

const STEPS = 40_000;

function followed(name: string): number {
  const { image, input } = sample(name);
  const process = createProcess({ ...input, image, clock: { steady: true } });
  const engine = makeEngine('dispatch', process.memory);
  attach(process, engine);
  const pipeline = new Pipeline();
  const code = codeOf(image);
  for (let left = STEPS; left > 0; ) {
    const pc = Number(process.hart.pc);
    const insn = code.insnAt(pc)!;
    const event = runToEvent(process, engine, 1);
    if (event.kind === 'fault') throw new Error('a fault');
    if (serve(process, event) !== 'continue') break;
    left--;
    pipeline.issue(timingOf(insn));
    if (Number(process.hart.pc) !== pc + insn.size) pipeline.turn();
  }
  return pipeline.cycle;
}

describe.each(['words', 'bytecode'])('%s', (name) => {
  test('from counts, as from the path itself', () => {
    const { image, input } = sample(name);
    const { profile, instructions } = profileRun({ image, input, limitInstructions: STEPS });
    const model = modelledCycles(image, profileOf(profile, image));
    const path = followed(name);
    expect(path).toBeGreaterThan(instructions / 2);
    expect(Math.abs(model.cycles / path - 1)).toBeLessThan(0.01);
    expect(Object.values(model.causes).reduce((sum, each) => sum + each, 0)).toBe(model.cycles);
    expect(model.hotLines).toBeLessThanOrEqual(model.lines);
    expect(model.hotBytes).toBeGreaterThan(0);
  });
});
