/** `isoform dump superblock`: the text form of one superblock, which parses back. */
import type { Command } from 'commander';
import { printText } from './say.ts';

interface Flags {
  readonly profile?: string | undefined;
  readonly passes?: string;
}

/** @param dump the dump command */
export function registerSuperblock(dump: Command): void {
  dump
    .command('superblock')
    .description('print the superblock at an address after the passes')
    .argument('<where>', 'the address of its head, of an instruction on its path, or a symbol')
    .argument('<file>', 'an executable')
    .option('-p, --profile <file>', 'its profile')
    .option('--passes <list>', 'only these passes, separated by commas; none: as it was formed')
    .addHelpText('after', '\nExample:\n  isoform dump superblock main -p prog.isoprof --passes none ./prog\n')
    .action(dumpOne);
}

async function dumpOne(where: string, file: string, own: Flags, command: Command): Promise<void> {
  // The option may stand before the subcommand too: `dump -p FILE superblock ...`.
  const flags: Flags = { ...own, profile: own.profile ?? command.parent?.opts<Flags>().profile };
  const [{ badOption }, { readImage }, { profileOf, readProfile }, { dumpSuperblock }] = await Promise.all([
    import('../base/errors.ts'),
    import('../elf/read.ts'),
    import('../profile/store.ts'),
    import('../pipeline/explain.ts'),
  ]);
  if (flags.profile === undefined) throw badOption('superblocks are formed by a profile', 'give one with -p');
  const image = readImage(file);
  const profile = profileOf(readProfile(flags.profile), image, flags.profile);
  printText(dumpSuperblock(image, profile, { passes: flags.passes }, where));
}
