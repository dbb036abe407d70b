/*
 * The state file of a campaign: a line of JSON for each piece of work that is done, so that a campaign that was cut off goes on where it was.
 * A campaign that names no file begins anew and keeps nothing.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** What is done already, in the order in which it was kept; nothing where no file is named or there is none yet. */
export function readState<Line>(file: string | undefined): Line[] {
  if (file === undefined || !existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((text) => JSON.parse(text) as Line);
}

export function keep(file: string | undefined, line: object): void {
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}
