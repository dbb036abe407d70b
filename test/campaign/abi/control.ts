/** Ways to go on: jump tables, labels as values, tail calls, recursion, pointers to functions, and jumps out of functions. */
import { attribute, odd, type Piece, shuffled, some, times, way } from './piece.ts';

/** Pointers to functions made right behind the return of a call, as its result is at hand (a link has the value that is wanted). */
const links: Piece = {
  name: 'links',
  make(random, p) {
    const leaves = times(
      2 + random.below(3),
      (k) => `N static u ${p}_l${k}(u x) { return x * ${odd(random)} + ${k}; }`,
    );
    const data = `static const char ${p}_d[] = "isoform"; static u ${p}_v[4];`;
    const bases = times(1 + random.below(2), (k) => {
      const inner = random.oneIn(2) ? `${p}_h(x + ${k}) * 5` : `${p}_h(${p}_h(x) >> 3) ^ ${k}`;
      return `N static u ${p}_f${k}(u x) { return ${inner}; }`;
    });
    const apply = `N static u ${p}_apply(u x, u (*f)(u)) { return f(x) + 1; }`;
    const again = `N static u ${p}_twice(u x, u (*f)(u), u (*g)(u)) { return g(f(x)) ^ x; }`;
    const pointer = () =>
      `${p}_${random.oneIn(4) ? `f${random.below(bases.length)}` : `l${random.below(leaves.length)}`}`;
    const direct = () => `${p}_f${random.below(bases.length)}(s & ${random.choose([7, 255])})`;
    const body = some(random, 2 + random.below(3), [
      () => `s += ${p}_apply(${direct()}, ${pointer()});`,
      () => `s += ${p}_twice(${direct()}, ${pointer()}, ${pointer()});`,
      () => `s = ${direct()} + ${p}_d[s & 3];`,
      () => `{ u y = ${direct()}; ${p}_v[y & 3] += y; s ^= ${p}_v[s & 3]; }`,
      () => `if (${way(random)}) s += ${p}_apply(${direct()}, ${pointer()});`,
    ]);
    const parts = shuffled(random, [...leaves, apply, again]);
    const at = random.below(parts.length + 1);
    return `${data}
N static u ${p}_h(u x) { return x + ${1 + random.below(9)}; }
${[...parts.slice(0, at), ...bases, ...parts.slice(at)].join('\n')}
N static u ${p}_step(u x) { u s = x;
${body}
  return s; }
static u ${p}_run(u i, u x) { u s = ${p}_step(i); return s ^ ${p}_step(x); }`;
  },
};

/** Dense switches, some of their arms never taken in training. */
const switches: Piece = {
  name: 'switch',
  make(random, p) {
    const one = (k: number) => {
      const arms = 5 + random.below(14);
      const first = random.choose([0, 0, 3, 100]);
      const arm = (each: number) =>
        `case ${first + each}: ${some(random, 1 + random.below(2), [
          () => `y += x * ${odd(random)};`,
          () => `x ^= y >> ${1 + random.below(20)};`,
          () => `${p}_v[y & 7] += x; y ^= ${p}_v[${random.below(8)}];`,
          () => `x += ${p}_g(y);`,
          () => `a[x & 3] += y; y += a[${random.below(4)}];`,
        ])} ${random.choose(['break;', 'break;', 'break;', '', 'return x + y;', 'continue;'])}`;
      const seen = 2 + random.below(arms - 1);
      return `${attribute(random)} u ${p}_s${k}(u x, u n) {
  u y = x >> 5, a[4] = {1, 2, 3, 4};
  for (u j = 0; j < n; j++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    u which = ${first} + (${way(random)} ? (x >> 40) % ${arms + 1} : (x >> 40) % ${seen});
    switch (which) {
${times(arms, arm).join('\n')}
    default: y += 5; }
    ${random.oneIn(2) ? `x += y;` : ''}
  }
  return x ^ y;
}`;
    };
    const count = 1 + random.below(2);
    return `static u ${p}_v[8];
${attribute(random)} u ${p}_g(u x) { return x * 3 + ${p}_v[x & 7]; }
${times(count, one).join('\n')}
static u ${p}_run(u i, u x) { u s = 0; ${times(count, (k) => `s += ${p}_s${k}(x + i, 4 + (i & 7));`).join(' ')} return s; }`;
  },
};

