/**
 * isoform as a library. The commands call these functions and add the command line's part: options, choice of files, progress, messages.
 * A function here writes no file, prints nothing and keeps no state between calls; only `writeExecutable` writes a file, as its name says.
 *
 *     const original = readImage('prog');
 *     const training = { args: ['--level', '9'], stdin: readFileSync('train.txt') };
 *     const counted = profile({ image: original, input: training });
 *     const made = optimize(original, profileOf(counted.profile, original));
 *     const checked = verify({ original, optimized: made.image, input: training });
 *     if (checked.input.verdict === 'equivalent') writeExecutable('prog.fast', made.bytes);
 *
 * The functions throw `IsoformError`, with a code, if the input is at fault. A guest's fault or signal is a result and not an error; so
 * is a limit for `profile`, but `verify`, `pgo` and `report` throw if the original runs into one.
 */
export { type ErrorCode, IsoformError } from './base/errors.ts';
export type { Image } from './elf/image.ts';
export { parseImage, readImage } from './elf/read.ts';
export { writeExecutable } from './elf/write.ts';
export { ASSUMPTIONS } from './emit/assumptions.ts';
export type { Exit } from './machine/process.ts';
export {
  type NamedInput,
  type PgoObserver,
  type PgoRequest,
  type PgoResult,
  pgo,
} from './pipeline/pgo.ts';
export {
  type GuestInput,
  type ProfileOutcome,
  type ProfileRequest,
  profileRun as profile,
} from './pipeline/profile-run.ts';
export { proveForm as prove } from './pipeline/prove-form.ts';
export { optimizeProved as optimize, type ProvedForm, type ProvedOptions } from './pipeline/proved.ts';
export { type ReportObserver, type ReportRunRequest, reportRun as report } from './pipeline/report-run.ts';
export { type ProofSummary, restingOn, summarise } from './pipeline/verdicts.ts';
export { type Verified, type VerifyRequest, verifyRun as verify } from './pipeline/verify-run.ts';
export type { ImageProfile, Profile } from './profile/profile.ts';
export { decodeProfile, encodeProfile, merge as mergeProfiles, profileOf, readProfile } from './profile/store.ts';
export { renderHtml } from './report/html.ts';
export type { ReportModel } from './report/model.ts';
export type { Proof, ProveOptions, SuperblockProof } from './verify/prove/prove.ts';
