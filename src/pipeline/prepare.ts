/** From a profile to superblocks as they are before any pass: flow, traces, superblocks. */

import { unsupported } from '../base/errors.ts';
import { ALL_REGS, intersect, type RegSet } from '../base/regset.ts';
import type { Addr } from '../base/units.ts';
import { imageSaves } from '../cfg/image-saves.ts';
import { imageLiveness } from '../cfg/liveness.ts';
import { codeOf } from '../code/code.ts';
import type { Image } from '../elf/image.ts';
import { unreadableTables } from '../elf/unwind/index.ts';
import type { AssumptionId } from '../emit/assumptions.ts';
import { blocksOf } from '../profile/blocks.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { type BuildContext, buildSuperblock, everythingLive } from '../superblock/build.ts';
import { checkSuperblock } from '../superblock/check.ts';
import { type Flow, makeFlow } from '../superblock/flow.ts';
import type { Superblock } from '../superblock/form.ts';
import { DEFAULT_SELECT, growTrace, type SelectOptions, selectTraces } from '../superblock/select.ts';
import type { Trace } from '../superblock/trace.ts';
import { defaultGrowth, selectWithin } from './budget.ts';
import { attempt } from './failures.ts';
import type { OptimizeOptions } from './setting.ts';

/** More than all runs of a jump: no target of a jump has this share of them. */
const NO_SHARE = 2;

export interface Prepared {
  readonly flow: Flow;
  readonly superblocks: readonly Superblock[];
  /** Builds a head's superblock without guards on indirect jumps: a guard takes a dead register, and there may be none. */
  readonly unguarded: (head: Addr) => Superblock | undefined;
  readonly liveAt: (address: Addr) => RegSet;
  readonly context: BuildContext;
}

/**
 * @param allowed the assumptions that may be made
 * @throws unsupported if exceptions may be thrown and the tables that tell where they go cannot be read
 */
export function prepare(
  image: Image,
  profile: ImageProfile,
  allowed: ReadonlySet<AssumptionId>,
  options: Pick<OptimizeOptions, 'maxGrowth' | 'select' | 'onFailure'> = {},
): Prepared {
  const { maxGrowth = defaultGrowth(image.bytes.length), select = {}, onFailure } = options;
  const unreadable = unreadableTables(image);
  if (unreadable !== undefined)
    throw unsupported(
      `${image.file}: ${unreadable} cannot be read, so it is not known where exceptions go`,
      'it can be run and profiled, but not optimized',
    );
  const flow = makeFlow(blocksOf(profile, image), codeOf(image));
  const liveAt = allowed.has('A1') ? abiLiveness(image) : everythingLive;
  const chosen = (copyShare: number): SelectOptions => ({ ...DEFAULT_SELECT, copyShare, ...select });
  const { traces, entries } = selectWithin(maxGrowth, (copyShare) =>
    selectTraces(flow, chosen(copyShare), (head, grow) =>
      attempt(onFailure, head, 'none', () => 'in trace selection', grow),
    ),
  );
  const context = {
    liveBefore: liveAt,
    watched: !allowed.has('A11'),
    saves: allowed.has('A3') && allowed.has('A8') ? imageSaves(image) : undefined,
  };
  const build = (trace: Trace): Superblock => {
    const superblock = buildSuperblock(trace, flow, Math.round(entries.get(trace.head) ?? 0), context);
    checkSuperblock(superblock, 'trace selection');
    return superblock;
  };
  const superblocks = traces.flatMap(
    (trace) =>
      attempt(
        onFailure,
        trace.head,
        'none',
        () => 'in building it',
        () => build(trace),
      ) ?? [],
  );
  const unguarded = (head: Addr): Superblock | undefined => {
    const options = { ...chosen(DEFAULT_SELECT.copyShare), guardShare: NO_SHARE, guardShareInlined: NO_SHARE };
    const trace = growTrace(flow, head, new Set(entries.keys()), options);
    return trace && build(trace);
  };
  return { flow, superblocks, unguarded, liveAt, context };
}

/** Liveness from the image alone, as the prover has it: in code that only the profile shows, every register is live. */
function abiLiveness(image: Image): (address: Addr) => RegSet {
  const liveness = imageLiveness(image);
  const known = new Map<Addr, RegSet>();
  return (address) => {
    let set = known.get(address);
    if (set === undefined) {
      set = intersect(liveness.liveIn(address), ALL_REGS);
      known.set(address, set);
    }
    return set;
  };
}
