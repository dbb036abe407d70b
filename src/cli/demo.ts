/** `isoform demo`: takes a sample through all steps; no other tool need be installed. */

import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { unsupported } from '../base/errors.ts';
import { DEFAULT_ENGINE } from '../engine/names.ts';
import { print } from './say.ts';
import type { Session } from './session.ts';

const SAMPLE = 'bytecode';

interface DemoFlags {
  readonly report?: string;
}

export function register(program: Command, session: Session): void {
  program
    .command('demo')
    .description('take a sample program the whole way, and name the report to open; needs no toolchain, takes seconds')
    .option('--report <file>', 'where the report goes (default: a new folder for temporary files)')
    .addHelpText('after', '\nExample:\n  isoform demo\n')
    .action((flags: DemoFlags) => demo(session, flags));
}

/** The samples' folder, as found from src/cli in a checkout and from dist/src/cli in the built package. */
function samplesFolder(): string {
  for (const up of ['../../', '../../../']) {
    const folder = fileURLToPath(new URL(`${up}samples`, import.meta.url));
    if (existsSync(join(folder, SAMPLE, `${SAMPLE}.elf`))) return folder;
  }
  throw unsupported('the samples are not installed', 'run it in a checkout');
}

async function demo(session: Session, { report }: DemoFlags): Promise<void> {
  const { pgoFile } = await import('./pgo.ts');
  const made = mkdtempSync(join(tmpdir(), 'isoform-demo-'));
  const page = report ?? join(made, `${SAMPLE}.html`);
  const folder = relative(process.cwd(), join(samplesFolder(), SAMPLE));
  const file = join(folder, `${SAMPLE}.elf`);
  const about = (JSON.parse(readFileSync(join(folder, '../samples.json'), 'utf8')) as Sample[]).find(
    ({ name }) => name === SAMPLE,
  );
  print(`isoform takes ${file} the whole way: ${about?.description}.`, '');
  await pgoFile(session, file, [], {
    dir: [],
    env: [],
    engine: DEFAULT_ENGINE,
    stdin: join(folder, 'input'),
    also: [join(folder, 'input.other')],
    output: join(made, `${SAMPLE}.isoform`),
    report: page,
  });
  print('', `Open this in a browser: ${page}`);
}

interface Sample {
  readonly name: string;
  readonly description: string;
}
