/** How a trace grows, block by block. The rules that stop it are in stop-rules.ts. */
import type { Addr } from '../base/units.ts';
import { OUTSIDE } from '../profile/profile.ts';
import type { Flow, FlowBlock } from './flow.ts';
import { endAt, type Follow, outflowOf, type Trace } from './trace.ts';

export interface GrowthLimits {
  /** A trace stops at about this many instructions. */
  readonly maxInsns: number;
  /** Inlined calls nest this deep. */
  readonly maxDepth: number;
  /** A call is inlined if the path to its return has at most this many instructions. */
  readonly maxInline: number;
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

/** A transfer out of a block, with its share of the block's outflow. */
interface Successor {
  readonly to: Addr;
  readonly follow: Follow;
  readonly share: number;
}

/** The likelier successor of a block; undefined if there is none that a trace could go on to. */
function likelierSuccessor(block: FlowBlock): Successor | undefined {
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
    const total = outflowOf(block);
    // A jalr that also leaves a link cannot be a guard.
    if (best?.kind !== 'indirect' || best.to === OUTSIDE || total === 0 || last.insn.rd !== 0) return undefined;
    return { to: best.to, follow: 'guard', share: best.count / total };
  }
  return undefined;
}

/** A way on from the last block of a growing trace. */
export interface Way extends Successor {
  /** The block there; undefined if the profile has none. */
  readonly next: FlowBlock | undefined;
  /** Number of instructions in that block. */
  readonly insns: number;
  /** Number of inlined calls that are open there. */
  readonly depth: number;
  /** The way leads back to the head, outside of inlined calls. */
  readonly closes: boolean;
  /** Share of the head's flow that arrives there. */
  readonly arriving: number;
  /** Instructions copied since the trace came to a join, the head of another trace, that block included; undefined before a join. */
  readonly copied: number | undefined;
}

interface InlinedCall {
  /** Index of the calling step. */
  readonly step: number;
  readonly callee: Addr;
  /** Return point. */
  readonly link: Addr;
  /** Number of the trace's instructions before the callee. */
  readonly insns: number;
}

/** A growing trace: its blocks so far, its open calls, and the way on from its last block. */
export class Growth {
  readonly limits: GrowthLimits;
  readonly steps: { readonly block: FlowBlock; follow: Follow | undefined }[] = [];
  /** Inlined calls not yet returned from, outermost first. */
  readonly calls: InlinedCall[] = [];
  insns = 0;
  /** Number of times that the trace has come back to its head. */
  rounds = 0;
  readonly #flow: Flow;
  readonly #first: FlowBlock;
  readonly #heads: ReadonlySet<Addr>;
  /** Keys of the places that the trace has been at. */
  readonly #seen = new Set<string>();
  /** Of the last block, as in `Way`. */
  #arriving = 1;
  #copied: number | undefined;

  /** @param heads of other traces */
  constructor(flow: Flow, first: FlowBlock, heads: ReadonlySet<Addr>, limits: GrowthLimits) {
    this.#flow = flow;
    this.#first = first;
    this.#heads = heads;
    this.limits = limits;
    this.#add(first);
  }

  get last(): FlowBlock {
    return this.steps.at(-1)!.block;
  }
  #openLinks(): Addr[] {
    return this.calls.map(({ link }) => link);
  }
  /** A place is a block together with the open calls and the round. */
  #placeKey(at: Addr, links: readonly Addr[]): string {
    return `${this.rounds}|${at}|${links.join()}`;
  }
  #add(block: FlowBlock): void {
    this.#seen.add(this.#placeKey(block.start, this.#openLinks()));
    this.steps.push({ block, follow: undefined });
    this.insns += block.insns.length;
  }

  /** The way that the trace would take from its last block; undefined if there is none. */
  wayOn(): Way | undefined {
    const { last } = this;
    const successor = last.stays ? undefined : (this.#returnFrom(last) ?? likelierSuccessor(last));
    if (successor === undefined) return undefined;
    const { to, follow, share } = successor;
    const next = this.#flow.blocks.get(to);
    const insns = next?.insns.length ?? 0;
    const depth = this.calls.length + (follow === 'call' ? 1 : follow === 'return' ? -1 : 0);
    const closes = depth === 0 && to === this.#first.start;
    const joins = depth === 0 && !closes && this.#heads.has(to);
    const copied = this.#copied ?? (joins ? 0 : undefined);
    return {
      to,
      follow,
      share,
      next,
      insns,
      depth,
      closes,
      arriving: this.#arriving * share,
      copied: copied === undefined ? undefined : copied + insns,
    };
  }
  /** A return out of an inlined callee goes to the call's return point. */
  #returnFrom(block: FlowBlock): Successor | undefined {
    const call = this.calls.at(-1);
    if (block.control !== 'indirect' || block.links || call === undefined) return undefined;
    return this.#flow.edgeCount(block.start, call.link) > 0 ? { to: call.link, follow: 'return', share: 1 } : undefined;
  }

  /** Has the trace been where a way leads? */
  hasBeenAt({ to, follow }: Way): boolean {
    const links = this.#openLinks();
    if (follow === 'call') links.push(this.last.end);
    if (follow === 'return') links.pop();
    return this.#seen.has(this.#placeKey(to, links));
  }
  /** Would a copy there run often enough for its bytes? */
  pays({ arriving }: Way): boolean {
    return this.#first.count * arriving >= this.#flow.instructions * this.limits.copyShare;
  }

  /** Goes on to the block that a way leads to; there must be one. */
  take({ to, follow, next, closes, arriving, copied }: Way): void {
    const step = this.steps.length - 1;
    this.steps[step]!.follow = follow;
    if (follow === 'call') this.calls.push({ step, callee: to, link: this.last.end, insns: this.insns });
    if (follow === 'return') this.calls.pop();
    if (closes) this.rounds++;
    this.#arriving = arriving;
    this.#copied = copied;
    this.#add(next!);
  }

  /**
   * The trace, which ends at its last block. A call whose return was not reached is a real call: then the trace ends at the outermost one.
   * @param way the way that was not taken
   * @param why as a clause
   */
  finish(way: Way | undefined, why: string): Trace {
    const { last, steps } = this;
    const head = this.#first.start;
    const open = this.calls[0];
    if (open === undefined) return { head, steps, end: endAt(last, way?.to ?? last.end), ended: why };
    steps.length = open.step + 1;
    steps[open.step]!.follow = undefined;
    return { head, steps, end: { kind: 'call' }, ended: `the call at its end is not inlined: in there, ${why}` };
  }
}
