/**
 * V8's flags. Node's module for them brings all of its streams with it, a twentieth of the time that a run of nothing takes: it is loaded
 * when it is needed, and flags that only pay where code is translated wait for that.
 */

/** V8's first version number. */
export const V8_VERSION = Number.parseInt(process.versions.v8, 10);

const waiting: string[] = [];

export function setFlags(...flags: readonly string[]): void {
  if (flags.length === 0) return;
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  for (const flag of flags) setFlagsFromString(`--${flag}`);
}

/** Flags to be set when something is translated, if anything is. */
export function setFlagsLater(...flags: readonly string[]): void {
  waiting.push(...flags);
}

/** Sets the flags that have waited. */
export function setWaitingFlags(): void {
  setFlags(...waiting.splice(0));
}
