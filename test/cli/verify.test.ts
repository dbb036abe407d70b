/** `isoform verify` and `report`: what they say of right and of wrong files. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { beforeAll, describe, expect, test } from 'vitest';
import { hex } from '../../src/base/units.ts';
import { parseImage } from '../../src/elf/read.ts';
import { readNote } from '../../src/elf/write.ts';
import { decodeMap, type MappedSuperblock } from '../../src/emit/map.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { ROOT } from '../support/tools.ts';
import { expectOneLine, sample, workplace } from './support.ts';

const place = workplace('verify');
const { elf, input, other } = sample('queens');
const PROFILE = 'queens.isoprof';
const FORM = 'queens.isoform';

beforeAll(() => {
  expect(place.run(['profile', '-q', elf], { stdin: readFileSync(input) }).status).toBe(0);
  expect(place.run(['optimize', '-q', '-p', PROFILE, elf]).status).toBe(0);
  writeFileSync(place.path('wrong'), plant(readFileSync(place.path(FORM))));
});

let planted: MappedSuperblock;

/** Makes an addi in the superblock that is entered most often add one more. */
function plant(file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file);
  const image = parseImage(bytes, FORM);
  const { superblocks } = decodeMap(readNote(image)!, FORM).data;
  for (const superblock of [...superblocks].sort((a, b) => b.count - a.count)) {
    const segment = image.segments.find((s) => superblock.start >= s.address && superblock.start < s.address + s.size)!;
    for (let at = superblock.start; at < superblock.end; ) {
      const offset = segment.offset + at - segment.address;
      const insn = decodeAt(bytes, offset)!;
      if (insn.row.name === 'addi' && insn.size === 4 && insn.imm > 0 && insn.rd !== 2) {
        bytes.set(encodeBytes({ ...insn, imm: insn.imm + 1 }, false), offset);
        planted = superblock;
        return bytes;
      }
      at += insn.size;
    }
  }
  throw new Error('no addi to edit');
}

describe('verify', () => {
  test('equivalent: one line, exit 0', () => {
    for (const stdin of [input, other]) {
      const { status, stdout, stderr } = place.run(['verify', '--stdin', stdin, elf, FORM]);
      expect([status, stderr.toString()]).toEqual([0, '']);
      expect(stdout.toString()).toMatch(
        /^equivalent on .*: \d+ syscalls, exit status 0; [\d,]+ -> [\d,]+ instructions \(-[\d.]+ %\), .* taken branches .*\n$/,
      );
    }
  });

  test('different: what, where, in which superblock; exit 1', () => {
    const { status, stdout, stderr } = place.run(['verify', '--stdin', input, elf, 'wrong']);
    expect([status, stderr.toString()]).toEqual([1, '']);
    expect(stdout.toString()).toMatch(/^different on .*: .* at 0x[0-9a-f]+ .*: expected .*, found .*\n$/);
    expect(stdout.toString()).toContain(`superblock ${hex(planted.head)}`);
  });

  test('--quiet: the exit status alone', () => {
    for (const [form, status] of [
      [FORM, 0],
      ['wrong', 1],
    ] as const) {
      const result = place.run(['verify', '-q', '--stdin', input, elf, form]);
      expect([result.status, result.stdout.toString(), result.stderr.toString()]).toEqual([status, '', '']);
    }
  });

  test('--json: by the schema', () => {
    const validate = new Ajv().compile(JSON.parse(readFileSync(join(ROOT, 'src/report/schema.json'), 'utf8')));
    for (const [form, verdict] of [
      [FORM, 'equivalent'],
      ['wrong', 'different'],
    ] as const) {
      const { status, stdout, stderr } = place.run(['verify', '--json', '--stdin', input, elf, form]);
      expect([status, stderr.toString()]).toEqual([verdict === 'equivalent' ? 0 : 1, '']);
      const model = JSON.parse(stdout.toString());
      expect(validate(model), JSON.stringify(validate.errors)).toBe(true);
      expect(model.verdict).toBe(verdict);
      const rejected = model.superblocks.filter((each: { verdict: string }) => each.verdict === 'rejected');
      expect(rejected.map(({ head }: { head: string }) => head)).toEqual(
        verdict === 'equivalent' ? [] : [hex(planted.head)],
      );
    }
  });

  test('not decided: one line, exit 2', () => {
    const cases: [string[], RegExp][] = [
      [['verify', elf, elf], /has no address map/],
      [['verify', FORM, elf], /has no address map/],
      [['verify', sample('sort').elf, FORM], /optimized form of another file/],
      [['verify', elf, 'missing'], /missing: cannot be read/],
      [['verify', '--stdin', 'missing', elf, FORM], /missing: cannot be read/],
      [['verify', '--limit-instructions', '1000', '--stdin', input, elf, FORM], /has run 1000 instructions/],
      [['verify', '--engine', 'warp', elf, FORM], /no engine is named warp/],
    ];
    for (const [args, line] of cases) expect(expectOneLine(place.run(args))).toMatch(line);
  });
});

describe('report', () => {
  test('of a wrong file: exit 1, and the page says so', () => {
    const { status } = place.run(['report', '-q', '-p', PROFILE, '-o', 'wrong.html', '--stdin', input, elf, 'wrong']);
    expect(status).toBe(1);
    expect(readFileSync(place.path('wrong.html'), 'utf8')).toContain(hex(planted.head));
  });

  test('on another input than that of the profile: not called training', () => {
    const json = (stdin: string) => {
      const args = ['report', '-q', '-p', PROFILE, '--json', '-', '--stdin', stdin, elf, FORM];
      return JSON.parse(place.run(args).stdout.toString()).verify.inputs[0].training;
    };
    expect([json(input), json(other)]).toEqual([true, false]);
  });

  test('a profile of another binary is refused', () => {
    expect(expectOneLine(place.run(['report', '-p', PROFILE, sample('sort').elf, FORM]))).toMatch(/another binary/);
  });
});
