/** Signals that come at places that are always the same, atomics, rounding. */
import { attribute, odd, type Piece, some, times, way } from './piece.ts';

/** Handlers that write, raised by the program itself; some on a stack of their own. */
const raised: Piece = {
  name: 'raised',
  whole: true,
  make(random, p) {
    const signal = random.choose(['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGPROF', 'SIGWINCH']);
    const own = random.oneIn(2);
    const info = random.oneIn(2);
    const raise = random.choose([`raise(${signal})`, `kill(getpid(), ${signal})`]);
    const body = some(random, 2 + random.below(3), [
      () => `d += ${p}_v[0];`,
      () => `${p}_v[${random.below(3)}] = x;`,
      () => `x ^= q->v; q->w = j;`,
      () => `f += q->w - ${p}_v[1];`,
      () => `if (f != q->v) d++;`,
    ]);
    const handler = some(random, 1 + random.below(3), [
      () => `${p}_v[${random.below(3)}] += s;`,
      () => `${p}_s.v = ${p}_s.v * 3 + 1;`,
      () => `${p}_s.w ^= ${p}_v[0];`,
      () =>
        `if (${way(random)} && ${p}_left > 0) { ${p}_left--; ${random.oneIn(2) ? `kill(getpid(), ${signal});` : `${p}_v[2]++;`} }`,
    ]);
    return `struct ${p}_o { volatile u v; volatile u w; }; static struct ${p}_o ${p}_s; static volatile u ${p}_v[3]; static volatile int ${p}_left;
${own ? `static char ${p}_stack[65536];` : ''}
static void ${p}_h(int s${info ? ', siginfo_t *i, void *c' : ''}) { ${handler} }
N static void ${p}_set(void) {
  struct sigaction a; memset(&a, 0, sizeof a);
  ${info ? `a.sa_sigaction = ${p}_h` : `a.sa_handler = ${p}_h`};
  a.sa_flags = ${info ? 'SA_SIGINFO' : '0'} | ${random.oneIn(2) ? 'SA_NODEFER' : '0'}${own ? ' | SA_ONSTACK' : ''};
  sigaction(${signal}, &a, 0);
  ${own ? `stack_t t = {.ss_sp = ${p}_stack, .ss_size = sizeof ${p}_stack}; sigaltstack(&t, 0);` : ''}
}
N static u ${p}_f(struct ${p}_o *q, u x, u n) {
  u d = 0, f = q->v;
  for (u j = 0; j < n; j++) {
${body}
    if ((j & 7) == ${random.below(8)}) ${raise};
${body}
  }
  return d + f * 3 + x;
}
static u ${p}_run(u i, u x) { if (i == 0) ${p}_set(); ${p}_left = 3; return i % ${1 + random.below(5)} ? x : ${p}_f(&${p}_s, x, 8 + (x & 15)); }`;
  },
};

