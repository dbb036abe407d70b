/** The whole pipeline: profile, optimize and prove, verify, count again, report. */
import { overLimit } from '../base/errors.ts';
import type { Image } from '../elf/image.ts';
import { nextSegmentAddress } from '../elf/write.ts';
import type { ProcessOptions } from '../machine/process.ts';
import { profileOf } from '../profile/store.ts';
import type { ReportModel } from '../report/model.ts';
import { countOptimized } from './count.ts';
import { type GuestInput, type ProfileOutcome, profileRun } from './profile-run.ts';
import { optimizeProved, type ProvedForm, type ProvedOptions } from './proved.ts';
import { reportModel } from './report-model.ts';
import { makeCountingFuel, passReports } from './rewrites.ts';
import { type Verified, verifyRun } from './verify-run.ts';

export interface NamedInput {
  readonly name: string;
  readonly input: GuestInput;
}

export interface PgoRequest {
  readonly original: Image;
  /** Name of the optimized file, for messages. */
  readonly output?: string | undefined;
  readonly training: NamedInput;
  /** Further inputs to verify on. */
  readonly others?: readonly NamedInput[];
  readonly engine?: string | undefined;
  readonly limitInstructions?: number | undefined;
  readonly optimize?: Omit<ProvedOptions, 'fuel' | 'output' | 'proving'>;
  readonly fuel?: number | undefined;
  /** Receives the guest's output of the first run. */
  readonly sink?: ProcessOptions['sink'];
  readonly report?: ProcessOptions['report'];
  /** For the report: names of the program's inputs, and the commands that make the report again. */
  readonly inputs?: readonly string[];
  readonly commands?: readonly string[];
}

export interface PgoResult {
  readonly training: ProfileOutcome;
  readonly optimized: ProvedForm;
  readonly verified: readonly Verified[];
  readonly model: ReportModel;
}

/** Called before each step, and with the step's results. */
export interface PgoObserver {
  begin?(step: string): void;
  profiled?(outcome: ProfileOutcome): void;
  /** Each proof is made within this call. */
  readonly proving?: ProvedOptions['proving'];
  optimized?(optimized: ProvedForm): void;
  verified?(verified: Verified): void;
}

/**
 * @throws unsupported if the original is of a kind that is not optimized; limit if the original does not come to its end; not-proved;
 * and the errors of `verifyRun`
 */
export function pgo(request: PgoRequest, observer: PgoObserver = {}): PgoResult {
  const { original, training, others = [], engine, limitInstructions, report } = request;
  const guest = { engine, limitInstructions, report };
  // A file that cannot be optimized is refused before any work is done.
  nextSegmentAddress(original);

  observer.begin?.(`profiling ${original.file}`);
  const first = profileRun({ ...guest, image: original, input: training.input, sink: request.sink });
  if (first.exit.kind === 'limit') throw overLimit(first.exit.message, 'the program must come to its end');
  const profile = profileOf(first.profile, original);
  observer.profiled?.(first);

  observer.begin?.('forming superblocks');
  const fuel = makeCountingFuel(request.fuel);
  const optimized = optimizeProved(original, profile, {
    ...request.optimize,
    fuel,
    output: request.output,
    proving: observer.proving,
  });
  const form = optimized.image;
  observer.optimized?.(optimized);

  const inputs = [{ ...training, training: true }, ...others.map((other) => ({ ...other, training: false }))];
  const verified = inputs.map((each) => {
    observer.begin?.(`verifying on ${each.name}`);
    const found = verifyRun({ ...each, original, optimized: form, engine, limitInstructions });
    observer.verified?.(found);
    return found;
  });

  observer.begin?.('counting the optimized program');
  const again = countOptimized({ original, optimized: form, input: training.input, engine }, first.instructions);
  const model = reportModel({
    original: { image: original, profile },
    optimized: { image: form, profile: again },
    arguments: training.input.args ?? [],
    inputs: request.inputs ?? [],
    verified,
    proof: optimized.proof,
    passes: passReports(optimized.passes, fuel),
    commands: request.commands ?? [],
  });
  return { training: first, optimized, verified, model };
}
