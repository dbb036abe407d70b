/** Random sequences of system calls, as text for `guest.c`: of files, memory, pipes, time and signals, most of them sensible, many with an odd argument. */
import { makeRandom, type Random } from '../../support/random.ts';

/** Those that may be written to, removed, or renamed: none that is anybody else's. */
const NAMES = 19;
const DEVICE = 19;
const SELF = 20;
const NAME = 64;
const LONG_NAME = 24;
const TEXT = 4096;
const BUFFER = 8192;
const AT_FDCWD = -100;

/** A sequence under way: what its steps have made so far. */
class Sequence {
  readonly #random: Random;
  readonly steps: string[] = [];
  /** Steps that may have returned a descriptor. */
  readonly opened: number[] = [];
  /** The step that made the mapping in which all is done. */
  region: number | undefined;

  constructor(seed: number) {
    this.#random = makeRandom(seed);
  }
  /** 0 .. limit - 1 */
  random(limit: number): number {
    return this.#random.below(limit);
  }
  /** @returns its number */
  step(call: number | string, ...args: readonly (number | string)[]): number {
    this.steps.push(`${[call, ...args].join(' ')};`);
    return this.steps.length - 1;
  }
  pick<T>(items: readonly T[]): T {
    return this.#random.choose(items);
  }
  chance(of: number): boolean {
    return this.#random.oneIn(of);
  }
  /** The first in most cases. */
  mostly<T>(usual: T, odd: readonly T[]): T {
    return this.chance(6) ? this.pick(odd) : usual;
  }
  name(): string {
    if (this.chance(40)) return this.pick([`@${LONG_NAME * NAME}`, '0', '1', '-1', '4294967296']);
    // The first few are what files are made of.
    return `@${NAME * (this.chance(3) ? this.random(NAMES) : this.random(6))}`;
  }
  fd(): string {
    if (this.opened.length === 0 || this.chance(12)) return this.pick(['-1', '0', '77', '1000000', '2147483648', '3']);
    return `#${this.pick(this.opened)}`;
  }
  dir(): string | number {
    return this.mostly<string | number>(AT_FDCWD, [-1, 0, 77, this.fd(), this.fd()]);
  }
  size(): number {
    return this.pick([0, 1, 7, 8, 100, 511, 1000, 2048, this.random(3000)]);
  }
  buffer(): string {
    return this.mostly(`@${BUFFER + 8 * this.random(64)}`, ['0', '1', '-1', '4294967296', '-4096', '@16380']);
  }
  source(): string {
    return this.mostly(`@${TEXT + this.random(100)}`, ['0', '1', '-1', '4294967296']);
  }
  offset(): number {
    return this.pick([0, 1, 10, 100, 4095, 4096, 5000, -1, -5, this.random(2000)]);
  }
}

type Make = (s: Sequence) => void;

