/** Emission of superblocks, each in the form that is chosen for it. */
import type { Addr } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import type { Image } from '../elf/image.ts';
import type { AssumptionOf } from '../emit/assumptions.ts';
import { type Emitted, emit } from '../emit/emit.ts';
import { type Evidence, gatherEvidence } from '../emit/evidence.ts';
import { findTables, type JumpTable } from '../emit/tables.ts';
import { deadRegister } from '../lower/scratch.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { Op, Superblock } from '../superblock/form.ts';
import { outsideEntries } from '../superblock/outside-entries.ts';
import type { Rejection } from './failures.ts';
import type { Candidate, Emittable } from './forms.ts';
import { type PassTotal, PassTotals } from './pass-totals.ts';
import type { Prepared } from './prepare.ts';
import type { Setting } from './setting.ts';

export interface Optimized extends Emitted {
  readonly superblocks: readonly Superblock[];
  readonly passes: readonly PassTotal[];
  /** Heads of superblocks that the growth budget had no room for, and that are not in the file. */
  readonly dropped: readonly Addr[];
}

export interface ChosenForm {
  readonly candidate: Candidate;
  /** Undefined: the code stays in the original text only. */
  readonly form: Emittable | undefined;
  /** How many passes the form has been through; absent for the identity form. */
  readonly passed?: number;
}

/** What may not be emitted, by failures and by the prover's verdicts. */
export interface Restrictions {
  /** By head. */
  readonly rejected: ReadonlyMap<Addr, Rejection>;
  /** Addresses that may not be patched. */
  readonly untouched?: ReadonlySet<Addr> | undefined;
}

export interface EmitterRequest {
  readonly image: Image;
  readonly profile: ImageProfile;
  readonly setting: Setting;
  readonly prepared: Prepared;
  /** The form of code that did not run, for exits that cannot jump far enough. */
  readonly continueAt: (address: Addr) => Emittable | undefined;
}

/** Emits the superblocks of one image, as often as needed. */
export class FormEmitter {
  /**
   * Heads of superblocks that are left out for want of room. A superblock that was dropped once stays dropped in later emissions, in which
   * others have taken their identity form.
   */
  readonly dropped = new Set<Addr>();
  readonly #request: EmitterRequest;
  readonly #evidence: Evidence;
  readonly #jumpTables: readonly JumpTable[];

  constructor(request: EmitterRequest) {
    const { image, profile, setting, prepared } = request;
    this.#request = request;
    this.#evidence = gatherEvidence(image, profile);
    this.#jumpTables = setting.allowed.has('A4') ? findTables(image, prepared.flow) : [];
  }

  emit(chosen: readonly ChosenForm[], restrictions: Restrictions): Optimized {
    const { prepared, setting } = this.#request;
    const { passes, options, extensions, machine } = setting;
    const { forms, identity, totals } = shipped(chosen, this.dropped, new PassTotals(passes));
    const lowered = [...forms.values()].map((form) => form.lowered);
    const emitted = emit({
      image: this.#request.image,
      evidence: this.#evidence,
      jumpTables: this.#jumpTables,
      superblocks: lowered,
      pathOf: (head) => forms.get(head)?.superblock.path ?? [],
      identity,
      rejected: (head) => restrictions.rejected.get(head)?.reason,
      ...(restrictions.untouched && { untouched: restrictions.untouched }),
      narrow: options.narrow,
      entered: this.#entered(forms),
      continueAt: (address) => {
        if (restrictions.rejected.get(address)?.form === 'none') return undefined;
        const form = this.#request.continueAt(address);
        if (form === undefined) return undefined;
        identity.add(address);
        forms.set(address, form);
        return form.lowered;
      },
      deadAt: (address) => deadRegister(prepared.liveAt(address), new Set()),
      extensions,
      machine,
      assumed: assumedBy(setting, prepared, forms),
    });
    // The code at a dropped superblock's head may ship all the same, behind an exit that does not reach the original.
    const inFile = new Set(emitted.map.superblocks.map(({ head }) => head));
    return {
      ...emitted,
      superblocks: [...forms.values()].map(({ superblock }) => superblock),
      passes: totals.list,
      dropped: [...this.dropped].filter((head) => !inFile.has(head)).sort((a, b) => a - b),
    };
  }

  /** May original code enter a head? */
  #entered(forms: ReadonlyMap<Addr, Emittable>): (head: Addr) => boolean {
    const { flow, superblocks } = this.#request.prepared;
    return outsideEntries(
      flow,
      [...forms.values()].map(({ superblock }) => superblock),
      superblocks.filter(({ head }) => this.dropped.has(head)),
    );
  }
}

/** The forms that are emitted, by head, and which of them are identity forms. Both grow where an exit needs code that did not run. */
interface Shipped {
  readonly forms: Map<Addr, Emittable>;
  readonly identity: Set<Addr>;
  readonly totals: PassTotals;
}

function shipped(chosen: readonly ChosenForm[], dropped: ReadonlySet<Addr>, totals: PassTotals): Shipped {
  const forms = new Map<Addr, Emittable>();
  const identity = new Set<Addr>();
  for (const { candidate, form, passed } of chosen) {
    if (form === undefined || dropped.has(form.superblock.head)) continue;
    forms.set(form.superblock.head, form);
    if (passed === undefined) identity.add(form.superblock.head);
    else totals.count(candidate, passed);
  }
  return { forms, identity, totals };
}

/** The assumptions that selection and passes have made for these forms. */
function assumedBy(
  { allowed, extensions }: Setting,
  { superblocks }: Prepared,
  forms: ReadonlyMap<Addr, Emittable>,
): ReadonlySet<AssumptionOf<'optimizer'>> {
  const assumed = new Set<AssumptionOf<'optimizer'>>(['A6']);
  for (const id of ['A1', 'A11'] as const) if (allowed.has(id)) assumed.add(id);
  const some = (test: (op: Op) => boolean) => superblocks.some(({ ops }) => ops.some(test));
  if (some(({ known, saved }) => known !== undefined || saved !== undefined)) assumed.add('A3').add('A8');
  if (allowed.has('A8') && superblocks.some((before) => hasFewerStores(before, forms.get(before.head))))
    assumed.add('A8');
  if (extensions.length > 0) assumed.add('A9');
  return assumed;
}

/** Has a superblock's line fewer stores than before the passes? */
function hasFewerStores(before: Superblock, after: Emittable | undefined): boolean {
  const stores = ({ ops }: Superblock) => ops.filter(({ insn }) => facts(insn).store !== undefined).length;
  return after !== undefined && stores(after.superblock) < stores(before);
}
