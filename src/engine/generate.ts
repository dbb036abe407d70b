/** What the generated modules of both predecoding engines share. */
import { I32, I64, type ModuleBuilder } from '../base/wasm.ts';
import { ExactFunctions } from '../domain/wasm-exact.ts';
import { HART } from '../machine/hart.ts';
import type { Imports, Places } from './record-engine.ts';
import { RECORD, ROUTINE } from './records.ts';
import { EXIT, emitEnterRun, type Frame, type Layout } from './routine.ts';

/** Declares the imports. @returns everything that routines need */
export function importAll(module: ModuleBuilder, places: Places, imports: Imports): Layout {
  module.importMemory(imports.memory.buffer.byteLength / 65536);
  const float = module.importFunction('float', module.type([I32, I32, I64, I64, I64], [I64]));
  const counter = module.importFunction('counter', module.type([I32, I32, I32], [I64]));
  const exact = new ExactFunctions(module, float, places.hart + HART.FFLAGS);
  return { ...places, float: (op) => exact.of(op), counter };
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