const O_ACCESS = [0, 1, 2, 2, 2, 3];
const O_MORE = [
  0, 0, 0, 0o100, 0o100, 0o100, 0o300, 0o1000, 0o1100, 0o2000, 0o2100, 0o200000, 0o400000, 0o10000000, 0o4000,
  0o40000000,
];
const FILES: readonly Make[] = [
  (s) => {
    const flags = s.pick(O_ACCESS) | s.pick(O_MORE) | (s.chance(5) ? s.pick(O_MORE) : 0);
    s.opened.push(s.step(56, s.dir(), s.name(), flags, s.pick([0o644, 0o600, 0o777, 0o1777, 0o1755])));
  },
  (s) => s.opened.push(s.step(56, AT_FDCWD, s.name(), s.pick([0o102, 0o2, 0o1102]), 0o644)),
  (s) => {
    // Somebody else's: nothing is done to it but reading and writing.
    const made = s.step(56, AT_FDCWD, `@${NAME * s.pick([DEVICE, DEVICE, SELF])}`, s.pick([0, 1, 2]), 0);
    s.step(s.pick([63, 64]), `#${made}`, `@${TEXT}`, 4);
    s.step(57, `#${made}`);
  },
  (s) => s.step(63, s.fd(), s.buffer(), s.size()),
  (s) => s.step(64, s.fd(), s.source(), s.size()),
  (s) => s.step(67, s.fd(), s.buffer(), s.size(), s.offset()),
  (s) => s.step(68, s.fd(), s.source(), s.size(), s.offset()),
  (s) => s.step(62, s.fd(), s.offset(), s.mostly(s.random(3), [3, 4, 5, -1])),
  (s) => s.step(46, s.fd(), s.offset()),
  (s) => s.step(45, s.name(), s.offset()),
  (s) => s.step(47, s.fd(), s.pick([0, 0, 1, 2, 3, 16]), s.offset(), s.offset()),
  (s) => s.step(57, s.fd()),
  (s) => {
    s.step(80, s.fd(), `^0`);
    s.step(-3, '^0');
  },
  (s) => {
    s.step(79, s.dir(), s.name(), '^0', s.mostly(0, [0x100, 0x1000, 0x800, 1, 0x200]));
    s.step(-3, '^0');
  },
  (s) =>
    s.step(
      '291',
      s.dir(),
      s.name(),
      s.mostly(0, [0x100, 0x1000, 0x2000, 0x6000, 1]),
      s.pick([0xfff, 0x7ff, 0, 2]),
      '^0',
    ),
  (s) => s.step(35, s.dir(), s.name(), s.mostly(0, [0x200, 1, 0x400])),
  (s) => s.step(34, s.dir(), s.name(), s.pick([0o755, 0o700, 0o1777])),
  (s) => s.step(276, s.dir(), s.name(), s.dir(), s.name(), s.mostly(0, [1, 2, 3, 8])),
  (s) => s.step(37, s.dir(), s.name(), s.dir(), s.name(), s.mostly(0, [0x400, 0x1000, 1])),
  (s) => s.step(36, s.name(), s.dir(), s.name()),
  (s) => s.step(78, s.dir(), s.name(), s.buffer(), s.pick([0, 1, 3, 64, -1])),
  (s) => {
    // What was opened is not the guest's input, which is another thing everywhere; who asks is root there, and may do all.
    // No set-id bits: the host's root keeps them over a write, the guest's user does not.
    if (s.opened.length > 0) s.step(52, `#${s.pick(s.opened)}`, s.pick([0o744, 0o700, 0o777, 0o1755]));
  },
  (s) => s.step(53, s.dir(), s.name(), s.pick([0o755, 0o700, 0o777, 0o1777])),
  (s) => s.step(48, s.dir(), s.name(), s.mostly(s.random(5), [8, -1, 7])),
  (s) => s.opened.push(s.step(23, s.fd())),
  (s) => s.opened.push(s.step(24, s.fd(), s.pick([40, 41, 42, -1, 2000000]), s.mostly(0, [0o2000000, 1]))),
  (s) => {
    const command = s.pick([0, 1, 2, 3, 4, 1030, 1031, 1032, 999]);
    const value = command === 0 || command === 1030 ? s.pick([0, 50, 60, -1]) : s.pick([0, 1, 0o2000, 0o4000, 0o6000]);
    const made = s.step(command === 1031 || command === 1032 ? '~25' : 25, s.fd(), command, value);
    if (command === 0 || command === 1030) s.opened.push(made);
  },
  (s) => s.step(49, `@${NAME * s.pick([2, 2, 0, 6, 7, 10, 15])}`),
  (s) => s.step(166, s.pick([0, 0o22, 0o77])),
  (s) => s.step(82, s.fd()),
  (s) => s.step(83, s.fd()),
  (s) => s.step(32, s.fd(), s.mostly(s.pick([1, 2, 5, 6, 8]), [0, 3, 4, 15])),
  (s) => s.step(33, s.dir(), s.name(), s.pick([0o100644, 0o010644, 0o600, 0o170000, 0o040755, 0o140644]), 0),
  (s) => {
    // Two vectors.
    s.step(-2, '^3000', s.source());
    s.step(-2, '^3008', s.size());
    s.step(-2, '^3016', s.source());
    s.step(-2, '^3024', s.mostly(s.size(), [-1]));
    s.step(s.pick([65, 66]), s.fd(), s.mostly('^3000', ['0', '1']), s.mostly(2, [0, 1, -1, 1025]));
  },
  (s) => s.step(71, s.fd(), s.fd(), s.mostly('0', ['@3100', '1']), s.size()),
  (s) => s.step(88, s.dir(), s.mostly(s.name(), ['0']), s.mostly('0', ['@3200', '1']), s.mostly(0, [0x100, 1])),
  (s) => s.step(223, s.fd(), s.offset(), s.offset(), s.mostly(0, [4, 6, -1])),
  (s) => s.step(285, s.fd(), 0, s.fd(), 0, s.size(), s.mostly(0, [1])),
];

