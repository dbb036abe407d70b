/**
 * The optimizer's pipeline, from a profile to an optimized executable: flow, traces, superblocks, passes, lowering, emission.
 */
import { choosePasses, IDENTITY_PASSES } from '../../passes/index.ts';
import { retarget } from '../../passes/retarget.ts';
import { unsupported } from '../base/errors.ts';
import { type Fuel, makeFuel } from '../base/fuel.ts';
import { once } from '../base/once.ts';
import type { Addr, ByteCount, Reg } from '../base/units.ts';
import { imageExtensions } from '../cfg/extensions.ts';
import { imageLiveness } from '../cfg/liveness.ts';
import { imageSaves } from '../cfg/saves.ts';
import { codeOf } from '../code/code.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import { type AssumptionId, byNumber } from '../emit/assumptions.ts';
import { type Emitted, emit } from '../emit/emit.ts';
import { type Evidence, gatherEvidence } from '../emit/evidence.ts';
import { findTables, type JumpTable } from '../emit/tables.ts';
import { unreadableTables } from '../emit/unwind/index.ts';
import { type ExtensionSet, extensionSet } from '../isa/extensions.ts';
import { extensionsOf } from '../isa/targets.ts';
import type { LoweredSuperblock } from '../lower/item.ts';
import { lowerSuperblock } from '../lower/lower.ts';
import { deadRegister } from '../lower/moves.ts';
import { blocksOf } from '../profile/blocks.ts';
import type { ImageProfile } from '../profile/profile.ts';
import { type BuildContext, buildSuperblock, everythingLive } from '../superblock/build.ts';
import { checkSuperblock } from '../superblock/check.ts';
import { type Flow, makeFlow } from '../superblock/flow.ts';
import { ALL_REGS, type Op, type RegSet, type Superblock } from '../superblock/form.ts';
import { type Pass, runPasses } from '../superblock/pass.ts';
import { runCost } from '../superblock/run-cost.ts';
import {
  DEFAULT_SELECT,
  growTrace,
  type SelectOptions,
  selectTraces,
  type Trace,
  traceUnrun,
} from '../superblock/select.ts';
import { weightOf } from '../superblock/weight.ts';
import { defaultGrowth, selectWithin, withinGrowth } from './budget.ts';
import { attempt, type OnFailure, type Rejection } from './failures.ts';

export interface OptimizeOptions {
  /** Comma-separated passes, or the passes themselves; default all. */
  readonly passes?: string | readonly Pass[] | undefined;
  readonly fuel?: Fuel | undefined;
  /** RISC-V profile that the output may require, by name (isa/targets); default: the output runs wherever the input does. */
  readonly target?: string | undefined;
  /** Assumptions that may not be made. */
  readonly without?: readonly AssumptionId[] | undefined;
  /** Patch single instructions only, so that as little as possible rests on A2. */
  readonly narrow?: boolean | undefined;
  readonly select?: Partial<SelectOptions> | undefined;
  /** How much the file may grow; default: 96 KiB or 8 % of its size, whichever is more. */
  readonly maxGrowth?: ByteCount | undefined;
  /** Called with each superblock after each pass, also of identity forms (`before === after` if the pass changed nothing). */
  readonly observe?: ((pass: Pass, before: Superblock, after: Superblock) => void) | undefined;
  /** Receives failures in single superblocks; default: they are thrown. */
  readonly onFailure?: OnFailure | undefined;
}

export interface PassTotal {
  readonly name: string;
  readonly description: string;
  /** Superblocks that the pass changed. */
  readonly superblocks: number;
  /** Instructions, taken branches and modelled cycles that the pass removed, estimated from the superblocks' counts. */
  readonly saved: number;
  readonly taken: number;
  readonly cycles: number;
}

