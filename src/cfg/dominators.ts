/** Dominators are not only for graphs of whole programs; see base/dominators. */
export { type Dominators, dominatorsOf } from '../base/dominators.ts';
