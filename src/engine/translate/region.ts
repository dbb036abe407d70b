/**
 * Regions: the code that is reached from a head by branches and jumps, without code that has hardly run. The head dominates all of a region
 * (flow.ts makes further entries); calls leave the region and come back behind the call.
 */
import { type Addr, type InsnCount, isLink } from '../../base/units.ts';
import type { CodeInsn, CodeInsns } from './insns.ts';

/** The target of an edge out of a block: a block of the same region, or code outside (block -1). */
export interface Successor {
  readonly pc: Addr;
  readonly block: number;
}

/**
 * How a block ends.
 * - `fall`: into the code behind.
 * - `branch`: successors are taken, not taken.
 * - `goto`: a jump that leaves no link.
 * - `call`: a jump that leaves a link, direct or not; the successor is the code behind.
 * - `return`: an indirect jump through a link register; its successor is the head, if the head is behind a call and this return has gone
 *   there: then recursion that is too deep for the host's stack comes back in a loop.
 * - `switch`: any other indirect jump; successors are its targets within the region.
 * - `leave`: an instruction that is not translated.
 * - `enter`: no instruction; where a region with several entries begins (flow.ts).
 */
export type Ending = 'enter' | 'fall' | 'branch' | 'goto' | 'call' | 'return' | 'switch' | 'leave';

export interface Block {
  readonly pc: Addr;
  /** With the instruction that ends the block, but for `fall` and `leave`. */
  readonly insns: readonly CodeInsn[];
  readonly ending: Ending;
  readonly successors: readonly Successor[];
  /** Loop headers to which control can go from the start of the block, on its way from an entry of the region into a loop. */
  readonly dispatch?: readonly number[];
  /** Of a call through a register: the functions that it mostly calls, as far as is known. */
  readonly expected?: readonly Addr[];
  /** Of a `switch`: its known targets outside the region. */
  readonly others?: readonly Addr[];
}

/** Block 0 is the head. */
export interface Region {
  readonly head: Addr;
  readonly blocks: readonly Block[];
}

/** Knowledge about the code from its execution so far. */
export interface Knowledge {
  /** Targets that an indirect jump has gone to. */
  targetsOf(pc: Addr): readonly Addr[];
  /** Does a function begin here? Jumps to functions are not followed: they are calls in tail position. */
  isFunction(pc: Addr): boolean;
  /** Has a branch gone this way often enough for the code there to be worth translating? */
  ran(record: number, taken: boolean, to: Addr): boolean;
  /** Targets that an indirect jump has gone to that often, the most frequent first. */
  usualTargets(pc: Addr, record: number): readonly Addr[];
  /** Should the region have this code, if control gets there? */
  follows(pc: Addr): boolean;
}

/**
 * A bound for compile time; a function that is larger is cut where its blocks are furthest from the head. Instructions that are not
 * translated count.
 */
export const MOST_INSNS = 3000;
/** A block begins with an instruction of its own, translated or not; but for `enter`. */
export const MOST_BLOCKS = MOST_INSNS + 1;
const MOST_SWITCH_TARGETS = 512;
/** Functions that a call through a register compares its target with before it goes through the table of regions. */
const MOST_EXPECTED_CALLEES = 2;

const endingOf = ({ insn, ending }: CodeInsn): Ending | undefined => {
  switch (ending) {
    case 'none':
      return undefined;
    case 'branch':
      return 'branch';
    case 'goto':
      return insn.rd === 0 ? 'goto' : 'call';
    case 'jump':
      if (insn.rd !== 0) return 'call';
      return isLink(insn.rs1) ? 'return' : 'switch';
    default:
      return 'leave';
  }
};

/** The extent of a region: instructions by address, starts of its blocks (the head first), and the targets of its `switch`es. */
interface Reach {
  readonly insns: ReadonlyMap<Addr, CodeInsn>;
  readonly leaders: ReadonlySet<Addr>;
  readonly targets: ReadonlyMap<Addr, readonly Addr[]>;
}

/** The number of instructions that a region would have, 0 if there would be no region, and its branches. */
export function measureRegion(
  code: CodeInsns,
  head: Addr,
  knowledge: Knowledge,
): { readonly size: InsnCount; readonly branches: readonly CodeInsn[] } {
  const { insns } = reach(code, head, knowledge);
  return { size: insns.size, branches: [...insns.values()].filter(({ ending }) => ending === 'branch') };
}

