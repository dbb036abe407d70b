/** What the generated modules of both predecoding engines share. */

import { setFlags, setFlagsLater, V8_VERSION } from '../base/v8.ts';
import { I32, I64, type ModuleBuilder } from '../base/wasm.ts';
import { ExactFunctions } from '../domain/wasm-exact.ts';
import { HART } from '../machine/hart.ts';
import type { Imports, Places } from './record-engine.ts';
import { RECORD, ROUTINE } from './records.ts';
import { EXIT, emitEnterRun, type Frame, type Layout } from './routine.ts';
import type { Routines } from './routines.ts';

/** Parameters and results of the host functions of Imports. */
export const HOST_TYPES = {
  float: [[I32, I32, I64, I64, I64], [I64]],
  counter: [[I32, I32, I32], [I64]],
} as const;

/** Declares the imports. @returns everything that routines need */
export function importAll(module: ModuleBuilder, places: Places, imports: Imports): Layout {
  module.importMemory(imports.memory.buffer.byteLength / 65536);
  const float = module.importFunction('float', module.type(...HOST_TYPES.float));
  const counter = module.importFunction('counter', module.type(...HOST_TYPES.counter));
  const exact = new ExactFunctions(module, float, places.hart + HART.FFLAGS);
  return { ...places, float: (op) => exact.of(op), counter };
}

let prepared = false;
/**
 * Makes V8 heed hints of branches in regions, which from version 14 on it does anyway; and inline no functions, which from version 13 on it
 * would by what its first compiler has counted: it aborts where that has not run. The latter not later than the first module is compiled:
 * V8 makes no room for what that code counts in instances that come later.
 */
export function prepareV8(): void {
  if (prepared) return;
  prepared = true;
  if (V8_VERSION < 14) setFlagsLater('experimental-wasm-branch-hinting');
  if (V8_VERSION >= 13) setFlags('no-wasm-inlining');
  // Follows from the other only where that is given when Node is started.
  if (V8_VERSION >= 14) setFlags('no-wasm-inlining-call-indirect');
}

/** Modules by what they depend on. A second run in one process so starts with code that V8 has optimized already. */
const modules = new Map<string, WebAssembly.Module>();
/** Programs have few sets of routines; random ones have many. */
const MODULES_KEPT = 8;

/**
 * The module for these routines and places: made, or made before.
 * @param engine whose it is
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

/** The routines that are no instruction. */
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
