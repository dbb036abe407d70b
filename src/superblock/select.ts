/**
 * Trace selection: which paths become superblocks. Seeds are taken by count and grown backward into callers, so that hot callees are
 * reached through their callers' traces. Traces then grow forward along the likelier edges, through jumps, returns, and calls whose return
 * is reached. At last closure: every exit target with enough flow gets a trace of its own, so that no hot path falls back into the original
 * code.
 *
 * A trace that comes to another trace's head goes on and copies the blocks behind the join, and a loop is unrolled, where the copy runs
 * often enough for its bytes: a copy saves a jump and lets the passes see more (tail duplication; Hwu et al., The Superblock, 1993).
 */
import { type Addr, type InsnCount, isLink } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { reservationHalf } from '../domain/reservations.ts';
import type { Insn } from '../isa/row.ts';
import { type Flow, type FlowBlock, type InsnSource, staysBehind } from './flow.ts';

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
}

export interface SelectOptions {
  /** A trace stops at about this many instructions. */
  readonly maxInsns: number;
  /** Inlined calls nest this deep. */
  readonly maxDepth: number;
  /** A call is inlined if the path to its return has at most this many instructions. */
  readonly maxInline: number;
  /** Blocks that run at least this share of all instructions are covered (weight = count times instructions). */
  readonly coldShare: number;
  /** Exit targets with at least this share of all instructions as flow times length get a trace of their own. */
  readonly closureShare: number;
  /** Behind a join up to this many instructions are copied, while at least this share of the head's flow arrives. */
  readonly maxCopied: number;
  readonly copyArrival: number;
  /** A copied block behind a join, or of a loop's body, must run at least this number of times, as a share of all instructions. */
  readonly copyShare: number;
  /** Growth stops where less than this share of the head's flow arrives. */
  readonly minArrival: number;
  /** A loop's trace goes round this many times, as long as it stays within `maxUnrolled` instructions. */
  readonly unroll: number;
  readonly maxUnrolled: number;
  /** An indirect jump is guarded if one target has at least this share of its transfers; above 1: never. */
  readonly guardShare: number;
  /** The same within an inlined call: without a guard the call could not be inlined. */
  readonly guardShareInlined: number;
}

export const DEFAULT_SELECT: SelectOptions = {
  maxInsns: 160,
  maxDepth: 5,
  maxInline: 80,
  coldShare: 2e-5,
  closureShare: 1e-5,
  maxCopied: 100,
  copyArrival: 0.15,
  copyShare: 3e-5,
  minArrival: 0.1,
  unroll: 8,
  maxUnrolled: 160,
  guardShare: 2,
  guardShareInlined: 0.95,
};

/** The likelier successor of a block, with its share of the block's outflow. */
function likelierSuccessor(block: FlowBlock): { to: Addr; follow: Follow; share: number } | undefined {
  const last = block.insns.at(-1)!;
  if (block.control === 'branch') {
    const target = last.pc + last.insn.imm;
    const taken = block.out.filter((edge) => edge.kind === 'taken').reduce((sum, edge) => sum + edge.count, 0);
    const fall = block.out.filter((edge) => edge.kind === 'fall').reduce((sum, edge) => sum + edge.count, 0);
    if (taken + fall === 0) return undefined;
    return taken > fall
      ? { to: target, follow: 'taken', share: taken / (taken + fall) }
      : { to: block.end, follow: 'fall', share: fall / (taken + fall) };
  }
  if (block.control === 'none') return { to: block.end, follow: 'fall', share: 1 };
  if (block.control === 'jump') {
    const to = last.pc + last.insn.imm;
    return { to, follow: block.links ? 'call' : 'jump', share: 1 };
  }
  if (block.control === 'indirect') {
    const best = block.out[0];
    const total = block.out.reduce((sum, edge) => sum + edge.count, 0);
    // A jalr that also leaves a link cannot be a guard.
    if (best?.kind !== 'indirect' || total === 0 || last.insn.rd !== 0) return undefined;
    return { to: best.to, follow: 'guard', share: best.count / total };
  }
  return undefined;
}