export interface Optimized extends Emitted {
  readonly superblocks: readonly Superblock[];
  readonly passes: readonly PassTotal[];
  /** Ids, by number. */
  readonly assumptions: readonly string[];
  /** Heads of superblocks that the growth budget had no room for, and that are not in the file. */
  readonly dropped: readonly Addr[];
}

/** Assumptions that can be switched off; A2 and A5 come with patching, A6 with optimizing at all, A7 with calls, A9 with a target. */
export const ASSUMABLE: readonly AssumptionId[] = ['A1', 'A3', 'A4', 'A8', 'A11'];

/** Assumptions that may be made about a profiled program: A11 only if the profile saw no handler, task or shared mapping. */
export function assumable(profile: ImageProfile, without: readonly AssumptionId[] = []): Set<AssumptionId> {
  const seen: readonly AssumptionId[] = profile.others.length > 0 ? ['A11'] : [];
  return new Set(ASSUMABLE.filter((id) => !without.includes(id) && !seen.includes(id)));
}

/** Everything up to the superblocks, before any pass. */
export interface Prepared {
  readonly flow: Flow;
  readonly superblocks: readonly Superblock[];
  /** Builds a head's superblock without guards on indirect jumps: a guard takes a dead register, and there may be none. */
  readonly unguarded: (head: Addr) => Superblock | undefined;
  readonly liveAt: (address: Addr) => RegSet;
  readonly context: BuildContext;
}

/** Flow, traces and superblocks of a profile. */
export function prepare(
  image: Image,
  profile: ImageProfile,
  allowed: ReadonlySet<AssumptionId>,
  maxGrowth: ByteCount = defaultGrowth(image.bytes.length),
  select: Partial<SelectOptions> = {},
  onFailure?: OnFailure,
): Prepared {
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
    const options = { ...chosen(DEFAULT_SELECT.copyShare), guardShare: 2, guardShareInlined: 2 };
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
      const { x, f } = liveness.liveIn(address);
      set = (BigInt(x >>> 0) | (BigInt(f >>> 0) << 32n)) & ALL_REGS;
      known.set(address, set);
    }
    return set;
  };
}

/** All superblocks after all passes, to be emitted in one form or another. */
export interface Formed {
  readonly passes: readonly Pass[];
  /** Heads of all superblocks. */
  readonly heads: readonly Addr[];
  /**
   * @param rejected by head; a superblock that is not rejected ships as the passes made it, if it has such a form
   * @param untouched addresses that may not be patched
   */
  emit(rejected?: ReadonlyMap<Addr, Rejection>, untouched?: ReadonlySet<Addr>): Optimized;
  /** The output after the first so many passes; for inspection, not for shipping. */
  emitAfter(passes: number): Optimized;
}

/** A superblock with its lowered code. */
interface Emittable {
  readonly superblock: Superblock;
  readonly lowered: LoweredSuperblock;
}

/** One superblock with the forms in which it may be emitted. */
interface Candidate {
  readonly before: Superblock;
  /** The superblock after each pass. */
  readonly stages: readonly Superblock[];
  /** Undefined if the superblock costs more than the original did, or does not fit in the registers. */
  readonly formed: (Emittable & { readonly passed: number }) | undefined;
  /** The form in which only control transfers are changed; undefined if that form does not fit in the registers either. */
  readonly identity: () => Emittable | undefined;
}

interface ChosenForm {
  readonly form: Emittable | undefined;
  /** How many passes the form has been through; absent for the identity form. */
  readonly passed?: number;
}

/** The extensions of every machine that the output is meant for. */
export const machineFor = (image: Image, target: string | undefined): ExtensionSet =>
  imageExtensions(image) | extensionSet(extensionsOf(target));

export function optimize(image: Image, profile: ImageProfile, options: OptimizeOptions = {}): Optimized {
  return formSuperblocks(image, profile, options).emit();
}

