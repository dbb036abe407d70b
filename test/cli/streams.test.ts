/** Standard streams that fail, or that nobody reads: an error for the guest, one clear line for isoform. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CLI } from '../support/cli.ts';
import { compile, needs, run } from '../support/tools.ts';
import { sample, workplace } from './support.ts';

const place = workplace('streams');
const { elf } = sample('queens');
/** A shell's command line, in which `isoform` is the command. @returns status and standard error */
const shell = (command: string, ...args: readonly string[]) => {
  const line = `isoform() { "$NODE" "$CLI" "$@"; }; ${command}`;
  const env = { ...process.env, NODE: process.execPath, CLI } as Record<string, string>;
  const { status, stderr } = run('bash', ['-c', line, 'bash', ...args], { cwd: place.path('.'), env, timeout: 60_000 });
  return { status, stderr: stderr.toString() };
};

/** Writes, three times, then reads, and tells of the last of each. */
const GUEST = `
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void) {
  static char bytes[8192];
  long put = 0, got;
  for (int i = 0; i < 3; i++) put = write(1, bytes, sizeof bytes);
  int error = errno;
  got = read(0, bytes, 10);
  dprintf(2, "write %s, read %s\\n", put < 0 ? strerrorname_np(error) : "", got < 0 ? strerrorname_np(errno) : "");
  return 7;
}`;

describe.runIf(needs('streams that fail', 'gcc'))('the guest gets the error', () => {
  test.each([
    ['not open for writing', 'isoform run "$1" 1</dev/null', 'write EBADF, read \n'],
    ['a full device', 'isoform run "$1" >/dev/full', 'write ENOSPC, read \n'],
    [
      'a limit of file size',
      'ulimit -f 10; isoform run "$1" >file; s=$?; test $(stat -c %s file) = 10240 && exit $s',
      'write EFBIG, read \n',
    ],
  ])('%s', (_, command, stderr) => {
    expect(shell(command, compile(GUEST))).toEqual({ status: 7, stderr });
  });

  test('a connection that the other side has reset', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = createConnection((server.address() as { port: number }).port, '127.0.0.1');
    // The error is for the child to read.
    client.pause();
    const [socket] = (await once(server, 'connection')) as [Socket];
    const child = spawn(process.execPath, [CLI, 'run', compile(GUEST)], { stdio: [client, 'pipe', 'pipe'] });
    client.on('error', () => {});
    let said = '';
    child.stderr!.on('data', (bytes: Buffer) => {
      said += bytes;
    });
    await once(child.stdout!, 'data');
    socket.resetAndDestroy();
    expect((await once(child, 'close'))[0]).toBe(7);
    expect(said).toBe('write , read ECONNRESET\n');
    client.destroy();
    server.close();
  });
});

describe("isoform's own output", () => {
  test.each([
    ['>/dev/full', 'ENOSPC'],
    ['1</dev/null', 'EBADF'],
  ])('%s', (to, code) => {
    const stderr = `isoform: standard output: cannot be written: ${code}\n`;
    for (const command of ['dump image "$1"', '--help', 'profile --help'])
      expect(shell(`isoform ${command} ${to}`, elf), command).toEqual({ status: 2, stderr });
  });

  test('a working directory that is gone', () => {
    const stderr = 'isoform: the working directory: cannot be read: ENOENT\n';
    const command = 'mkdir -p gone; cd gone; rmdir ../gone; isoform run "$1"';
    expect(shell(command, elf)).toEqual({ status: 2, stderr });
  });

  test.runIf(needs('a trace that nobody reads', 'gcc'))('a trace that nobody reads ends at the time limit', () => {
    const guest = compile('#include <unistd.h>\nint main(void) { for (;;) getppid(); }');
    // The reader ends only with the writer, whose status comes by a file.
    const command =
      '{ isoform run --strace --limit-time 1 "$1" 2>&1 >/dev/null; echo $? >status; } | { while ! test -s status; do sleep 0.1; done; }; exit $(cat status)';
    expect(shell(command, guest)).toEqual({ status: 2, stderr: '' });
  });
});
