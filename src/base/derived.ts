/**
 * Facts that follow from an object: found when first asked for, and kept as long as the object is. An image's facts together are its
 * analysis (its decoded code, constants, graph, liveness, tables, entries); graphs and superblocks have facts, too. All users of one
 * object share one answer, so that what the optimizer and the prover know of an image is the same.
 */
import { internal } from './errors.ts';

const FINDING = Symbol('finding');

/**
 * A function that gives a fact about an object.
 * @param name what the fact is, for the message
 * @param find must depend on the object alone. If it asks for its own fact, that is an internal error: the fact would have no answer.
 */
export function derived<Of extends object, T>(name: string, find: (of: Of) => T): (of: Of) => T {
  const known = new WeakMap<Of, T | typeof FINDING>();
  return (of) => {
    const kept = known.get(of);
    if (kept === FINDING) throw internal(`${name} is asked for while it is being found`);
    if (kept !== undefined || known.has(of)) return kept as T;
    known.set(of, FINDING);
    try {
      const found = find(of);
      known.set(of, found);
      return found;
    } catch (error) {
      known.delete(of);
      throw error;
    }
  };
}
