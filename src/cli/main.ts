#!/usr/bin/env node
/**
 * The command line. A command's file is loaded only if the command is used, so that starting a guest does not wait for the optimizer.
 */
import { readFileSync } from 'node:fs';
import { type Commands, execute } from './program.ts';
import { Session } from './session.ts';

/** Every command and the loader of its file, in the order of the help text. */
const COMMANDS: Commands = {
  run: () => import('./run.ts'),
  profile: () => import('./profile.ts'),
  merge: () => import('./merge.ts'),
  optimize: () => import('./optimize.ts'),
  verify: () => import('./verify.ts'),
  prove: () => import('./prove.ts'),
  replay: () => import('./replay.ts'),
  report: () => import('./report.ts'),
  pgo: () => import('./pgo.ts'),
  dump: () => import('./dump.ts'),
  bisect: () => import('./bisect.ts'),
  demo: () => import('./demo.ts'),
};

function version(): string {
  // The file is src/cli/main.ts in the sources and dist/src/cli/main.js when built.
  for (const up of ['../../', '../../../'])
    try {
      return JSON.parse(readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8')).version;
    } catch {
      // Not there: one folder further up.
    }
  return 'unknown';
}

process.exitCode = await execute(new Session(), process.argv.slice(2), COMMANDS, version);