export function formSuperblocks(image: Image, profile: ImageProfile, options: OptimizeOptions = {}): Formed {
  const extensions = extensionsOf(options.target);
  const machine = machineFor(image, options.target);
  const passes = choosePasses(options.passes).filter((pass) => pass !== retarget || extensions.length > 0);
  const fuel = options.fuel ?? makeFuel();
  const allowed = assumable(profile, options.without);
  const maxGrowth = options.maxGrowth ?? defaultGrowth(image.bytes.length);
  const prepared = prepare(image, profile, allowed, maxGrowth, options.select, options.onFailure);
  const identityPasses = passes.filter((pass) => IDENTITY_PASSES.includes(pass));

  /** After fewer passes a superblock is no more than its identity form. */
  const fewestPasses = Math.min(passes.length, identityPasses.length + 1);

  const emittable = (superblock: Superblock): Emittable | undefined => {
    const lowered = lowerSuperblock(superblock, machine);
    return lowered && { superblock, lowered };
  };
  const identityForm = (superblock: Superblock) =>
    emittable(runPasses(superblock, identityPasses, { fuel }, options.observe));
  const make = (before: Superblock): Candidate => {
    const stages: Superblock[] = [];
    const identity = once(() =>
      attempt(
        options.onFailure,
        before.head,
        'none',
        () => 'in its identity form',
        () => identityForm(before),
      ),
    );
    const where = () => {
      const pass = passes[stages.length];
      return pass === undefined ? 'in lowering' : `in the pass ${pass.name}`;
    };
    const formed = attempt(options.onFailure, before.head, 'identity', where, () => formOf(before, stages));
    while (stages.length < passes.length) stages.push(before);
    if (formed === undefined) identity();
    return { before, stages, formed, identity };
  };
  /** @param stages receives the superblock after each pass */
  const formOf = (before: Superblock, stages: Superblock[]): Candidate['formed'] => {
    runPasses(before, passes, { fuel, extensions, machine, deadFrames: allowed.has('A8') }, (pass, from, to) => {
      options.observe?.(pass, from, to);
      stages.push(to);
    });
    // A stage that costs more than the original is not worth shipping. If a stage does not fit in the registers, an earlier one may.
    const originalWeight = weightOf(before);
    let formed: Candidate['formed'];
    for (let passed = passes.length; passed >= fewestPasses && formed === undefined; passed--) {
      const stage = stages[passed - 1] ?? before;
      if (stage === stages[passed] || weightOf(stage) > originalWeight) continue;
      const form = emittable(stage);
      formed = form && { ...form, passed };
    }
    return formed;
  };
  const candidates = prepared.superblocks.map((superblock) => {
    const first = make(superblock);
    const guarded = superblock.ops.some(({ expect }) => expect !== undefined);
    if (!guarded || first.formed !== undefined || first.identity() !== undefined) return first;
    const other = prepared.unguarded(superblock.head);
    return other === undefined ? first : make(other);
  });
  const continuations = new Map<Addr, Emittable | undefined>();
  const continueAt = (address: Addr): Emittable | undefined => {
    if (!continuations.has(address)) {
      const form = attempt(
        options.onFailure,
        address,
        'none',
        () => 'in what goes on behind others',
        () => {
          const trace = traceUnrun(codeOf(image), address);
          return trace && identityForm(buildSuperblock(trace, prepared.flow, 0, prepared.context));
        },
      );
      continuations.set(address, form);
    }
    return continuations.get(address);
  };
  const evidence = gatherEvidence(image, profile);
  const jumpTables = allowed.has('A4') ? findTables(image, prepared.flow, evidence) : [];
  const weights = new Map(prepared.superblocks.map((superblock) => [superblock.head, weightOf(superblock)]));
  // A superblock that was dropped once stays dropped in later rounds, in which others have taken their identity form.
  const dropped = new Set<Addr>();
  const emitForms = (
    formOf: (candidate: Candidate) => ChosenForm,
    rejected: ReadonlyMap<Addr, Rejection>,
    untouched?: ReadonlySet<Addr>,
  ): Optimized => {
    const totals = passes.map(({ name, description }) => ({
      name,
      description,
      superblocks: 0,
      saved: 0,
      taken: 0,
      cycles: 0,
    }));
    const final = new Map<Addr, Emittable>();
    const identity = new Set<Addr>();
    for (const candidate of candidates) {
      const { form, passed } = formOf(candidate);
      if (form === undefined || dropped.has(form.superblock.head)) continue;
      final.set(form.superblock.head, form);
      if (passed === undefined) identity.add(form.superblock.head);
      else count(totals, candidate, passed);
    }
    return emitFinal({
      image,
      evidence,
      jumpTables,
      prepared,
      allowed,
      final,
      identity,
      rejected,
      untouched,
      narrow: options.narrow,
      dropped,
      continueAt: (head) => (rejected.get(head)?.form === 'none' ? undefined : continueAt(head)),
      extensions,
      machine,
      passes: totals,
    });
  };
  return {
    passes,
    heads: candidates.map(({ before }) => before.head),
    emit: (rejected = new Map(), untouched = new Set()) =>
      withinGrowth(
        maxGrowth,
        dropped,
        (head) => weights.get(head),
        () =>
          emitForms(
            (candidate) => {
              const instead = rejected.get(candidate.before.head)?.form;
              if (instead === 'none') return { form: undefined };
              return instead === undefined && candidate.formed !== undefined
                ? { form: candidate.formed, passed: candidate.formed.passed }
                : { form: candidate.identity() };
            },
            rejected,
            untouched,
          ),
      ),
    emitAfter: (number) =>
      emitForms((candidate) => {
        const form = emittable(number === 0 ? candidate.before : candidate.stages[number - 1]!);
        return form === undefined ? { form: candidate.identity() } : { form, passed: number };
      }, new Map()),
  };
}

