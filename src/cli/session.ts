/** The state of one command line: main.ts or guest.ts makes it, and the commands get it. */
import { Messages } from './say.ts';
import { HostStreams } from './streams.ts';

export class Session {
  readonly streams = new HostStreams();
  readonly messages = new Messages(this.streams);
  /** Identifies the bundle whose kept code this run can use; undefined: the bundle is not known, and no kept code is used. */
  readonly build: string | undefined;
  /** Set by a run without --code-cache and --no-code-cache: the standard folder may be written to. */
  standardFolderUsed = false;

  constructor(build?: string) {
    this.build = build;
  }
}
