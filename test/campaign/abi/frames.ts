/** Pointers into frames beside accesses through the stack pointer; types that overlap; frames that move, and large ones. */
import { attribute, odd, type Piece, some, times, way } from './piece.ts';

/** A few bytes of a local are copied to, and it is read as a whole: compilers write by one base and read by another. */
const twoBases: Piece = {
  name: 'two-bases',
  make(random, p) {
    const plain = random.oneIn(2);
    const size = plain ? 8 : random.choose([8, 8, 16, 24]);
    const part = () => {
      const length = plain ? random.choose([3, 4, 4, 5, 6]) : 1 + random.below(8);
      const to = plain ? 0 : random.below(Math.min(size, size - length + 1));
      return `memcpy(t + ${to}, b + ${1 + 2 * random.below(24)}, ${length}); memcpy(&w, t + ${random.below(size - 7)}, 8); h = h * ${odd(random)} + w;`;
    };
    const other = [
      () => `t[${random.below(size)}] = h; memcpy(&w, t${size > 8 ? ' + 8' : ''}, 8); h ^= w;`,
      () => `t[h % ${size}] += 3; memcpy(&w, t, 8); h += w;`,
      () => `if (${way(random)}) h += ${p}_touch(t + ${random.below(size)}, h);`,
    ];
    const body = some(random, 2 + random.below(4), [part, part, part, ...other.slice(0, plain ? random.below(2) : 3)]);
    const once = !plain && random.oneIn(2) ? `unsigned char t[${size}] = {0};` : '';
    const each = once === '' ? `unsigned char t[${size}] = {0};` : '';
    return `N static u ${p}_touch(unsigned char *t, u h) { *t ^= h; return *t + 1; }
${attribute(random)} u ${p}_f(unsigned char *b, u n) {
  u h = 1; ${once}
  do {
    u w; ${each}
${body}
    if (h == 77) puts("x");
  } while (--n);
  return h;
}
static u ${p}_run(u i, u x) {
  unsigned char b[64];
  for (int j = 0; j < 64; j++) b[j] = j * 7 + x;
  return ${p}_f(b, ${3 + random.below(6)} + (x & 7)) + i;
}`;
  },
};

/** The address of a local, its middle, or one past it is left in a variable, and somebody else goes through that. */
const escaped: Piece = {
  name: 'escape',
  make(random, p) {
    const length = 2 + random.below(6);
    const at = random.choose([0, length, length, random.below(length)]);
    const offset = () => random.below(length) - at;
    const leaf = times(1 + random.below(3), (k) => {
      const body = some(random, 1 + random.below(3), [
        () => `${p}_g[${offset()}] += x;`,
        () => `${p}_g[${offset()}] ^= x >> ${1 + random.below(9)};`,
        () => `x += ${p}_g[${offset()}];`,
        () => `if (${way(random)}) ${p}_g[${offset()}] = x;`,
      ]);
      return `${attribute(random)} u ${p}_leaf${k}(u x) { ${body} return x + ${p}_g[${offset()}]; }`;
    });
    const call = () => `${p}_leaf${random.below(leaf.length)}(s + j)`;
    const body = some(random, 2 + random.below(4), [
      () => `s += ${call()};`,
      () => `a[${random.below(length)}] += s;`,
      () => `s ^= a[(x + j) % ${length}];`,
      () => `after += a[${random.below(length)}] ^ before;`,
      () => `if (${way(random)}) s += ${call()}; else before++;`,
      () => `*m += s; s += a[${random.below(length)}];`,
    ]);
    return `static u *${p}_g;
${leaf.join('\n')}
${attribute(random)} u ${p}_f(u x, u n) {
  u before = x * 3, a[${length}], after = x * 5, s = 0;
  u *m = a + ${random.below(length)};
  for (int j = 0; j < ${length}; j++) a[j] = x + j;
  ${p}_g = a + ${at};
  for (u j = 0; j < n; j++) {
${body}
  }
  return s + before * 7 + after * 11 + a[0] + a[${length - 1}];
}
static u ${p}_run(u i, u x) { return ${p}_f(x, 2 + (x >> 5 & 7)) + ${p}_f(i, 3); }`;
  },
};