/** A little machine whose code is made from the arguments, threaded by labels as values. */
const goto: Piece = {
  name: 'computed-goto',
  make(random, p) {
    const count = 4 + random.below(8);
    const seen = 2 + random.below(count - 1);
    // Distances from a label take no relocations, and half the room.
    const distances = random.oneIn(3);
    const to = (at: string) => (distances ? `(&&o0 + t[${at}])` : `t[${at}]`);
    const entry = (label: string) => (distances ? `&&${label} - &&o0` : `&&${label}`);
    const arms = times(count, (k) => {
      const act = some(random, 1 + random.below(2), [
        () => `x = x * ${odd(random)} + y;`,
        () => `y ^= x >> ${1 + random.below(30)};`,
        () => `st[++sp & 15] = x;`,
        () => `y += st[sp-- & 15];`,
        () => `x += ${p}_g(st, y);`,
      ]);
      return `o${k}: ${act} goto *${to('*++pc')};`;
    });
    return `${attribute(random)} u ${p}_g(u *st, u y) { st[y & 15] ^= y; return st[${random.below(16)}]; }
N static u ${p}_vm(const unsigned char *pc, u x) {
  static ${distances ? 'const int' : 'void *const'} t[] = {${times(count, (k) => entry(`o${k}`)).join(', ')}, ${entry('end')}};
  u st[16] = {0}, y = 1; unsigned sp = 0;
  goto *${to('*pc')};
${arms.join('\n')}
end: return x ^ y ^ st[sp & 15];
}
static u ${p}_run(u i, u x) {
  unsigned char code[24]; u y = x;
  for (int j = 0; j < 23; j++) { y = y * 6364136223846793005u + 1; code[j] = (y >> 45) % (${way(random)} ? ${count} : ${seen}); }
  code[${4 + random.below(19)}] = ${count}; code[23] = ${count};
  return ${p}_vm(code, x) + i;
}`;
  },
};

