#!/usr/bin/env node
/**
 * The command as it is installed. What runs a guest starts from one file that holds all it needs, with V8's compiled code beside it
 * (scripts/bundle.mjs makes both): for a hundred files, Node's loader takes longer than a small guest. Everything else, and
 * everything where there is no such file, starts from main.ts. This file is CommonJS because that starts sooner.
 */
{
  const [name] = process.argv.slice(2);

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
    void script.runInThisContext()(require).start(process.argv.slice(2));
    return true;
  };

  if (!((name === 'run' || name === 'profile') && startBundle())) {
    // All else runs much code for some seconds, of which V8 would take a third for compiling it: with these it compiles what has run for
    // longer, and less at a time. Little survives a scavenge; threads that help with it use more time than they save. V8 complains
    // about what it does not know: Node 20 has a budget of interrupts by this name, later ones have another.
    const { setFlagsFromString } = process.getBuiltinModule('node:v8');
    const flags = ['max-inlined-bytecode-size-cumulative=100', 'no-parallel-scavenge'];
    if (Number.parseInt(process.versions.v8, 10) < 12) flags.push('interrupt-budget=400000');
    for (const flag of flags) setFlagsFromString(`--${flag}`);
    void import('./main.js');
  }
}