/** May a superblock begin with a block? */
export const canHead = (block: FlowBlock | undefined): block is FlowBlock =>
  block !== undefined && !block.reserved && !(block.stays && block.insns.length === 1);

/** Follows the likelier successors from a head until a rule stops the trace. */
export function growTrace(flow: Flow, head: Addr, heads: ReadonlySet<Addr>, options: SelectOptions): Trace | undefined {
  const first = flow.blocks.get(head);
  if (!canHead(first)) return undefined;
  const steps: { block: FlowBlock; follow: Follow | undefined }[] = [];
  /** Inlined calls not yet returned from: the index of the calling step and the return point. */
  const frames: { step: number; callee: Addr; link: Addr; insns: number }[] = [];
  const seen = new Set<string>();
  let block = first;
  let insns = 0;
  let arrival = 1;
  /** Instructions copied since the trace came to a join, the head of another trace; undefined before. */
  let copied: number | undefined;
  /** Times the trace has come back to its head. */
  let rounds = 0;
  let end: Trace['end'] | undefined;

  while (end === undefined) {
    const context = frames.map((frame) => frame.link).join();
    seen.add(`${rounds}|${block.start}|${context}`);
    const step: { block: FlowBlock; follow: Follow | undefined } = { block, follow: undefined };
    steps.push(step);
    insns += block.insns.length;
    const last = block.insns.at(-1)!;
    if (block.stays) {
      end = { kind: 'goto', target: last.pc };
      break;
    }
    let way = likelierSuccessor(block);
    const frame = frames.at(-1);
    // A return out of an inlined callee goes to the call's return point.
    const returns =
      block.control === 'indirect' &&
      !block.links &&
      frame !== undefined &&
      flow.edgeCount(block.start, frame.link) > 0;
    if (returns) {
      way = { to: frame.link, follow: 'return', share: 1 };
    }
    const stay: Trace['end'] =
      block.control === 'indirect'
        ? { kind: block.links ? 'call' : 'indirect' }
        : block.control === 'jump' && block.links
          ? { kind: 'call' }
          : { kind: 'goto', target: way?.to ?? block.end };
    if (way === undefined) {
      end = stay;
      break;
    }
    // A guard costs two instructions more than the jump.
    const least = frame === undefined ? options.guardShare : options.guardShareInlined;
    if (way.follow === 'guard' && way.share < least) {
      end = stay;
      break;
    }
    const next = flow.blocks.get(way.to);
    const nextContext =
      way.follow === 'call'
        ? [...frames.map((f) => f.link), block.end].join()
        : way.follow === 'return'
          ? frames
              .slice(0, -1)
              .map((f) => f.link)
              .join()
          : context;
    const depthAfter = frames.length + (way.follow === 'call' ? 1 : way.follow === 'return' ? -1 : 0);
    const closes = way.to === head && depthAfter === 0;
    const arriving = arrival * way.share;
    const pays = first.count * arriving >= flow.instructions * options.copyShare;
    const again =
      closes &&
      rounds + 1 < options.unroll &&
      (insns / (rounds + 1)) * (rounds + 2) <= options.maxUnrolled &&
      (rounds === 0 || pays);
    if (depthAfter === 0 && !closes && heads.has(way.to)) copied ??= 0;
    const copies = copied !== undefined && depthAfter === 0 && !closes;
    const stop =
      next === undefined ||
      next.reserved ||
      (closes ? !again : seen.has(`${rounds}|${way.to}|${nextContext}`)) ||
      insns + next.insns.length > options.maxInsns ||
      arriving < options.minArrival ||
      (way.follow === 'call' &&
        (frames.length >= options.maxDepth || frames.some(({ callee }) => callee === way.to))) ||
      (frame !== undefined && way.follow !== 'return' && insns - frame.insns > options.maxInline) ||
      (copies && (copied! + next.insns.length > options.maxCopied || arriving < options.copyArrival || !pays));
    if (stop) {
      end = stay;
      break;
    }
    if (way.follow === 'call') frames.push({ step: steps.length - 1, callee: way.to, link: block.end, insns });
    if (way.follow === 'return') frames.pop();
    if (closes) rounds++;
    if (copied !== undefined) copied += next.insns.length;
    step.follow = way.follow;
    arrival = arriving;
    block = next;
  }
  // A call whose return was not reached is a real call: roll back to the outermost one.
  const open = frames[0];
  if (open !== undefined) {
    steps.length = open.step + 1;
    steps[open.step]!.follow = undefined;
    end = { kind: 'call' };
  }
  return { head, steps, end };
}