type Counted = { -readonly [K in keyof PassTotal]: PassTotal[K] };

/** Adds the changes that the first `passed` passes made to one superblock. */
function count(totals: readonly Counted[], { before, stages }: Candidate, passed: number): void {
  for (let index = 0; index < passed; index++) {
    const [from, to] = [stages[index - 1] ?? before, stages[index]!];
    if (from === to) continue;
    const total = totals[index]!;
    total.superblocks++;
    const [cost, less] = [runCost(from), runCost(to)];
    total.saved += cost.instructions - less.instructions;
    total.taken += cost.taken - less.taken;
    total.cycles += cost.cycles - less.cycles;
  }
}

interface FinalRequest {
  readonly image: Image;
  readonly evidence: Evidence;
  readonly jumpTables: readonly JumpTable[];
  readonly prepared: Prepared;
  readonly allowed: ReadonlySet<AssumptionId>;
  /** By head; the superblocks that `continueAt` gives are added. */
  readonly final: Map<Addr, Emittable>;
  readonly identity: Set<Addr>;
  readonly rejected: ReadonlyMap<Addr, Rejection>;
  readonly untouched: ReadonlySet<Addr> | undefined;
  readonly narrow: boolean | undefined;
  readonly dropped: ReadonlySet<Addr>;
  readonly continueAt: (address: Addr) => Emittable | undefined;
  readonly extensions: readonly string[];
  readonly machine: ExtensionSet;
  readonly passes: readonly PassTotal[];
}

