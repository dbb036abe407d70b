/** The engines by name. */
import { badOption } from '../base/errors.ts';
import type { Memory } from '../machine/memory.ts';
import { makeBasic } from './basic.ts';
import { makeDispatch } from './dispatch.ts';
import type { Engine } from './engine.ts';
import { makeThreaded } from './threaded.ts';

const MAKERS: Readonly<Record<string, (memory: Memory) => Engine>> = {
  basic: makeBasic,
  dispatch: makeDispatch,
  threaded: makeThreaded,
};

/** Names that `makeEngine` knows. */
export const ENGINES: readonly string[] = Object.keys(MAKERS);

/**
 * @param name one of ENGINES
 * @param memory the memory of every hart that this engine will run
 * @throws badOption if there is no such engine
 */
export function makeEngine(name: string, memory: Memory): Engine {
  if (!Object.hasOwn(MAKERS, name)) throw badOption(`no engine is named ${name}`, `use one of ${ENGINES.join(', ')}`);
  return MAKERS[name](memory);
}
