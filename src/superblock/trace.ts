/** Traces: paths of blocks that become superblocks, and where control leaves them. */
import { type Addr, type InsnCount, isLink } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { reservationHalf } from '../domain/reservations.ts';
import type { Control, Insn, InsnSource } from '../isa/row.ts';
import { OUTSIDE } from '../profile/profile.ts';
import { type Flow, type FlowBlock, staysBehind } from './flow.ts';

/** The transfer from a block to the next block of its trace. */
export type Follow =
  /** Falls into the next block, also past a branch that is not taken. */
  | 'fall'
  | 'taken'
  | 'jump'
  /** Into the callee of a direct call that is inlined. */
  | 'call'
  /** Out of an inlined callee, to its return point. */
  | 'return'
  /** An indirect jump to its hottest profiled target, which a guard checks. */
  | 'guard';

export interface TraceStep {
  readonly block: FlowBlock;
  /** The transfer to the next step; undefined for the last step. */
  readonly follow: Follow | undefined;
}

export interface Trace {
  readonly head: Addr;
  readonly steps: readonly TraceStep[];
  /** goto: control goes on to the target. call, indirect: the last block's own call or indirect jump is performed. */
  readonly end:
    | { readonly kind: 'goto'; readonly target: Addr }
    | { readonly kind: 'call' }
    | { readonly kind: 'indirect' };
  /** Why the trace goes no further, as a clause in words. */
  readonly ended: string;
}

/** Number of times that control leaves a block, to wherever. */
export const outflowOf = (block: FlowBlock): InsnCount => block.out.reduce((sum, edge) => sum + edge.count, 0);

/** May control leave the trace behind a step that is not the last? */
const maySplit = ({ follow }: TraceStep): boolean => follow === 'fall' || follow === 'taken' || follow === 'guard';

/**
 * Calls `visit` with each step, the next step's block, and the number of times that control comes to the step.
 * @param entries number of entries of the trace
 */
export function countSteps(
  flow: Flow,
  { steps }: Trace,
  entries: number,
  visit: (step: TraceStep, next: Addr | undefined, times: number) => void,
): void {
  let times = entries;
  for (const [index, step] of steps.entries()) {
    const next = steps[index + 1]?.block.start;
    visit(step, next, times);
    const outflow = next === undefined || !maySplit(step) ? 0 : outflowOf(step.block);
    if (outflow > 0) times *= flow.edgeCount(step.block.start, next!) / outflow;
  }
}

/** The exit targets of a trace with their counts, for a number of entries. Return points of real calls are among the targets. */
export function traceExits(flow: Flow, trace: Trace, entries: number): { target: Addr; count: number }[] {
  const exits: { target: Addr; count: number }[] = [];
  countSteps(flow, trace, entries, (step, next, times) => {
    const { block, follow } = step;
    if (follow !== undefined && !maySplit(step)) return;
    const outflow = outflowOf(block);
    for (const edge of block.out)
      if (outflow > 0 && edge.to !== OUTSIDE && (follow === undefined || edge.to !== next))
        exits.push({ target: edge.to, count: (times * edge.count) / outflow });
    // The callee returns: the return point is entered as often as the call is made.
    if (follow === undefined && trace.end.kind === 'call') exits.push({ target: block.end, count: times });
  });
  return exits;
}

/**
 * The end of a trace at a block.
 * @param target where control goes on, if the block's own last transfer need not be performed
 */
export function endAt(block: FlowBlock, target: Addr): Trace['end'] {
  if (block.stays) return { kind: 'goto', target: block.insns.at(-1)!.pc };
  if (block.links) return { kind: 'call' };
  return block.control === 'indirect' ? { kind: 'indirect' } : { kind: 'goto', target };
}

/** A trace of one block: the code at an address that did not run, up to its first control transfer. */
export function traceUnrun(code: InsnSource, head: Addr): Trace | undefined {
  const insns: { pc: Addr; insn: Insn }[] = [];
  for (let pc = head; ; ) {
    const insn = code.insnAt(pc);
    if (insn === undefined) return undefined;
    const { control, writes } = facts(insn);
    if (staysBehind(insn) || reservationHalf(insn) !== undefined)
      return insns.length === 0 ? undefined : traceOf(unrunBlock(insns, pc, 'none', false), pc);
    insns.push({ pc, insn });
    const next = pc + insn.size;
    if (control !== 'none')
      return traceOf(unrunBlock(insns, next, control, isLink(writes)), control === 'jump' ? pc + insn.imm : next);
    pc = next;
  }
}
const traceOf = (block: FlowBlock, target: Addr): Trace => ({
  head: block.start,
  steps: [{ block, follow: undefined }],
  end: endAt(block, target),
  ended: 'the code did not run',
});
const unrunBlock = (insns: FlowBlock['insns'], end: Addr, control: Control, links: boolean): FlowBlock => ({
  start: insns[0]!.pc,
  end,
  count: 0,
  insns,
  control,
  links,
  stays: false,
  out: [],
  into: [],
  reserved: false,
});
