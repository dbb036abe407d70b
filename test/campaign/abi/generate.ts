/** A program of several pieces, from a seed. */
import { makeRandom } from '../../support/random.ts';
import { CONTROL } from './control.ts';
import { EVENTS } from './events.ts';
import { FRAMES } from './frames.ts';
import { PASSING } from './passing.ts';
import { MODE_BITS, type Piece, shuffled } from './piece.ts';
import { REGISTERS } from './registers.ts';

export const PIECES: readonly Piece[] = [...FRAMES, ...PASSING, ...CONTROL, ...REGISTERS, ...EVENTS];

export interface Program {
  readonly text: string;
  /** Names of its pieces, in the order of its lines of output. */
  readonly pieces: readonly string[];
  /** Pieces that only gcc builds. */
  readonly gccOnly: readonly number[];
  readonly flags: readonly string[];
  /** Linked with the whole C library; else with the tiny one. */
  readonly whole: boolean;
  /** Arguments of two runs: rounds, seed and mode, of one input or of three. The first run trains. */
  readonly runs: readonly (readonly string[])[];
}

/** A global register variable stands before all functions, those of headers too. */
const GLOBAL = `#ifndef __clang__
register unsigned long G __asm__("s11");
#endif
`;

const HEAD = `#define _GNU_SOURCE
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
typedef unsigned long u;
#define L __attribute__((noinline))
#ifdef __clang__
#define N L
#else
#define N __attribute__((noinline, noipa))
#endif
static u mode;
#define W(k) (mode >> (k) & 1)
`;

/** @param only the names of the pieces to make it of; default: some */
export function generate(seed: number, only?: readonly string[]): Program {
  const random = makeRandom(seed);
  // Fourteen of fifteen are small: most of the time would go to looking through the C library.
  const large = seed % 15 === 9;
  const known = PIECES.filter(({ name, whole }) =>
    only === undefined ? large || whole === undefined : only.includes(name),
  );
  const pieces = shuffled(random, known).slice(0, 5 + random.below(4));
  const body = pieces.map((piece, k) => {
    const text = piece.make(random, `p${k}`);
    return piece.only === undefined
      ? text
      : `#ifndef __clang__\n${text}\n#else\nstatic u p${k}_run(u i, u x) { return 0; }\n#endif`;
  });
  const flags = [...new Set(pieces.flatMap((piece) => piece.flags ?? []))];
  // So much that optimized code, behind it, is out of a jump's reach.
  const far = random.oneIn(8) ? '__attribute__((used)) char gap[4 << 20];\n' : '';
  const count = pieces.length;
  const indirect = random.oneIn(3);
  const call = (k: number) => `${indirect ? `runs[${k}]` : `p${k}_run`}(i, x >> ${random.below(20)})`;
  const text = `${flags.includes('-ffixed-s11') ? GLOBAL : ''}${HEAD}${far}
${body.join('\n\n')}

static u sums[${count}];
${indirect ? `static u (*runs[])(u, u) = {${pieces.map((_, k) => `p${k}_run`).join(', ')}};\n` : ''}int main(int argc, char **argv) {
  int inputs = (argc - 1) / 3, end = 0;
  u which = argc > 1 + 3 * inputs ? strtoul(argv[argc - 1], 0, 10) : -1ul;
  for (int input = 0; input < inputs; input++) {
    char **a = argv + 1 + 3 * input;
    u n = strtoul(a[0], 0, 10), x = strtoul(a[1], 0, 10);
    mode = strtoul(a[2], 0, 10);
    memset(sums, 0, sizeof sums);
    for (u i = 0; i < n; i++) {
      x = x * 6364136223846793005u + 1442695040888963407u;
${pieces.map((_, k) => `      if (which >> ${k} & 1) sums[${k}] = sums[${k}] * 31 + ${call(k)};`).join('\n')}
    }
${pieces.map(({ name }, k) => `    printf("${name} %lx\\n", sums[${k}]);\n    end ^= (int)(sums[${k}] & 63);`).join('\n')}
  }
  return end;
}
`;
  const all = 2 ** MODE_BITS - 1;
  const number = () => `${random.next()}`;
  return {
    text,
    pieces: pieces.map(({ name }) => name),
    gccOnly: pieces.flatMap(({ only: compiler }, k) => (compiler === undefined ? [] : [k])),
    flags,
    whole: large || pieces.some((piece) => piece.whole),
    runs: [
      [`${100 + random.below(100)}`, number(), '0'],
      // In one run: starting a process costs more than what it does.
      [
        [`${200 + random.below(200)}`, number(), `${all}`],
        [`${50 + random.below(100)}`, number(), `${1 + random.below(all - 1)}`],
        [`${1 + random.below(20)}`, number(), `${1 << random.below(MODE_BITS)}`],
      ].flat(),
    ],
  };
}
