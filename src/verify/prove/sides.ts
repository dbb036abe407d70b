/** What proofs of single pieces of optimized code are made from. */
import type { Addr } from '../../base/units.ts';
import type { Liveness } from '../../cfg/liveness.ts';
import type { Saves } from '../../cfg/saves.ts';
import type { InsnSource } from '../../isa/row.ts';
import type { Machine } from './extensions.ts';
import type { OptimizedCode } from './paths.ts';
import type { Spaces } from './spaces.ts';

/** The inputs of proofs: both files' instructions, the map, and liveness in the original. */
export interface Sides extends OptimizedCode {
  readonly original: InsnSource;
  readonly relocatable: boolean;
  /** Liveness in the original, under assumption A1; undefined if A1 may not be made. */
  readonly liveness: Liveness | undefined;
  /** The original's stores that save registers, where assumption A3 may be made. */
  readonly saves?: Saves | undefined;
  /** Assumption A11 may not be made: others may look and write between two accesses. */
  readonly watched?: boolean | undefined;
  /** Assumption A4 may be made. */
  readonly jumpTables: boolean;
  /** Assumption A8 may be made. */
  readonly deadFrames: boolean;
  /** The machine's extensions; absent: all. */
  readonly machine?: Machine | undefined;
  /** Where both forms run, when states are tried on them; absent: in spaces made for one search. No proof depends on it. */
  readonly spaces?: Spaces | undefined;
}

/** A piece of optimized code and the original address that it stands for. */
export interface Entry {
  readonly head: Addr;
  readonly start: Addr;
  /** The piece's first address is no exit before its first instruction. */
  readonly first: boolean;
  /** The piece must do at least one original instruction (else the transfer to it was one), lest two places lead to each other for ever. */
  readonly progress: boolean;
}
