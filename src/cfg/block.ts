/** A block of the control-flow graph. */
import type { Addr, InsnCount } from '../base/units.ts';
import type { Ending } from '../profile/flow.ts';
import type { Evidence } from './discover.ts';

export interface CfgBlock {
  readonly start: Addr;
  /** First address behind it. */
  readonly end: Addr;
  /** Address of its last instruction. */
  readonly site: Addr;
  readonly insns: InsnCount;
  readonly count: InsnCount;
  readonly ending: Ending;
  readonly evidence: Evidence;
  /** Where its last instruction leads when that is known from the code alone (also through the long form of call and jump). */
  readonly target: Addr | undefined;
  /** Calls: where the callee returns to. */
  readonly returnPoint: Addr | undefined;
  /** A jump that leaves the address behind it in another register than ra and t0: control may come back there, by whoever knows that. */
  readonly leavesLink: boolean;
  /**
   * Starts of the blocks that can follow without a call: target and fall-through, the return point of a call, the profiled targets of
   * an indirect jump. Rising, no duplicates. Jumps into other functions (tail calls) are among them.
   */
  readonly flow: readonly Addr[];
  /** False when control may also go where `flow` does not tell: an unresolved indirect jump, a return, bytes that are no instruction. */
  readonly flowKnown: boolean;
  /** Entry of the function it belongs to. */
  readonly function: Addr;
}
