/**
 * From a profile to an optimized executable, as one page: flow, traces, superblocks, passes, lowering, emission.
 */
import { choosePasses, IDENTITY_PASSES } from '../../passes/index.ts';
import { type Fuel, makeFuel } from '../base/fuel.ts';
import type { Addr, Reg } from '../base/units.ts';
import { buildCfg } from '../cfg/build.ts';
import { livenessOf } from '../cfg/liveness.ts';
import type { Image } from '../elf/image.ts';
import type { AssumptionId } from '../emit/assumptions.ts';
import { type Emitted, emit } from '../emit/emit.ts';
import type { LoweredSuperblock } from '../lower/item.ts';
import { lowerSuperblock } from '../lower/lower.ts';
import { deadRegister } from '../lower/moves.ts';
import { blocksOf } from '../profile/blocks.ts';
import { codeOf } from '../profile/code.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { type BuildContext, buildSuperblock, everythingLive } from '../superblock/build.ts';
import { checkSuperblock } from '../superblock/check.ts';
import { type Flow, makeFlow } from '../superblock/flow.ts';
import { ALL_REGS, type RegSet, type Superblock } from '../superblock/form.ts';
import { type Pass, runPasses } from '../superblock/pass.ts';
import { DEFAULT_SELECT, type SelectOptions, selectTraces, traceUnrun } from '../superblock/select.ts';
import { weightOf } from '../superblock/weight.ts';

export interface OptimizeOptions {
  /** Comma-separated passes, or the passes themselves; default all. */
  readonly passes?: string | readonly Pass[] | undefined;
  readonly fuel?: Fuel | undefined;
  /** Assumptions that may not be made. */
  readonly without?: readonly AssumptionId[] | undefined;
  readonly select?: Partial<SelectOptions> | undefined;
  /** Sees each superblock after each pass (`before === after` where it changed nothing). */
  readonly observe?: ((pass: Pass, before: Superblock, after: Superblock) => void) | undefined;
}

export interface PassTotal {
  readonly name: string;
  readonly description: string;
  /** Superblocks it changed. */
  readonly superblocks: number;
  /** Instructions it took out, weighted by how often they ran (estimated by the superblocks' counts). */
  readonly saved: number;
}

export interface Optimized extends Emitted {
  readonly superblocks: readonly Superblock[];
  readonly passes: readonly PassTotal[];
  readonly assumptions: readonly string[];
}

/** Those that can be switched off; A5 and A6 come with patching and with optimizing at all. */
export const ASSUMABLE: readonly AssumptionId[] = ['A1', 'A2', 'A3', 'A4', 'A8'];

/** Everything up to the superblocks, before any pass. */
export interface Prepared {
  readonly flow: Flow;
  readonly superblocks: readonly Superblock[];
  readonly liveAt: (address: Addr) => RegSet;
  readonly context: BuildContext;
}

/** Flow, traces and superblocks of a profile. */
export function prepare(
  image: Image,
  profile: ImageProfile,
  allowed: ReadonlySet<AssumptionId>,
  select: Partial<SelectOptions> = {},
): Prepared {
  const flow = makeFlow(blocksOf(profile, image), codeOf(image));
  const liveAt = allowed.has('A1') ? abiLiveness(image, profile) : everythingLive;
  const { traces, entries } = selectTraces(flow, { ...DEFAULT_SELECT, ...select });
  const context = { liveBefore: liveAt, savedReturns: allowed.has('A3') };
  const superblocks = traces.map((trace) =>
    buildSuperblock(trace, flow, Math.round(entries.get(trace.head) ?? 0), context),
  );
  for (const superblock of superblocks) checkSuperblock(superblock, 'trace selection');
  return { flow, superblocks, liveAt, context };
}

