/** The limit on time holds whatever the guest does; a program may be as long as it likes. */
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { PAGE } from '../../src/base/units.ts';
import { readImage } from '../../src/elf/read.ts';
import { ENGINES, makeEngine } from '../../src/engine/engines.ts';
import { execute } from '../../src/engine/execute.ts';
import { encode } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import { Hart } from '../../src/machine/hart.ts';
import { NotYet } from '../../src/machine/linux/errno.ts';
import { Memory, PERMISSION } from '../../src/machine/memory.ts';
import { createProcess, type ProcessOptions } from '../../src/machine/process.ts';
import { compile, needs } from '../support/tools.ts';
import { words } from './bare.ts';

const HEAD = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#define BIG (600L << 20)
#define AREA(size, prot) mmap(0, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
`;
const FLUSH = `for (long i = 0; i < 16 << 20; i += 4096) *(unsigned *)(p + i) = 0x8067;
  syscall(259, 0, -1, 0);
  for (long i = 0; i < 16 << 20; i += 4096) ((void (*)(void))(p + i))();`;
const GUESTS: Readonly<Record<string, string>> = {
  'from a device to another': 'int z = open("/dev/zero", 0), n = open("/dev/null", 1); sendfile(n, z, 0, -1UL);',
  'random bytes': 'read(open("/dev/urandom", 0), AREA(BIG, 3), BIG);',
  'from file to file': `int a = open("/tmp/a", O_RDWR | O_CREAT, 0600), b = open("/tmp/b", O_RDWR | O_CREAT, 0600);
    ftruncate(a, BIG); loff_t x = 0, y = 0; copy_file_range(a, &x, b, &y, -1UL, 0);`,
  'many parts': `struct iovec v[1024]; char *p = AREA(1 << 20, 3); int n = open("/dev/urandom", 0);
    for (int i = 0; i < 1024; i++) v[i] = (struct iovec){p, 1 << 20}; readv(n, v, 1024);`,
  'input that does not come': 'char b; read(0, &b, 1);',
  'output that nobody takes': 'write(1, "x", 1);',
  'a hole in a large file': `int a = open("/tmp/a", O_RDWR | O_CREAT, 0600); ftruncate(a, 1 << 30); pwrite(a, "x", 1, (1 << 30) - 1);
    fallocate(a, 3, 0, 1 << 30);`,
  'mappings that come and go': 'char *p = AREA(BIG, 3); munmap(p, BIG);',
  'fence.i with much code': `static char *p; if (!p) { p = AREA(16 << 20, 7); ${FLUSH} } asm volatile("fence.i");`,
  'flushing with much code': `static char *p; if (!p) { p = AREA(16 << 20, 7); ${FLUSH} } syscall(259, 0, -1, 0);`,
};
const SLOW = 60_000;

describe.runIf(needs('limits on time', 'gcc'))('a limit on time ends', () => {
  const late: Partial<ProcessOptions> = {
    stdin: () => {
      throw new NotYet();
    },
    sink: () => {
      throw new NotYet();
    },
  };
  test.each(Object.entries(GUESTS))(
    '%s',
    (_, body) => {
      const image = readImage(compile(`${HEAD}int main(void) { for (;;) { ${body} } }`));
      const guest = createProcess({ image, cwd: '/', grants: [], ...late });
      const engine = makeEngine('translate', guest.memory);
      const { exit } = execute(guest, engine, { wallTime: 0.3 });
      expect(exit).toMatchObject({ kind: 'limit', limit: 'time' });
      // What was counted up to there is whole.
      expect(engine.transfers().length).toBeGreaterThan(0);
    },
    SLOW,
  );
});

/** A machine whose code is an endless loop. */
function looping(name: string) {
  const memory = new Memory(2 ** 24, 2 ** 26);
  memory.protect(PAGE, PAGE, PERMISSION.MAPPED | PERMISSION.READ | PERMISSION.EXECUTE);
  memory.bytes.set(words(encode(parse('addi a0,a0,1')), encode(parse(`jal zero,${PAGE}`, PAGE + 4))), PAGE);
  const hart = new Hart(memory);
  hart.pc = PAGE;
  return { hart, engine: makeEngine(name, memory) };
}

describe.each([...ENGINES, 'lockstep'])('%s', (name) => {
  it('comes back when its time is over, and goes on from there', () => {
    const { hart, engine } = looping(name);
    const first = engine.run(hart, 1e12, performance.now() + 20);
    expect(first.stop).toEqual({ kind: 'pause' });
    const { stop, retired } = engine.run(hart, 1000, performance.now() + SLOW);
    expect({ stop, retired }).toEqual({ stop: { kind: 'budget' }, retired: 1000 });
    expect(hart.get(10)).toBe(BigInt(Math.ceil((first.retired + retired) / 2)));
  });
});

/** Forms of engines that have records: all but the oracle. */
const RECORDS = [...ENGINES.filter((name) => name !== 'basic'), 'translate-soon'];

afterEach(() => {
  vi.restoreAllMocks();
});

test.each(RECORDS)('%s looks at the clock no more often after the guest has waited', (name) => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const { hart, engine } = looping(name);
  const looks = () => {
    clock.mockClear();
    expect(engine.run(hart, 2 ** 23, 1e9).stop).toEqual({ kind: 'budget' });
    return clock.mock.calls.length;
  };
  for (let run = 0; run < 2; run++) looks();
  const before = looks();
  now += 10_000;
  expect(looks()).toBeLessThanOrEqual(before);
  // Stays that take long get shorter.
  clock.mockImplementation(() => {
    now += 100;
    return now;
  });
  expect(looks()).toBeGreaterThan(before * 4);
});

describe.each(RECORDS)('%s, with little room for records', (name) => {
  const BASE = 2 ** 20;
  type Place = readonly [at: number, lines: readonly string[]];
  /** Runs this code, in a host area that holds records of a part of it only, and as the oracle does. */
  function agrees(places: readonly Place[]): void {
    const ends = [name, 'basic'].map((engineName) => {
      const memory = new Memory(2 ** 24, 2 ** 25);
      memory.protect(BASE, 8 * 2 ** 20, PERMISSION.MAPPED | PERMISSION.READ | PERMISSION.EXECUTE);
      for (const [at, lines] of places)
        for (const [i, line] of lines.entries())
          memory.view.setUint32(at + 4 * i, encode(parse(line, at + 4 * i)), true);
      const hart = new Hart(memory);
      hart.pc = BASE;
      const engine = makeEngine(engineName, memory);
      const end = engine.run(hart, 1e9);
      return { end, a0: hart.get(10), transfers: engine.transfers() };
    });
    expect(ends[0]).toEqual(ends[1]);
    expect(ends[0]!.end.stop).toEqual({ kind: 'ebreak' });
  }
  it(
    'a straight line',
    () => {
      const line = new Array<string>(450_000).fill('addi a0,a0,1');
      agrees([[BASE, [...line, 'ebreak']]]);
    },
    SLOW,
  );
  it(
    'functions far apart, called again and again',
    () => {
      const [pages, rounds] = [1000, 3];
      const end = BASE + pages * PAGE;
      const page = (i: number): Place => {
        const at = BASE + i * PAGE;
        const call = `jal ra,${at + 0x800}`;
        return [at, [i === 0 ? 'addi a1,a1,1' : 'addi a0,a0,1', call, `jal zero,${at + PAGE}`]];
      };
      const callee = (i: number): Place => [BASE + i * PAGE + 0x800, ['addi a0,a0,2', 'jalr zero,0(ra)']];
      const all = Array.from({ length: pages }, (_, i) => i);
      const last = [`addi t0,zero,${rounds}`, `beq a1,t0,${end + 16}`, 'lui t1,256', 'jalr zero,0(t1)', 'ebreak'];
      agrees([...all.map(page), ...all.map(callee), [end, last]]);
    },
    SLOW,
  );
});
