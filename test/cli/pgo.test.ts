/** The whole way through the built command: what it writes, what it says, how it ends. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { encodeBytes } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import type { ReportModel } from '../../src/report/model.ts';
import { bareElf } from '../support/bare-elf.ts';
import { findTool, leaveOut, qemu, ROOT } from '../support/tools.ts';
import { sample, workplace } from './support.ts';

const validate = new Ajv({ allErrors: true }).compile(
  JSON.parse(readFileSync(join(ROOT, 'src/report/schema.json'), 'utf8')),
);
const conforming = (text: string): ReportModel => {
  const model = JSON.parse(text) as ReportModel;
  expect(validate(model), JSON.stringify(validate.errors)).toBe(true);
  return model;
};

const place = workplace('pgo');
const emulated = findTool('qemu') !== undefined;
if (!emulated) leaveOut('optimized samples under qemu', 'needs qemu-riscv64, not installed');

describe.each(['bytecode', 'queens'])('%s', (name) => {
  const { elf, input, other, expected, expectedOther } = sample(name);
  const file = (suffix: string) => place.path(`${name}${suffix}`);
  let model: ReportModel;

  test('pgo: equivalent, and all files', () => {
    const result = place.run(['pgo', '--json', `${name}.json`, '--stdin', input, '--also', other, elf]);
    expect(result.stdout.equals(expected)).toBe(true);
    expect(result.stderr.toString().split('\n')).toEqual([
      expect.stringMatching(/^isoform: profiled: [\d,]+ instructions, exit status 0$/),
      expect.stringMatching(/^isoform: optimized: \d+ superblocks, [\d,]+ bytes added/),
      expect.stringMatching(/^isoform: (\d+) of \1 superblocks proved, 100\.00 % by weight, in [\d.]+ s$/),
      expect.stringMatching(/^isoform: equivalent on .*input: \d+ syscalls, exit status 0; .* instructions \(-/),
      expect.stringMatching(/^isoform: equivalent on .*input\.other: /),
      `isoform: wrote ${name}.isoform, ${name}.html, ${name}.json`,
      '',
    ]);
    expect(result.status).toBe(0);
    model = conforming(readFileSync(file('.json'), 'utf8'));
  });

  test('the report says what ran', () => {
    expect(model.verdict).toBe('equivalent');
    expect(model.verify.inputs.map(({ training, verdict }) => [training, verdict])).toEqual([
      [true, 'equivalent'],
      [false, 'equivalent'],
    ]);
    const stats = (executable: string) =>
      JSON.parse(
        place.run(['run', '--stats', executable], { stdin: readFileSync(input) }).stderr.toString(),
      ) as ReportModel['original'];
    for (const [side, executable] of [
      ['original', elf],
      ['optimized', file('.isoform')],
    ] as const) {
      const { instructions, takenBranches } = stats(executable);
      expect(model[side]).toMatchObject({ instructions, takenBranches });
    }
    expect(model.optimized.takenBranches).toBeLessThan(model.original.takenBranches);
    expect(model.bytesAdded).toBe(readFileSync(file('.isoform')).length - readFileSync(elf).length);
    expect(model.superblocks.length).toBeGreaterThan(3);
    expect(model.superblocks[0]).toMatchObject({ verdict: 'proved', weight: expect.any(Number) });
    const { proof } = model;
    expect(proof).toMatchObject({
      superblocks: model.superblocks.length,
      proved: proof!.superblocks,
      share: 1,
      open: [],
    });
    expect(proof!.ways).toBeGreaterThan(proof!.superblocks);
    expect(proof!.file.map(({ problems }) => problems)).toEqual(proof!.file.map(() => []));
    expect(model.assumptions.find(({ id }) => id === 'A1')!.proofs).toBeGreaterThan(0);
    expect(model.passes!.length).toBeGreaterThan(2);
    expect(model.passes!.some(({ rewrites }) => rewrites > 0)).toBe(true);
    const page = readFileSync(place.path(`${name}.html`), 'utf8');
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain('equivalent');
  });

  test.runIf(emulated)('the optimized file gives the same output under qemu', () => {
    for (const [stdin, output] of [
      [input, expected],
      [other, expectedOther],
    ] as const) {
      const result = qemu(file('.isoform'), [], { stdin: readFileSync(stdin) });
      expect([result.status, result.stdout.equals(output)]).toEqual([0, true]);
    }
  });

  test('step by step gives the same bytes', () => {
    const profiled = place.run(['profile', elf], { stdin: readFileSync(input) });
    expect([profiled.status, profiled.stdout.equals(expected)]).toEqual([0, true]);
    const optimized = place.run(['optimize', '--quiet', '-p', `${name}.isoprof`, '-o', 'steps', elf]);
    expect([optimized.status, optimized.stdout.toString(), optimized.stderr.toString()]).toEqual([0, '', '']);
    expect(readFileSync(place.path('steps')).equals(readFileSync(file('.isoform')))).toBe(true);
    const report = ['report', '-q', '-p', `${name}.isoprof`, '--also', other, '--json', '-', '--stdin', input];
    const { status, stdout, stderr } = place.run([...report, elf, `${name}.isoform`]);
    expect([status, stderr.toString()]).toEqual([0, '']);
    const again = conforming(stdout.toString());
    expect({ ...again, commands: model.commands }).toEqual(model);
  });
});

describe('how pgo treats the guest', () => {
  const { elf, input, expected } = sample('queens');
  const small = Buffer.from('4\n');

  test('--quiet says nothing, --json - is all there is on standard output', () => {
    const quiet = place.run(['pgo', '-q', '--report', 'quiet.html', '-o', 'quiet', elf], { stdin: small });
    expect([quiet.status, quiet.stdout.toString(), quiet.stderr.toString()]).toEqual([0, '', '']);
    const json = place.run(['pgo', '--json', '-', '--report', 'q.html', '-o', 'quiet', elf], { stdin: small });
    expect(json.status).toBe(0);
    const model = conforming(json.stdout.toString());
    expect(model.program).toEqual({ name: 'queens.elf', arguments: [], inputs: ['standard input'] });
  });

  test('the same twice: the same bytes', () => {
    const files = ['twice.html', 'twice', 'twice.json'];
    const once = () => {
      const args = ['pgo', '-q', '--report', files[0]!, '-o', files[1]!, '--json', files[2]!, elf];
      expect(place.run(args, { stdin: small }).status).toBe(0);
      return files.map((file) => readFileSync(place.path(file)));
    };
    expect(once()).toEqual(once());
  });

  test('options behind the file are the guest’s', () => {
    const { stderr, status } = place.run(['pgo', '--report', 'a.html', '-o', 'a', elf, '--quiet', '-o'], {
      stdin: small,
    });
    expect(status).toBe(0);
    expect(stderr.toString()).toContain('profiled');
  });

  test('a profile run passes everything through', () => {
    const { status, stdout, stderr } = place.run(['profile', '-q', '-o', 'through.isoprof', elf], {
      stdin: readFileSync(input),
    });
    expect([status, stdout.equals(expected), stderr.toString()]).toEqual([0, true, '']);
    const bounded = ['profile', '--limit-instructions', '1000', '--stdin', input, '-o', 'limited.isoprof'];
    const limited = place.run([...bounded, elf]);
    expect([limited.status, limited.stderr.toString()]).toEqual([
      0,
      'isoform: limited.isoprof: 1,000 instructions, stopped: the guest has run 1000 instructions, the limit\n',
    ]);
    const dump = place.run(['dump', 'profile', 'limited.isoprof']);
    expect([dump.status, dump.stdout.toString()]).toEqual([0, expect.stringContaining('1000')]);
  });

  test('the demo works anywhere and names its report', () => {
    const before = readdirSync(place.path('.'));
    const { status, stdout } = place.run(['demo'], { env: { PATH: '' } });
    expect(status).toBe(0);
    const last = stdout.toString().trimEnd().split('\n').at(-1);
    const [, page] = /^Open this in a browser: (.+bytecode\.html)$/.exec(last!) ?? [];
    expect(readFileSync(page!, 'utf8')).toContain('<!doctype html>');
    expect(readdirSync(place.path('.'))).toEqual(before);
    expect(place.run(['demo', '--report', 'named/page.html']).status).toBe(0);
    expect(existsSync(place.path('named/page.html'))).toBe(true);
  });

  test('a program that dies is optimized and verified like any other', () => {
    const code = assemble([
      'lui t0,16',
      'addi t0,t0,-1',
      'addi a0,a0,3',
      'addi t0,t0,-1',
      'bne t0,zero,0x11008',
      'lw a0,0(zero)',
    ]);
    writeFileSync(place.path('dying'), bareElf([{ address: 0x11000, bytes: code, execute: true }], 0x11000));
    const pgo = place.run(['pgo', '--report', 'd.html', '--json', '-', '-o', 'd', 'dying']);
    expect(pgo.status).toBe(0);
    const model = conforming(pgo.stdout.toString());
    expect(model.verdict).toBe('equivalent');
    expect(model.verify.inputs[0]).toMatchObject({ name: 'no input', end: 'signal 11 (SIGSEGV)' });
    // As with perf, the guest's own status.
    expect(place.run(['profile', '-q', 'dying']).status).toBe(139);
  });
});

function assemble(lines: readonly string[]): Uint8Array {
  const bytes: number[] = [];
  for (const line of lines) bytes.push(...encodeBytes(parse(line, 0x11000 + bytes.length), false));
  return Uint8Array.from(bytes);
}
