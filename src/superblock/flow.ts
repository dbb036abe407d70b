/**
 * The profiled flow that trace selection walks: executed blocks with their terminators, exact edge counts both ways, and the
 * retreating edges (those that close a loop). A call's block also leads to its return point, as one step over the callee.
 */

import { type Addr, type InsnCount, isLink } from '../base/units.ts';
import type { EdgeKind } from '../code/endings.ts';
import { facts } from '../domain/record.ts';
import { reservationHalf, sequenceEnd } from '../domain/reservations.ts';
import type { Control, Insn, InsnSource } from '../isa/row.ts';
import { compareDestinations, OUTSIDE, type ProfiledBlock, type ProfiledEdge } from '../profile/profile.ts';

export interface FlowBlock {
  readonly start: Addr;
  readonly end: Addr;
  readonly count: InsnCount;
  readonly insns: readonly { readonly pc: Addr; readonly insn: Insn }[];
  /** The last instruction's control transfer; 'none' where the block only falls into the next. */
  readonly control: Control;
  /** The last instruction is a call: it links through ra or t0, the psABI's link registers. */
  readonly links: boolean;
  /** The last instruction runs in the original text: a system call, a trap, or a jalr that leaves a value in the register it reads. */
  readonly stays: boolean;
  /** Outgoing edges, hottest first. */
  readonly out: readonly ProfiledEdge[];
  /** Incoming edges, hottest first. */
  readonly into: readonly ProfiledEdge[];
  /** Lies in a sequence from an LR to its SC: such code runs only in the original text, where the hardware promises that it gets through. */
  readonly reserved: boolean;
}

export interface Flow {
  readonly blocks: ReadonlyMap<Addr, FlowBlock>;
  /** Blocks by falling count, then rising address. */
  readonly hottest: readonly FlowBlock[];
  /** Instructions retired in all blocks. */
  readonly instructions: InsnCount;
  /** By return point: the block whose call returns there. */
  readonly callBefore: ReadonlyMap<Addr, FlowBlock>;
  /** Does an edge close a loop? Its target is then an ancestor of its source in a depth-first walk that prefers hot edges. */
  retreats(from: Addr, to: Addr): boolean;
  /** Count of transfers from a block (by start) to an address. */
  edgeCount(from: Addr, to: Addr): InsnCount;
}

const byCount = (a: ProfiledEdge, b: ProfiledEdge) =>
  b.count - a.count || compareDestinations(a.to, b.to) || a.from - b.from;

/** Must an instruction run in the original text? */
export function staysBehind(insn: Insn): boolean {
  const { control, writes } = facts(insn);
  if (control === 'indirect') return writes !== undefined && !isLink(writes) && writes === insn.rs1;
  return control === 'syscall' || control === 'trap';
}

/** Where LR..SC sequences lie whose LR runs. */
function sequencesIn(blocks: readonly ProfiledBlock[], code: InsnSource): [Addr, Addr][] {
  const found: [Addr, Addr][] = [];
  for (const block of blocks)
    for (let pc = block.start; pc < block.end; ) {
      const end = sequenceEnd(code, pc);
      if (end !== undefined) found.push([pc, end]);
      pc += code.insnAt(pc)?.size ?? block.end;
    }
  return found;
}

const INNER_EDGES: ReadonlySet<EdgeKind> = new Set(['fall', 'taken', 'jump', 'indirect', 'syscall']);

export function makeFlow(
  profiled: { blocks: readonly ProfiledBlock[]; edges: readonly ProfiledEdge[] },
  code: InsnSource,
): Flow {
  const out = new Map<Addr, ProfiledEdge[]>();
  const into = new Map<Addr, ProfiledEdge[]>();
  const push = (map: Map<Addr, ProfiledEdge[]>, at: Addr, edge: ProfiledEdge) => {
    const list = map.get(at);
    if (list === undefined) map.set(at, [edge]);
    else list.push(edge);
  };
  for (const edge of profiled.edges) {
    push(out, edge.from, edge);
    if (edge.to !== OUTSIDE) push(into, edge.to, edge);
  }
  const sequences = sequencesIn(profiled.blocks, code);
  const blocks = new Map<Addr, FlowBlock>();
  const callBefore = new Map<Addr, FlowBlock>();
  let instructions = 0;
  for (const block of profiled.blocks) {
    const insns: { pc: Addr; insn: Insn }[] = [];
    let reserved = sequences.some(([start, end]) => start < block.end && end > block.start);
    for (let pc = block.start; pc < block.end; ) {
      const insn = code.insnAt(pc);
      if (insn === undefined) break;
      if (reservationHalf(insn) !== undefined) reserved = true;
      insns.push({ pc, insn });
      pc += insn.size;
    }
    const last = insns.at(-1);
    if (last === undefined) continue;
    const fact = facts(last.insn);
    const made: FlowBlock = {
      start: block.start,
      end: block.end,
      count: block.count,
      insns,
      control: fact.control,
      links: (fact.control === 'jump' || fact.control === 'indirect') && isLink(fact.writes),
      stays: staysBehind(last.insn),
      out: (out.get(block.start) ?? []).sort(byCount),
      into: (into.get(block.start) ?? []).sort(byCount),
      reserved,
    };
    blocks.set(block.start, made);
    if (made.links) callBefore.set(made.end, made);
    instructions += block.count * insns.length;
  }
  const hottest = [...blocks.values()].sort((a, b) => b.count - a.count || a.start - b.start);
  const retreating = findRetreating(blocks, hottest);
  return {
    blocks,
    hottest,
    instructions,
    callBefore,
    retreats: (from, to) => retreating.has(`${from}>${to}`),
    edgeCount: (from, to) => {
      let sum = 0;
      for (const edge of blocks.get(from)?.out ?? []) if (edge.to === to) sum += edge.count;
      return sum;
    },
  };
}

/** Successors within the function; a call steps over its callee. */
function successors(block: FlowBlock): Addr[] {
  const next = block.out.flatMap(({ kind, to }) => (INNER_EDGES.has(kind) && to !== OUTSIDE ? [to] : []));
  if (block.links) next.push(block.end);
  return next;
}

function findRetreating(blocks: ReadonlyMap<Addr, FlowBlock>, hottest: readonly FlowBlock[]): Set<string> {
  const retreating = new Set<string>();
  const state = new Map<Addr, 'open' | 'done'>();
  const visit = (root: FlowBlock) => {
    const stack: { block: FlowBlock; next: Addr[] }[] = [{ block: root, next: successors(root) }];
    state.set(root.start, 'open');
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const to = top.next.shift();
      if (to === undefined) {
        state.set(top.block.start, 'done');
        stack.pop();
        continue;
      }
      const block = blocks.get(to);
      if (block === undefined) continue;
      const seen = state.get(to);
      if (seen === 'open') retreating.add(`${top.block.start}>${to}`);
      else if (seen === undefined) {
        state.set(to, 'open');
        stack.push({ block, next: successors(block) });
      }
    }
  };
  // First from the entries of functions, so that loops are found from their headers; then from the remaining blocks.
  for (const block of [...hottest].sort((a, b) => a.start - b.start))
    if (block.into.length === 0 || block.into.some((edge) => edge.kind === 'call' || edge.kind === 'indirect-call'))
      if (!state.has(block.start)) visit(block);
  for (const block of hottest) if (!state.has(block.start)) visit(block);
  return retreating;
}
