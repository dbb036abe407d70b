/** Two finished forms of a program side by side: counted, verified, proved, and put together as a report. */
import type { Image } from '../elf/image.ts';
import type { Profile } from '../profile/profile.ts';
import { profileOf } from '../profile/store.ts';
import type { ReportModel } from '../report/model.ts';
import { countPair } from './count.ts';
import { passesOf } from './passes-of.ts';
import type { NamedInput } from './pgo.ts';
import { proveForm } from './prove-form.ts';
import { reportModel } from './report-model.ts';
import { covers } from './training.ts';
import { type Verified, verifyRun } from './verify-run.ts';

export interface ReportRunRequest {
  readonly original: Image;
  readonly optimized: Image;
  /** The profile from which the optimized file was made. */
  readonly profile: Profile;
  /** Name of the profile, for messages. */
  readonly profileName?: string | undefined;
  /** The input on which both files are counted. */
  readonly input: NamedInput;
  /** Further inputs to verify on. */
  readonly others?: readonly NamedInput[];
  readonly engine?: string | undefined;
  /** Limit of the original's run. */
  readonly limitInstructions?: number | undefined;
  /** For the report: names of the program's inputs, and the commands that make the report again. */
  readonly inputs?: readonly string[];
  readonly commands?: readonly string[];
}

/** Called before each step, and with each verified run. */
export interface ReportObserver {
  begin?(step: string): void;
  verified?(verified: Verified): void;
}

/** @throws profile-mismatch; limit if the original does not come to its end; and the errors of `verifyRun` */
export function reportRun(request: ReportRunRequest, observer: ReportObserver = {}): ReportModel {
  const { original, optimized, input, others = [], engine, limitInstructions } = request;
  const images = { original, optimized };
  const profile = profileOf(request.profile, original, request.profileName);

  observer.begin?.('counting');
  const counts = countPair({ ...images, input: input.input, engine, limitInstructions });

  const verified = [input, ...others].map((run, index) => {
    observer.begin?.(`verifying on ${run.name}`);
    const training = index === 0 && covers(request.profile, profile, counts.original);
    const found = verifyRun({ ...images, ...run, training, engine, limitInstructions });
    observer.verified?.(found);
    return found;
  });

  observer.begin?.('proving');
  const proof = proveForm(original, optimized);

  observer.begin?.('writing the report');
  return reportModel({
    original: { image: original, profile: counts.original },
    optimized: { image: optimized, profile: counts.optimized },
    arguments: input.input.args ?? [],
    inputs: request.inputs ?? [],
    verified,
    proof,
    passes: passesOf(original, profile, optimized),
    commands: request.commands ?? [],
  });
}
