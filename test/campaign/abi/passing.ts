/** Arguments and results: more than registers hold, large and mixed structs, variable ones. */
import type { Random } from '../../support/random.ts';
import { attribute, odd, type Piece, shuffled, some, times, way } from './piece.ts';

const NUMBERS = ['u', 'long', 'int', 'unsigned', 'short', 'unsigned char', 'double', 'float'] as const;
type Type = (typeof NUMBERS)[number];
const isReal = (type: Type) => type === 'double' || type === 'float';

/** A value of the type that a number fits in. */
const as = (type: Type, from: string): string => (isReal(type) ? `(${type})((${from}) & 1023)` : `(${type})(${from})`);
/** And back: reals are kept small. */
const back = (type: Type, from: string): string => (isReal(type) ? `(u)(long)${from}` : `(u)${from}`);

/** More arguments than registers; the address of one that lies on the stack is taken. */
const stackArguments: Piece = {
  name: 'stack-arguments',
  make(random, p) {
    const types = times(9 + random.below(8), (): Type => (random.oneIn(2) ? 'u' : random.choose(NUMBERS)));
    types.push('u');
    const params = types.map((type, k) => `${type} a${k}`).join(', ');
    const words = types.flatMap((type, k) => (type === 'u' ? [k] : []));
    const word = () => `a${random.choose(words)}`;
    const args = (from: (k: number) => string) => types.map((type, k) => as(type, from(k))).join(', ');
    const body = some(random, 2 + random.below(4), [
      () => `r += ${p}_poke(&${word()}, r);`,
      () => `${word()} += r;`,
      () => `r ^= ${word()} * ${odd(random)};`,
      () => `if (${way(random)}) r += ${p}_poke(&a${words.at(-1)}, ${word()});`,
      () => `${p}_kept = &${word()}; r += ${p}_late(r); `,
    ]);
    return `static u *${p}_kept;
N static u ${p}_poke(u *q, u x) { *q = *q * 3 + x; return *q >> 1; }
N static u ${p}_late(u x) { *${p}_kept += x; return *${p}_kept; }
${random.oneIn(3) ? 'L' : 'N'} static u ${p}_callee(${params}) {
  u r = 0;
${body}
  return r + ${types.map((type, k) => back(type, `a${k}`)).join(' + ')};
}
${attribute(random)} u ${p}_f(u x, u n) {
  u s = x, y = x >> 9, z = x * 5;
  for (u j = 0; j < n; j++) {
    s += ${p}_callee(${args((k) => random.choose(['s', 'y', 'z', 'j', `x >> ${k}`]))});
    y += s >> 3; z ^= y;
  }
  return s + y + z;
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 1 + (x & 3)); }`;
  },
};

function struct(random: Random, p: string, name: string) {
  const types = times(1 + random.below(random.oneIn(2) ? 3 : 9), (): Type => random.choose(NUMBERS));
  const members = types.map((type, k) => ({ type, name: `m${k}` }));
  const array = random.oneIn(3) ? 1 + random.below(6) : 0;
  const text = `struct ${p}_${name} { ${members.map((m) => `${m.type} ${m.name};`).join(' ')} ${array > 0 ? `u a[${array}];` : ''} };`;
  const fill = (s: string, x: string) =>
    members.map((m, k) => `${s}.${m.name} = ${as(m.type, `${x} >> ${k}`)};`).join(' ') +
    (array > 0 ? ` for (int j = 0; j < ${array}; j++) ${s}.a[j] = ${x} * j;` : '');
  const sum = (s: string) =>
    members.map((m, k) => `${back(m.type, `${s}.${m.name}`)} * ${2 * k + 3}`).join(' + ') +
    (array > 0 ? ` + ${s}.a[${random.below(array)}]` : '');
  return { text, fill, sum, type: `struct ${p}_${name}`, members };
}

/** Structs of all sizes and mixtures, passed and returned by value. */
const structs: Piece = {
  name: 'structs',
  make(random, p) {
    const [a, b] = [struct(random, p, 's'), struct(random, p, 't')];
    const pad = times(random.below(8), (k) => `u p${k}`);
    const pads = pad.map((_, k) => `x >> ${k}, `).join('');
    const paramsOf = (...own: string[]) => [...pad, ...own].join(', ');
    const m = random.choose(a.members);
    return `${a.text}
${b.text}
${attribute(random)} ${a.type} ${p}_make(u x) { ${a.type} s; ${a.fill('s', 'x')} return s; }
${random.oneIn(3) ? 'L' : 'N'} static u ${p}_sum(${paramsOf(`${a.type} s`, `${b.type} t`)}) { return ${a.sum('s')} + ${b.sum('t')}; }
${random.oneIn(3) ? 'L' : 'N'} static ${b.type} ${p}_change(${paramsOf(`${a.type} s`, `u x`, `${b.type} t`)}) { s.${m.name} ${isReal(m.type) ? '= 3' : '+= x'}; x += ${a.sum('s')}; if (${way(random)}) { ${b.fill('t', 'x')} } return t; }
N static void ${p}_into(${a.type} *s, ${b.type} *t, u x) { ${b.fill('(*t)', 'x')} s->${m.name} = 1; }
${attribute(random)} u ${p}_f(u x, u n) {
  ${b.type} t; ${b.fill('t', 'x')}
  u r = 0;
  for (u j = 0; j < n; j++) {
    ${a.type} s = ${p}_make(x + j), s2 = s;
    t = ${p}_change(${pads}s, r, t);
    r = r * 3 + ${p}_sum(${pads}s2, t);
    ${random.oneIn(2) ? `if (${way(random)} || (x & 7) == 1) ${p}_into(&s, &t, r);` : `${p}_into(&s2, &t, j);`}
    r += ${a.sum('s')};
  }
  return r;
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 1 + (i & 3)); }`;
  },
};

