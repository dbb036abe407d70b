/** The interface of passes, and the one loop that runs them. */
import { derived } from '../base/derived.ts';
import type { Fuel } from '../base/fuel.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import { checkSuperblock } from './check.ts';
import type { Superblock } from './form.ts';
import { makeTerms, type SuperblockTerms } from './terms.ts';

/** What passes may do, the same in all of a run. */
export interface PassOptions {
  readonly fuel: Fuel;
  /** Extensions beyond those of the input that the output may use. */
  readonly extensions?: readonly string[] | undefined;
  /** Extensions that every target machine has; absent: all. Instructions of other extensions do not move above an exit. */
  readonly machine?: ExtensionSet | undefined;
  /** Assumption A8 may be made: memory below the stack pointer is dead. */
  readonly deadFrames?: boolean | undefined;
}

export interface PassContext extends PassOptions {
  /** A superblock's terms. Most passes change nothing, and the next pass gets the same superblock and its terms. */
  termsOf(superblock: Superblock): SuperblockTerms;
  /** Asks for fuel for one rewrite of the superblock by the pass that is running. False: the superblock stays as it is. */
  spend(): boolean;
}

/** A pass works on one superblock and is pure. A pass that changes nothing returns the same object. */
export interface Pass {
  readonly name: string;
  readonly description: string;
  /** The pass changes control transfers only, and the identity form gets it too: without it that form would cost more than the original. */
  readonly transfersOnly?: boolean;
  /** Can the pass find anything to do under these options? Absent: under all. A pass that does not apply is not among those of a run. */
  applies?(options: PassOptions): boolean;
  run(superblock: Superblock, context: PassContext): Superblock;
}

/** Those of the passes that apply under some options. */
export const applicable = (passes: readonly Pass[], options: PassOptions): readonly Pass[] =>
  passes.filter((pass) => pass.applies?.(options) ?? true);

/**
 * Runs passes in order, checks the superblock after each change, and calls `observe` with each pass's input and output. Terms are kept for
 * the run only: superblocks live until the output is proved, and their terms would take a quarter of the memory.
 */
export function runPasses(
  superblock: Superblock,
  passes: readonly Pass[],
  options: PassOptions,
  observe?: (pass: Pass, before: Superblock, after: Superblock) => void,
): Superblock {
  const termsOf = derived('terms', makeTerms);
  let current = superblock;
  for (const pass of passes) {
    const spend = () => options.fuel.spend(pass.name, superblock.head);
    const next = pass.run(current, { ...options, termsOf, spend });
    if (next !== current) checkSuperblock(next, pass.name, current);
    observe?.(pass, current, next);
    current = next;
  }
  return current;
}
