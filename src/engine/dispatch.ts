/**
 * The dispatching engine: one generated function, a loop around a br_table over the routine of the record at hand.
 */
import { ModuleBuilder } from '../base/wasm.ts';
import { Code, type Label } from '../base/wasm-code.ts';
import { I32, type ValueType } from '../base/wasm-opcodes.ts';
import { LocalPool } from '../domain/wasm.ts';
import type { Memory } from '../machine/memory.ts';
import { EXIT_BUDGET, EXIT_RECORD, type Imports, type Places, type RunCode } from './core.ts';
import type { Engine } from './engine.ts';
import type { Frame } from './frame.ts';
import { emitSpecial, importAll, moduleFor } from './generate.ts';
import { RecordEngine } from './record-engine.ts';
import { RECORD, ROUTINE } from './records.ts';
import { emitRoutine } from './routine.ts';
import type { Routines } from './routines.ts';

const RUN: readonly [ValueType[], ValueType[]] = [[I32, I32], [I32]];

function build(routines: Routines, places: Places, imports: Imports): ModuleBuilder {
  const module = new ModuleBuilder();
  const layout = importAll(module, places, imports);
  const run = module.declare(module.type(...RUN));
  const code = new Code(2);
  const record = 0;
  const budget = 1;
  const exitLocal = code.local(I32);

  // block $exit { loop $next { block $last { ... block $first { br_table } first } ... last } }
  const exit = code.block();
  const next = code.loop();
  const frame: Frame = {
    code,
    pool: new LocalPool(code),
    record,
    budget,
    next: () => void code.br(next),
    leave: (why) => void code.i32(why).set(exitLocal).br(exit),
  };
  const count = routines.end;
  const labels: Label[] = [];
  for (let i = 0; i < count; i++) labels.push(code.block());
  labels.reverse();
  code.get(record).access('i32.load16_u', RECORD.ROUTINE).brTable(labels, labels[0]!);
  for (let routine = 0; routine < count; routine++) {
    code.end();
    if (routine < ROUTINE.FIRST) emitSpecial(frame, routine);
    else emitRoutine(frame, layout, routines.variants[routine - ROUTINE.FIRST]!);
  }
  code.op('unreachable').end().end();
  code.i32(places.hart).get(record).access('i32.store', EXIT_RECORD);
  code.i32(places.hart).get(budget).access('i32.store', EXIT_BUDGET);
  code.get(exitLocal);
  module.define(run, code);
  module.export('run', run);
  return module;
}

function generate(routines: Routines, places: Places, imports: Imports): RunCode {
  const module = moduleFor('dispatch', routines, places, imports, () => build(routines, places, imports));
  return new WebAssembly.Instance(module, { m: { ...imports } }).exports.run;
}

/** @param memory the memory of every hart that this engine will run */
export const makeDispatch = (memory: Memory): Engine => new RecordEngine('dispatch', memory, generate);
