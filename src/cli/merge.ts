/** `isoform merge`: the sum of several profiles, of one program or of many. */
import type { Command } from 'commander';

export function register(program: Command): void {
  program
    .command('merge')
    .description('add up profiles')
    .requiredOption('-o, --output <file>', 'where the sum goes')
    .argument('<profiles...>', 'profiles, as isoform profile writes them')
    .action(mergeFiles);
}

async function mergeFiles(files: readonly string[], { output }: { readonly output: string }): Promise<void> {
  const { merge, readProfile, writeProfile } = await import('../profile/store.ts');
  writeProfile(output, merge(...files.map(readProfile)));
}