function reach(code: CodeInsns, head: Addr, knowledge: Knowledge): Reach {
  const insns = new Map<Addr, CodeInsn>();
  const leaders = new Set<Addr>([head]);
  const targets = new Map<Addr, readonly Addr[]>();
  const follow = (pc: Addr) => pc === head || (!knowledge.isFunction(pc) && knowledge.follows(pc));

  // Breadth first, a straight line at a time.
  const queue: Addr[] = [head];
  const lead = (pc: Addr) => {
    if (leaders.has(pc)) return;
    leaders.add(pc);
    queue.push(pc);
  };
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (let pc = next; !insns.has(pc); ) {
      const found = insns.size < MOST_INSNS ? code.at(pc) : undefined;
      if (found === undefined) break;
      insns.set(pc, found);
      const behind = pc + found.insn.size;
      const ending = endingOf(found);
      if (ending === undefined) {
        pc = behind;
        continue;
      }
      if (ending === 'branch') {
        if (knowledge.ran(found.record, false, behind) && follow(behind)) lead(behind);
        if (knowledge.ran(found.record, true, found.target) && follow(found.target)) lead(found.target);
      } else if (ending === 'goto') {
        if (follow(found.target)) lead(found.target);
      } else if (ending === 'call') {
        if (follow(behind)) lead(behind);
      }
      if (ending === 'switch') {
        const seen = knowledge.usualTargets(pc, found.record).filter(follow).slice(0, MOST_SWITCH_TARGETS);
        targets.set(pc, seen);
        for (const target of seen) lead(target);
      }
      break;
    }
  }

  return { insns, leaders, targets };
}

/** @returns undefined if there is no instruction at the head, or only one that is not translated */
export function formRegion(code: CodeInsns, head: Addr, knowledge: Knowledge): Region | undefined {
  const { insns, leaders, targets } = reach(code, head, knowledge);
  const starts = [...leaders].filter((pc) => insns.has(pc));
  if (starts[0] !== head) return undefined;
  const blockOf = new Map(starts.map((pc, index) => [pc, index]));
  const successor = (pc: Addr): Successor => ({ pc, block: blockOf.get(pc) ?? -1 });
  const outside = (pc: Addr): Successor => ({ pc, block: -1 });
  const expectedAt = ({ pc, record }: CodeInsn): readonly Addr[] => {
    const usual = knowledge.usualTargets(pc, record);
    // In a later run of the program the call may not have been interpreted.
    return (usual.length > 0 ? usual : knowledge.targetsOf(pc)).slice(0, MOST_EXPECTED_CALLEES);
  };
  const blocks = starts.map((start): Block => {
    const list: CodeInsn[] = [];
    for (let pc = start; ; ) {
      const found = insns.get(pc);
      if (found === undefined || (leaders.has(pc) && pc !== start))
        return { pc: start, insns: list, ending: 'fall', successors: [successor(pc)] };
      const ending = endingOf(found);
      const behind = pc + found.insn.size;
      if (ending === 'leave') return { pc: start, insns: list, ending, successors: [outside(pc)] };
      list.push(found);
      if (ending === undefined) {
        pc = behind;
        continue;
      }
      const to = (): Successor[] => {
        switch (ending) {
          case 'branch':
            return [successor(found.target), successor(behind)];
          case 'goto':
            return [successor(found.target)];
          case 'call':
            return [successor(behind)];
          case 'return':
            return !knowledge.isFunction(head) && knowledge.targetsOf(pc).includes(head) ? [successor(head)] : [];
          case 'switch':
            return targets
              .get(pc)!
              .map(successor)
              .filter(({ block }) => block >= 0);
          default:
            return [];
        }
      };
      const others = ending === 'switch' ? knowledge.targetsOf(pc).filter((target) => !blockOf.has(target)) : [];
      const expected = ending === 'call' && found.ending === 'jump' ? expectedAt(found) : [];
      return { pc: start, insns: list, ending, successors: to(), expected, others };
    }
  });
  const { insns: first, ending } = blocks[0]!;
  return first.length === 0 && ending === 'leave' ? undefined : { head, blocks };
}
