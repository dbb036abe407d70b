/** What the optimizer is asked for, and what follows from that for one image and profile. */
import { choosePasses } from '../../passes/index.ts';
import { type Fuel, makeFuel } from '../base/fuel.ts';
import type { ByteCount } from '../base/units.ts';
import { imageExtensions } from '../cfg/extensions.ts';
import type { Image } from '../elf/image.ts';
import { type AssumptionId, AVOIDABLE_ASSUMPTIONS } from '../emit/assumptions.ts';
import { type ExtensionSet, extensionSet } from '../isa/extensions.ts';
import { extensionsOf } from '../isa/targets.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { Superblock } from '../superblock/form.ts';
import { applicable, type Pass, type PassOptions } from '../superblock/pass.ts';
import type { SelectOptions } from '../superblock/select.ts';
import { defaultGrowth } from './budget.ts';
import type { OnFailure } from './failures.ts';

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

/** The options, applied to one image and profile. */
export interface Setting {
  readonly options: OptimizeOptions;
  /** Avoidable assumptions that may be made. */
  readonly allowed: ReadonlySet<AssumptionId>;
  /** Extensions that the target has beyond RV64GC. */
  readonly extensions: readonly string[];
  /** The extensions of every machine that the output is meant for. */
  readonly machine: ExtensionSet;
  readonly fuel: Fuel;
  /** The passes that are asked for and apply, in their order. */
  readonly passes: readonly Pass[];
  readonly passOptions: PassOptions;
  readonly maxGrowth: ByteCount;
}

/** Assumptions that may be made about a profiled program: A11 only if the profile saw no handler, task or shared mapping. */
export function assumable(profile: ImageProfile, without: readonly AssumptionId[] = []): Set<AssumptionId> {
  const seen: readonly AssumptionId[] = profile.others.length > 0 ? ['A11'] : [];
  return new Set(AVOIDABLE_ASSUMPTIONS.filter((id) => !without.includes(id) && !seen.includes(id)));
}

/** @throws bad-option if there is no such pass or target */
export function settingOf(image: Image, profile: ImageProfile, options: OptimizeOptions): Setting {
  const extensions = extensionsOf(options.target);
  const machine = imageExtensions(image) | extensionSet(extensions);
  const chosen = choosePasses(options.passes);
  const fuel = options.fuel ?? makeFuel();
  const allowed = assumable(profile, options.without);
  const passOptions: PassOptions = { fuel, extensions, machine, deadFrames: allowed.has('A8') };
  return {
    options,
    allowed,
    extensions,
    machine,
    fuel,
    passes: applicable(chosen, passOptions),
    passOptions,
    maxGrowth: options.maxGrowth ?? defaultGrowth(image.bytes.length),
  };
}
