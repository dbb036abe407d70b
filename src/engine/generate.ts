/** What the generated modules of both predecoding engines share. */
import { I32, I64, type ModuleBuilder } from '../base/wasm.ts';
import type { Imports } from './record-engine.ts';
import { RECORD, ROUTINE } from './records.ts';
import { EXIT, emitEnterRun, type Frame, type Layout } from './routine.ts';

/** Declares the imports. @returns the functions among them */
export function importAll(module: ModuleBuilder, imports: Imports): Pick<Layout, 'float' | 'counter'> {
  module.importMemory(imports.memory.buffer.byteLength / 65536);
  const float = module.importFunction('float', module.type([I32, I32, I64, I64, I64], [I64]));
  const counter = module.importFunction('counter', module.type([I32, I32, I32], [I64]));
  return { float: () => float, counter };
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
