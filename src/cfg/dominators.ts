/** Dominators for this floor; base/dominators.ts computes them, since other graphs need them too. */
export { type Dominators, dominatorsOf } from '../base/dominators.ts';
