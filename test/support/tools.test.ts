import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { compile, needs, qemu, ROOT, run, temporary } from './tools.ts';

describe('needs', () => {
  const said: string[] = [];
  beforeEach(() => {
    said.length = 0;
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  test('names the suite and the tool that is missing', async () => {
    vi.resetModules();
    vi.stubEnv('ISOFORM_QEMU', '');
    const fresh = await import('./tools.ts');
    expect(fresh.needs('comparison', 'qemu')).toBe(false);
    expect(said).toEqual(['LEFT OUT: comparison: needs qemu-riscv64, not installed\n']);
    expect(() => fresh.tool('qemu')).toThrow('not installed');
  });

  test('is silent where all is here', async () => {
    vi.resetModules();
    vi.stubEnv('ISOFORM_QEMU', process.execPath);
    const fresh = await import('./tools.ts');
    expect(fresh.needs('comparison', 'qemu')).toBe(true);
    expect(said).toEqual([]);
  });
});

describe.runIf(needs('compiling a guest', 'gcc', 'qemu'))('compile', () => {
  test('gives the same file for the same text, another for other flags', () => {
    const text = 'int main(int argc, char **argv) { (void)argv; return 40 + argc; }\n';
    const file = compile(text);
    expect(compile(text)).toBe(file);
    expect(compile(text, ['-O1', '-static'])).not.toBe(file);
    expect(qemu(file).status).toBe(41);
    expect(qemu(file, ['one']).status).toBe(42);
  });

  test('throws what the compiler says', () => {
    expect(() => compile('int main(void) { return nothing; }')).toThrow(/nothing.*undeclared/);
  });
});

describe.runIf(process.platform === 'linux')('install.sh', () => {
  const script = join(ROOT, 'test/support/install.sh');

  /** A PATH with nothing but what the script itself wants, and what is planted. */
  function sealed(planted: Record<string, string>): { folder: string; env: Record<string, string> } {
    const folder = temporary('install');
    mkdirSync(join(folder, 'bin'));
    for (const [name, body] of Object.entries(planted)) {
      writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    }
    return { folder, env: { PATH: join(folder, 'bin') } };
  }

  test.each<Record<string, string>>([{}, { CI: '' }, { CI: 'false' }, { CI: 'true', ISOFORM_INSTALL: '0' }])(
    'says in one line what is missing and how to get it, with %j',
    (asked) => {
      const { folder, env } = sealed({ 'apt-get': 'echo called', id: 'echo 0' });
      try {
        const { status, stdout, stderr } = run('/bin/sh', [script], { env: { ...env, ...asked } });
        expect([status, stdout.toString()]).toEqual([0, '']);
        expect(stderr.toString()).toMatch(
          /^isoform tests: .* left out: .*gcc-riscv64-linux-gnu .*qemu-user .*'npm run setup' installs them\n$/,
        );
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  test('says why it cannot install what it is asked for', () => {
    const { folder, env } = sealed({});
    try {
      const { status, stderr } = run('/bin/sh', [script], { env: { ...env, ISOFORM_INSTALL: '1' } });
      expect(status).toBe(0);
      expect(stderr.toString()).toMatch(/missing: .*qemu-user.*\n.*not installing: this is not Debian or Ubuntu\n/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.each<Record<string, string>>([{ CI: 'true' }, { CI: '1' }, { ISOFORM_INSTALL: '1' }])(
    'with %j it asks apt for each package',
    (asked) => {
      const log = 'echo "$*" >>"$LOG"; case "$*" in *chromium*) exit 100;; esac';
      const { folder, env } = sealed({ 'apt-get': log, id: 'echo 0' });
      try {
        const path = [env.PATH, ...sharedTools(folder)].join(delimiter);
        const result = run('/bin/sh', [script], { env: { PATH: path, LOG: join(folder, 'log'), ...asked } });
        expect(result.status).toBe(0);
        const calls = readFileSync(join(folder, 'log'), 'utf8');
        expect(calls).toContain('update');
        for (const name of ['gcc-riscv64-linux-gnu', 'g++-riscv64-linux-gnu', 'qemu-user', 'chromium']) {
          expect(calls).toContain(`install ${name}`);
        }
        // One that fails does not keep the others away.
        expect(result.stderr.toString()).toContain('could not install chromium');
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  /** coreutils that the script calls, without the folder that also holds cross compilers. */
  function sharedTools(folder: string): string[] {
    const bin = join(folder, 'coreutils');
    mkdirSync(bin);
    for (const name of ['timeout', 'env', 'tail', 'mktemp', 'rm']) {
      writeFileSync(join(bin, name), `#!/bin/sh\nexec /usr/bin/${name} "$@"\n`, { mode: 0o755 });
    }
    return [bin];
  }
});