/** One place in memory as many types. */
const overlap: Piece = {
  name: 'overlap',
  make(random, p) {
    const views = [
      { name: 'b', count: 32 },
      { name: 'h', count: 16 },
      { name: 'c', count: 32 },
      { name: 'w', count: 8 },
      { name: 'l', count: 4 },
    ];
    const place = (v: string) => {
      const { name, count } = random.choose(views);
      return `${v}${name}[${random.oneIn(4) ? `x % ${count}` : random.below(count)}]`;
    };
    const statement = (v: string) =>
      some(random, 4 + random.below(6), [
        () => `${place(v)} = x;`,
        () => `x += ${place(v)};`,
        () => `x = x * ${odd(random)} + (u)${place(v)};`,
        () => `memcpy(${v}b + ${random.below(24)}, &x, ${1 + random.below(8)});`,
        () => `memcpy(&y, ${v}b + ${random.below(25)}, 8); x ^= y;`,
        () => `memmove(${v}b + ${random.below(16)}, ${v}b + ${random.below(16)}, ${1 + random.below(16)});`,
        () => `${v}d[${random.below(4)}] = (double)(x & 4095); x += ${v}l[${random.below(4)}];`,
        () => `${v}f[${random.below(8)}] = (float)(x & 255); x += ${v}w[${random.below(8)}];`,
        () => `if (${way(random)}) ${place(v)} += x;`,
      ]);
    return `union ${p}_v { unsigned char b[32]; signed char c[32]; unsigned short h[16]; unsigned w[8]; u l[4]; double d[4]; float f[8]; };
${attribute(random)} u ${p}_out(union ${p}_v *v, u x) { u y;
${statement('v->')}
  return x; }
${attribute(random)} u ${p}_f(u x, u n) {
  union ${p}_v v = {{0}}; u y;
  for (u j = 0; j < n; j++) {
${statement('v.')}
  ${random.oneIn(2) ? `x += ${p}_out(&v, x + j);` : `if (${way(random)}) x += ${p}_out(&v, j);`}
  }
  return x + v.l[1];
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 2 + (x & 3)); }`;
  },
};

/** The stack pointer moves inside a loop, and arguments lie where it points. */
const alloca: Piece = {
  name: 'alloca',
  make(random, p) {
    const words = 1 + random.below(2);
    const first = 7 - random.below(2);
    const params = times(first, (k) => `u a${k}`).join(', ');
    const args = times(first, (k) => (k === 0 ? 'i' : `${k + 1}`)).join(', ');
    const index = words === 1 ? '0' : random.choose([way(random), `1 - ${way(random)}`, '(x & 1)']);
    const room = random.choose(['16', '16 + (i & 15)', '8 + (x & 63)', '1']);
    const get = random.oneIn(3) ? `volatile char q[${room}];` : `volatile char *q = __builtin_alloca(${room});`;
    const values = words === 1 ? 'x' : 'x, q[0] + 1';
    return `struct ${p}_t { u a[${words}]; };
N static void ${p}_look(struct ${p}_t *t) { t->a[0] ^= 1; }
N static u ${p}_callee(${params}, u idx, struct ${p}_t t) {
  t.a[idx] += a0 * ${odd(random)};
  ${random.oneIn(2) ? `${p}_look(&t);` : ''}
  return t.a[0] * 3 + t.a[${words - 1}] + a1;
}
${attribute(random)} u ${p}_f(u n, u idx, u x, u y) {
  u s = 0;
  for (u i = 0; i < n; i++) {
    ${get}
    q[0] = i;
    struct ${p}_t t = {{${values}}};
    s = s * 5 + ${p}_callee(${args}, idx, t) + q[0];
    ${random.oneIn(2) ? `y += s; x ^= y >> 3;` : ''}
  }
  return s + y;
}
static u ${p}_run(u i, u x) { return ${p}_f(2 + (i & 7), ${index}, x, i); }`;
  },
};

