/** Guests that use the whole syscall interface, compared with qemu-riscv64: output, exit status, files left behind. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readImage } from '../../src/elf/read.ts';
import { makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { type Bytes, createProcess, type Exit } from '../../src/machine/process.ts';
import { filesOf } from '../../src/verify/events.ts';
import { compileFile, needs, qemu, ROOT } from '../support/tools.ts';

const stdin = Buffer.from('some text\nof three lines\nwith an end\n');
const statusOf = (exit: Exit): number =>
  exit.kind === 'status' ? exit.status : exit.kind === 'signal' ? 128 + exit.signal : -1;

function runHere(file: string, args: readonly string[], cwd: string, engine = 'dispatch', more: string[] = []) {
  const out: Record<1 | 2, Buffer[]> = { 1: [], 2: [] };
  const guest = createProcess({
    image: readImage(file),
    args,
    env: [],
    stdin,
    cwd,
    grants: [cwd, ...more],
    sink: (fd, bytes) => void out[fd].push(Buffer.from(bytes)),
  });
  const { exit } = execute(guest, makeEngine(engine, guest.memory), { limitInstructions: 1e9 });
  return { exit, guest, stdout: Buffer.concat(out[1]).toString(), stderr: Buffer.concat(out[2]).toString() };
}

const all = (contents: Bytes): Buffer => {
  const bytes = Buffer.alloc(contents.size);
  contents.read(0, bytes);
  return bytes;
};

/** Those that have tests of their own, or are run with other arguments; all others that are in the folder are run alike. */
const OTHERS = ['answers', 'ends', 'fixed', 'kept', 'paths', 'pie', 'proc', 'rest'];
const guests = readdirSync(join(ROOT, 'test/machine/guests'))
  .map((file) => file.replace(/\.c$/, ''))
  .filter((name) => !OTHERS.includes(name));
const endings = [
  'exit',
  'abort',
  'null',
  'jump',
  'illegal',
  'break',
  'misaligned',
  'recursion',
  'kill',
  'text',
  'handler',
  'atexit',
];
const STATIC = ['-O2', '-static', '-w'];
const PIE = ['-O2', '-fPIE', '-static-pie', '-nostdlib', '-nostartfiles', '-Wl,--no-dynamic-linker', '-w'];
const runs: [string, string[]][] = [
  ['pie', []],
  ...guests.map((name): [string, string[]] => [name, ['one', 'two words', '']]),
  ...endings.map((how): [string, string[]] => ['ends', [how]]),
];

describe.runIf(needs('order of signals', 'gcc'))('Linux decides where qemu has its own way', () => {
  test('faults come before other signals, then the lowest number', () => {
    const file = compileFile('test/machine/guests/events.c', STATIC);
    const { stdout } = runHere(file, ['order'], tmpdir());
    expect(stdout).toBe('11 1 12 15 101 \n');
  });
  test.each(['basic', 'dispatch', 'translate-soon'])(
    '%s: handlers and returns at odd addresses lose bit 0',
    (engine) => {
      const file = compileFile('test/machine/guests/events.c', STATIC);
      const { stdout, guest } = runHere(file, ['odd'], tmpdir(), engine);
      expect(stdout).toBe('handled\nback\n');
      expect(guest.starts.filter(({ at }) => at % 2 !== 0)).toEqual([]);
    },
  );
});

describe.runIf(needs('writes that are cut short', 'gcc'))('writes that are cut short', () => {
  test('what a part of a vector cannot be read takes the page of a pipe with it (qemu has its own way)', () => {
    const { stdout } = runHere(compileFile('test/machine/guests/partial.c', STATIC), ['faults'], tmpdir());
    expect(stdout.split('\n')).toEqual([
      'writev(p[1], three, 3) = -1 Bad address',
      'waiting(p[0]) = 0 ',
      'writev(p[1], two, 2) = 4096 ',
      'writev(p[1], two, 2) = 8192 ',
      'waiting(p[0]) = 12288 ',
      '',
    ]);
  });

  test('one write of more than a socket holds waits for ever', () => {
    const { exit } = runHere(compileFile('test/machine/guests/partial.c', STATIC), ['stuck'], tmpdir());
    expect(exit).toMatchObject({ kind: 'limit', limit: 'deadlock' });
  });
});

describe.runIf(needs('mappings, files in memory and limits', 'gcc'))('mappings, files in memory and limits', () => {
  test('say what they were given, and refuse what Linux refuses (qemu lets most of it pass)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'isoform-guest-'));
    const { stdout, exit } = runHere(compileFile('test/machine/guests/kept.c', STATIC), [], folder);
    rmSync(folder, { recursive: true });
    // As a native build prints it on Linux.
    expect(stdout).toBe(readFileSync(join(ROOT, 'test/machine/kept.txt'), 'utf8'));
    expect(exit).toEqual({ kind: 'status', status: 0 });
  });
});

describe.runIf(needs('/proc', 'gcc'))('/proc tells the guest about itself', () => {
  test('where things are, whose they are, what runs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'isoform-guest-'));
    const { stdout, exit } = runHere(compileFile('test/machine/guests/proc.c', STATIC), [], folder);
    rmSync(folder, { recursive: true });
    expect(stdout.split('\n').filter((line) => !line.endsWith(': yes'))).toEqual(['']);
    expect(exit).toEqual({ kind: 'status', status: 0 });
  });
});

