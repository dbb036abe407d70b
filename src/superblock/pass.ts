/** What a pass is, and the one loop that runs them. */
import type { Fuel } from '../base/fuel.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import { checkSuperblock } from './check.ts';
import type { Superblock } from './form.ts';

export interface PassContext {
  readonly fuel: Fuel;
  /** Extensions beyond those of the input that the output may use. */
  readonly extensions?: readonly string[] | undefined;
  /** What every machine has that the output runs on; absent: everything. Other instructions run on no way that they did not run on before. */
  readonly machine?: ExtensionSet | undefined;
  /** Assumption A8 may be made: nobody looks below the stack pointer. */
  readonly deadFrames?: boolean | undefined;
}

/** A pass works on one superblock and is pure. The same object back means unchanged. */
export interface Pass {
  readonly name: string;
  readonly description: string;
  run(superblock: Superblock, context: PassContext): Superblock;
}

/** Runs passes in order, checks after each, and calls `observe` with what each made of the superblock. */
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