/** Frames that no immediate reaches across. */
const large: Piece = {
  name: 'large-frame',
  make(random, p) {
    const words = random.choose([250, 300, 600, 1100]);
    const body = some(random, 2 + random.below(3), [
      () => `a[(x + j) % ${words}] += x;`,
      () => `x += a[${random.below(words)}] + b[${random.below(8)}];`,
      () => `b[x & 7] ^= x >> 3;`,
      () => `x += ${p}_in(a + ${random.below(words)}, b + (x & 7));`,
      () => `if (${way(random)}) { a[${random.below(words)}] = x; b[j & 7]++; }`,
    ]);
    return `${attribute(random)} u ${p}_in(u *a, unsigned char *b) { *a += 3; *b += *a; return *a ^ *b; }
${attribute(random)} u ${p}_f(u x, u n) {
  u a[${words}]; unsigned char b[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (u j = 0; j < ${words}; j++) a[j] = j ^ x;
  for (u j = 0; j < n; j++) {
${body}
  }
  u s = x; for (u j = 0; j < ${words}; j += 50) s = s * 3 + a[j - j % 2];
  return s;
}
static u ${p}_run(u i, u x) { return i & 7 ? ${p}_in(&x, (unsigned char *)&i) : ${p}_f(x, 4 + (x & 15)); }`;
  },
};

/** Lists of cells that live in the frames of a recursion. */
const cells: Piece = {
  name: 'frame-list',
  make(random, p) {
    return `struct ${p}_c { struct ${p}_c *up; u v; u w[${1 + random.below(3)}]; };
${attribute(random)} u ${p}_sum(struct ${p}_c *c) { u s = 0; for (; c; c = c->up) { s = s * 3 + c->v; c->w[0] += s; if (${way(random)}) c->v ^= 5; } return s; }
N static u ${p}_rec(struct ${p}_c *up, u x, u d) {
  struct ${p}_c c = {up, x, {d}};
  if (d == 0) { u s = ${p}_sum(&c); return s + c.w[0]; }
  u r = ${p}_rec(&c, x * ${odd(random)} + d, d - 1);
  ${random.oneIn(2) ? `if (x & 8) r += ${p}_rec(&c, x >> 4, d / 2);` : ''}
  return r + c.v * 7 + c.w[0]${random.oneIn(2) ? ' + (c.up ? c.up->v : 0)' : ''};
}
static u ${p}_run(u i, u x) { return ${p}_rec(0, x, 2 + (i & 3)); }`;
  },
};

/** Small fields beside one another. */
const fields: Piece = {
  name: 'fields',
  make(random, p) {
    const names = times(3 + random.below(6), (k) => ({ name: `m${k}`, bits: 1 + random.below(31) }));
    const member = () => `s${random.oneIn(2) ? '' : '2'}.${random.choose(names).name}`;
    const declare = names.map(({ name, bits }) =>
      random.oneIn(3) ? `unsigned char ${name};` : `${random.choose(['unsigned', 'int', 'u'])} ${name} : ${bits};`,
    );
    const body = some(random, 4 + random.below(4), [
      () => `${member()} = x;`,
      () => `x += (u)${member()} * ${odd(random)};`,
      () => `${member()} ^= x >> 7;`,
      () => `s2 = s;`,
      () => `if (${way(random)}) ${member()}++;`,
      () => `${p}_g = s; x += (u)${p}_g.${random.choose(names).name};`,
    ]);
    return `struct ${random.oneIn(2) ? '__attribute__((packed)) ' : ''}${p}_s { ${declare.join(' ')} };
static struct ${p}_s ${p}_g;
${attribute(random)} u ${p}_f(u x, u n) {
  struct ${p}_s s, s2; memset(&s, 0, sizeof s); memset(&s2, 1, sizeof s2);
  for (u j = 0; j < n; j++) {
${body}
  }
  return x;
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 3 + (x & 3)); }`;
  },
};

export const FRAMES: readonly Piece[] = [twoBases, escaped, overlap, alloca, large, cells, fields];
