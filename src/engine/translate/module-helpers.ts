/**
 * Helper functions that a module of regions has of its own, those that are asked for. What regions do rarely but in many places is one
 * direct call there: V8 takes about as long for a call as for an addition, but far longer for a call through a table or an import, and
 * V8's time is a good part of what translating costs.
 */
import { Code, I32, I64, type ModuleBuilder, type ValueType } from '../../base/wasm.ts';
import { CELL, emitIncrement, INTERPRETER_SLOT, REGION_TYPE } from './support.ts';

interface Helper {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly code: (helpers: ModuleHelpers) => Code;
}

const [REGION_PARAMETERS, REGION_RESULTS] = REGION_TYPE;

type HelperName = 'leave' | 'left' | 'returned';

const HELPERS: Readonly<Record<HelperName, Helper>> = {
  /** A region's parameters: goes on in the interpreter. */
  leave: {
    parameters: REGION_PARAMETERS,
    results: REGION_RESULTS,
    code: ({ regionType }) => new Code(3).get(0).get(1).get(2).i32(INTERPRETER_SLOT).returnCallIndirect(regionType),
  },
  /** And a counter: counts there first. */
  left: {
    parameters: [...REGION_PARAMETERS, I32],
    results: REGION_RESULTS,
    code: (helpers) => {
      const code = new Code(4);
      emitIncrement(code, () => code.get(3), 0);
      return code.get(0).get(1).get(2).returnCall(helpers.of('leave'));
    },
  },
  /** (return cell, next) -> 1 if next is the cell's link; then it is counted, in the cell if it has been there before or there is room. */
  returned: {
    parameters: [I32, I64],
    results: [I32],
    code: ({ count }) => {
      const code = new Code(2);
      const [cell, next] = [0, 1];
      // What the cell has come to its link before.
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
  /** The imported helper that counts. */
  readonly count: number;
  readonly #module: ModuleBuilder;
  readonly #made = new Map<HelperName, number>();

  constructor(module: ModuleBuilder, regionType: number, count: number) {
    this.#module = module;
    this.regionType = regionType;
    this.count = count;
  }
  /** The index of a helper. All imports come before the first. */
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
