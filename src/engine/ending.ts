/** How instructions end a run, found from their rows: by the control effect that a row asks of its step. */
import type { Domain, Row, Step } from '../isa/row.ts';

/** `none`: control goes on with the instruction behind, in the same run. */
export type Ending = 'none' | 'branch' | 'goto' | 'jump' | 'ecall' | 'ebreak' | 'fence.i';

const nothing = (): null => null;
/** A domain or a step whose values are all null; every operation that is not named returns null. */
const anything = <T extends object>(named: Partial<T>): T =>
  new Proxy(named as T, { get: (target, name) => Reflect.get(target, name) ?? nothing });

const endings = new Map<Row, Ending>();

/** How a row's instructions end a run. */
export function endingOf(row: Row): Ending {
  let ending = endings.get(row);
  if (ending === undefined) {
    let found: Ending = 'none';
    const ends = (how: Ending) => () => {
      found = how;
    };
    const step = anything<Step<null>>({
      branch: ends('branch'),
      goto: ends('goto'),
      jump: ends('jump'),
      ecall: ends('ecall'),
      ebreak: ends('ebreak'),
      fenceI: ends('fence.i'),
    });
    row.semantics(step, anything<Domain<null>>({}));
    ending = found;
    endings.set(row, ending);
  }
  return ending;
}
