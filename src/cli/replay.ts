/** `isoform replay`: a saved counterexample, run again. */
import type { Command } from 'commander';
import { checkRegular } from '../base/read.ts';
import { print } from './say.ts';

export function register(program: Command): void {
  program
    .command('replay')
    .description(
      'run both forms of a superblock again on the state of a saved counterexample; exit status 0: they do the same, 1: they differ',
    )
    .argument('<case>', 'a file that --save-counterexamples has written')
    .addHelpText('after', '\nExample:\n  isoform replay counterexamples/0123456789ab-0x10432.json\n')
    .action(replay);
}

async function replay(file: string): Promise<void> {
  const { readCase, replayCase } = await import('../verify/prove/case.ts');
  checkRegular(file);
  const data = readCase(file);
  const difference = replayCase(data);
  print(`${data.head}: ${difference ?? 'both forms do the same'}`);
  process.exitCode = difference === undefined ? 0 : 1;
}