const KINDS: Readonly<Record<string, { arg: (x: string) => string; read: string }>> = {
  i: { arg: (x) => `(int)(${x})`, read: 's += (u)va_arg(v, int);' },
  l: { arg: (x) => x, read: 's += va_arg(v, u) * 3;' },
  d: { arg: (x) => `(double)((${x}) & 1023)`, read: 's += (u)(long)va_arg(v, double);' },
  p: {
    arg: (x) => `(struct P_two){{${x}, 5}}`,
    read: '{ struct P_two t = va_arg(v, struct P_two); s += t.a[0] ^ t.a[1]; }',
  },
  b: {
    arg: (x) => `(struct P_big){{${x}, 7, 9}}`,
    read: '{ struct P_big t = va_arg(v, struct P_big); s += t.a[0] + t.a[2]; }',
  },
  D: { arg: (x) => `(long double)((${x}) & 1023)`, read: 's += (u)(long)va_arg(v, long double);' },
  q: { arg: () => '&z', read: '{ u *q = va_arg(v, u *); s += *q; *q += 1; }' },
};

/** Arguments that are walked through, also twice. */
const varargs: Piece = {
  name: 'varargs',
  make(random, p) {
    const letters = shuffled(random, Object.keys(KINDS)).slice(0, 2 + random.below(4));
    const cases = letters.map((letter) => `case '${letter}': ${KINDS[letter]!.read} break;`).join(' ');
    const fixed = times(1 + random.below(4), (k) => `u c${k}`);
    const call = () => {
      const format = times(1 + random.below(10), () => random.choose(letters));
      const values = format.map((letter) => KINDS[letter]!.arg(random.choose(['x', 'y', 's'])));
      return `P_sum(${fixed.map(() => random.choose(['x', 'y', '3'])).join(', ')}, "${format.join('')}", ${values.join(', ')})`;
    };
    return `struct P_two { u a[2]; };
struct P_big { u a[3]; };
N static u P_walk(const char *f, va_list v) { u s = 0; for (; *f; f++) { s = s * 3 + 1; switch (*f) { ${cases} } } return s; }
${random.oneIn(3) ? 'L' : 'N'} static u P_sum(${fixed.join(', ')}, const char *f, ...) {
  va_list v, w; u s = c0 ^ c${fixed.length - 1};
  va_start(v, f);
  ${random.oneIn(2) ? 'va_copy(w, v); s += P_walk(f, w) * 7; va_end(w);' : ''}
  ${random.oneIn(2) ? 's += P_walk(f, v);' : `for (; *f; f++) { s = s * 5 + 1; switch (*f) { ${cases} } }`}
  va_end(v);
  return s;
}
${attribute(random)} u P_f(u x, u y) {
  u s = 1, z = x;
  s += ${call()};
  s ^= ${call()};
  if (${way(random)}) s += ${call()};
  return s + x + y + z;
}
static u P_run(u i, u x) { return P_f(x, i) + P_f(i, x); }`.replaceAll('P_', `${p}_`);
  },
};

/** Quadruple precision and 128-bit integers, in pairs of registers and in helpers of libgcc. */
const pairs: Piece = {
  name: 'pairs',
  make(random, p) {
    const body = some(random, 3 + random.below(3), [
      () => `w = w * ${odd(random)} + x;`,
      () => `w ^= w >> ${1 + random.below(100)};`,
      () => `x += (u)(w / ((x & 0xffff) + ${odd(random)}));`,
      () => `q = q * 0.5L + (long double)(x & 1023); x += (u)(long)q;`,
      () => `w += ${p}_g(x, w, q);`,
      () => `if (${way(random)}) w = ${p}_g(x, ~w, 1.0L);`,
      () =>
        `z = z * z * 0.25 + (double)(x & 15); z = __builtin_complex(1.0, __imag__ z * 0 + (double)(x & 7)); x += (u)(long)(__real__ z + __imag__ z);`,
    ]);
    return `typedef unsigned __int128 ${p}_w;
${random.oneIn(3) ? 'L' : 'N'} static ${p}_w ${p}_g(u a, ${p}_w b, long double q) { return b * a + (${p}_w)(long)q; }
${random.oneIn(3) ? 'L' : 'N'} static u ${p}_many(u a, ${p}_w b, u c, ${p}_w d, ${p}_w e, ${p}_w f, long double g) { return a + (u)b * 3 + c * 5 + (u)(d >> 64) + (u)e + (u)f * 7 + (u)(long)g; }
N static double _Complex ${p}_c(double _Complex a, double b) { return a * b; }
${attribute(random)} u ${p}_f(u x, u n) {
  ${p}_w w = x; long double q = 1.0L; double _Complex z = 0;
  for (u j = 0; j < n; j++) {
${body}
    x += ${p}_many(x, w, j, w + 1, w >> 3, w ^ x, q);
    z = ${p}_c(__builtin_complex((double)(x & 15), 1.0), 2.0); x += (u)(long)(__real__ z + __imag__ z);
  }
  return x + (u)w + (u)(w >> 64);
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 1 + (i & 1)); }`;
  },
};

export const PASSING: readonly Piece[] = [stackArguments, structs, varargs, pairs];
