/** The interface of passes, and the one loop that runs them. */
import type { Fuel } from '../base/fuel.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import { checkSuperblock } from './check.ts';
import type { Superblock } from './form.ts';

export interface PassContext {
  readonly fuel: Fuel;
  /** Extensions beyond those of the input that the output may use. */
  readonly extensions?: readonly string[] | undefined;
  /** Extensions that every target machine has; absent: all. Instructions of other extensions do not move above an exit. */
  readonly machine?: ExtensionSet | undefined;
  /** Assumption A8 may be made: memory below the stack pointer is dead. */
  readonly deadFrames?: boolean | undefined;
}

/** A pass works on one superblock and is pure. A pass that changes nothing returns the same object. */
export interface Pass {
  readonly name: string;
  readonly description: string;
  run(superblock: Superblock, context: PassContext): Superblock;
}

/** Runs passes in order, checks the superblock after each change, and calls `observe` with each pass's input and output. */
export function runPasses(
  superblock: Superblock,
  passes: readonly Pass[],
  context: PassContext,
  observe?: (pass: Pass, before: Superblock, after: Superblock) => void,
): Superblock {
  let current = superblock;
  for (const pass of passes) {
    const next = pass.run(current, context);
    if (next !== current) checkSuperblock(next, pass.name, current);
    observe?.(pass, current, next);
    current = next;
  }
  return current;
}