function emitFinal(request: FinalRequest): Optimized {
  const { image, evidence, jumpTables, prepared, allowed, final, identity, rejected, dropped, extensions, passes } =
    request;
  const { flow, liveAt } = prepared;
  const assumed = new Set<AssumptionId>(['A6']);
  for (const id of ['A1', 'A11'] as const) if (allowed.has(id)) assumed.add(id);
  const some = (test: (op: Op) => boolean) => prepared.superblocks.some(({ ops }) => ops.some(test));
  if (some(({ known, saved }) => known !== undefined || saved !== undefined)) assumed.add('A3').add('A8');
  if (allowed.has('A8') && prepared.superblocks.some((before) => hasFewerStores(before, final.get(before.head))))
    assumed.add('A8');
  if (extensions.length > 0) assumed.add('A9');
  const forms = [...final.values()];
  const entered = outsideEntries(
    flow,
    forms.map(({ superblock }) => superblock),
    prepared.superblocks.filter(({ head }) => dropped.has(head)),
  );
  const emitted = emit({
    image,
    evidence,
    jumpTables,
    superblocks: forms.map(({ lowered }) => lowered),
    pathOf: (head) => final.get(head)?.superblock.path ?? [],
    identity,
    rejected: (head) => rejected.get(head)?.reason,
    ...(request.untouched && { untouched: request.untouched }),
    narrow: request.narrow,
    entered,
    continueAt: (address) => {
      const form = request.continueAt(address);
      if (form === undefined) return undefined;
      identity.add(address);
      final.set(address, form);
      return form.lowered;
    },
    deadAt: (address): Reg | undefined => deadRegister(liveAt(address), new Set()),
    extensions,
    machine: request.machine,
    assumed,
  });
  // The code at a dropped superblock's head may ship all the same, behind an exit that does not reach the original.
  const shipped = new Set(emitted.map.superblocks.map(({ head }) => head));
  return {
    ...emitted,
    superblocks: [...final.values()].map(({ superblock }) => superblock),
    passes,
    assumptions: [...emitted.map.assumptions].sort(byNumber),
    dropped: [...dropped].filter((head) => !shipped.has(head)).sort((a, b) => a - b),
  };
}

/** Has a superblock's line fewer stores than before the passes? */
function hasFewerStores(before: Superblock, after: Emittable | undefined): boolean {
  const stores = ({ ops }: Superblock) => ops.filter(({ insn }) => facts(insn).store !== undefined).length;
  return after !== undefined && stores(after.superblock) < stores(before);
}

/**
 * Heads that original code may enter: by calls, returns to original addresses, indirect jumps, from the kernel, and from blocks that
 * no superblock covers.
 */
function outsideEntries(
  flow: Flow,
  superblocks: readonly Superblock[],
  dropped: readonly Superblock[],
): (head: Addr) => boolean {
  const covered = new Set(superblocks.flatMap((superblock) => superblock.path));
  // A dropped superblock's path runs in the original text, even where another superblock's path covers a part of it.
  for (const { path } of dropped) for (const block of path) covered.delete(block);
  const ways = headsBehindLoops(flow, new Set(superblocks.map(({ head }) => head)));
  return (head) => {
    const block = flow.blocks.get(head);
    if (block === undefined) return false;
    if (flow.callBefore.has(head)) return true;
    // Control that runs round a loop in original code must come into optimized code: at the loop's header, or at the next heads behind it.
    if (ways.has(head) || block.into.some((edge) => flow.retreats(edge.from, head))) return true;
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

/** The first heads that control reaches from loop headers that are no heads themselves; calls and returns are not followed. */
function headsBehindLoops(flow: Flow, heads: ReadonlySet<Addr>): ReadonlySet<Addr> {
  const found = new Set<Addr>();
  const seen = new Set<Addr>();
  const open = [...flow.blocks.values()].filter(
    ({ start, into }) => !heads.has(start) && into.some(({ from }) => flow.retreats(from, start)),
  );
  for (let block = open.pop(); block !== undefined; block = open.pop()) {
    if (seen.has(block.start)) continue;
    seen.add(block.start);
    for (const { to, kind } of block.out) {
      const next = flow.blocks.get(to);
      if (next === undefined || kind === 'call' || kind === 'indirect-call' || kind === 'return') continue;
      if (heads.has(to)) found.add(to);
      else open.push(next);
    }
  }
  return found;
}
