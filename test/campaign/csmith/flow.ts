/**
 * Random C programs full of what csmith leaves out: switches, computed gotos, calls through pointers, tail calls, recursion, jumps
 * out of nested calls. They end since each call and each round costs a step, and stay free of undefined behaviour since all
 * arithmetic is unsigned and all indices are reduced.
 */
import { makeRandom, type Random } from '../../support/random.ts';

const TYPES = ['uint8_t', 'int8_t', 'uint16_t', 'int16_t', 'uint32_t', 'int32_t', 'uint64_t', 'int64_t'];

export function generateFlow(seed: number): string {
  const random = makeRandom(seed);
  const functions = 2 + random.below(6);
  const jumps = random.oneIn(3);
  const body = Array.from({ length: functions }, (_, index) => makeFunction(random, index, functions, jumps));
  const names = Array.from({ length: functions }, (_, index) => `f${index}`);
  const rounds = 5 + random.below(20);
  return `#include <stdint.h>
#include <stdio.h>
typedef uint64_t u;
typedef u (*function)(u, u);
static u steps, acc = ${random.next()}u;
static u words[16];
static uint8_t bytes[64];
static double real = 1.5;
static float small = 0.25f;
${jumps ? 'static void *buffer[5];\n' : ''}${names.map((name) => `static u ${name}(u x, u d);`).join('\n')}
static function const table[] = {${names.join(', ')}};
static function moving[] = {${[...names].reverse().join(', ')}};
${body.join('\n')}
int main(void) {
  volatile u round = 0;
  for (round = 0; round < ${rounds}; round++) {
    steps = 0;
${jumps ? '    if (__builtin_setjmp(buffer) == 0) acc ^= f0(acc + round, 0);\n    else acc += 7;' : '    acc ^= f0(acc + round, 0);'}
    moving[acc % ${functions}] = table[(acc >> 8) % ${functions}];
    printf("%lX %lX %d\\n", acc, words[acc % 16], (int)bytes[acc % 64]);
  }
  return (int)(acc % 100);
}
`;
}

function expression(random: Random): string {
  const c = random.oneIn(3) ? `${random.next()}u` : `${1 + random.below(40)}u`;
  const by = 1 + random.below(60);
  return random.choose([
    `x + ${c}`,
    `x * ${c}`,
    `x ^ (x >> ${by})`,
    `(x << ${by}) | (x >> ${64 - by})`,
    `(u)(${random.choose(TYPES)})(x - y)`,
    `(u)(${random.choose(TYPES)})(y + ${c})`,
    `x / (y | 1)`,
    `x % ${c}`,
    `(u)((int32_t)x < (int32_t)y ? x : y)`,
    `(u)((uint32_t)x + (uint32_t)y)`,
    `words[x % 16] + y`,
    `bytes[x % 64] * y`,
    `(u)(int8_t)bytes[(x >> ${by}) % 64]`,
    `(u)real + x`,
    `__builtin_bswap64(x) + y`,
  ]);
}

function makeFunction(random: Random, index: number, functions: number, jumps: boolean): string {
  let labels = 0;
  const other = () => `f${random.below(functions)}`;
  const call = () =>
    random.choose([
      `${other()}(${expression(random)}, d + 1)`,
      `table[${random.oneIn(2) ? 'x' : 'y'} % ${functions}](${expression(random)}, d + 1)`,
      `moving[(x >> ${random.below(8)}) % ${functions}](y, d + 1)`,
    ]);
  const statement = (depth: number): string => {
    const kind = random.below(depth > 2 ? 7 : 14);
    switch (kind) {
      case 0:
      case 1:
        return `x = ${expression(random)};`;
      case 2:
        return `y = ${expression(random)};`;
      case 3:
        return `words[y % 16] ^= ${expression(random)};`;
      case 4:
        return `bytes[x % 64] = (uint8_t)(${expression(random)});`;
      case 5:
        return random.choose([
          `real = real * 0.5 + (double)(int64_t)(y % 1000);`,
          `small = small - (float)(x % 100) / 3.0f; y += small < 0.0f;`,
          `local[y % 8] = x; y += local[x % 8];`,
        ]);
      case 6:
        return `y += ${call()};`;
      case 7:
        return `if (${random.choose(['x & 4', 'x > y', '(int64_t)x < 0', 'y % 3 == 0', '(int32_t)x == 0'])}) { ${block(depth)} } else { ${block(depth)} }`;
      case 8: {
        const i = `i${labels++}`;
        return `for (u ${i} = 0; ${i} < (x & ${random.choose([3, 7, 15])}) && steps++ < LIMIT; ${i}++) { ${block(depth)} x += ${i}; }`;
      }
      case 9:
      case 10: {
        const cases = 3 + random.below(12);
        const first = random.oneIn(2) ? 0 : random.below(50);
        const arms = Array.from({ length: cases }, (_, each) => {
          const leave = random.choose(['break;', 'break;', 'break;', '', `return ${expression(random)};`]);
          return `case ${first + each}: ${block(depth + 1)} ${leave}`;
        });
        return `switch (${random.oneIn(2) ? 'x' : 'y'} % ${first + cases + random.below(3)}) { ${arms.join('\n')}\ndefault: y++; }`;
      }
      case 11: {
        const count = 2 + random.below(5);
        const id = labels++;
        const name = (each: number) => `l${id}_${each}`;
        const places = Array.from({ length: count }, (_, each) => name(each));
        const arms = places.map(
          (place) =>
            `${place}: ${block(3)} if (steps++ >= LIMIT) return y; x = x * 6364136223846793005u + 1442695040888963407u; goto *t${id}[(x >> 33) % ${count}];`,
        );
        return `{ static void *const t${id}[] = {${[...places.slice(1), `e${id}`].map((each) => `&&${each}`).join(', ')}};
goto ${name(0)};
${arms.join('\n')}
e${id}: y ^= x; }`;
      }
      case 12:
        return `if (${random.choose(['x % 5 == 1', 'y & 8'])}) return ${call()};`;
      default:
        return jumps && random.oneIn(2)
          ? `if (d > 1 && (x & 63) == 9) __builtin_longjmp(buffer, 1);`
          : `x = y; y = ${call()};`;
    }
  };
  const block = (depth: number): string =>
    Array.from({ length: 1 + random.below(3) }, () => statement(depth + 1)).join('\n');
  const inline = random.choose(['', '', '__attribute__((noinline)) ', '__attribute__((noinline)) ']);
  const limit = 50 + random.below(500);
  return `#undef LIMIT
#define LIMIT ${limit}
static ${inline}u f${index}(u x, u d) {
  u y = x >> 7, local[8] = {1, 2, 3};
  if (steps++ >= LIMIT || d > ${5 + random.below(20)}) return x + local[x % 8];
  ${block(0)}
  ${block(0)}
  return x ^ y ^ local[y % 8];
}`;
}
