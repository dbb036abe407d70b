/** `isoform merge`: the sum of several profiles, of one program or of many. */
import type { Command } from 'commander';
import { checkOutput, writeWhole } from './output.ts';

export function register(program: Command): void {
  program
    .command('merge')
    .description('add up profiles')
    .requiredOption('-o, --output <file>', 'where the sum goes')
    .argument('<profiles...>', 'profiles, as isoform profile writes them')
    .action(mergeFiles);
}

async function mergeFiles(files: readonly string[], { output }: { readonly output: string }): Promise<void> {
  const target = checkOutput(output, { inputs: files });
  const { encodeProfile, merge, readProfile } = await import('../profile/store.ts');
  writeWhole(target, encodeProfile(merge(...files.map(readProfile))));
}
