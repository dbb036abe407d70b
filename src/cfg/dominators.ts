/** Dominators are not only for graphs of whole programs; see base/dominators. */
export { type Dominators, dominatorsOf, type FlowGraph } from '../base/dominators.ts';
