/** Bad input of every kind, to every command that takes a file: one clear line, exit 2, no file left behind. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseImage } from '../../src/elf/read.ts';
import { optimize } from '../../src/pipeline/optimize.ts';
import { decodeProfile, encodeProfile, profileOf, readProfile } from '../../src/profile/store.ts';
import { readCase } from '../../src/verify/prove/case.ts';
import { CLI } from '../support/cli.ts';
import { Forgery } from '../support/forgery.ts';
import { makeRandom } from '../support/random.ts';
import { run } from '../support/tools.ts';
import { commandsOn, expectOneLine, sample, workplace } from './support.ts';

const place = workplace('bad-input');
const { elf } = sample('queens');
const good = readFileSync(elf);
const PROFILE = 'queens.isoprof';

beforeAll(() => {
  expect(place.run(['profile', '-q', '--limit-instructions', '100000', elf]).status).toBe(0);
  mkdirSync(place.path('folder'));
});

/** A copy of a sample with something changed. */
function edited(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = Uint8Array.from(good);
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

const PROGRAM_HEADERS = Number(new DataView(good.buffer, good.byteOffset).getBigUint64(32, true));
/** The offset of the first program header of a type. */
function header(view: DataView, type: number): number {
  for (let at = PROGRAM_HEADERS; ; at += 56) if (view.getUint32(at, true) === type) return at;
}
const LOAD = 1;

function noise(): Uint8Array {
  const random = makeRandom(11);
  return Uint8Array.from({ length: 5000 }, () => random.below(256));
}

/** An executable for another machine, as far as its header tells. */
const foreign = (machine: number, wide: 1 | 2 = 2, order: 1 | 2 = 1) =>
  edited((view) => {
    view.setUint8(4, wide);
    view.setUint8(5, order);
    view.setUint16(18, machine, order === 1);
  });

const CASES: [string, Uint8Array, RegExp][] = [
  ['an empty file', new Uint8Array(0), /not a usable ELF executable/],
  ['text', Buffer.from('#!/bin/sh\necho hello\n'), /not a usable ELF executable/],
  ['noise', noise(), /not a usable ELF executable/],
  ['noise behind an ELF magic', Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, ...noise()]), /bad: /],
  ['the magic alone', good.subarray(0, 4), /not a usable ELF executable/],
  ['half an ELF header', good.subarray(0, 40), /not a usable ELF executable/],
  ['half of the program headers', good.subarray(0, 100), /not a usable ELF executable/],
  ['half of the code', good.subarray(0, good.length >> 1), /not a usable ELF executable/],
  ['x86-64', foreign(62), /is for x86-64/],
  ['AArch64', foreign(183), /is for /],
  ['a machine nobody knows', foreign(0xfeed), /is for /],
  ['32-bit RISC-V', foreign(243, 1), /is for .*32/],
  ['big-endian RISC-V', foreign(243, 2, 2), /is for .*big/i],
  ['an object file', edited((view) => view.setUint16(16, 1, true)), /not a usable ELF executable/],
  ['a core file', edited((view) => view.setUint16(16, 4, true)), /not a usable ELF executable/],
  ['no program headers', edited((view) => view.setUint16(56, 0, true)), /not a usable ELF executable/],
  ['65535 program headers', edited((view) => view.setUint16(56, 0xffff, true)), /not a usable ELF executable/],
  [
    'program headers beyond the end',
    edited((view) => view.setBigUint64(32, 2n ** 40n, true)),
    /not a usable ELF executable/,
  ],
  [
    'program headers at the end of the number range',
    edited((view) => view.setBigUint64(32, 2n ** 64n - 8n, true)),
    /not a usable ELF executable/,
  ],
  [
    'a segment beyond the end of the file',
    edited((view) => view.setBigUint64(header(view, LOAD) + 8, 2n ** 33n, true)),
    /not a usable ELF executable/,
  ],
  [
    'a segment with more bytes than memory',
    edited((view) => view.setBigUint64(header(view, LOAD) + 40, 1n, true)),
    /not a usable ELF executable/,
  ],
  ['a segment of 2^63 bytes', edited((view) => view.setBigUint64(header(view, LOAD) + 40, 2n ** 63n, true)), /bad: /],
  [
    'a segment at the top of the address space',
    edited((view) => view.setBigUint64(header(view, LOAD) + 16, 2n ** 64n - 0x1000n, true)),
    /bad: /,
  ],
  [
    'segments one over the other',
    edited((view) => {
      const at = header(view, LOAD) + 56;
      view.setUint32(at, LOAD, true);
      for (const field of [8, 16, 24, 32, 40, 48])
        view.setBigUint64(at + field, view.getBigUint64(header(view, LOAD) + field, true), true);
    }),
    /not a usable ELF executable/,
  ],
  ['an entry outside the code', edited((view) => view.setBigUint64(24, 0x7fff_0000n, true)), /not a usable ELF/],
  ['an odd entry', edited((view) => view.setBigUint64(24, view.getBigUint64(24, true) + 1n, true)), /not a usable ELF/],
];

