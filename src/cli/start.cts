#!/usr/bin/env node
/**
 * The command as it is installed. What runs a guest starts from one file that holds all it needs (scripts/bundle.mjs makes it): for a
 * hundred files, Node's loader takes longer than a small guest. V8's compiled code of that file is made by the first run and kept
 * where translated code is kept (compiled.cts). Everything else, and everything where there is no such file, starts from main.ts. This
 * file is CommonJS because that starts sooner.
 */
{
  const [name] = process.argv.slice(2);

  /**
   * Of what we do for a few seconds, V8 would take up to a third for compiling our own code. With these flags it compiles what has run for
   * longer, and less at a time.
   *
   * @param budget bytes of bytecode that run in a function before V8 looks whether to compile it; its own is 67,584
   */
  const compileLess = (budget: number): string[] => {
    // V8 complains about flags that it does not know: later ones count calls.
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
    // An empty file says that making it failed: that is not tried again.
    const missing = cachedData === undefined || (cachedData.length > 0 && script.cachedDataRejected === true);
    const make = missing && kept !== undefined ? { file: kept, by: `${__dirname}/compiled.cjs` } : undefined;
    void script.runInThisContext()(require).start(process.argv.slice(2), build, compileLess(1_000_000), make);
    return true;
  };

  /** Where V8's compiled code of the bundle is kept between runs. Options of Node change what V8 takes: there is no file for each of them. */
  const compiledFile = (build: string): string | undefined => {
    const { HOME, NODE_OPTIONS, XDG_CACHE_HOME } = process.env;
    const standard = XDG_CACHE_HOME || (HOME && `${HOME}/.cache`);
    if (!standard || build === '' || NODE_OPTIONS || process.execArgv.length > 0) return undefined;
    return `${standard}/isoform/isoform-${build}-${process.version}-${process.arch}.isocode`;
  };

  /** V8 does not look whether the bytes are those that were written: four more at the end say so (code-cache.ts). */
  const unsealed = (bytes: Buffer): Buffer | undefined => {
    if (bytes.length === 0) return bytes;
    if (bytes.length < 4) return undefined;
    const data = bytes.subarray(0, -4);
    return process.getBuiltinModule('node:zlib').crc32(data) === bytes.readUInt32LE(data.length) ? data : undefined;
  };

  /** What is in it will be run, so it must be the user's own file. */
  const readOwn = (file: string): Buffer | undefined => {
    const { closeSync, constants, fstatSync, openSync, readFileSync } = process.getBuiltinModule('node:fs');
    try {
      // Where a pipe is, opening must not wait for who writes to it.
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
    // All else runs much code for some seconds. Little survives a scavenge; threads that help with it use more time than they save.
    const { setFlagsFromString } = process.getBuiltinModule('node:v8');
    for (const flag of [...compileLess(400_000), 'no-parallel-scavenge']) setFlagsFromString(`--${flag}`);
    void import('./main.js');
  }
}
