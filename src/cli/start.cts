#!/usr/bin/env node
/**
 * The command as it is installed. What runs a guest starts from one file that holds all it needs, with V8's compiled code beside it
 * (scripts/bundle.mjs makes both): for a hundred files, Node's loader takes longer than a small guest. Everything else, and
 * everything where there is no such file, starts from main.ts. This file is CommonJS because that starts sooner.
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
    const read = (file: string): Buffer | undefined => {
      try {
        return readFileSync(file);
      } catch {
        return undefined;
      }
    };
    const text = read(filename);
    if (text === undefined) return false;
    // Made by another version of Node, the compiled code is refused, and V8 compiles the text.
    const script = new Script(text.toString('latin1'), {
      filename,
      cachedData: read(`${filename}.cache`),
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    const [, build] = /^\/\* (\w+) \*\//.exec(text.toString('latin1', 0, 80)) ?? [];
    void script.runInThisContext()(require).start(process.argv.slice(2), build, compileLess(1_000_000));
    return true;
  };

  if (!((name === 'run' || name === 'profile') && startBundle())) {
    // All else runs much code for some seconds. Little survives a scavenge; threads that help with it use more time than they save.
    const { setFlagsFromString } = process.getBuiltinModule('node:v8');
    for (const flag of [...compileLess(400_000), 'no-parallel-scavenge']) setFlagsFromString(`--${flag}`);
    void import('./main.js');
  }
}