describe('executables', () => {
  test.each(CASES)('%s', (name, bytes, line) => {
    writeFileSync(place.path('bad'), bytes, { mode: 0o755 });
    const files = place.files();
    const commands = [
      ['profile', 'bad'],
      // One of these for each case, in turn: they read files in the same way.
      ...[
        [
          ['run', 'bad'],
          ['optimize', '-p', PROFILE, 'bad'],
          ['pgo', 'bad'],
          ['verify', elf, 'bad'],
          ['verify', 'bad', elf],
          ['report', '-p', PROFILE, 'bad', elf],
          ['dump', 'image', 'bad'],
          ['bisect', '-p', PROFILE, 'bad'],
        ][CASES.findIndex(([other]) => other === name) % 8]!,
      ],
    ];
    for (const command of commands) {
      const said = expectOneLine(place.run(command));
      expect(said, command.join(' ')).toMatch(line);
      expect(said).toContain('bad');
    }
    expect(place.files()).toEqual(files);
  });

  test('one that wants an interpreter', () => {
    const bytes = edited((view, all) => {
      const at = PROGRAM_HEADERS + 56 * (view.getUint16(56, true) - 1);
      const path = Buffer.from('/lib/ld-linux-riscv64-lp64d.so.1\0');
      const offset = all.length - 64;
      all.set(path, offset);
      view.setUint32(at, 3, true); // PT_INTERP
      view.setBigUint64(at + 8, BigInt(offset), true);
      view.setBigUint64(at + 32, BigInt(path.length), true);
      view.setBigUint64(at + 40, BigInt(path.length), true);
    });
    writeFileSync(place.path('dynamic'), bytes, { mode: 0o755 });
    for (const command of ['run', 'profile', 'pgo'])
      expect(expectOneLine(place.run([command, 'dynamic']))).toMatch(
        /dynamically linked and wants \/lib\/ld-linux.*-static/,
      );
  });

  test('a real one of this machine', () => {
    expect(expectOneLine(place.run(['pgo', process.execPath]))).toMatch(/is for |not a usable ELF/);
  });

  test('folders, and files that are not there', () => {
    const files = place.files();
    for (const file of ['folder', '.', 'missing', 'folder/missing', `${elf}/inside`, '']) {
      for (const command of [
        ['profile', file],
        ['verify', elf, file],
      ])
        expect(expectOneLine(place.run(command)), command.join(' ')).toMatch(/cannot be read|not a regular file/);
    }
    expect(place.files()).toEqual(files);
  });

  /** Of the demo alone no file is asked. */
  const { demo: _, ...names } = commandsOn('');
  test.each(Object.keys(names))(
    '%s does not go on without its files, nor with damaged ones, nor wait for a FIFO',
    { timeout: 60_000 },
    (name) => {
      writeFileSync(place.path('damaged'), good.subarray(0, good.length >> 1), { mode: 0o755 });
      run('mkfifo', [place.path('waiting')]);
      const files = place.files();
      for (const file of ['missing', 'damaged', 'waiting', 'folder'])
        expectOneLine(place.run(commandsOn(file)[name]!, { timeout: 20_000 }));
      expect(place.files()).toEqual(files);
      rmSync(place.path('waiting'));
    },
  );

  test('a FIFO or a device as an input file is not waited for', () => {
    run('mkfifo', [place.path('fifo')]);
    for (const file of ['fifo', '/dev/zero'])
      for (const command of [
        ['run', file],
        ['dump', 'image', file],
        ['prove', elf, file],
        ['optimize', '-p', file, elf],
        ['merge', '-o', 'sum.isoprof', file],
        ['replay', file],
      ])
        expect(expectOneLine(place.run(command, { timeout: 60_000 })), command.join(' ')).toMatch(/not a regular file/);
    rmSync(place.path('fifo'));
  });

  test('standard input may come from a pipe, if it ends', () => {
    const command = `exec "$0" "$1" profile -q -o piped.isoprof --stdin <(echo 6) "$2"`;
    const cwd = place.path('.');
    expect(run('bash', ['-c', command, process.execPath, CLI, elf], { cwd })).toMatchObject({ status: 0 });
    rmSync(place.path('piped.isoprof'));
    expect(expectOneLine(place.run(['profile', '--stdin', '/dev/zero', elf]))).toMatch(/more than \d+ bytes/);
  });
});

describe('profiles', () => {
  const bytes = () => readFileSync(place.path(PROFILE));
  const flipped = () => {
    const copy = Uint8Array.from(bytes());
    copy[copy.length >> 1]! ^= 4;
    return copy;
  };
  const cases: [string, () => Uint8Array][] = [
    ['empty', () => new Uint8Array(0)],
    ['truncated', () => bytes().subarray(0, 40)],
    ['with a byte changed', flipped],
    ['with something behind its end', () => Buffer.concat([bytes(), Buffer.from('more')])],
    ['noise', noise],
    ['an executable', () => good],
  ];
  test.each(cases)('%s', (_, make) => {
    writeFileSync(place.path('bad.isoprof'), make());
    const files = place.files();
    for (const command of [
      ['optimize', '-p', 'bad.isoprof', elf],
      ['merge', '-o', 'sum.isoprof', PROFILE, 'bad.isoprof'],
    ])
      expect(expectOneLine(place.run(command))).toMatch(/^isoform: bad\.isoprof: not a usable profile/);
    expect(place.files()).toEqual(files);
  });
});

