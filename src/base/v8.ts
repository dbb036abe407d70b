/**
 * V8's flags. Node's module for them loads all of Node's streams, a twentieth of the time that an empty run takes. So the module is loaded
 * when a flag is set, and flags that pay only where code is translated wait for the translation.
 */

/** V8's major version. */
export const V8_VERSION = Number.parseInt(process.versions.v8, 10);

const waitingFlags: string[] = [];

export function setFlags(...flags: readonly string[]): void {
  if (flags.length === 0) return;
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  for (const flag of flags) setFlagsFromString(`--${flag}`);
}

/** Flags to be set when code is translated, if any is. */
export function setFlagsLater(...flags: readonly string[]): void {
  waitingFlags.push(...flags);
}

/** Sets the flags that have waited. */
export function setWaitingFlags(): void {
  setFlags(...waitingFlags.splice(0));
}
