/** The engines by name. */
import { badOption } from '../base/errors.ts';
import type { Memory } from '../machine/memory.ts';
import { makeBasic } from './basic.ts';
import { makeDispatch } from './dispatch.ts';
import type { Engine } from './engine.ts';
import { makeLockstep } from './lockstep.ts';
import { makeThreaded } from './threaded.ts';
import type { Kept } from './translate/kept.ts';
import { makeTranslate } from './translate.ts';

export interface EngineOptions {
  /** Are the transfers wanted? Default: yes. If not, an engine that counts at a cost does not count; other engines count all the same. */
  readonly counting?: boolean;
  /** The result of `keep` from a run of the same program with the same options. */
  readonly kept?: Kept | undefined;
}

type Maker = (memory: Memory, options: EngineOptions) => Engine;

const MAKERS: Readonly<Record<string, Maker>> = {
  basic: makeBasic,
  dispatch: makeDispatch,
  threaded: makeThreaded,
  translate: (memory, { counting = true, kept }) => makeTranslate(memory, { counting }, kept),
};
/** Forms of engines that only tests ask for. */
const FORMS: Readonly<Record<string, Maker>> = {
  'translate-soon': (memory, { kept }) =>
    makeTranslate(memory, { threshold: 1, batch: 1, pace: 0, mostRegions: 1000 }, kept),
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
export function makeEngine(name: string, memory: Memory, options: EngineOptions = {}): Engine {
  if (name === LOCKSTEP || name.startsWith(`${LOCKSTEP}:`)) {
    const pair = name === LOCKSTEP ? PAIR : name.slice(LOCKSTEP.length + 1).split(',');
    if (pair.length !== 2) throw badOption(`${name}: two engines run in lockstep`, 'as in lockstep:basic,threaded');
    const [first, second] = pair.map(makerOf) as [Maker, Maker];
    return makeLockstep(
      memory,
      (own) => first(own, options),
      (own) => second(own, options),
    );
  }
  return makerOf(name)(memory, options);
}

function makerOf(name: string): Maker {
  if (Object.hasOwn(FORMS, name)) return FORMS[name]!;
  if (!Object.hasOwn(MAKERS, name))
    throw badOption(`no engine is named ${name}`, `use one of ${ENGINES.join(', ')}, ${LOCKSTEP}`);
  return MAKERS[name]!;
}
