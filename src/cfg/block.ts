/** A block of the control-flow graph. */
import type { Addr, InsnCount } from '../base/units.ts';
import type { Evidence } from '../code/discover.ts';
import type { Ending } from '../code/endings.ts';

export interface CfgBlock {
  readonly start: Addr;
  /** First address behind the block. */
  readonly end: Addr;
  /** Address of its last instruction. */
  readonly site: Addr;
  readonly insns: InsnCount;
  readonly count: InsnCount;
  readonly ending: Ending;
  readonly evidence: Evidence;
  /** The target of the last instruction if the code alone tells it (also through the long form of call and jump). */
  readonly target: Addr | undefined;
  /** Calls: the address that the callee returns to. */
  readonly returnPoint: Addr | undefined;
  /** The block ends in a jump that links through another register than ra and t0: control may come back by that register. */
  readonly leavesLink: boolean;
  /**
   * Starts of the blocks that can follow without a call: target and fall-through, the return point of a call, the profiled targets of
   * an indirect jump. Rising, no duplicates. Jumps into other functions (tail calls) are among them.
   */
  readonly flow: readonly Addr[];
  /** False if control may also go to places that `flow` lacks: an unresolved indirect jump, a return, a trap, bytes that do not decode. */
  readonly flowKnown: boolean;
  /**
   * Start of the block behind bytes that do not decode, if control goes on to these bytes: they may be an instruction of an unknown
   * extension, which may change any register. The block is in `flow`, and `flowKnown` is false.
   */
  readonly behindUnknown: Addr | undefined;
  /** Entry of the function that the block belongs to. */
  readonly function: Addr;
}

/** May control go on from a block to bytes that do not decode? An unknown extension's instruction may stand there. */
export const entersUnknown = ({ flowKnown, ending, target }: CfgBlock): boolean =>
  !flowKnown &&
  ending !== 'return' &&
  ending !== 'trap' &&
  !((ending === 'indirect' || ending === 'indirect-call') && target === undefined);
