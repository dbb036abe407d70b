/**
 * Makes V8's compiled code of the bundle. The first run of the installed command starts this program as a process of its own: V8 accepts
 * compiled code only under the same flags, and a run that translates has changed some.
 *
 *     node dist/src/cli/compiled.cjs FOLDER     writes FOLDER/compiled, and the sample runs' files
 */
{
  const { readFileSync, writeFileSync } = process.getBuiltinModule('node:fs');
  const { constants, Script } = process.getBuiltinModule('node:vm');
  const v8 = process.getBuiltinModule('node:v8');

  const make = async (folder: string): Promise<void> => {
    v8.setFlagsFromString = () => {};
    const filename = `${__dirname}/../../guest.js`;
    const script = new Script(readFileSync(filename, 'latin1'), {
      filename,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    const { start } = script.runInThisContext()(require);
    // Runs of a sample compile the functions that a run needs: interpreted, then translated, then with the translated code that was kept.
    const sample = `${__dirname}/../../../samples/route`;
    const program = ['--code-cache', folder, `${sample}/route.elf`];
    const profile = ['profile', '--quiet', '-o', `${folder}/profile`, '--stdin', `${sample}/input`];
    await start(['run', '--engine', 'dispatch', ...program], 'none', []);
    for (let i = 0; i < 2; i++) await start([...profile, ...program], 'none', []);
    if (process.exitCode === 0) writeFileSync(`${folder}/compiled`, script.createCachedData());
  };

  void make(process.argv[2]!);
}
