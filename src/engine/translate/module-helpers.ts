/**
 * Helper functions that a module of regions has of its own, made when they are asked for. An action that regions take rarely but in many
 * places is one direct call there: V8 compiles a direct call about as fast as an addition, a call through a table or an import far more
 * slowly, and V8's time is a good part of the cost of translating.
 */
import type { ModuleBuilder } from '../../base/wasm.ts';
import { Code } from '../../base/wasm-code.ts';
import { I32, I64, type ValueType } from '../../base/wasm-opcodes.ts';
import { emitIncrement } from '../frame.ts';
import { CELL, INTERPRETER_SLOT, REGION_TYPE } from './support.ts';

interface Helper {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly code: (helpers: ModuleHelpers) => Code;
}

const [REGION_PARAMETERS, REGION_RESULTS] = REGION_TYPE;

type HelperName = 'leave' | 'left' | 'returned';

const HELPERS: Readonly<Record<HelperName, Helper>> = {
  /** With a region's parameters: goes on in the interpreter. */
  leave: {
    parameters: REGION_PARAMETERS,
    results: REGION_RESULTS,
    code: ({ regionType }) => new Code(3).get(0).get(1).get(2).i32(INTERPRETER_SLOT).returnCallIndirect(regionType),
  },
  /** With the address of a counter besides: counts, then goes on in the interpreter. */
  left: {
    parameters: [...REGION_PARAMETERS, I32],
    results: REGION_RESULTS,
    code: (helpers) => {
      const code = new Code(4);
      emitIncrement(code, () => code.get(3), 0);
      return code.get(0).get(1).get(2).returnCall(helpers.of('leave'));
    },
  },
  /** (return cell, next) -> 1 if next is the cell's link; then counts the return in the cell, or in the table of jumps if it is new. */
  returned: {
    parameters: [I32, I64],
    results: [I32],
    code: ({ count }) => {
      const code = new Code(2);
      const [cell, next] = [0, 1];
      // Returns that the cell has already.
      for (const other of CELL.OTHERS) {
        code.get(next).get(cell).access('i64.load', other).op('i64.eq');
        code.if();
        emitIncrement(code, () => code.get(cell), other + CELL.COUNT);
        code.i32(1).op('return').end();
      }
      code.get(next).op('i32.wrap_i64').get(cell).access('i32.load', CELL.LINK).op('i32.ne');
      code.if();
      code.i32(0).op('return').end();
      code.get(next).i64(32n).op('i64.shr_u').i64(0n).op('i64.ne');
      code.if();
      const placed = code.block();
      for (const free of [CELL.NEXT, ...CELL.OTHERS]) {
        code.get(cell).access('i64.load', free).op('i64.eqz');
        code.if();
        code.get(cell).get(next).access('i64.store', free).br(placed).end();
      }
      code.end();
      code.get(next).call(count);
      code.end();
      return code.i32(1);
    },
  },
};

export class ModuleHelpers {
  readonly regionType: number;
  /** The imported helper that counts an indirect transfer. */
  readonly count: number;
  readonly #module: ModuleBuilder;
  readonly #made = new Map<HelperName, number>();

  constructor(module: ModuleBuilder, regionType: number, count: number) {
    this.#module = module;
    this.regionType = regionType;
    this.count = count;
  }
  /** The index of a helper. All imports must be declared before the first. */
  of(name: HelperName): number {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const { parameters, results, code } = HELPERS[name];
    const func = this.#module.declare(this.#module.type(parameters, results));
    this.#made.set(name, func);
    this.#module.define(func, code(this));
    return func;
  }
}