/** A page that may not be touched, and a handler that opens it and writes: it runs between two accesses, always at the same place. */
const pages: Piece = {
  name: 'pages',
  whole: true,
  make(random, p) {
    const own = random.oneIn(3);
    const access = random.choose(['f += *page;', '*page = j;', 'page[1] += j;', 'f ^= page[j & 15];']);
    const look = () => random.choose([`q->v`, `q->w`, `${p}_flag`, `q[0].v + q->w`]);
    const between = some(random, random.below(3), [
      () => `q->w = j;`,
      () => `if (j == ${p}_never) { ${p}_cold(); }`,
      () => `x = x * ${odd(random)} + 1;`,
      () => `${p}_plain += x;`,
    ]);
    return `struct ${p}_o { volatile u w; volatile u v; }; static struct ${p}_o ${p}_s; static volatile u ${p}_flag; static u ${p}_plain; static u ${p}_never;
static volatile u ${p}_page[1024] __attribute__((aligned(4096)));
${own ? `static char ${p}_stack[65536];` : ''}
static void ${p}_h(int s, siginfo_t *i, void *c) { (void)s; (void)c;
  if ((u)i->si_addr - (u)${p}_page >= 4096) _exit(99);
  mprotect((void *)${p}_page, 4096, PROT_READ | PROT_WRITE); ${p}_s.v += 3; ${p}_flag++; ${random.oneIn(2) ? `${p}_s.w ^= 5;` : ''} }
N static void ${p}_cold(void) { write(1, "cold\\n", 5); }
N static void ${p}_set(void) {
  struct sigaction a; memset(&a, 0, sizeof a); a.sa_sigaction = ${p}_h; a.sa_flags = SA_SIGINFO${own ? ' | SA_ONSTACK' : ''};
  sigaction(SIGSEGV, &a, 0); ${p}_never = -1ul;
  ${own ? `stack_t t = {.ss_sp = ${p}_stack, .ss_size = sizeof ${p}_stack}; sigaltstack(&t, 0);` : ''}
}
N static u ${p}_f(struct ${p}_o *q, volatile u *page, u x, u n) {
  u f = 0, bad = 0;
  for (u j = 0; j < n; j++) {
    u a = ${look()}, b = ${look()};
    ${between}
    ${access}
    u c = ${look()}, d = ${look()};
    ${between}
    bad = bad * 3 + (a ^ c) + (b != d) * 7;
  }
  return bad + f + x;
}
static u ${p}_run(u i, u x) {
  ${p}_set();
  if (${way(random)} ? x & 1 : i % ${4 + random.below(30)} == 1) mprotect((void *)${p}_page, 4096, PROT_NONE);
  u r = ${p}_f(&${p}_s, ${p}_page, x, 3 + (x & 7));
  return r + ${p}_plain;
}`;
  },
};

/** Reads what may be there or not, and gets over it. */
const probe: Piece = {
  name: 'probe',
  whole: true,
  make(random, p) {
    const save = random.oneIn(2) ? 1 : 0;
    return `static volatile unsigned ${p}_page[2048] __attribute__((aligned(4096))); static sigjmp_buf ${p}_b; static volatile u ${p}_n;
static void ${p}_h(int s) { ${p}_n++; siglongjmp(${p}_b, s); }
N static u ${p}_read(volatile unsigned *q, u x) { u before = ${p}_n; u v = *q; return v + x + (${p}_n - before); }
${random.oneIn(2) ? 'N' : 'L'} static u ${p}_f(u x, u n) {
  volatile u s = x; u kept = x * 3;
  for (volatile u j = 0; j < n; j++) {
    if (sigsetjmp(${p}_b, ${save}) != 0) { ${save === 1 ? '' : `sigset_t m; sigemptyset(&m); sigaddset(&m, SIGSEGV); sigprocmask(SIG_UNBLOCK, &m, 0);`} s = s * 5 + kept; continue; }
    s += ${p}_read(&${p}_page[(x + j * ${1 + random.below(700)}) & 2047], s);
  }
  return s + kept;
}
static u ${p}_run(u i, u x) {
  struct sigaction a, old; memset(&a, 0, sizeof a); a.sa_handler = ${p}_h; sigaction(SIGSEGV, &a, &old);
  int off = ${way(random)} ? x & 1 : i % ${3 + random.below(9)} == 1;
  if (off) mprotect((void *)${p}_page, 4096, PROT_NONE);
  else ${p}_page[x & 2047] = x;
  u r = ${p}_f(x, 2 + (x & 7));
  if (off) mprotect((void *)${p}_page, 4096, PROT_READ | PROT_WRITE);
  sigaction(SIGSEGV, &old, 0);
  return r + i;
}`;
  },
};

