/**
 * The threaded engine: one generated function a routine, in a table; each ends by tail-calling the routine of the next record
 * (Bell, "Threaded code", 1973). The state that is not in memory, record and budget, is in the parameters.
 */
import { ModuleBuilder } from '../base/wasm.ts';
import { Code } from '../base/wasm-code.ts';
import { I32 } from '../base/wasm-opcodes.ts';
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

function build(routines: Routines, places: Places, imports: Imports): ModuleBuilder {
  const module = new ModuleBuilder();
  const layout = importAll(module, places, imports);
  const count = routines.end;
  module.importTable(count);
  const type = module.type([I32, I32], [I32]);
  const functions = Array.from({ length: count }, () => module.declare(type));

  const begin = (): Frame => {
    const code = new Code(2);
    const record = 0;
    const budget = 1;
    return {
      code,
      pool: new LocalPool(code),
      record,
      budget,
      next: () => {
        code.get(record).get(budget).get(record).access('i32.load16_u', RECORD.ROUTINE);
        code.returnCallIndirect(type);
      },
      leave: (why) => {
        code.i32(places.hart).get(record).access('i32.store', EXIT_RECORD);
        code.i32(places.hart).get(budget).access('i32.store', EXIT_BUDGET);
        code.i32(why).op('return');
      },
    };
  };
  for (const [routine, func] of functions.entries()) {
    const frame = begin();
    if (routine < ROUTINE.FIRST) emitSpecial(frame, routine);
    else emitRoutine(frame, layout, routines.variants[routine - ROUTINE.FIRST]!);
    // Every path has left by now; `unreachable` tells the validator.
    frame.code.op('unreachable');
    module.define(func, frame.code);
  }
  const enter = begin();
  enter.next();
  const run = module.declare(type);
  module.define(run, enter.code);
  module.export('run', run);
  module.elements(0, functions);
  return module;
}

function generate(routines: Routines, places: Places, imports: Imports): RunCode {
  const module = moduleFor('threaded', routines, places, imports, () => build(routines, places, imports));
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: routines.end, maximum: routines.end });
  return new WebAssembly.Instance(module, { m: { ...imports, table } }).exports.run;
}

/** @param memory the memory of every hart that this engine will run */
export const makeThreaded = (memory: Memory): Engine => new RecordEngine('threaded', memory, generate);
