/** The start time of the guest's clock: the same in every run over the same files. */
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ClockOptions } from '../machine/process.ts';

const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
/** 2024-01-01T00:00:00Z. */
const EARLIEST_START = 1_704_067_200n * SECOND;
/** At most so many entries of a folder, the first by name, are looked at, so that a start does not take long. */
const ENTRY_LIMIT = 10_000;

/**
 * @param wanted seconds since the epoch, if given by the user
 * @param directories directories that the guest can read. The clock starts on the day after the newest of these, their direct entries
 * and the executable, so that none of them is newer than the clock, and runs of one day that write files start at one time
 */
export function guestTime(
  wanted: number | undefined,
  executable: string,
  directories: readonly string[],
): ClockOptions {
  if (wanted !== undefined) return { start: BigInt(wanted) * SECOND };
  const within = directories.flatMap((directory) => entriesOf(directory).map((name) => join(directory, name)));
  const newest = [executable, ...directories, ...within].reduce((last, path) => {
    const time = modified(resolve(path));
    return time > last ? time : last;
  }, 0n);
  const next = (newest / DAY + 1n) * DAY;
  return { start: next > EARLIEST_START ? next : EARLIEST_START };
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort().slice(0, ENTRY_LIMIT);
  } catch {
    return [];
  }
}

/** Modification time in nanoseconds; 0 if the path leads nowhere, such as a link to itself. */
function modified(path: string): bigint {
  try {
    return statSync(path, { bigint: true }).mtimeNs;
  } catch {
    return 0n;
  }
}
