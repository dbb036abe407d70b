#!/usr/bin/env node
/**
 * The installed command. The commands that run a guest start from one bundle (made by scripts/bundle.mjs): for a hundred files, Node's
 * loader takes longer than a small guest. The first run makes V8's compiled code of the bundle (compiled.cts) and keeps the code in the
 * folder of translated code. Other commands, and all commands if there is no bundle, start from main.ts. This file is CommonJS because
 * CommonJS starts sooner.
 */
{
  const [name] = process.argv.slice(2);

  /**
   * In work of a few seconds, V8 would spend up to a third of the time on compiling our own code. With these flags V8 compiles functions
   * only after they have run for longer, and inlines less.
   *
   * @param budget bytes of bytecode that run in a function before V8 considers compiling the function; V8's default is 67,584
   */
  const compileLess = (budget: number): string[] => {
    // V8 complains about unknown flags: from version 12 on, the threshold is a number of calls.
    const version = Number.parseInt(process.versions.v8, 10);
    const later = version < 12 ? `interrupt-budget=${budget}` : `invocation-count-for-turbofan=${budget / 25}`;
    return ['max-inlined-bytecode-size-cumulative=100', later];
  };

  /** @returns false if there is no bundle */
  const startBundle = (): boolean => {
    const { readFileSync } = process.getBuiltinModule('node:fs');
    const { constants, Script } = process.getBuiltinModule('node:vm');
    const filename = `${__dirname}/../../guest.js`;
    let text: string;
    try {
      text = readFileSync(filename, 'latin1');
    } catch {
      return false;
    }
    const [, build = ''] = /^\/\* (\w+) \*\//.exec(text.slice(0, 80)) ?? [];
    const kept = compiledFile(build);
    const cachedData = kept === undefined ? undefined : readOwn(kept);
    const script = new Script(text, {
      filename,
      cachedData,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    // An empty file means that making the compiled code failed; no run tries again.
    const missing = cachedData === undefined || (cachedData.length > 0 && script.cachedDataRejected === true);
    const make = missing && kept !== undefined ? { file: kept, by: `${__dirname}/compiled.cjs` } : undefined;
    void script.runInThisContext()(require).start(process.argv.slice(2), build, compileLess(1_000_000), make);
    return true;
  };

  /** Path of V8's compiled code of the bundle. Undefined if unknown, or under options of Node, which change the code that V8 accepts. */
  const compiledFile = (build: string): string | undefined => {
    const { HOME, NODE_OPTIONS, XDG_CACHE_HOME } = process.env;
    const standard = XDG_CACHE_HOME || (HOME && `${HOME}/.cache`);
    if (!standard || build === '' || NODE_OPTIONS || process.execArgv.length > 0) return undefined;
    return `${standard}/isoform/isoform-${build}-${process.version}-${process.arch}.isocode`;
  };

  /** Checks and removes the checksum in the last four bytes (see code-cache.ts), because V8 does not check the bytes. */
  const unsealed = (bytes: Buffer): Buffer | undefined => {
    if (bytes.length === 0) return bytes;
    if (bytes.length < 4) return undefined;
    const data = bytes.subarray(0, -4);
    return process.getBuiltinModule('node:zlib').crc32(data) === bytes.readUInt32LE(data.length) ? data : undefined;
  };

  /** The file's code will be run, so the file must be the user's own and writable by nobody else. */
  const readOwn = (file: string): Buffer | undefined => {
    const { closeSync, constants, fstatSync, openSync, readFileSync } = process.getBuiltinModule('node:fs');
    try {
      // If the path is a named pipe, opening must not wait for a writer.
      const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = fstatSync(descriptor);
        const mine = process.getuid === undefined || stat.uid === process.getuid();
        return mine && (stat.mode & 0o022) === 0 && stat.isFile() ? unsealed(readFileSync(descriptor)) : undefined;
      } finally {
        closeSync(descriptor);
      }
    } catch {
      return undefined;
    }
  };

  if (!((name === 'run' || name === 'profile') && startBundle())) {
    // The other commands run much code for some seconds. Little survives a scavenge, so helper threads cost more time than they save.
    const { setFlagsFromString } = process.getBuiltinModule('node:v8');
    for (const flag of [...compileLess(400_000), 'no-parallel-scavenge']) setFlagsFromString(`--${flag}`);
    void import('./main.js');
  }
}
