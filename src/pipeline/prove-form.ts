/** A proof of an optimized file against its original, from the two files alone. */
import type { Image } from '../elf/image.ts';
import { mapOf, type Proof, type ProveOptions, prove } from '../verify/prove/prove.ts';
import { makeSolver } from '../verify/prove/solver.ts';

/**
 * Proves an optimized file against its original, for all inputs. The solver is used if z3-solver is installed.
 *
 * @throws unsupported if the file was not made by isoform or has another original; bad-elf if its address map is damaged
 */
export function proveForm(original: Image, optimized: Image, options: ProveOptions = {}): Proof {
  return prove(original, optimized, mapOf(original, optimized), { solver: makeSolver(), ...options });
}
