/** Parts that the generated modules of all predecoding engines share. */

import { setFlags, setFlagsLater, V8_VERSION } from '../base/v8.ts';
import type { ModuleBuilder } from '../base/wasm.ts';
import { I32, I64 } from '../base/wasm-opcodes.ts';
import { ExactFunctions } from '../domain/wasm-exact.ts';
import { HART } from '../machine/hart.ts';
import type { Imports, Places } from './core.ts';
import { EXIT, emitEnterRun, type Frame, type Layout } from './frame.ts';
import { RECORD, ROUTINE } from './records.ts';
import type { Routines } from './routines.ts';

/** Parameters and results of the host functions of Imports. */
export const HOST_TYPES = {
  float: [[I32, I32, I64, I64, I64], [I64]],
  counter: [[I32, I32, I32], [I64]],
} as const;

/** Declares the imports. @returns all places and functions that routines need */
export function importAll(module: ModuleBuilder, places: Places, imports: Imports): Layout {
  module.importMemory(imports.memory.buffer.byteLength / 65536);
  const float = module.importFunction('float', module.type(...HOST_TYPES.float));
  const counter = module.importFunction('counter', module.type(...HOST_TYPES.counter));
  const exact = new ExactFunctions(module, float, places.hart + HART.FFLAGS);
  return { ...places, float: (op) => exact.of(op), counter };
}

let prepared = false;
/**
 * Makes V8 heed branch hints in regions (V8 14 and later heed them anyway), and keeps V8 13 and later from inlining functions: V8 inlines
 * by counts of its baseline compiler and aborts where that compiler has not run. The flag against inlining must be set before the first
 * module is compiled: in later instances V8 makes no room for the counts of code that was compiled before.
 */
export function prepareV8(): void {
  if (prepared) return;
  prepared = true;
  if (V8_VERSION < 14) setFlagsLater('experimental-wasm-branch-hinting');
  if (V8_VERSION >= 13) setFlags('no-wasm-inlining');
  // This flag follows from no-wasm-inlining only if the latter is given when Node is started.
  if (V8_VERSION >= 14) setFlags('no-wasm-inlining-call-indirect');
}

/** Modules by all that they depend on. A second run in one process so starts with code that V8 has optimized already. */
const modules = new Map<string, WebAssembly.Module>();
/** Programs have few sets of routines; random ones have many. */
const MODULES_KEPT = 8;

/**
 * The module for these routines and places, made now or before.
 * @param engine name of the engine that the module belongs to
 */
export function moduleFor(
  engine: string,
  routines: Routines,
  places: Places,
  imports: Imports,
  make: () => ModuleBuilder,
): WebAssembly.Module {
  const key = JSON.stringify([engine, places, imports.memory.buffer.byteLength, routines.keys]);
  let module = modules.get(key);
  if (module === undefined) {
    prepareV8();
    module = new WebAssembly.Module(make().bytes());
    const [oldest] = modules.keys();
    if (modules.size >= MODULES_KEPT && oldest !== undefined) modules.delete(oldest);
    modules.set(key, module);
  }
  return module;
}

/** Emits a routine that is no instruction. */
export function emitSpecial(frame: Frame, routine: number): void {
  const { code, record, leave } = frame;
  switch (routine) {
    case ROUTINE.STOP:
      leave(EXIT.STOP);
      break;
    case ROUTINE.ILLEGAL:
      leave(EXIT.ILLEGAL);
      break;
    case ROUTINE.FORWARD:
      code.get(record).access('i32.load', RECORD.TARGET).set(record);
      emitEnterRun(frame);
      break;
    default:
      leave(EXIT.DECODE);
  }
}
