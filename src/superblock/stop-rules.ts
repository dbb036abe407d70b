/** The rules by which a growing trace ends, each with its reason in words. */
import type { FlowBlock } from './flow.ts';
import type { Growth, GrowthLimits, Way } from './growth.ts';

interface StopRule {
  /** Why the trace ends, as a clause. */
  readonly because: (limits: GrowthLimits) => string;
  /** Does the trace not take this way? */
  readonly stops: (growth: Growth, way: Way) => boolean;
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(6))} %`;

/** Does a way lead to a copy of a block behind a join? */
const copies = ({ copied, depth, closes }: Way): boolean => copied !== undefined && depth === 0 && !closes;

/** In the order of asking; the order matters for the reason only. */
const STOP_RULES: readonly StopRule[] = [
  {
    // A guard costs two instructions more than the jump.
    because: () => 'no target of an indirect jump is likely enough for a guard',
    stops: ({ calls, limits }, { follow, share }) =>
      follow === 'guard' && share < (calls.length === 0 ? limits.guardShare : limits.guardShareInlined),
  },
  {
    because: () => 'no block that has run begins where it goes on',
    stops: (_, { next }) => next === undefined,
  },
  {
    because: () => 'a sequence from an LR to its SC follows, which runs in the original text',
    stops: (_, { next }) => next?.reserved === true,
  },
  {
    because: ({ unroll }) => `it goes round its loop ${unroll} times already`,
    stops: ({ rounds, limits }, { closes }) => closes && rounds + 1 >= limits.unroll,
  },
  {
    because: ({ maxUnrolled }) => `another round of its loop would bring it above ${maxUnrolled} instructions`,
    stops: ({ insns, rounds, limits }, { closes }) =>
      closes && (insns / (rounds + 1)) * (rounds + 2) > limits.maxUnrolled,
  },
  {
    because: () => 'another round of its loop would run too seldom for its bytes',
    stops: (growth, way) => way.closes && growth.rounds > 0 && !growth.pays(way),
  },
  {
    because: () => 'it comes back to a block that it has been through',
    stops: (growth, way) => !way.closes && growth.hasBeenAt(way),
  },
  {
    because: ({ maxInsns }) => `the next block would bring it above ${maxInsns} instructions`,
    stops: ({ insns, limits }, way) => insns + way.insns > limits.maxInsns,
  },
  {
    because: ({ minArrival }) => `less than ${percent(minArrival)} of its entries arrive at the next block`,
    stops: ({ limits }, { arriving }) => arriving < limits.minArrival,
  },
  {
    because: ({ maxDepth }) => `inlined calls would nest more than ${maxDepth} deep`,
    stops: ({ calls, limits }, { follow }) => follow === 'call' && calls.length >= limits.maxDepth,
  },
  {
    because: () => 'a recursive call follows',
    stops: ({ calls }, { follow, to }) => follow === 'call' && calls.some(({ callee }) => callee === to),
  },
  {
    because: ({ maxInline }) => `the way to a call's return is longer than ${maxInline} instructions`,
    stops: ({ calls, insns, limits }, { follow }) =>
      calls.length > 0 && follow !== 'return' && insns - calls.at(-1)!.insns > limits.maxInline,
  },
  {
    because: ({ maxCopied }) => `more than ${maxCopied} instructions would be copies of those behind a join`,
    stops: ({ limits }, way) => copies(way) && way.copied! > limits.maxCopied,
  },
  {
    because: ({ copyArrival }) =>
      `less than ${percent(copyArrival)} of its entries arrive at the next block behind a join`,
    stops: ({ limits }, way) => copies(way) && way.arriving < limits.copyArrival,
  },
  {
    because: () => 'the copy of the next block behind a join would run too seldom for its bytes',
    stops: (growth, way) => copies(way) && !growth.pays(way),
  },
];

/** Why no way leads on from a block, as a clause. */
export function whyNoWay({ stays, control, links, out }: FlowBlock): string {
  if (control === 'syscall') return 'a system call follows, which runs in the original text';
  if (control === 'trap') return 'a trap follows, which runs in the original text';
  if (stays) return 'a jump follows that overwrites the register it reads, and runs in the original text';
  if (links) return 'a call is made through a register';
  if (out[0]?.kind === 'return') return 'the function returns to its caller';
  return 'control is not known to have gone on behind it';
}

/** Why a trace ends before a way, as a clause; undefined if it takes the way. */
export function whyNotTaken(growth: Growth, way: Way): string | undefined {
  for (const { stops, because } of STOP_RULES) if (stops(growth, way)) return because(growth.limits);
  return undefined;
}
