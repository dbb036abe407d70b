/** How instructions end a run, from their rows: which of a step's effects that move control a row asks for. */
import type { Domain, Row, Step } from '../isa/row.ts';

/** `none`: goes on with the instruction behind, in the same run. */
export type Ending = 'none' | 'branch' | 'goto' | 'jump' | 'ecall' | 'ebreak' | 'fence.i';

const nothing = (): null => null;
/** A domain and a step whose values are nothing; every operation that is not named just gives nothing. */
const anything = <T extends object>(named: Partial<T>): T =>
  new Proxy(named as T, { get: (target, name) => Reflect.get(target, name) ?? nothing });

const endings = new Map<Row, Ending>();

/** How a row ends. */
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
