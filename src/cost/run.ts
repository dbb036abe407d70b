/**
 * The cost of a whole run on the model of core.ts, from counts alone. For every executed edge the pipeline is warmed up with the source
 * block and the blocks that ran most often before it; the cycles of the target block after them are counted as often as the edge was
 * taken. So each block is costed after the block from which control really came; only the path further back is assumed, as the likeliest.
 */
import type { Addr } from '../base/units.ts';
import { type Code, codeOf } from '../code/code.ts';
import type { EdgeKind } from '../code/endings.ts';
import type { Image } from '../elf/image.ts';
import { type Blocks, blocksOf } from '../profile/blocks.ts';
import { type ImageProfile, OUTSIDE, type ProfiledBlock, type ProfiledEdge } from '../profile/profile.ts';
import { type Timing, timingOf } from './core.ts';
import { type Cause, Pipeline } from './pipeline.ts';

export interface ModelledRun {
  readonly cycles: number;
  /** The same cycles by cause. */
  readonly causes: Readonly<Record<Cause, number>>;
  /** 64-byte lines that hold executed code. */
  readonly lines: number;
  /** Bytes of the hottest blocks that make up 99 % of the executed instructions, and the lines they lie in. */
  readonly hotBytes: number;
  readonly hotLines: number;
}

const LINE_BYTES = 64;
const HOT_SHARE = 0.99;
/** Instructions that warm the pipeline up before a block: more than any latency but a quotient's. */
const WARM_UP_INSNS = 24;

/** Kinds of edges that lead to the next address. */
const STRAIGHT: ReadonlySet<EdgeKind> = new Set<EdgeKind>(['fall', 'syscall']);

/** The executed blocks and edges, with what the model of the processor needs of them. */
class Executed {
  readonly #code: Code;
  readonly #byStart: ReadonlyMap<Addr, ProfiledBlock>;
  readonly #timings = new Map<Addr, readonly Timing[]>();
  /** By block: the edge that most often led to it, the sum of the counts of edges to it, and the edges from it. */
  readonly #likeliest = new Map<Addr, ProfiledEdge>();
  readonly #entered = new Map<Addr, number>();
  readonly #leaving = new Map<Addr, ProfiledEdge[]>();

  constructor(code: Code, { blocks, edges }: Blocks) {
    this.#code = code;
    this.#byStart = new Map(blocks.map((block) => [block.start, block]));
    for (const edge of edges) {
      if (edge.to !== OUTSIDE) this.#arrive(edge, edge.to);
      const list = this.#leaving.get(edge.from);
      if (list === undefined) this.#leaving.set(edge.from, [edge]);
      else list.push(edge);
    }
  }

  #arrive(edge: ProfiledEdge, to: Addr): void {
    this.#entered.set(to, (this.#entered.get(to) ?? 0) + edge.count);
    const best = this.#likeliest.get(to);
    if (best === undefined || edge.count > best.count) this.#likeliest.set(to, edge);
  }

  /** The block that starts at an address. */
  at(start: Addr): ProfiledBlock | undefined {
    return this.#byStart.get(start);
  }
  /** The number of times that the run began with a block. */
  begun(block: ProfiledBlock): number {
    return block.count - (this.#entered.get(block.start) ?? 0);
  }
  leaving(block: ProfiledBlock): readonly ProfiledEdge[] {
    return this.#leaving.get(block.start) ?? [];
  }
  timingsOf(block: ProfiledBlock): readonly Timing[] {
    let list = this.#timings.get(block.start);
    if (list === undefined) {
      const made: Timing[] = [];
      for (let pc = block.start; pc < block.end; ) {
        const insn = this.#code.insnAt(pc)!;
        made.push(timingOf(insn));
        pc += insn.size;
      }
      list = made;
      this.#timings.set(block.start, list);
    }
    return list;
  }

  /** The pipeline just after a block that was reached on its likeliest path. */
  pipelineAfter(block: ProfiledBlock): Pipeline {
    const way: { block: ProfiledBlock; turns: boolean }[] = [];
    let length = 0;
    for (let at = block; length < WARM_UP_INSNS; ) {
      const edge = this.#likeliest.get(at.start);
      const before = edge === undefined ? undefined : this.at(edge.from);
      if (edge === undefined || before === undefined) break;
      way.push({ block: before, turns: !STRAIGHT.has(edge.kind) });
      length += before.insns;
      at = before;
    }
    const pipeline = new Pipeline();
    for (const step of way.reverse()) {
      this.#issue(pipeline, step.block);
      if (step.turns) pipeline.turn();
    }
    this.#issue(pipeline, block);
    return pipeline;
  }
  #issue(pipeline: Pipeline, block: ProfiledBlock): void {
    for (const timing of this.timingsOf(block)) pipeline.issue(timing);
  }
}

export function modelledCycles(image: Image, profile: ImageProfile): ModelledRun {
  const flow = blocksOf(profile, image);
  const executed = new Executed(codeOf(image), flow);
  const causes: Record<Cause, number> = {
    issue: 0,
    pair: 0,
    turn: 0,
    integer: 0,
    load: 0,
    multiply: 0,
    divide: 0,
    float: 0,
    system: 0,
  };
  /** Counts the cycles of a block after the instructions in the pipeline. */
  const count = (pipeline: Pipeline, block: ProfiledBlock, times: number) => {
    for (const timing of executed.timingsOf(block)) {
      const before = pipeline.cycle;
      const at = pipeline.issue(timing);
      if (at > before) causes[pipeline.cause] += (at - before) * times;
    }
  };
  for (const block of flow.blocks) {
    const begun = executed.begun(block);
    if (begun > 0) count(new Pipeline(), block, begun);
    const leaving = executed.leaving(block);
    if (leaving.length === 0) continue;
    const warm = executed.pipelineAfter(block);
    for (const edge of leaving) {
      const to = edge.to === OUTSIDE ? undefined : executed.at(edge.to);
      if (to === undefined) continue;
      const pipeline = new Pipeline(warm);
      if (!STRAIGHT.has(edge.kind)) pipeline.turn();
      count(pipeline, to, edge.count);
    }
  }
  const cycles = Object.values(causes).reduce((sum, each) => sum + each, 0);
  return { cycles, causes, ...footprint(flow.blocks) };
}

function footprint(blocks: readonly ProfiledBlock[]): Pick<ModelledRun, 'lines' | 'hotBytes' | 'hotLines'> {
  const executed = blocks.filter((block) => block.count > 0).sort((a, b) => b.count - a.count || a.start - b.start);
  const total = executed.reduce((sum, block) => sum + block.count * block.insns, 0);
  const lines = new Set<number>();
  let hotLines = 0;
  let hotBytes = 0;
  let seen = 0;
  for (const block of executed) {
    const hot = seen < HOT_SHARE * total;
    for (let line = Math.floor(block.start / LINE_BYTES); line * LINE_BYTES < block.end; line++) lines.add(line);
    if (!hot) continue;
    seen += block.count * block.insns;
    hotBytes += block.end - block.start;
    hotLines = lines.size;
  }
  return { lines: lines.size, hotBytes, hotLines };
}