const atomics: Piece = {
  name: 'atomics',
  make(random, p) {
    const type = random.choose(['u', 'unsigned', 'unsigned char', 'unsigned short']);
    const order = () => random.choose(['__ATOMIC_RELAXED', '__ATOMIC_ACQ_REL', '__ATOMIC_SEQ_CST']);
    const body = some(random, 3 + random.below(4), [
      // Not x itself: gcc 12 adds the result to itself where the old x should be added.
      () => `x += __atomic_fetch_add(&${p}_a, (${type})(x ^ j), ${order()});`,
      () => `x ^= __atomic_exchange_n(&${p}_b[j & 3], (${type})x, ${order()});`,
      () =>
        `{ ${type} e = ${p}_a; if (!__atomic_compare_exchange_n(&${p}_a, &e, (${type})(e + 3), 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) x++; }`,
      () =>
        `__atomic_store_n(&${p}_b[${random.below(4)}], (${type})j, __ATOMIC_RELEASE); x += __atomic_load_n(&${p}_b[x & 3], __ATOMIC_ACQUIRE);`,
      () => `__sync_synchronize(); ${p}_b[0]++;`,
      () => `if (${way(random)}) x += __atomic_fetch_xor(&${p}_b[1], (${type})(x + j), ${order()});`,
    ]);
    return `static ${type} ${p}_a, ${p}_b[4];
${attribute(random)} u ${p}_f(u x, u n) { for (u j = 0; j < n; j++) {
${body}
  } return x; }
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 3 + (x & 7)); }`;
  },
};

/** Rounding modes that change, and flags that are looked at. */
const rounding: Piece = {
  name: 'rounding',
  whole: true,
  make(random, p) {
    const type = random.choose(['double', 'float']);
    const modes = ['FE_TONEAREST', 'FE_DOWNWARD', 'FE_UPWARD', 'FE_TOWARDZERO'];
    const body = some(random, 3 + random.below(3), [
      () => `a = a * b + c;`,
      () => `a = a / (b + 1);`,
      () => `c = ${type === 'double' ? '__builtin_sqrt' : '__builtin_sqrtf'}(a * a + b);`,
      () => `b = (${type})(long)(x & 0xffffffffffff) / 3;`,
      () => `x += (u)(a < b); if (c < 1e9 && c > -1e9) x += (u)(long)c % 97;`,
      () => `a = __builtin_fma${type === 'float' ? 'f' : ''}(a, b, c);`,
      () => `c = (${type})(float)a;`,
      () => `if (${way(random)}) a = b * 3 - c;`,
      () => `x ^= (u)__builtin_lrint${type === 'float' ? 'f' : ''}(b);`,
    ]);
    return `N static u ${p}_bits(${type} a) { ${type === 'double' ? 'u w' : 'unsigned w'}; if (a != a) return 1; memcpy(&w, &a, sizeof w); return w; }
N static u ${p}_f(u x, u n, volatile ${type} *v) {
  volatile ${type} a = v[0], b = v[1], c = v[2];
  for (u j = 0; j < n; j++) {
${body}
    if (!(a < 1e9${type === 'float' ? 'f' : ''} && a > -1e9${type === 'float' ? 'f' : ''})) a = 1;
    if (!(c < 1e9${type === 'float' ? 'f' : ''} && c > -1e9${type === 'float' ? 'f' : ''})) c = 2;
  }
  return x + ${p}_bits(a) * 3 + ${p}_bits(b) + ${p}_bits(c);
}
static u ${p}_run(u i, u x) {
  static const int modes[] = {${times(4, () => random.choose(modes)).join(', ')}};
  volatile ${type} v[3] = {(${type})(i + 1) / 7, 1.5, (${type})(x & 1023)};
  feclearexcept(FE_ALL_EXCEPT); fesetround(modes[i & 3]);
  u r = ${p}_f(x, 2 + (i & 7), v);
  int flags = fetestexcept(FE_INEXACT | FE_DIVBYZERO | FE_OVERFLOW);
  fesetround(FE_TONEAREST);
  return r + flags;
}`;
  },
};

export const EVENTS: readonly Piece[] = [raised, pages, probe, atomics, rounding];
