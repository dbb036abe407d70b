/** Superblocks for the report: code side by side, exits, and the exact counts of each superblock's cost and savings. */
import { internal } from '../base/errors.ts';
import { type Addr, type ByteCount, hex, type InsnCount } from '../base/units.ts';
import type { Insn } from '../isa/row.ts';
import { print } from '../isa/text.ts';
import { type Counts, instructionsAt, type PlacedInsn } from './counts.ts';
import { sameInsn } from './match.ts';
import type { CoverageReport, ExitReport, Fate, OptimizedLine, PathBlock, SuperblockReport } from './model.ts';
import type { Names } from './names.ts';

/** The static facts of one emitted superblock; the counts come from the two runs. */
export interface SuperblockSummary {
  /** Original address of the head. */
  readonly head: Addr;
  /** The trace: blocks of the original code in order (as ProfiledBlock has them). */
  readonly path: readonly { readonly start: Addr; readonly end: Addr }[];
  /** Its code in the optimized image; the range that begins with its entry comes first. Ranges of all superblocks are disjoint. */
  readonly ranges: readonly OptimizedRange[];
  /** Optimized address -> address of the original instruction that it stands for. New instructions are absent. */
  readonly addresses: ReadonlyMap<Addr, Addr>;
  readonly exits: readonly ExitSummary[];
  /** Bytes of its ranges. */
  readonly bytes: ByteCount;
  readonly verdict: 'proved' | 'tested' | 'rejected';
  /** Why it was rejected or is not proved, or another remark on it. */
  readonly reason?: string;
}

export interface OptimizedRange {
  readonly start: Addr;
  readonly end: Addr;
  readonly part: 'line' | 'stub';
}

export interface ExitSummary {
  /** `side`, `final`, ... as the report shows it. */
  readonly kind: string;
  /** Optimized address of the instruction in the line at which control leaves. */
  readonly site: Addr;
  /** Optimized address of the exit's target (its stub, another head, the instruction behind); absent for a computed target. */
  readonly to?: Addr;
  /** Original address that the exit leads to; absent for a computed target. */
  readonly target?: Addr;
  /** Instructions of the original path that are retired when control leaves here. */
  readonly pathInstructions: InsnCount;
}

/** @param detailed how many of the heaviest superblocks get their code shown */
export function reportSuperblocks(
  summaries: readonly SuperblockSummary[],
  original: Counts,
  optimized: Counts,
  names: Names,
  detailed: number,
): SuperblockReport[] {
  const weights = new Map(summaries.map((summary) => [summary, weightOf(summary, optimized)]));
  return [...summaries]
    .sort((a, b) => weights.get(b)! - weights.get(a)! || a.head - b.head)
    .map((summary, rank) => {
      const weight = weights.get(summary)!;
      const exits = exitCounts(summary, optimized);
      const path = summary.path.map(({ start, end }) => instructionsAt(original.image, start, end));
      const line = codeOf(summary, optimized, 'line');
      const stubs = codeOf(summary, optimized, 'stub');
      const report: SuperblockReport = {
        head: hex(summary.head),
        symbol: names.label(summary.head),
        weight,
        count: entries(summary, optimized),
        verdict: summary.verdict,
        ...(summary.reason === undefined ? {} : { reason: summary.reason }),
        bytes: summary.bytes,
        instructions: {
          original: path.reduce((sum, block) => sum + block.length, 0),
          line: line.length,
          stubs: stubs.length,
          before: summary.exits.reduce((sum, exit, index) => sum + exit.pathInstructions * exits[index]!.count, 0),
          after: weight,
        },
        exits,
      };
      if (rank >= detailed) return report;
      return {
        ...report,
        original: originalCode(summary, path, line, stubs, original, names),
        optimized: [
          ...optimizedLines(summary, line, 'line', optimized),
          ...optimizedLines(summary, stubs, 'stub', optimized),
        ],
      };
    });
}