/** A trace of one block: the code at an address that did not run, up to its first control transfer. */
export function traceUnrun(code: InsnSource, head: Addr): Trace | undefined {
  const insns: { pc: Addr; insn: Insn }[] = [];
  for (let pc = head; ; ) {
    const insn = code.insnAt(pc);
    if (insn === undefined) return undefined;
    const fact = facts(insn);
    const stays = staysBehind(insn) || reservationHalf(insn) !== undefined;
    const links = isLink(fact.writes);
    if (!stays) insns.push({ pc, insn });
    if (insns.length === 0) return undefined;
    const next = pc + insn.size;
    const made = (end: Trace['end']): Trace => ({
      head,
      steps: [
        {
          block: {
            start: head,
            end: stays ? pc : next,
            count: 0,
            insns,
            control: stays ? 'none' : fact.control,
            links,
            stays: false,
            out: [],
            into: [],
            reserved: false,
          },
          follow: undefined,
        },
      ],
      end,
    });
    if (stays) return made({ kind: 'goto', target: pc });
    if (fact.control === 'branch') return made({ kind: 'goto', target: next });
    if (fact.control === 'jump') return made(links ? { kind: 'call' } : { kind: 'goto', target: pc + insn.imm });
    if (fact.control === 'indirect') return made({ kind: links ? 'call' : 'indirect' });
    pc = next;
  }
}

/** Grows a seed backward along edges with the majority of the inflow, into callers too, but never around a loop. @returns the head */
export function growBackward(flow: Flow, seed: Addr, stopAt: ReadonlySet<Addr>): Addr {
  const walked = new Set<Addr>([seed]);
  let at = seed;
  for (;;) {
    const block = flow.blocks.get(at)!;
    const caller = flow.callBefore.get(at);
    let from: Addr | undefined;
    if (caller !== undefined && block.into.every((edge) => edge.kind === 'return')) from = caller.start;
    else {
      const best = block.into.find((edge) => !flow.retreats(edge.from, at) && edge.kind !== 'return');
      if (
        best !== undefined &&
        best.count * 2 > block.count &&
        best.kind !== 'indirect' &&
        best.kind !== 'indirect-call'
      )
        from = best.from;
    }
    if (from === undefined || walked.has(from) || stopAt.has(from)) return at;
    const before = flow.blocks.get(from);
    if (!canHead(before) || before.stays) return at;
    walked.add(from);
    at = from;
  }
}

export interface Selection {
  readonly traces: readonly Trace[];
  /** By head: the estimated number of entries of each trace. */
  readonly entries: ReadonlyMap<Addr, InsnCount>;
}

/**
 * Selects all traces of a profile.
 * @param attempt grows one trace: undefined if there is none, or if growing has failed
 */