test('an address map that lists more bytes than there are', () => {
  const image = parseImage(good, elf);
  const { bytes } = optimize(image, profileOf(readProfile(place.path(PROFILE)), image));
  for (const [at, change] of [
    { patches: [[image.entry, 2 ** 40]] as [number, number][] },
    {
      superblocks: [
        { head: image.entry, start: 0x20000, end: 2 ** 40, stubs: [], path: [], count: 1, identity: false },
      ],
    },
  ].entries()) {
    const name = `mapped${at}`;
    writeFileSync(place.path(name), new Forgery(image, parseImage(bytes, name)).setMap(change).file());
    for (const command of [
      ['prove', elf, name],
      ['verify', elf, name],
      ['report', '-p', PROFILE, elf, name],
    ])
      expect(expectOneLine(place.run(command)), command.join(' ')).toMatch(/mapped.: .*its address map is damaged/);
  }
  expect(place.files()).not.toContain('reports');
});

test('a saved counterexample with a field that is not what it should be', () => {
  const fine = {
    version: 1,
    original: '0123456789abcdef',
    head: '0x1000',
    start: '0x9000',
    difference: 'a0 is 0x1, and was 0x0',
    registers: { a0: '0x0' },
    frm: 0,
    memory: { '0x2000': '00ff' },
    code: { original: { '0x1000': '13051500' }, optimized: { '0x9000': '13052500', '0x9004': '6ff0dfff' } },
    returns: {},
    exit: { '0x9004': '0x1004' },
    counted: ['a0'],
    deadFrames: false,
  };
  const wrong: Record<string, unknown[]> = {
    version: [2, '1', null],
    original: ['../elsewhere', 1],
    head: ['0x', '1000', '0x80000000000000', 5],
    registers: [{ a0: '0x10000000000000000' }, { q9: '0x0' }, { a0: 1 }, []],
    frm: [8, -1, 1.5, '0', null],
    memory: [{ '0x2000': '0' }, { '0xffffffffffffffff': '0000' }, { here: '00' }],
    code: [
      null,
      { original: {} },
      { original: { '0x1000': '00000000' }, optimized: {} },
      { original: { '-1': '0100' }, optimized: {} },
    ],
    exit: [{ '0x9004': '0x' }, 'none'],
    counted: [['a0', 'b0'], 'a0', [1]],
    deadFrames: ['false', 0],
  };
  writeFileSync(place.path('case.json'), JSON.stringify(fine));
  expect(place.run(['replay', 'case.json']).status).toBe(1);
  for (const [field, values] of Object.entries(wrong))
    for (const value of values) {
      writeFileSync(place.path('wrong.json'), JSON.stringify({ ...fine, [field]: value }));
      expect(() => readCase(place.path('wrong.json')), `${field} ${JSON.stringify(value)}`).toThrow(
        `no counterexample of this version: '${field}' is not what it should be`,
      );
    }
  expect(expectOneLine(place.run(['replay', 'wrong.json']))).toContain("'deadFrames' is not what it should be");
  writeFileSync(place.path('wrong.json'), '{"version": 1,\n\u001b[31m');
  expect(expectOneLine(place.run(['replay', 'wrong.json']))).toBe(
    'isoform: wrong.json: cannot be read: it is no JSON\n',
  );
});

test('an internal error is one line too, and its stack is for those who ask', () => {
  // A broken installation: the command's own file fails when it is loaded.
  const hook = place.path('broken.mjs');
  writeFileSync(
    hook,
    'globalThis.performance.now = () => { throw new TypeError("made for the test\\nsecond line"); };',
  );
  const run = (env: Record<string, string>) =>
    place.run(['run', '--limit-time', '5', elf], {
      env: { PATH: '', NODE_OPTIONS: `--import=${hook}`, ...env },
    });
  const quiet = run({});
  expect([quiet.status, quiet.stderr.toString()]).toEqual([
    2,
    'isoform: internal error: made for the test second line (please report this)\n',
  ]);
  expect(run({ ISOFORM_DEBUG: '1' }).stderr.toString()).toMatch(/\n +at /);
});

describe('merge -o', () => {
  test('replaces neither what it reads, nor an executable, nor a device', () => {
    writeFileSync(place.path('one'), encodeProfile({ runs: 1, instructions: 2, images: [] }));
    symlinkSync('one', place.path('other'));
    copyFileSync(elf, place.path('program'));
    const before = ['one', 'program'].map((name) => readFileSync(place.path(name)));
    for (const output of ['one', 'other', 'program', '/dev/null', '.'])
      expectOneLine(place.run(['merge', '-o', output, 'one', 'one']));
    expect(['one', 'program'].map((name) => readFileSync(place.path(name)))).toEqual(before);
    expect(place.run(['merge', '-o', 'sum', 'one', 'other']).status).toBe(0);
    expect(decodeProfile(readFileSync(place.path('sum')), 'sum').runs).toBe(2);
  });
});