const PIPES: readonly Make[] = [
  (s) => {
    const at = 2048 + 8 * s.random(4);
    s.step(59, s.mostly(`@${at}`, ['0', '1']), s.mostly(0, [0o2000000, 0o4000, 1]));
    s.opened.push(s.step(23, s.fd()));
  },
  (s) => {
    s.step(59, '@2048', 0o4000);
    const [read, write] = [4 + s.random(4), 4 + s.random(4)];
    s.step(64, write, s.source(), s.size());
    s.step(63, read, s.buffer(), s.size());
  },
  (s) => {
    s.step(-2, '@2200', s.pick([0x0000000100000004, 0x0000000400000004, 3]));
    s.step(73, '@2200', s.mostly(1, [0, -1]), s.mostly('@2256', ['1']), 0, 8);
  },
  (s) => s.step(29, s.fd(), s.pick([0x5401, 0x5413, 0x5421, 0x5451, 0x12345]), '^256'),
];

/** Of what is waited for: counters, timers, signals, epoll and socket pairs, none of which waits itself. */
const EVENTS: readonly Make[] = [
  (s) => s.opened.push(s.step(19, s.pick([0, 1, 5, -1]), s.mostly(s.pick([0o4000, 0o4001, 0o2004000]), [2, 0o4010]))),
  (s) => s.opened.push(s.step(85, s.mostly(s.pick([0, 1, 7]), [2, 4, 99, -1]), s.mostly(0o4000, [1, 0o2004000]))),
  (s) => {
    s.step(-2, '@3500', s.pick([0x200, 0x800, 0xa00]));
    const made = s.step(
      74,
      s.mostly<string | number>(-1, [s.fd(), 77, -2]),
      s.mostly('@3500', ['0', '1']),
      s.mostly(8, [4, 16]),
      s.mostly(0o4000, [1]),
    );
    s.opened.push(made);
  },
  (s) => s.opened.push(s.step(20, s.mostly(0, [0o2000000, 1, 0o4000]))),
  (s) => {
    const type = s.mostly(s.pick([1, 2, 5, 3]), [0, 4, 7, 99]) | s.mostly(0o4000, [0o2004000, 0o4020]);
    const domain = s.mostly(1, [2, 10, 99]);
    s.step(199, domain, type, domain === 1 ? s.mostly(0, [1, 2]) : 0, s.mostly('^2080', ['0', '1']));
    s.opened.push(s.step(23, s.pick([4, 5, 6, 7, 8])));
  },
  (s) => {
    s.step(-2, '@2100', s.mostly(s.random(4), [-1, -2]));
    s.step(64, s.fd(), '@2100', s.mostly(8, [0, 4, 16]));
  },
  (s) => s.step(63, s.fd(), '@2112', s.mostly(8, [0, 4, 128, 200])),
  (s) => {
    // Far away: it never comes.
    for (const [at, value] of [
      [2304, 0],
      [2312, 0],
      [2320, s.mostly(1_000_000, [0, -1])],
      [2328, s.mostly(0, [5, 1_000_000_000])],
    ] as const)
      s.step(-2, `@${at}`, value);
    s.step(86, s.fd(), s.mostly(0, [1, 2, 4]), s.mostly('@2304', ['0', '1']), s.mostly('^900', ['0', '1']));
    s.step(87, s.fd(), s.mostly('^900', ['0', '1']));
  },
  (s) => {
    const bits = s.pick([1, 4, 5, 0x2001, 0x41, 0]) + s.mostly(0, [2 ** 31, 2 ** 30, 2 ** 28]);
    s.step(-2, '@2400', bits);
    s.step(-2, '@2408', s.random(1000));
    s.step(21, s.fd(), s.mostly(s.pick([1, 1, 2, 3]), [0, 9]), s.fd(), s.mostly('@2400', ['0', '1']));
  },
  // Of several that are ready, Linux tells in the order in which they became so.
  (s) =>
    s.step(
      22,
      s.fd(),
      s.mostly('^1000', ['1']),
      s.mostly(s.pick([4, 9]), [0, -1]),
      0,
      s.mostly('0', ['@3500', '1']),
      8,
    ),
  (s) => {
    s.step(-2, '@2200', 4 + s.random(5) + 2 ** 32 * s.pick([1, 4, 5, 0x41, 0x2005]));
    s.step(-2, '@2256', 0);
    s.step(-2, '@2264', 0);
    s.step(73, '@2200', 1, '@2256', 0, 8);
  },
  (s) => s.step(206, s.fd(), s.source(), s.size(), s.mostly(0x4040, [0]), 0, 0),
  (s) => s.step(207, s.fd(), s.buffer(), s.size(), s.mostly(0x40, [0x42, 0x60]), 0, 0),
  (s) => s.step(210, s.fd(), s.mostly(s.random(3), [3, -1])),
  (s) =>
    s.step(
      209,
      s.fd(),
      1,
      s.mostly(s.pick([3, 4, 38, 39, 30]), [999]),
      s.mostly('@2500', ['1']),
      s.mostly('@2508', ['1']),
    ),
  (s) => s.step(57, s.fd()),
];

