/**
 * All errors that a user can cause are of one class, made by the factories here: a message, an address, and a hint at a remedy.
 * The CLI prints them as one line and exits 2. A guest's fault is never such an error but a result (see engine/engine.ts).
 */
import { hex } from './units.ts';

export type ErrorCode =
  | 'bad-elf'
  | 'wrong-architecture'
  | 'needs-interpreter'
  | 'unsupported'
  | 'bad-profile'
  | 'profile-mismatch'
  | 'cannot-read'
  | 'cannot-write'
  | 'bad-option'
  | 'limit'
  | 'bad-text'
  | 'not-proved'
  | 'out-of-reach'
  | 'internal';

export class IsoformError extends Error {
  override readonly name = 'IsoformError';
  readonly code: ErrorCode;
  /** A guest address or file offset the error is about, if any. */
  readonly address: number | undefined;
  /** A remedy for the user to try. */
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { address?: number | undefined; hint?: string | undefined } = {},
  ) {
    super(message);
    this.code = code;
    this.address = options.address;
    this.hint = options.hint;
  }

  /** The error as the line that is printed. */
  line(): string {
    const where = this.address === undefined ? '' : ` at ${hex(this.address)}`;
    const hint = this.hint === undefined ? '' : ` (${this.hint})`;
    return `${this.message}${where}${hint}`;
  }
}

export const badElf = (file: string, problem: string, address?: number) =>
  new IsoformError('bad-elf', `${file}: not a usable ELF executable: ${problem}`, { address });
export const wrongArchitecture = (file: string, found: string) =>
  new IsoformError('wrong-architecture', `${file}: is for ${found}`, {
    hint: 'isoform reads 64-bit little-endian RISC-V Linux executables',
  });
export const needsInterpreter = (file: string, interpreter: string) =>
  new IsoformError('needs-interpreter', `${file}: is dynamically linked and wants ${interpreter}`, {
    hint: 'link it with -static',
  });
export const unsupported = (problem: string, hint?: string, address?: number) =>
  new IsoformError('unsupported', problem, { hint, address });
export const badProfile = (file: string, problem: string, hint = 'make one with isoform profile') =>
  new IsoformError('bad-profile', `${file}: not a usable profile: ${problem}`, { hint });
export const profileMismatch = (profile: string, file: string) =>
  new IsoformError('profile-mismatch', `${profile}: is the profile of another binary than ${file}`, {
    hint: 'profile this very file',
  });
const reason = (error: unknown) => (error as NodeJS.ErrnoException)?.code ?? (error as Error)?.message ?? String(error);
export const cannotRead = (file: string, error: unknown) =>
  new IsoformError('cannot-read', `${file}: cannot be read: ${reason(error)}`);
export const cannotWrite = (file: string, error: unknown) =>
  new IsoformError('cannot-write', `${file}: cannot be written: ${reason(error)}`);
export const badOption = (problem: string, hint?: string) => new IsoformError('bad-option', problem, { hint });
export const overLimit = (problem: string, hint: string) => new IsoformError('limit', problem, { hint });
/** The output is not proved and must not ship. */
export const notProved = (file: string, problem: string) =>
  new IsoformError('not-proved', `${file}: not proved, not written: ${problem}`, {
    hint: '--allow tested writes it for verify to test',
  });
/** A superblock text, an assembler text, ... that does not parse. */
/** @param distance in bytes */
export const outOfReach = (distance: number) =>
  new IsoformError('out-of-reach', `an address ${distance} bytes away is out of reach of pc-relative code`);
export const badText = (problem: string, line?: number) =>
  new IsoformError('bad-text', line === undefined ? problem : `line ${line}: ${problem}`);
/** A broken invariant of isoform itself: never the user's doing, but still reported as one line. */
export const internal = (problem: string, address?: number) =>
  new IsoformError('internal', `internal error: ${problem}`, { address, hint: 'please report this' });