/** Functions that end in calls of one another, with arguments in registers and on the stack. */
const tails: Piece = {
  name: 'tail-calls',
  make(random, p) {
    const count = 2 + random.below(4);
    const extra = random.choose([0, 0, 8, 9]);
    const params = times(extra, (k) => `, u e${k}`).join('');
    const pass = () =>
      times(extra, (k) => (random.oneIn(3) ? `, e${k} + x` : `, e${(k + random.below(2)) % extra}`)).join('');
    const call = () => {
      const target = random.oneIn(3) ? `${p}_t[x % ${count}]` : `${p}_f${random.below(count)}`;
      return `${target}(x * ${odd(random)} + y, y ^ d, d - 1${pass()})`;
    };
    const one = (k: number) => {
      const before = some(random, random.below(3), [
        () => `x += ${p}_g(y);`,
        () => `{ u a[3] = {x, y, d}; x ^= ${p}_h(a, x & 1); }`,
        () => `if (${way(random)}) return ${call()};`,
        () => `y += x >> 3;`,
      ]);
      return `${random.oneIn(2) ? 'N' : 'L'} static u ${p}_f${k}(u x, u y, u d${params}) {
  if (d == 0) return x ^ y${times(extra, (e) => ` ^ e${e}`).join('')};
  ${before}
  if (x & ${1 << random.below(5)}) return ${call()};
  return ${call()};
}`;
    };
    const type = `u(u, u, u${', u'.repeat(extra)})`;
    return `${attribute(random)} u ${p}_g(u x) { return x * 7 + 1; }
N static u ${p}_h(u *a, u k) { a[k] += a[2]; return a[0] + a[1]; }
typedef ${type.replace('u(', `u ${p}_type(`)};
${times(count, (k) => `static ${p}_type ${p}_f${k};`).join(' ')}
static ${p}_type *const ${p}_t[] = {${times(count, (k) => `${p}_f${k}`).join(', ')}};
${times(count, one).join('\n')}
static u ${p}_run(u i, u x) { return ${p}_f0(x, i, 3 + (x & 15)${times(extra, (k) => `, x >> ${k}`).join('')}); }`;
  },
};

const recursion: Piece = {
  name: 'recursion',
  make(random, p) {
    const [a, b] = [1 + random.below(2), 1 + random.below(3)];
    const body = some(random, 1 + random.below(3), [
      () => `r += ${p}_r(d - ${a}, x * 3, &own);`,
      () => `r ^= ${p}_r(d - ${a + b}, x + r, up);`,
      () => `own += *up; *up ^= r;`,
      () => `if (${way(random)}) r += ${p}_r(d - ${a + 2}, r, &own);`,
    ]);
    const extra = random.below(3);
    return `N static u ${p}_r(long d, u x, u *up) {
  u own = x ^ d, r = 1${times(extra, (k) => `, k${k} = x * ${odd(random)}`).join('')};
  if (d <= 0) { *up += x; return x + 1; }
  r += ${p}_r(d - ${a + 1}, x >> 1, &own);
  ${body}
  return r + own${times(extra, (k) => ` + k${k}`).join('')};
}
N static long ${p}_tak(long x, long y, long z) { return y >= x ? z : ${p}_tak(${p}_tak(x - 1, y, z), ${p}_tak(y - 1, z, x), ${p}_tak(z - 1, x, y)); }
static u ${p}_run(u i, u x) { u y = i; u r = ${p}_r(2 + (i & 1), x, &y); return r + y${random.oneIn(2) ? ` + ${p}_tak(4, (long)(x & 3), 1)` : ''}; }`;
  },
};

/** Called back by the C library, and by our own loops. */
const callbacks: Piece = {
  name: 'callbacks',
  whole: true,
  make(random, p) {
    const least = 4 + random.below(8);
    return `typedef struct { u key; ${random.choose(['u', 'unsigned', 'unsigned char'])} value; } ${p}_item;
static u ${p}_compared;
static int ${p}_up(const void *a, const void *b) { const ${p}_item *x = a, *y = b; ${p}_compared++; return (x->key > y->key) - (x->key < y->key); }
static int ${p}_down(const void *a, const void *b) { const ${p}_item *x = a, *y = b; return x->value != y->value ? (x->value < y->value ? 1 : -1) : (x->key > y->key) - (x->key < y->key); }
static int (*${p}_order)(const void *, const void *) = ${p}_up;
${attribute(random)} void ${p}_insert(${p}_item *a, u n, int (*less)(const void *, const void *)) {
  for (u j = 1; j < n; j++) { ${p}_item t = a[j]; u k = j; for (; k && less(&t, &a[k - 1]) < 0; k--) a[k] = a[k - 1]; a[k] = t; }
}
static u ${p}_run(u i, u x) {
  ${p}_item a[16]; u n = ${least} + (x & 3), s = 0, y = x;
  for (u j = 0; j < n; j++) { y = y * 6364136223846793005u + i; a[j] = (${p}_item){y >> 33, (y >> 50) & 15}; }
  if (${way(random)}) ${p}_order = ${p}_down; else ${p}_order = ${p}_up;
  if (i & 1) qsort(a, n, sizeof a[0], ${p}_order); else ${p}_insert(a, n, ${p}_order);
  ${p}_item *f = bsearch(&a[n / 2], a, n, sizeof a[0], ${p}_order);
  for (u j = 0; j < n; j++) s = s * 31 + a[j].key + a[j].value;
  return s + (f ? f->key : 0);
}`;
  },
};

/** Pointers to functions that are kept, compared, chosen and called. */
const pointers: Piece = {
  name: 'pointers',
  make(random, p) {
    const count = 3 + random.below(4);
    const one = (k: number) =>
      `${random.oneIn(2) ? 'N' : 'L'} static u ${p}_f${k}(struct ${p}_o *o, u x) { ${some(random, 1 + random.below(2), [
        () => `o->v += x * ${odd(random)};`,
        () => `x ^= o->v >> 7;`,
        () => `if (o->f == ${p}_f${random.below(count)}) o->v++;`,
        () => `o->f = ${p}_t[${way(random)} && (x & 512) ? ${random.below(count)} : ${random.below(count)}];`,
      ])} return x + o->v; }`;
    return `struct ${p}_o { u v; u (*f)(struct ${p}_o *, u); u w; };
typedef u ${p}_type(struct ${p}_o *, u);
${times(count, (k) => `static ${p}_type ${p}_f${k};`).join(' ')}
static ${p}_type *${p}_t[] = {${times(count, (k) => `${p}_f${k}`).join(', ')}};
${times(count, one).join('\n')}
${attribute(random)} u ${p}_each(struct ${p}_o *o, u n, u x) { for (u j = 0; j < n; j++) x += o[j & 1].f(&o[j & 1], x + j); return x; }
static u ${p}_run(u i, u x) {
  struct ${p}_o o[2] = {{x, ${p}_f0, i}, {i, ${p}_t[1 + ${way(random)}], x}};
  return ${p}_each(o, 3 + (x & 7), x);
}`;
  },
};

/** Out of nested calls, with what the frame kept. */
const longjmp: Piece = {
  name: 'longjmp',
  whole: true,
  make(random, p) {
    const bits = random.choose([3, 7, 15]);
    return `static jmp_buf ${p}_b; static u ${p}_n;
N static u ${p}_deep(u x, u d, u *up) { u own = x; if (d == 0) { if ((x & ${bits}) == 1) longjmp(${p}_b, 1 + (int)(x >> 8 & 3)); if (${way(random)} && (x & 3) == 2) longjmp(${p}_b, 9); return x; } u r = ${p}_deep(x * 5 + 1, d - 1, &own) + *up; *up += own; return r + own; }
${random.oneIn(2) ? 'N' : 'L'} static u ${p}_f(u x, u n) {
  volatile u kept = x, tries = 0; u local[3] = {x, x + 1, x + 2}; u same = x * 3;
  int how = setjmp(${p}_b);
  if (how != 0) { kept += how; tries++; if (tries > 4) return kept + same + local[0] * 0; }
  u mine = kept;
  for (u j = tries; j < n; j++) { u r = ${p}_deep(mine + j, 1 + (j & 3), &mine); kept = kept * 3 + r; ${p}_n++; }
  return kept + same;
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 4) + (${p}_n & 0); }`;
  },
};

/** The compiler's own, which saves less. */
const builtinLongjmp: Piece = {
  name: 'builtin-longjmp',
  only: 'gcc',
  make(random, p) {
    return `static void *${p}_b[5]; static volatile u ${p}_v;
N static void ${p}_out(void) { __builtin_longjmp(${p}_b, 1); }
N static u ${p}_deep(u x, u d) { if ((x & ${random.choose([3, 7])}) == 2) { ${p}_v = x; ${p}_out(); } if (${way(random)} && (x & 3) == 3) ${p}_out(); return d ? ${p}_deep(x * 7 + d, d - 1) + x : x; }
N static u ${p}_f(u x) {
  if (__builtin_setjmp(${p}_b) == 0) return ${p}_deep(x, ${2 + random.below(4)});
  return ${p}_v * 3;
}
static u ${p}_run(u i, u x) { u s = 0; for (int j = 0; j < 4; j++) s = s * 3 + ${p}_f((x >> j) + i); return s; }`;
  },
};

/** Stacks of our own, and what is kept in the frames on each. */
const contexts: Piece = {
  name: 'contexts',
  whole: true,
  make(random, p) {
    const rounds = 3 + random.below(5);
    const body = some(random, 1 + random.below(3), [
      () => `own[j & 3] += ${p}_x; ${p}_x ^= own[${random.below(4)}];`,
      () => `s = s * ${odd(random)} + ${p}_x;`,
      () => `${p}_x += ${p}_g(own, s);`,
      () => `if (${way(random)}) s += own[j & 3];`,
    ]);
    return `static ucontext_t ${p}_main, ${p}_co; static char ${p}_stack[16384] __attribute__((aligned(16))); static u ${p}_x; static int ${p}_done;
${attribute(random)} u ${p}_g(u *own, u s) { own[s & 3]++; return own[0] ^ s; }
N static void ${p}_yield(void) { swapcontext(&${p}_co, &${p}_main); }
static void ${p}_body(void) {
  u s = ${p}_x, own[4] = {1, 2, 3, 4};
  for (u j = 0; j < ${rounds}; j++) {
${body}
    ${p}_yield();
  }
  ${p}_x += s + own[2]; ${p}_done = 1;
}
N static u ${p}_f(u x) {
  u s = 0, kept = x * 5; ${p}_x = x; ${p}_done = 0;
  getcontext(&${p}_co); ${p}_co.uc_stack.ss_sp = ${p}_stack; ${p}_co.uc_stack.ss_size = sizeof ${p}_stack; ${p}_co.uc_link = &${p}_main;
  makecontext(&${p}_co, ${p}_body, 0);
  while (!${p}_done) { swapcontext(&${p}_main, &${p}_co); s = s * 3 + ${p}_x; ${p}_x += s; }
  return s + kept;
}
static u ${p}_run(u i, u x) { return i & 3 ? x : ${p}_f(x + i); }`;
  },
};

/** Functions in functions, called directly (with the frame in t2), through pointers (code on the stack), and left by goto. */
const nested: Piece = {
  name: 'nested',
  whole: true,
  only: 'gcc',
  make(random, p) {
    const through = random.oneIn(2);
    const leave = random.oneIn(2);
    return `N static u ${p}_each(u (*f)(u), u n) { u s = 0; for (u j = 0; j < n; j++) s = s * 3 + f(j); return s; }
N static u ${p}_f(u x, u n) {
  ${leave ? '__label__ out;' : ''}
  u a[4] = {x, 1, 2, 3}, s = 0, kept = x * 7;
  N u inner(u j) { a[j & 3] += s + x; s += ${odd(random)}; ${leave ? `if (${way(random)} && a[j & 3] % 5 == 0) goto out;` : ''} return a[${random.below(4)}] ^ j; }
  N u deeper(u j) { N u most(u k) { u r = inner(k); return r + a[1] + j; } u r = most(j); return r + most(x & 3); }
  for (u j = 0; j < n; j++) { u r = ${random.oneIn(2) ? 'inner' : 'deeper'}(j); s = s * 3 + r; }
  ${through ? `{ u r = ${p}_each(inner, 3); s += r; }` : ''}
  ${random.oneIn(2) ? '{ u r = deeper(n); s ^= r; }' : ''}
  ${leave ? 'out:' : ''}
  return s + kept + a[0] + a[3];
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 2 + (x & 7)); }`;
  },
};

/** Thread-local variables, and return addresses that are taken and not shown. */
const locals: Piece = {
  name: 'thread-local',
  whole: true,
  make(random, p) {
    return `static __thread u ${p}_t[${2 + random.below(6)}] = {1, 2}; static __thread unsigned char ${p}_c; static void *volatile ${p}_r;
N static u *${p}_at(u k) { ${random.oneIn(2) ? `${p}_r = __builtin_return_address(0);` : ''} return &${p}_t[k & 1]; }
${attribute(random)} u ${p}_f(u x, u n) {
  for (u j = 0; j < n; j++) { ${p}_t[j & 1] += x; *${p}_at(j) ^= x >> 3; ${p}_c += x; x += ${p}_t[${random.below(2)}] + ${p}_c; if (${way(random)}) *${p}_at(1) = j; }
  return x + ((u)__builtin_frame_address(0) & ${random.choose([7, 15])});
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 2 + (x & 7)); }`;
  },
};

export const CONTROL: readonly Piece[] = [
  links,
  switches,
  goto,
  tails,
  recursion,
  callbacks,
  pointers,
  longjmp,
  builtinLongjmp,
  contexts,
  nested,
  locals,
];