const PAGE = 4096;
/** Pages of one mapping, in which all is done, so that what lies beside what is the same everywhere. */
const PAGES = 16;

/** A place in it, at a page mostly. */
function place(s: Sequence): string {
  s.region ??= s.step('~222', 0, PAGE * PAGES, 3, 0x22, -1, 0);
  return `#${s.region}+${s.mostly(PAGE * s.random(PAGES - 8), [1, 100, 4095])}`;
}
const length = (s: Sequence): number => s.mostly(PAGE * (1 + s.random(4)), [0, 1, 100, 5000, -1, PAGE * 4 - 1]);
const FIXED = 0x10;

const MEMORY: readonly Make[] = [
  (s) =>
    s.step(
      '~222',
      s.mostly('0', ['1', '-4096']),
      // Where it goes is each one's own, but no hole in the region is large enough.
      s.mostly(PAGE * (PAGES + s.random(4)), [0, -1, PAGE * (PAGES + 1) - 1]),
      s.mostly(3, [0, 1, 2, 5, 8]),
      s.mostly(0x22, [0x21, 2, 0x20, 0x23, 3]),
      -1,
      s.mostly(0, [1, 4096]),
    ),
  (s) =>
    s.step(
      '~222',
      place(s),
      length(s),
      s.mostly(3, [0, 1, 2, 8]),
      FIXED | s.mostly(0x22, [0x21, 0x20]),
      -1,
      s.mostly(0, [1]),
    ),
  (s) =>
    s.step(
      '~222',
      place(s),
      length(s),
      s.pick([1, 3, 3]),
      FIXED | s.pick([1, 2, 2, 1, 3]),
      s.fd(),
      s.mostly(0, [4096, 1, -4096]),
    ),
  (s) => s.step('~222', place(s), length(s), s.pick([1, 3, 3]), FIXED | s.pick([1, 2]), s.fd(), 0),
  (s) => s.step(-1, `${place(s)}`),
  (s) => s.step(-2, `${place(s)}`, s.random(1000)),
  (s) => s.step(-2, `${place(s)}`, s.random(1000)),
  (s) => s.step(215, place(s), length(s)),
  (s) => s.step(226, place(s), length(s), s.mostly(s.pick([0, 1, 3]), [2, 8, -1])),
  (s) => s.step(227, place(s), length(s), s.mostly(4, [1, 2, 5, 0, 8])),
  (s) => s.step(233, place(s), length(s), s.mostly(4, [0, 1, 2, 3, 4, 4, 99, -1])),
  (s) => s.step(232, place(s), length(s), '^512'),
  (s) =>
    s.step(
      '~216',
      place(s),
      s.mostly(PAGE * (1 + s.random(4)), [0, 100]),
      s.mostly(PAGE * (1 + s.random(2)), [0, -1]),
      s.mostly(0, [2, 8]),
      0,
    ),
  (s) => s.step(s.pick([63, 64]), s.fd(), place(s), s.pick([100, 5000])),
  (s) => s.step('~214', s.pick([0, 1, -1])),
];

