/** One counted run of one image. */
import type { InsnCount } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { Engine } from '../engine/engine.ts';
import { type EngineOptions, makeEngine } from '../engine/engines.ts';
import { execute, executeInTurns, type Outcome } from '../engine/execute.ts';
import { DEFAULT_ENGINE } from '../engine/names.ts';
import { heapStartOf } from '../machine/layout.ts';
import { OTHERS } from '../machine/others.ts';
import { createProcess, type ProcessOptions } from '../machine/process.ts';
import { LinkMap } from '../place/link-map.ts';
import { collect } from '../profile/collect.ts';
import type { Profile } from '../profile/profile.ts';
import type { RerunOptions } from '../verify/rerun.ts';

/** The input of a program's run, the same for each of its forms. */
export type GuestInput = RerunOptions['input'];

export interface ProfileRequest {
  readonly image: Image;
  readonly input: GuestInput;
  /** The original of an optimized image, which then runs under the original's name and with its heap start. */
  readonly formOf?: Image;
  /** Default: DEFAULT_ENGINE. */
  readonly engine?: string | undefined;
  /** Translated code that an earlier run's engine kept, and the call that saves this run's. */
  readonly code?: { readonly kept: EngineOptions['kept']; save(engine: Engine): void };
  readonly limitInstructions?: InsnCount | undefined;
  /** Seconds. */
  readonly wallTime?: number | undefined;
  /** Receives the guest's output. */
  readonly sink?: ProcessOptions['sink'];
  readonly report?: ProcessOptions['report'];
}

export interface ProfileOutcome extends Outcome {
  readonly profile: Profile;
}

/**
 * Runs an image to its end, or to a limit. The guest's clock is steady, so that a form of the program that needs fewer instructions
 * reads the same times.
 */
export function profileRun(request: ProfileRequest): ProfileOutcome {
  const { process, engine, limits, finish } = begin(request);
  return finish(execute(process, engine, limits));
}

/** As profileRun, but in turns, between which host signals are handled. @param interrupted true stops the run, as at a limit */
export async function profileInTurns(request: ProfileRequest, interrupted: () => boolean): Promise<ProfileOutcome> {
  const { process, engine, limits, finish } = begin(request);
  return finish(await executeInTurns(process, engine, limits, interrupted));
}

function begin(request: ProfileRequest) {
  const { image, input, formOf = image } = request;
  const process = createProcess({
    ...input,
    image: { ...image, file: formOf.file },
    heapStart: heapStartOf(formOf, image),
    clock: { ...input.clock, steady: true },
    sink: request.sink,
    report: request.report,
  });
  const engine = makeEngine(request.engine ?? DEFAULT_ENGINE, process.memory, { kept: request.code?.kept });
  const limits = { limitInstructions: request.limitInstructions, wallTime: request.wallTime };
  const finish = (outcome: Outcome): ProfileOutcome => {
    const profile = collect({
      transfers: engine.transfers(),
      starts: process.starts,
      stops: process.stops,
      links: new LinkMap([process.place.holding(image)]),
      instructions: outcome.instructions,
      others: OTHERS.filter((other) => process.kernel.others.has(other)),
    });
    request.code?.save(engine);
    return { ...outcome, profile };
  };
  return { process, engine, limits, finish };
}
