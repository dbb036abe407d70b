/**
 * A profile: exact counts of every control transfer, keyed by image and original address within it. Counts of blocks and edges
 * follow from the profile by flow (profile/blocks.ts): a block is entered by the starts there, by transfers and by falling into it.
 */
import type { Addr, InsnCount } from '../base/units.ts';
import type { EdgeKind } from '../code/endings.ts';
import type { Other } from '../machine/others.ts';

/** Where a transfer leads that leaves the image. */
export const OUTSIDE = 'outside';
export type Destination = Addr | typeof OUTSIDE;

/** Orders destinations: addresses rising, then the outside. */
export function compareDestinations(a: Destination, b: Destination): number {
  if (a === OUTSIDE || b === OUTSIDE) return Number(a === OUTSIDE) - Number(b === OUTSIDE);
  return a - b;
}

/** One transfer site's outcome. Addresses are as linked (p_vaddr). */
export interface TransferCount {
  readonly from: Addr;
  readonly to: Destination;
  readonly count: InsnCount;
}

export interface ImageProfile {
  /** SHA-256 of the file, hex. */
  readonly hash: string;
  /** Base name of the file, for messages. */
  readonly name: string;
  /** Control begins here from outside the code: the entry point, signal handlers, returns from them. */
  readonly starts: readonly { readonly at: Addr; readonly count: InsnCount }[];
  /** Control ends here: `at` is the next instruction, which did not run (behind the exiting ecall; the faulting instruction). */
  readonly stops: readonly { readonly at: Addr; readonly count: InsnCount }[];
  /** Sorted by from, then to. */
  readonly transfers: readonly TransferCount[];
  /** Other parties with access to the program's memory in any of the runs; in the order of OTHERS. */
  readonly others: readonly Other[];
}

export interface Profile {
  /** Number of runs summed up in it. */
  readonly runs: number;
  /** Instructions retired in all of them. */
  readonly instructions: InsnCount;
  readonly images: readonly ImageProfile[];
}

/** A basic block of the original code with its exact count. Blocks do not overlap. */
export interface ProfiledBlock {
  readonly start: Addr;
  /** First address behind it. */
  readonly end: Addr;
  readonly insns: InsnCount;
  readonly count: InsnCount;
}

/** A control transfer between two blocks. `from` is the source block's start, `site` its last instruction. */
export interface ProfiledEdge {
  readonly from: Addr;
  readonly site: Addr;
  readonly to: Destination;
  readonly kind: EdgeKind;
  readonly count: InsnCount;
}