/** The share of a run inside superblocks, and how few superblocks hold most of the run. `reports` come by falling weight. */
export function coverageOf(reports: readonly SuperblockReport[], total: InsnCount): CoverageReport {
  const POINTS = 200;
  const shares: number[] = [];
  let sum = 0;
  for (const report of reports) shares.push(share((sum += report.weight), total));
  const reaching = (wanted: number): number | undefined => {
    const index = shares.findIndex((value) => value >= wanted);
    return index < 0 ? undefined : index + 1;
  };
  const step = Math.max(1, Math.ceil(shares.length / POINTS));
  const curve = shares
    .map((value, index) => ({ superblocks: index + 1, share: value }))
    .filter(({ superblocks }) => superblocks % step === 0 || superblocks === shares.length);
  const known = { superblocks50: reaching(0.5), superblocks90: reaching(0.9), superblocks99: reaching(0.99) };
  return {
    inside: share(sum, total),
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
    curve,
  };
}

/** A share of one, to nine digits; 0 if the whole is 0. */
export const share = (part: number, whole: number): number =>
  whole === 0 ? 0 : Math.round((part / whole) * 1e9) / 1e9;

const weightOf = (summary: SuperblockSummary, optimized: Counts): InsnCount =>
  summary.ranges.reduce((sum, { start, end }) => sum + optimized.within(start, end), 0);

function entries(summary: SuperblockSummary, optimized: Counts): InsnCount {
  const [line] = summary.ranges;
  if (line === undefined) throw internal('a superblock without code is reported', summary.head);
  // An empty line (a lone jump that now falls through) has no instruction of its own to count.
  return line.start === line.end ? 0 : optimized.at(line.start);
}

const codeOf = (summary: SuperblockSummary, optimized: Counts, part: 'line' | 'stub'): PlacedInsn[] =>
  summary.ranges
    .filter((range) => range.part === part)
    .flatMap(({ start, end }) => instructionsAt(optimized.image, start, end));

/**
 * How often each exit was taken: the sum of the edges from its site to its address. A computed exit gets those edges of its site that
 * no other exit claims. An exit that falls through without a recorded edge is taken as often as its last instruction is executed.
 */
function exitCounts(summary: SuperblockSummary, optimized: Counts): ExitReport[] {
  const claimed = new Set(
    summary.exits.filter((exit) => exit.to !== undefined).map((exit) => `${exit.site}>${exit.to}`),
  );
  return summary.exits.map((exit) => {
    const edges = optimized.leaving(exit.site);
    let count = 0;
    if (edges.length === 0) count = optimized.at(exit.site);
    else
      for (const edge of edges)
        if (exit.to === undefined ? !claimed.has(`${edge.site}>${edge.to}`) : edge.to === exit.to) count += edge.count;
    return {
      kind: exit.kind,
      site: hex(exit.site),
      ...(exit.target === undefined ? {} : { target: hex(exit.target) }),
      count,
    };
  });
}

const optimizedLines = (
  summary: SuperblockSummary,
  code: readonly PlacedInsn[],
  part: 'line' | 'stub',
  optimized: Counts,
): OptimizedLine[] =>
  code.map(({ address, insn }) => {
    const origin = summary.addresses.get(address);
    return {
      address: hex(address),
      text: print(insn, address),
      count: optimized.at(address),
      ...(origin === undefined ? {} : { originalAddress: hex(origin) }),
      part,
    };
  });

function originalCode(
  summary: SuperblockSummary,
  path: readonly PlacedInsn[][],
  line: readonly PlacedInsn[],
  stubs: readonly PlacedInsn[],
  original: Counts,
  names: Names,
): PathBlock[] {
  // An unrolled path has an instruction several times; the n-th occurrence on the path is the n-th in the line.
  const inLine = new Map<Addr, Insn[]>();
  for (const { address, insn } of line) {
    const origin = summary.addresses.get(address);
    if (origin === undefined) continue;
    const copies = inLine.get(origin);
    if (copies) copies.push(insn);
    else inLine.set(origin, [insn]);
  }
  const inStubs = new Set(stubs.map(({ address }) => summary.addresses.get(address)));
  return path.map((block, index) => {
    const { start } = summary.path[index]!;
    return {
      address: hex(start),
      symbol: names.label(start),
      count: original.at(start),
      lines: block.map(({ address, insn }) => {
        const now = inLine.get(address)?.shift();
        const gone: Fate = inStubs.has(address) ? 'sunk' : 'removed';
        return {
          address: hex(address),
          text: print(insn, address),
          count: original.at(address),
          fate: now === undefined ? gone : sameInsn(insn, now) ? 'kept' : 'changed',
        };
      }),
    };
  });
}
