/**
 * The code behind calls: has control come to the link, and from which instruction? Where nothing is counted, only the former matters.
 *
 * Transfers are counted by both of their ends, and functions have several returns. A return cell expects the first return that comes to its
 * link: the count of that return follows from other counts of the region. A few more returns have counters in the cell; all others are
 * counted in the table of jumps.
 */
import type { Addr } from '../../base/units.ts';
import type { Code } from '../../base/wasm-code.ts';
import { emitIncrement } from '../frame.ts';
import { CELL } from './support.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Emits the code behind a call: the region returns in turn unless control has come to the link.
 * @param next local: the `next` that the call returned
 * @param counts emit the counting of the return that the cell expects, and of all others
 */
export function emitComeBack(
  code: Code,
  { counters, locals, returnsVary }: Surroundings,
  from: Addr,
  link: Addr,
  next: number,
  budget: number,
  counts: { back(): void; otherwise(): void },
): void {
  const leave = () => code.get(next).get(budget).op('return').end();
  if (!counters.counting) {
    code.get(next).op('i32.wrap_i64').i32(link).op('i32.ne');
    code.if(undefined, false);
    leave();
    return;
  }
  const cell = counters.returnCell(from, link);
  const ifExpected = (where: number) => {
    code.get(next).i32(where).access('i64.load', 0).op('i64.eq');
    code.if(undefined, true);
  };
  ifExpected(cell + CELL.NEXT);
  counts.back();
  code.else();
  const [other] = CELL.OTHERS;
  const several = returnsVary(link);
  if (several) {
    ifExpected(cell + other);
    emitIncrement(code, () => code.i32(cell + other + CELL.COUNT), 0);
    code.else();
  }
  code.i32(cell).get(next).call(locals.of('returned')).op('i32.eqz');
  code.if();
  leave();
  if (several) code.end();
  counts.otherwise();
  code.end();
}