const TIMES: readonly Make[] = [
  (s) => s.step(113, s.mostly(s.random(8), [99, -1, 11]), s.mostly('^64', ['0', '1'])),
  (s) => s.step(114, s.mostly(s.random(8), [99, -1]), s.mostly('^64', ['0'])),
  (s) => s.step(169, s.mostly('^64', ['0', '1']), s.mostly('0', ['^128', '1'])),
  (s) => {
    s.step(-2, '@3300', s.mostly(0, [-1]));
    s.step(-2, '@3308', s.mostly(1000, [0, 1_000_000_000, -1]));
    s.step(101, s.mostly('@3300', ['0', '1']), s.mostly('0', ['1', '^64']));
  },
  (s) => s.step(102, s.mostly(0, [1, 2, 3, -1]), s.mostly('@3400', ['0', '1'])),
  (s) => s.step('~153', s.mostly('^64', ['0'])),
  (s) => {
    // A timer of the guest's, of which nothing comes while the sequence runs.
    s.step(-2, '@2600', 7);
    s.step(-2, '@2608', s.mostly(12, [0, 65, 12 + 2 ** 32, 12 + 2 ** 33, 12 + 3 * 2 ** 32]));
    s.step(107, s.mostly(s.pick([0, 1, 7]), [4, 5, 99, -1]), s.mostly('@2600', ['0', '1']), s.mostly('@2680', ['1']));
    for (const [at, value] of [
      [2688, 0],
      [2696, s.mostly(0, [5])],
      [2704, 1_000_000],
      [2712, s.mostly(0, [1_000_000_000])],
    ] as const)
      s.step(-2, `@${at}`, value);
    s.step(110, s.mostly(0, [1, 7]), s.mostly(0, [1]), s.mostly('@2688', ['0', '1']), s.mostly('^900', ['0', '1']));
    s.step(108, s.mostly(0, [1, 7]), s.mostly('^900', ['0', '1']));
    s.step(109, s.mostly(0, [1]));
    s.step(111, s.mostly(0, [1, 7]));
  },
];