describe.runIf(needs('paths', 'gcc'))('a path', () => {
  test('lets through whom Linux lets through, if he is not root', () => {
    const folder = mkdtempSync(join(tmpdir(), 'isoform-guest-'));
    mkdirSync(join(folder, 'host'));
    spawnSync('mkfifo', [join(folder, 'host/pipe')]);
    const { stdout, exit } = runHere(compileFile('test/machine/guests/paths.c', STATIC), [], folder);
    rmSync(folder, { recursive: true });
    expect(stdout.split('\n').filter((line) => !line.endsWith(': yes'))).toEqual(['']);
    expect(exit).toEqual({ kind: 'status', status: 0 });
  });
});

describe.runIf(needs('guests against qemu', 'gcc', 'qemu'))('guests do as under qemu', () => {
  test.each(runs)('%s %j', (name, args) => {
    const file = compileFile(`test/machine/guests/${name}.c`, name === 'pie' ? PIE : STATIC);
    const folder = mkdtempSync(join(tmpdir(), 'isoform-guest-'));
    try {
      const [theirs, ours] = [join(folder, 'theirs'), join(folder, 'ours')];
      for (const cwd of [theirs, ours]) mkdirSync(cwd);
      const expected = qemu(file, args, { stdin, cwd: theirs });
      const actual = runHere(file, args, ours);
      const translated = runHere(file, args, ours, 'translate-soon');
      // The end first: it says why an output is not whole.
      expect([statusOf(actual.exit), expected.status < 128 ? actual.stderr : '']).toEqual([
        expected.status,
        expected.status < 128 ? expected.stderr.toString() : '',
      ]);
      expect(actual.stdout).toBe(expected.stdout.toString());
      expect([translated.exit, translated.stdout, translated.stderr]).toEqual([
        actual.exit,
        actual.stdout,
        actual.stderr,
      ]);
      expect([translated.guest.starts, translated.guest.stops]).toEqual([actual.guest.starts, actual.guest.stops]);
      // The host is untouched; what would be there is in the overlay, file for file.
      expect(readdirSync(ours)).toEqual([]);
      const left = [...actual.guest.changes()].flatMap((change) =>
        change.kind === 'file' ? [[change.path.slice(ours.length + 1), all(change.contents!).toString()]] : [],
      );
      const wanted = readdirSync(theirs, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry): [string, string] => [entry.name, readFileSync(join(theirs, entry.name), 'latin1')])
        .sort(([a], [b]) => (a < b ? -1 : 1));
      expect(left).toEqual(wanted);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe.runIf(needs('guests and what was granted', 'gcc'))('what was granted', () => {
  test('stays in its place, as a mount point does, and so does what it is in', () => {
    const file = compileFile('test/machine/guests/fixed.c', STATIC);
    const folder = mkdtempSync(join(tmpdir(), 'isoform-guest-'));
    try {
      const above = join(folder, 'above');
      const granted = join(above, 'granted');
      mkdirSync(granted, { recursive: true });
      const { stdout, guest } = runHere(file, [granted, above, join(folder, 'other')], folder, 'dispatch', [granted]);
      // EBUSY is 16, ENOTEMPTY 39.
      expect(stdout).toBe(
        'rmdir: 16\nrmdir above: 16\nrename: 16\nrename above: 16\nonto it: 16\nexchange: 16\nexchange: 16\n',
      );
      expect([...guest.changes()].map(({ path }) => path)).toEqual([join(folder, 'other')]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe.runIf(needs('faults of guests', 'gcc'))('a fault is a result', () => {
  test('with signal, pc, address and symbol', () => {
    const file = compileFile('test/machine/guests/ends.c', STATIC);
    const { exit } = runHere(file, ['null'], tmpdir());
    expect(exit).toMatchObject({ kind: 'signal', signal: 11, name: 'SIGSEGV', address: 0n });
    expect(exit.kind === 'signal' && exit.symbol).toMatch(/^main(\+0x[0-9a-f]+)?$/);
  });

  test('control is accounted for: what started has stopped', () => {
    const file = compileFile('test/machine/guests/signals.c', STATIC);
    const { guest } = runHere(file, [], tmpdir());
    const total = (counts: readonly { count: number }[]) => counts.reduce((sum, { count }) => sum + count, 0);
    expect(total(guest.starts)).toBe(total(guest.stops));
    expect(guest.starts.find(({ at }) => at === guest.place.toRun(guest.image.entry))?.count).toBe(1);
    // Every return from a handler went over the trampoline (two handlers were left by siglongjmp instead).
    expect(guest.stops.find(({ at }) => at === guest.trampoline + 8)!.count).toBeGreaterThan(10);
  });

  test('two runs are alike to the last byte of the overlay and the last instruction', () => {
    const file = compileFile('test/machine/guests/files.c', STATIC);
    const folder = mkdtempSync(join(tmpdir(), 'isoform-guest-'));
    try {
      const [a, b] = [runHere(file, [], folder), runHere(file, [], folder)];
      expect(a.stdout).toBe(b.stdout);
      expect(a.guest.hart.retired).toBe(b.guest.hart.retired);
      expect(filesOf(a.guest)).toEqual(filesOf(b.guest));
      expect(filesOf(a.guest).length).toBeGreaterThan(1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
