/** The engines by name. */
import { badOption } from '../base/errors.ts';
import type { Memory } from '../machine/memory.ts';
import { makeBasic } from './basic.ts';
import { makeDispatch } from './dispatch.ts';
import type { Engine } from './engine.ts';
import { makeLockstep } from './lockstep.ts';
import { makeThreaded } from './threaded.ts';
import { makeTranslate } from './translate.ts';

type Maker = (memory: Memory) => Engine;

const MAKERS: Readonly<Record<string, Maker>> = {
  basic: makeBasic,
  dispatch: makeDispatch,
  threaded: makeThreaded,
  translate: makeTranslate,
};
/** Forms of engines that only tests and measurements ask for. */
const FORMS: Readonly<Record<string, Maker>> = {
  'translate-soon': (memory) => makeTranslate(memory, { threshold: 1, batch: 1 }),
  'translate-uncounted': (memory) => makeTranslate(memory, { counting: false }),
};

/** The engines there are; `makeEngine` also knows `lockstep` and `lockstep:FIRST,SECOND`, two of them side by side. */
export const ENGINES: readonly string[] = Object.keys(MAKERS);

const LOCKSTEP = 'lockstep';
const PAIR = ['basic', 'threaded'] as const;

/**
 * @param name one of ENGINES, or a pair: `lockstep` (basic, threaded) or `lockstep:FIRST,SECOND`
 * @param memory the memory of every hart that this engine will run
 * @throws badOption if there is no such engine
 */
export function makeEngine(name: string, memory: Memory): Engine {
  if (name === LOCKSTEP || name.startsWith(`${LOCKSTEP}:`)) {
    const pair = name === LOCKSTEP ? PAIR : name.slice(LOCKSTEP.length + 1).split(',');
    if (pair.length !== 2) throw badOption(`${name}: two engines run in lockstep`, 'as in lockstep:basic,threaded');
    const [first, second] = pair.map(makerOf) as [Maker, Maker];
    return makeLockstep(memory, first, second);
  }
  return makerOf(name)(memory);
}

function makerOf(name: string): Maker {
  if (Object.hasOwn(FORMS, name)) return FORMS[name]!;
  if (!Object.hasOwn(MAKERS, name))
    throw badOption(`no engine is named ${name}`, `use one of ${ENGINES.join(', ')}, ${LOCKSTEP}`);
  return MAKERS[name]!;
}