function abiLiveness(image: Image, profile: ImageProfile): (address: Addr) => RegSet {
  const liveness = livenessOf(buildCfg(image, profile));
  const known = new Map<Addr, RegSet>();
  return (address) => {
    let set = known.get(address);
    if (set === undefined) {
      const { x, f } = liveness.liveIn(address);
      set = (BigInt(x >>> 0) | (BigInt(f >>> 0) << 32n)) & ALL_REGS;
      known.set(address, set);
    }
    return set;
  };
}

export function optimize(image: Image, profile: ImageProfile, options: OptimizeOptions = {}): Optimized {
  const passes = choosePasses(options.passes);
  const fuel = options.fuel ?? makeFuel();
  const allowed = new Set(ASSUMABLE.filter((id) => !options.without?.includes(id)));
  const { flow, superblocks, liveAt, context } = prepare(image, profile, allowed, options.select);

  const totals = new Map(passes.map((pass) => [pass, { superblocks: 0, saved: 0 }]));
  const identityPasses = passes.filter((pass) => IDENTITY_PASSES.includes(pass));
  const identity = new Set<Addr>();
  const final: Superblock[] = [];
  const plainly = (superblock: Superblock): LoweredSuperblock | undefined => {
    const plain = runPasses(superblock, identityPasses, { fuel });
    const low = lowerSuperblock(plain);
    if (low !== undefined) {
      identity.add(superblock.head);
      final.push(plain);
    }
    return low;
  };
  const form = (superblock: Superblock): LoweredSuperblock | undefined => {
    const formed = runPasses(superblock, passes, { fuel }, (pass, before, after) => {
      options.observe?.(pass, before, after);
      if (before === after) return;
      const total = totals.get(pass)!;
      total.superblocks++;
      total.saved += weightOf(before) - weightOf(after);
    });
    // What costs more than the original did is not worth having.
    const worth = weightOf(formed) <= weightOf(superblock);
    const low = worth ? lowerSuperblock(formed) : undefined;
    if (low === undefined) return plainly(superblock);
    final.push(formed);
    return low;
  };
  const lowered = superblocks.map(form).filter((low) => low !== undefined);

  const assumed = new Set<AssumptionId>(allowed.has('A1') ? ['A1', 'A6'] : ['A6']);
  if (superblocks.some((superblock) => superblock.ops.some((op) => op.known !== undefined))) assumed.add('A3');
  const emitted = emit({
    image,
    profile,
    flow,
    superblocks: lowered,
    pathOf: (head) => final.find((superblock) => superblock.head === head)?.path ?? [],
    identity,
    entered: outsideEntries(flow, final),
    continueAt: (address) => {
      const trace = traceUnrun(codeOf(image), address);
      return trace === undefined ? undefined : plainly(buildSuperblock(trace, flow, 0, context));
    },
    deadAt: (address): Reg | undefined => deadRegister(liveAt(address), new Set()),
    allowed,
    assumed,
  });
  return {
    ...emitted,
    superblocks: final,
    passes: passes.map((pass) => ({ name: pass.name, description: pass.description, ...totals.get(pass)! })),
    assumptions: emitted.map.assumptions,
  };
}

/**
 * Heads that original code may enter: by calls through pointers, returns to original addresses, indirect jumps, from the kernel, and
 * from blocks that no superblock covers.
 */
function outsideEntries(flow: Flow, superblocks: readonly Superblock[]): (head: Addr) => boolean {
  const covered = new Set(superblocks.flatMap((superblock) => superblock.path));
  return (head) => {
    const block = flow.blocks.get(head);
    if (block === undefined) return false;
    if (flow.callBefore.has(head)) return true;
    // Original code that has got into a loop, by whatever way, must find its way out of there.
    if (block.into.some((edge) => flow.retreats(edge.from, head))) return true;
    const inflow = block.into.reduce((sum, edge) => sum + edge.count, 0);
    return (
      inflow < block.count ||
      block.into.some(
        (edge) =>
          edge.kind === 'call' ||
          edge.kind === 'indirect' ||
          edge.kind === 'indirect-call' ||
          edge.kind === 'return' ||
          edge.kind === 'syscall' ||
          !covered.has(edge.from),
      )
    );
  };
}