const SIGNALS: readonly Make[] = [
  (s) =>
    s.step(
      -4,
      s.mostly(s.pick([10, 12, 15, 34, 17]), [0, 9, 19, 65, -1]),
      s.mostly(0, [0x40000000, 0x80000000, 0x10000000]),
      s.pick([0, 0x200, 0x800]),
    ),
  (s) => {
    s.step(-2, '@3500', s.pick([0x200, 0x800, 0xa00, 0x4000, 0x200000000, 0]));
    s.step(
      135,
      s.mostly(s.random(3), [3, -1]),
      s.mostly('@3500', ['0', '1']),
      s.mostly('@3508', ['0', '1']),
      s.mostly(8, [0, 4, 16, 128]),
    );
  },
  (s) => {
    // Only what is handled, blocked or harmless.
    const number = s.pick([10, 12]);
    s.step(-4, number, 0, 0);
    const self = s.step('~172');
    s.step(129, `#${self}`, s.mostly(number, [0, 65, -1]));
  },
  (s) => {
    const number = s.pick([10, 12]);
    s.step(-4, number, 0, 0);
    const self = s.step('~178');
    s.step(130, `#${self}`, s.mostly(number, [0, 65, -1]));
  },
  (s) => s.step(136, s.mostly('@3600', ['0', '1']), s.mostly(8, [0, 4, 16])),
  (s) => {
    s.step(-2, '@3500', s.pick([0x200, 0x800, 0xa00]));
    s.step(-2, '@3700', 0);
    s.step(-2, '@3708', s.mostly(0, [1000]));
    s.step(137, s.mostly('@3500', ['0', '1']), s.mostly('0', ['^600']), '@3700', s.mostly(8, [4, 16]));
  },
  (s) => s.step(132, s.mostly('0', ['1', '@3800']), s.mostly('^700', ['0', '1'])),
  (s) =>
    s.step(
      134,
      s.mostly(s.pick([10, 12, 9, 15]), [0, 64, 65, 19]),
      0,
      s.mostly('^800', ['0', '1']),
      s.mostly(8, [4, 16]),
    ),
];

const OTHERS: readonly Make[] = [
  (s) => s.step('~160', s.mostly('^0', ['0', '1'])),
  // Of a greater size, Linux writes over all of the guest that is behind the buffer.
  (s) => s.step(278, s.mostly('^0', ['0', '1']), s.mostly(s.size(), [0]), s.mostly(0, [1, 2, 3, 99])),
  (s) => s.step('~179', s.mostly('^0', ['0', '1'])),
  (s) => s.step(261, s.mostly(0, [-1]), s.mostly(s.random(16), [16, 99, -1]), 0, s.mostly('^0', ['0', '1'])),
  (s) => s.step('~174'),
  (s) => s.step('~173'),
  (s) => s.step('~155', s.mostly(0, [-1, 99999999])),
  (s) => s.step(17, s.mostly('^0', ['0', '1']), s.pick([0, 1, 2, 4096])),
  (s) => {
    s.opened.push(s.step(56, AT_FDCWD, `@${NAME * s.pick([2, 10])}`, 0o200000));
  },
  (s) => s.step(167, s.pick([15, 16, 3, 4, 38, 39, 22, 999]), s.mostly('^0', ['0', '1']), 0, 0, 0),
  (s) => s.step(61, s.fd(), '^0', s.mostly(2048, [0, 10, -1])),
  (s) => s.step(43, s.name(), s.mostly('^0', ['0', '1'])),
  (s) => s.step(44, s.fd(), s.mostly('^0', ['0', '1'])),
  (s) => {
    s.step(-2, '@3904', s.random(2));
    s.step(122, 0, s.mostly(8, [0, 1, 128]), s.mostly('@3904', ['0', '1']));
  },
  (s) => s.step('~123', 0, s.mostly(8, [0, 1, 128]), s.mostly('^0', ['0', '1'])),
];

const FAMILIES = [FILES, FILES, FILES, PIPES, EVENTS, MEMORY, TIMES, SIGNALS, OTHERS];

/** @returns the text that `guest.c` takes */
export function generate(seed: number): string {
  const s = new Sequence(seed);
  const length = 8 + s.random(24);
  // Most keep to one or two families, so that what they make is used.
  const families = [s.pick(FAMILIES), s.pick(FAMILIES), FILES];
  if (s.chance(2)) s.opened.push(s.step(56, AT_FDCWD, 0, 0o102, 0o644));
  while (s.steps.length < length) s.pick(s.pick(families))(s);
  return s.steps.join('');
}
