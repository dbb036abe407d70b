/** What the guest's clock says at the start: the same in every run over the same files. */
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ClockOptions } from '../machine/process.ts';

const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
/** 2024-01-01T00:00:00Z. */
const FIRST = 1_704_067_200n * SECOND;
/** More files in one folder are not looked at: a start must not take long. */
const MOST = 10_000;

/**
 * @param wanted seconds since the epoch, if anybody has said
 * @param directories what the guest can read; with these, and what is right in them, and its executable, its clock is not behind:
 * the day after the newest, so that runs of one day, which write files, have one time
 */
export function guestTime(
  wanted: number | undefined,
  executable: string,
  directories: readonly string[],
): ClockOptions {
  if (wanted !== undefined) return { start: BigInt(wanted) * SECOND };
  const within = directories.flatMap((directory) => entriesOf(directory).map((name) => join(directory, name)));
  const newest = [executable, ...directories, ...within].reduce((last, path) => {
    const time = statSync(resolve(path), { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? 0n;
    return time > last ? time : last;
  }, 0n);
  const next = (newest / DAY + 1n) * DAY;
  return { start: next > FIRST ? next : FIRST };
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).slice(0, MOST);
  } catch {
    return [];
  }
}
