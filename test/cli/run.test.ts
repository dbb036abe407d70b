import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestTime } from '../../src/cli/guest-time.ts';
import { ENGINES } from '../../src/engine/engines.ts';
import { CLI, isoform } from '../support/cli.ts';
import { compile, compileFile, needs, qemu } from '../support/tools.ts';
import { sample } from './support.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'isoform-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const said = (bytes: Buffer) => bytes.toString();

describe('bad use: one line, exit 2', () => {
  const cases: [string, string[], RegExp][] = [
    ['no such file', ['run', 'missing.elf'], /^isoform: missing\.elf: cannot be read: ENOENT\n$/],
    ['not an ELF file', ['run', CLI], /^isoform: .*not a usable ELF executable.*\n$/],
    ['another architecture', ['run', process.execPath], /^isoform: .*: is for .*\n$/],
    ['a directory', ['run', '.'], /^isoform: .*not a regular file\n$/],
    ['no file named', ['run'], /^isoform: missing required argument 'file'\n$/],
    ['unknown option', ['run', '--nonsense', 'x'], /^isoform: unknown option '--nonsense'\n/],
    ['unknown command', ['sprint', 'x'], /^isoform: unknown command 'sprint'\n/],
    ['bad size', ['run', '--memory', 'lots', 'x'], /^isoform: lots: not a size .*\n$/],
    ['bad count', ['run', '--limit-instructions', '-5', 'x'], /^isoform: -5: not a count .*\n$/],
    ['bad variable', ['run', '--env', 'NOVALUE', 'x'], /^isoform: NOVALUE: not an environment variable .*\n$/],
  ];
  test.each(cases)('%s', (_title, args, line) => {
    const { status, stdout, stderr } = isoform(args);
    expect(said(stderr)).toMatch(line);
    expect(said(stderr)).not.toMatch(/^ +at /m);
    expect([status, said(stdout)]).toEqual([2, '']);
  });

  test('help and version are no errors', () => {
    expect(isoform(['--version'])).toMatchObject({ status: 0 });
    expect(said(isoform(['run', '--help']).stdout)).toMatch(/--strace/);
  });
});

