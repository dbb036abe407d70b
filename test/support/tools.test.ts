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

  test('says what is missing where it may not install', () => {
    const { folder, env } = sealed({});
    try {
      const result = run('/bin/sh', [script], { env: { ...env, ISOFORM_INSTALL: '0' } });
      expect(result.status).toBe(0);
      expect(result.stderr.toString()).toContain('gcc-riscv64-linux-gnu');
      expect(result.stderr.toString()).toContain('qemu-user');
      expect(result.stderr.toString()).toContain('are left out');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('asks apt for each missing package, and goes on when one fails', () => {
    const log = 'echo "$*" >>"$LOG"; case "$*" in *chromium*) exit 100;; esac';
    const { folder, env } = sealed({ 'apt-get': log, id: 'echo 0' });
    try {
      const path = [env.PATH, ...sharedTools(folder)].join(delimiter);
      const result = run('/bin/sh', [script], { env: { PATH: path, LOG: join(folder, 'log') } });
      expect(result.status).toBe(0);
      const asked = readFileSync(join(folder, 'log'), 'utf8');
      expect(asked).toContain('update');
      for (const name of ['gcc-riscv64-linux-gnu', 'g++-riscv64-linux-gnu', 'qemu-user', 'chromium']) {
        expect(asked).toContain(`install ${name}`);
      }
      expect(result.stderr.toString()).toContain('could not install chromium');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

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