export function selectTraces(
  flow: Flow,
  options: SelectOptions = DEFAULT_SELECT,
  attempt: (head: Addr, grow: () => Trace | undefined) => Trace | undefined = (_, grow) => grow(),
): Selection {
  const heads = new Set<Addr>();
  const traces = new Map<Addr, Trace>();
  const covered = new Set<Addr>();
  const add = (head: Addr): boolean => {
    if (heads.has(head)) return false;
    const trace = attempt(head, () => growTrace(flow, head, heads, options));
    if (trace === undefined) return false;
    heads.add(head);
    traces.set(head, trace);
    for (const step of trace.steps) covered.add(step.block.start);
    return true;
  };

  const cold = flow.instructions * options.coldShare;
  for (const block of flow.hottest) {
    if (block.count * block.insns.length < cold || covered.has(block.start) || !canHead(block)) continue;
    add(growBackward(flow, block.start, covered));
    // The trace from the head found backward need not pass this block.
    if (!covered.has(block.start)) add(block.start);
  }

  // Closure. Every round collects the exit targets of the traces so far, and gives the hottest of them traces of their own.
  const worth = flow.instructions * options.closureShare;
  let entries = estimateEntries(flow, traces);
  for (let round = 0; round < 12; round++) {
    const wanted = new Map<Addr, number>();
    for (const trace of traces.values())
      for (const exit of traceExits(flow, trace, entries.get(trace.head) ?? 0))
        wanted.set(exit.target, (wanted.get(exit.target) ?? 0) + exit.count);
    let grown = false;
    for (const [target, count] of [...wanted].sort((a, b) => b[1] - a[1] || a[0] - b[0])) {
      const block = flow.blocks.get(target);
      if (block !== undefined && count * Math.max(8, block.insns.length) >= worth && add(target)) grown = true;
    }
    if (!grown) break;
    entries = estimateEntries(flow, traces);
  }
  return { traces: [...traces.values()], entries };
}

/** The exit targets of a trace with their counts, for a number of entries. Return points of real calls are among the targets. */
export function traceExits(flow: Flow, trace: Trace, entries: number): { target: Addr; count: number }[] {
  const exits: { target: Addr; count: number }[] = [];
  let at = entries;
  trace.steps.forEach((step, index) => {
    const { block } = step;
    const next = trace.steps[index + 1]?.block.start;
    const total = block.out.reduce((sum, edge) => sum + edge.count, 0);
    if (step.follow === 'fall' || step.follow === 'taken' || step.follow === 'guard') {
      for (const edge of block.out)
        if (edge.to !== next && total > 0) exits.push({ target: edge.to, count: (at * edge.count) / total });
      if (total > 0) at *= flow.edgeCount(block.start, next!) / total;
    } else if (step.follow === undefined) {
      for (const edge of block.out) if (total > 0) exits.push({ target: edge.to, count: (at * edge.count) / total });
      // The callee returns: the return point is entered as often as the call is made.
      if (trace.end.kind === 'call') exits.push({ target: block.end, count: at });
    }
  });
  return exits;
}

/**
 * The number of entries of each trace. The count of a head is the number of entries of its trace plus the number of times that the
 * block is passed within other traces, whose flow in turn comes from their entries. Solved by a few rounds of relaxation.
 */
export function estimateEntries(flow: Flow, traces: ReadonlyMap<Addr, Trace>): Map<Addr, InsnCount> {
  const entries = new Map<Addr, number>();
  for (const head of traces.keys()) entries.set(head, flow.blocks.get(head)!.count);
  for (let round = 0; round < 8; round++) {
    const passed = new Map<Addr, number>();
    for (const trace of traces.values()) {
      let at = entries.get(trace.head)!;
      trace.steps.forEach((step, index) => {
        if (index > 0) passed.set(step.block.start, (passed.get(step.block.start) ?? 0) + at);
        const next = trace.steps[index + 1]?.block.start;
        if (next !== undefined && (step.follow === 'fall' || step.follow === 'taken' || step.follow === 'guard')) {
          const total = step.block.out.reduce((sum, edge) => sum + edge.count, 0);
          if (total > 0) at *= flow.edgeCount(step.block.start, next) / total;
        }
      });
    }
    for (const head of traces.keys()) {
      const exact = Math.max(0, flow.blocks.get(head)!.count - (passed.get(head) ?? 0));
      // Damped: the estimates of two traces through each other's heads would oscillate otherwise.
      entries.set(head, (entries.get(head)! + exact) / 2);
    }
  }
  return entries;
}