describe.runIf(needs('the run command', 'gcc', 'qemu'))('run', () => {
  const echo = () => compileFile('test/machine/guests/environment.c', ['-O2', '-static', '-w']);

  test("everything behind the file is the guest's", () => {
    const args = ['--strace', '-o', '--', 'x'];
    const ours = isoform(['run', '--env', 'GREETING=hello', echo(), ...args]);
    const theirs = qemu(echo(), args, { env: { GREETING: 'hello' } });
    expect(said(ours.stdout)).toBe(said(theirs.stdout));
    expect([ours.status, said(ours.stderr)]).toEqual([42, '']);
  });

  test('standard input and output of many megabytes', () => {
    const cat = compile(`
      #include <unistd.h>
      static char buffer[70000];
      int main(void) {
        for (long n; (n = read(0, buffer, sizeof buffer)) > 0;)
          for (long at = 0; at < n;) at += write(1, buffer + at, n - at);
        return 0;
      }`);
    const stdin = Buffer.alloc(30_000_000);
    for (let i = 0; i < stdin.length; i += 4) stdin.writeUInt32LE(i, i);
    const { status, stdout } = isoform(['run', cat], { stdin });
    expect(status).toBe(0);
    expect(Buffer.compare(stdout, stdin)).toBe(0);
  });

  test('--stats: counts that every engine agrees on', () => {
    const stats = ENGINES.map((engine) => {
      const { stderr, status } = isoform(['run', '--stats', '--engine', engine, echo()]);
      expect(status).toBe(42);
      const { engine: name, ...counts } = JSON.parse(said(stderr));
      expect(name).toBe(engine);
      return counts;
    });
    expect(stats[0].instructions).toBeGreaterThan(stats[0].takenBranches);
    expect(stats[0].takenBranches).toBeGreaterThan(100);
    // The one that translates says more.
    for (const [i, counts] of stats.entries())
      if (ENGINES[i] === 'translate') expect(counts).toMatchObject(stats[0]);
      else expect(counts).toEqual(stats[0]);
  });

  test('--stats: what translating came to; and lockstep finds nothing', () => {
    const { elf, input, expected } = sample('bytecode');
    const stdin = readFileSync(input);
    const statsOf = (engine: string) => {
      const { status, stdout, stderr } = isoform(['run', '--stats', '--engine', engine, elf], { stdin });
      expect([status, stdout.equals(expected)]).toEqual([0, true]);
      return JSON.parse(stderr.toString());
    };
    const [plain, translated] = [statsOf('dispatch'), statsOf('translate')];
    const { regions, insns, wasmBytes, translating, compiling, transfersInRegions, ...counts } = translated;
    expect(counts).toEqual({ ...plain, engine: 'translate', kept: 0 });
    for (const number of [regions, insns, wasmBytes, translating, compiling]) expect(number).toBeGreaterThan(0);
    expect(wasmBytes).toBeGreaterThan(insns);
    // Nine million instructions, most of them in one loop.
    expect(transfersInRegions).toBeGreaterThan(0.3);
    expect(transfersInRegions).toBeLessThan(1);
    expect(statsOf('lockstep:dispatch,translate')).toMatchObject({ ...plain, engine: 'lockstep:dispatch,translate' });
  });

  test('taken branches are counted one by one', () => {
    // 9 taken of 10 loop branches, a call, a return, a jump; the branch that is never taken does not count.
    const source = `
      .globl _start
      _start: li t0, 10
      1: addi t0, t0, -1
      bnez t0, 1b
      beqz sp, 1b
      jal ra, 2f
      j 3f
      2: ret
      3: li a7, 94
      li a0, 0
      ecall`;
    const file = compile(source, ['-nostdlib', '-static'], 's');
    for (const engine of ['basic', 'dispatch', 'threaded'])
      expect(JSON.parse(said(isoform(['run', '--stats', '--engine', engine, file]).stderr))).toEqual({
        instructions: 1 + 20 + 1 + 1 + 1 + 1 + 3,
        takenBranches: 9 + 3,
        engine,
      });
  });

  test('a signal: 128 + n, and one line that says where', () => {
    const ends = compileFile('test/machine/guests/ends.c', ['-O2', '-static', '-w']);
    const { status, stderr } = isoform(['run', ends, 'null']);
    expect(status).toBe(139);
    expect(said(stderr)).toMatch(/^isoform: the guest was killed by SIGSEGV at 0x[0-9a-f]+ \(main.*\), address 0x0\n$/);
    expect(isoform(['run', ends, 'abort']).status).toBe(134);
  });

  test('limits', () => {
    const loop = compile('.globl _start\n_start: j _start\n', ['-nostdlib', '-static'], 's');
    const instructions = isoform(['run', '--limit-instructions', '1e6', loop]);
    expect(said(instructions.stderr)).toBe(
      'isoform: the guest has run 1000000 instructions, the limit (raise --limit-instructions)\n',
    );
    expect(instructions.status).toBe(2);
    const time = isoform(['run', '--limit-time', '0.3', loop]);
    expect(said(time.stderr)).toBe('isoform: the guest has run for 0.3 seconds, the limit (raise --limit-time)\n');
    expect(time.status).toBe(2);
  });

  test('the clock says what it is told to, else SOURCE_DATE_EPOCH, else the day after the newest file', () => {
    const clock = compile(
      '#include <stdio.h>\n#include <time.h>\nint main(void) { printf("%ld", time(0)); return 0; }\n',
    );
    const epoch = { SOURCE_DATE_EPOCH: '1700000000' };
    const folder = mkdtempSync(join(tmpdir(), 'isoform-clock-'));
    const says = (options: readonly string[], env: Record<string, string> = {}) => {
      const { status, stdout, stderr } = isoform(['run', ...options, clock], {
        env: { PATH: process.env.PATH!, ...env },
        cwd: folder,
      });
      return status === 0 ? stdout.toString() : said(stderr);
    };
    const at = (seconds: number) => {
      writeFileSync(join(folder, 'file'), '');
      for (const file of [join(folder, 'file'), folder, clock]) utimesSync(file, seconds, seconds);
    };
    at(1_000_000_000);
    expect(says([])).toBe('1704067200');
    at(1_800_000_000);
    expect(says([])).toBe(`${(Math.floor(1_800_000_000 / 86400) + 1) * 86400}`);
    utimesSync(join(folder, 'file'), 4_000_000_000, 4_000_000_000);
    expect(Number(says([]))).toBeGreaterThan(4_000_000_000);
    expect(says([], epoch)).toBe('1700000000');
    expect(says(['--time', '4000000000'], epoch)).toBe('4000000000');
    for (const wrong of ['', '-1', '1e9', '99999999999']) expect(says([`--time=${wrong}`])).toMatch(/: not a time \(/);
    expect(says([], { SOURCE_DATE_EPOCH: 'today' })).toMatch(/^isoform: today: not a time/);
    rmSync(folder, { recursive: true });
  });

  test('a link to itself in the folder does not matter to the clock', () => {
    const place = mkdtempSync(join(tmpdir(), 'isoform-run-'));
    symlinkSync('loop', join(place, 'loop'));
    expect(guestTime(undefined, process.execPath, [place]).start).toBeGreaterThan(0n);
    rmSync(place, { recursive: true });
  });

  test('a guest that waits for ever is stopped', () => {
    const wait = compile('#include <unistd.h>\nint main(void) { return pause(); }\n');
    const { status, stderr } = isoform(['run', wait]);
    expect(said(stderr)).toMatch(/^isoform: the guest waits for ever: .*\n$/);
    expect(status).toBe(2);
  });

  test('files: nothing gets out but through --write-through', () => {
    const writer = compile(`
      #include <stdio.h>
      #include <sys/stat.h>
      int main(int argc, char **argv) {
        char name[500];
        snprintf(name, sizeof name, "%s/made", argv[1]);
        mkdir(name, 0750);
        snprintf(name, sizeof name, "%s/made/file", argv[1]);
        FILE *f = fopen(name, "w");
        if (!f) return perror("open"), 1;
        fputs("content\\n", f);
        snprintf(name, sizeof name, "%s/old", argv[1]);
        remove(name);
        return 0;
      }`);
    const [inside, outside] = [join(folder, 'inside'), join(folder, 'outside')];
    for (const dir of [inside, outside]) mkdirSync(dir);
    writeFileSync(join(inside, 'old'), 'old');
    const denied = isoform(['run', writer, outside], { cwd: inside });
    expect([denied.status, said(denied.stderr)]).toEqual([1, 'open: No such file or directory\n']);
    expect(isoform(['run', '--dir', outside, writer, outside], { cwd: inside }).status).toBe(0);
    expect(readdirSync(outside)).toEqual([]);
    expect(isoform(['run', writer, inside], { cwd: inside }).status).toBe(0);
    expect(readdirSync(inside)).toEqual(['old']);
    expect(isoform(['run', '--write-through', inside, writer, inside], { cwd: outside }).status).toBe(0);
    expect(readdirSync(inside)).toEqual(['made']);
    expect(readFileSync(join(inside, 'made', 'file'), 'utf8')).toBe('content\n');
    expect(existsSync(join(inside, 'old'))).toBe(false);
  });

  test('a reader that goes away ends the guest quietly', async () => {
    const yes = compile('#include <stdio.h>\nint main(void) { for (;;) puts("y"); }\n');
    const child = spawn(process.execPath, [CLI, 'run', yes], { stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (bytes) => (errors += bytes));
    child.stdout.once('data', () => child.stdout.destroy());
    const status = await new Promise((done) => child.on('close', done));
    expect([status, errors]).toEqual([141, '']);
  });

  test('--strace prints calls on standard error', () => {
    const { stderr, stdout } = isoform([
      'run',
      '--strace',
      compile('#include <stdio.h>\nint main(void) { puts("hi"); return 0; }\n'),
    ]);
    expect(said(stdout)).toBe('hi\n');
    expect(said(stderr)).toContain('write(1, "hi\\n", 3) = 3\n');
    expect(said(stderr)).toMatch(/exit_group\(0\) = \?\n$/);
  });
});
