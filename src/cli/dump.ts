/** `isoform dump`: images, profiles, control-flow graphs, address maps and superblocks as text. */
import type { Command } from 'commander';
import { badOption } from '../base/errors.ts';
import { registerSuperblock } from './dump-superblock.ts';
import { printText } from './say.ts';

interface DumpFlags {
  readonly profile?: string;
  readonly function?: string;
  readonly dot?: boolean;
  readonly live?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('dump')
    .description(
      'print what isoform knows: image, profile (of a .isoprof file), cfg, map (of an optimized file) or superblock',
    )
    .argument('<what>', 'image, profile, cfg or map')
    .argument('<file>', 'an executable; for profile: a .isoprof file, or an executable and -p')
    .option('-p, --profile <file>', 'the counts to show')
    .option('--function <name>', 'only this function: a symbol or an address in it')
    .option('--dot', 'cfg: as Graphviz DOT')
    .option('--live', 'cfg: with the live registers of each block')
    .action(dump);
  registerSuperblock(command);
}

async function dump(what: string, file: string, flags: DumpFlags): Promise<void> {
  if (!Object.hasOwn(TEXTS, what)) throw badOption(`cannot dump ${what}`, `one of ${Object.keys(TEXTS).join(', ')}`);
  printText(await TEXTS[what as keyof typeof TEXTS](file, flags));
}

const TEXTS = {
  image: async (file: string) => {
    const [{ readImage }, { dumpImage }] = await Promise.all([import('../elf/read.ts'), import('../cfg/dump.ts')]);
    return dumpImage(readImage(file));
  },
  profile: async (file: string, { profile }: DumpFlags) => {
    const [{ readImage }, { dumpProfile }, { profileOf, readProfile }] = await Promise.all([
      import('../elf/read.ts'),
      import('../cfg/dump.ts'),
      import('../profile/store.ts'),
    ]);
    if (profile === undefined) return dumpProfile(readProfile(file));
    const image = readImage(file);
    const found = readProfile(profile);
    profileOf(found, image, profile);
    return dumpProfile(found, image);
  },
  map: async (file: string) => {
    const [{ unsupported }, { readImage }, { readNote }, { decodeMap }, { mapText }, { byNumber }] = await Promise.all([
      import('../base/errors.ts'),
      import('../elf/read.ts'),
      import('../elf/write.ts'),
      import('../emit/map.ts'),
      import('../emit/map-text.ts'),
      import('../emit/assumptions.ts'),
    ]);
    const note = readNote(readImage(file));
    if (note === undefined) throw unsupported(`${file}: has no address map`, 'give a file that isoform has optimized');
    const { data } = decodeMap(note, file);
    return mapText({ ...data, assumptions: [...data.assumptions].sort(byNumber) });
  },
  cfg: async (file: string, flags: DumpFlags) => {
    const [{ readImage }, { profileOf, readProfile }, { buildCfg }, { dotCfg, dumpCfg, findFunction }, { livenessOf }] =
      await Promise.all([
        import('../elf/read.ts'),
        import('../profile/store.ts'),
        import('../cfg/build.ts'),
        import('../cfg/dump.ts'),
        import('../cfg/liveness.ts'),
      ]);
    const image = readImage(file);
    const counts =
      flags.profile === undefined ? undefined : profileOf(readProfile(flags.profile), image, flags.profile);
    const cfg = buildCfg(image, counts);
    const only = flags.function === undefined ? undefined : findFunction(cfg, flags.function);
    if (flags.dot) return dotCfg(cfg, only);
    return dumpCfg(cfg, { only, liveness: flags.live ? livenessOf(cfg) : undefined });
  },
} as const;
