/** Registers used otherwise than compilers do by themselves: global register variables, helpers in assembly, other link registers. */
import type { Random } from '../../support/random.ts';
import { attribute, odd, type Piece, shuffled, some, times, way } from './piece.ts';

/** A callee-saved register that belongs to nobody: what is stored of it through sp is no save. */
const globalRegister: Piece = {
  name: 'global-register',
  only: 'gcc',
  flags: ['-ffixed-s11'],
  make(random, p) {
    const pad = random.choose([6, 7, 8, 9]);
    const params = times(pad, (k) => `u a${k}`).join(', ');
    const args = () => times(pad, (k) => random.choose(['x', 'j', `${k}`])).join(', ');
    const callee = some(random, 1 + random.below(3), [
      () => `g += a${random.below(pad)};`,
      () => `*q += a1; `,
      () => `if (${way(random)}) G += a0 * 3;`,
      () => `G ^= g >> 5;`,
      () => `a2 += *q;`,
    ]);
    const body = some(random, 2 + random.below(4), [
      () => `x += ${p}_on_stack(${args()}, G, &x0);`,
      () => `{ u kept = G; x ^= ${p}_bump(j); G = kept + ${random.below(3)}; }`,
      () => `{ struct ${p}_s s = {G, x}; x += ${p}_look(&s, j); G = s.g; }`,
      () =>
        `x += ${p}_by_value(${args()}, ${random.choose([way(random), `1 - ${way(random)}`, 'j & 1'])}, (struct ${p}_w){{G, x}});`,
      () =>
        `if (${way(random)}) { struct ${p}_s s = {G, j}; ${p}_kept = &s; ${p}_bump(x); x += s.g; ${p}_kept = &own; }`,
      () => `{ u kept[2] = {G, x}; ${p}_held = kept; x += ${p}_late(j); G ^= kept[0]; }`,
      () => `G = G * ${odd(random)} + x;`,
    ]);
    return `struct ${p}_s { u g, v; }; struct ${p}_w { u a[2]; };
static struct ${p}_s *${p}_kept; static u *${p}_held;
N static u ${p}_late(u x) { ${p}_held[0] += x; return ${p}_held[0] ^ x; }
N static u ${p}_on_stack(${params}, u g, u *q) { ${random.oneIn(2) ? `u *r = &g; *r += 1; ` : ''}
${callee}
  return g ^ *q ^ a2; }
N static u ${p}_bump(u x) { G += x; if (${p}_kept) ${p}_kept->g++; return G >> 3; }
N static u ${p}_look(struct ${p}_s *s, u x) { ${random.oneIn(2) ? 's->g += x;' : ''} s->v ^= s->g; return s->v + G; }
N static u ${p}_by_value(${params}, u k, struct ${p}_w w) { w.a[k] += a0; return w.a[0] * 3 + w.a[1] + G; }
N static u ${p}_through(${params}, u g, u *q) { ${p}_held = &g; ${p}_late(a0); return g + *q; }
${random.oneIn(3) ? 'L' : 'N'} static u ${p}_f(u x, u n) {
  struct ${p}_s own = {1, 2}; u x0 = x; ${p}_kept = &own;
  for (u j = 0; j < n; j++) {
${body}
  }
  ${p}_kept = 0;
  return x + x0 + own.g + own.v;
}
static u ${p}_run(u i, u x) { u before = G; G = i; u r = ${p}_f(x, 2 + (i & 7)); r ^= G; G = before; return r; }`;
  },
};

const asm = (
  random: Random,
  lines: string,
) => `__asm__(".text\\n.option push\\n${random.oneIn(2) ? '.option norelax\\n' : ''}"
${lines
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => `"${line.trim()}\\n"`)
  .join('\n')}
".option pop\\n");`;

const define = (name: string, body: string) => `.type ${name},@function\n${name}:\n${body}\n.size ${name},.-${name}`;

/** Helpers with a convention of their own: they take and return what they like where they like. */
const tRegisters: Piece = {
  name: 't-registers',
  make(random, p) {
    const temps = shuffled(random, ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 'a3', 'a4', 'a5', 'a6', 'a7']);
    const outs = temps.slice(0, 1 + random.below(3));
    const ins = temps.slice(3, 3 + random.choose([0, 0, 1, 2]));
    const work = temps.slice(6, 8) as [string, string];
    const real = random.oneIn(3);
    const [o1, o2 = o1, o3 = o2] = outs as [string, string?, string?];
    const op = () => random.choose(['add', 'xor', 'sub']);
    const read = ins.map((reg) => `${op()} a0,a0,${reg}`).join('\n');
    const helper = `${outs.map((reg, k) => `${op()} ${reg},a0,${k === 0 ? 'a1' : (ins[0] ?? 'a0')}`).join('\n')}
${read}
li a2,0
1: andi ${work[0]},a0,${random.choose([1, 3])}
beqz ${work[0]},2f
addi a2,a2,${1 + random.below(9)}
${op()} ${o1},${o1},a2
${op()} ${o2},${o2},${work[0]}
2: srli a0,a0,${1 + random.below(3)}
bnez a0,1b
${op()} ${o3},${o3},a2
${random.oneIn(2) ? `slli ${o2},${o2},1` : ''}
${real ? 'fcvt.d.l ft3,a2\nfadd.d ft3,ft3,ft3' : ''}
mv a0,a2
ret`;
    // What it returns passes through others, which do not know of it.
    const wrappers: Record<string, string> = {
      tail: `addi a0,a0,3\nj ${p}_helper`,
      call: `addi sp,sp,-16\nsd ra,8(sp)\nxori a0,a0,9\ncall ${p}_helper\nld ra,8(sp)\naddi sp,sp,16\nret`,
      twice: `addi sp,sp,-16\nsd ra,8(sp)\ncall ${p}_helper\nli a1,7\ncall ${p}_helper\nld ra,8(sp)\naddi sp,sp,16\nret`,
      either: `andi a2,a0,1\nbnez a2,1f\nj ${p}_helper\n1: srli a0,a0,1\n${outs.map((reg) => `mv ${reg},a0`).join('\n')}\n${real ? 'fcvt.d.l ft3,a0\n' : ''}ret`,
    };
    const used = random.oneIn(2) ? [] : shuffled(random, Object.keys(wrappers)).slice(0, 1 + random.below(2));
    const names = ['helper', ...used];
    const call = (label: number) => `${ins.map((reg) => `${random.choose(['mv', 'not'])} ${reg},s0`).join('\n')}
li a1,${random.below(2000)}
call ${p}_${random.choose(names)}
${outs.map((reg) => `${op()} s1,s1,${reg}`).join('\n')}
${real ? `fcvt.l.d ${o1},ft3\nadd s1,s1,${o1}` : ''}
${label === 1 ? 'slli s1,s1,1' : ''}`;
    const arm = random.oneIn(2)
      ? `andi t0,s0,${random.choose([3, 7])}\nbeqz t0,2f`
      : `lla t0,${p}_way\nld t0,0(t0)\nbnez t0,2f`;
    const drive = `addi sp,sp,-32
sd ra,24(sp)
sd s0,16(sp)
sd s1,8(sp)
mv s0,a0
li s1,0
1:
slli a0,s0,${3 + random.below(6)}
xor a0,a0,s0
${arm}
${call(0)}
j 3f
2:
${random.oneIn(2) ? `andi a0,a0,0x7f` : 'srli a0,a0,2'}
${call(1)}
3:
add s1,s1,a0
addi s0,s0,-1
bnez s0,1b
mv a0,s1
ld ra,24(sp)
ld s0,16(sp)
ld s1,8(sp)
addi sp,sp,32
ret`;
    const texts = [define(`${p}_helper`, helper), define(`${p}_drive`, drive)];
    for (const name of used) texts.push(define(`${p}_${name}`, wrappers[name]!));
    const pointer = ins.length === 0 && random.oneIn(2);
    return `u ${p}_drive(u n); u ${p}_way;
${asm(random, shuffled(random, texts).join('\n'))}
${pointer ? `u ${p}_helper(u, u); static u (*volatile ${p}_p)(u, u) = ${p}_helper;` : ''}
static u ${p}_run(u i, u x) { ${p}_way = ${way(random)} ? x & 1 : 0; ${pointer ? `x += ${p}_p(x & 255, i);` : ''} return ${p}_drive(1 + (x & 7)) + i; }`;
  },
};

/** C that calls such a helper itself, by inline assembly that says what it changes. */
const inline: Piece = {
  name: 'inline-call',
  make(random, p) {
    const temps = shuffled(random, ['t1', 't2', 't3', 't4', 't5', 't6']);
    const [a, b, out] = temps as [string, string, string];
    const link = random.choose(['ra', 't0']);
    const helper = `add ${out},${a},${b}
slli ${a},${a},3
xor ${out},${out},${a}
andi ${b},${out},${random.choose([1, 4, 12])}
beqz ${b},1f
addi ${out},${out},${random.below(2000)}
1: ${link === 'ra' ? 'ret' : 'jr t0'}`;
    return `${asm(random, define(`${p}_helper`, helper))}
${random.oneIn(3) ? 'L static' : 'N static'} u ${p}_f(u x, u n) {
  u s = 0, k = x >> 3;
  for (u j = 0; j < n; j++) {
    register u a __asm__("${a}") = x + j; register u b __asm__("${b}") = k; register u o __asm__("${out}");
    __asm__ ${random.oneIn(2) ? 'volatile' : ''}("jal ${link},${p}_helper" : "=r"(o), "+r"(a), "+r"(b) : : "${link}");
    s = s * 3 + o; k += a; ${random.oneIn(2) ? 'x ^= b + s;' : ''}
    if (${way(random)}) s += k;
  }
  return s;
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 3 + (x & 15)); }`;
  },
};

const LINKS = ['t1', 't2', 'a1', 'a5', 't3', 's1', 's3', 't6'];

/** Links in other registers than ra: they are numbers that the program may compute with. */
const otherLinks: Piece = {
  name: 'other-links',
  make(random, p) {
    const link = random.choose(LINKS);
    const second = random.choose(LINKS.filter((each) => each !== link));
    const use = random.choose(['compare', 'offset', 'jump', 'stub', 'return']);
    const bodies: Record<string, string> = {
      // Where am I? As riscv-tests do it.
      compare: `jal ${link},2f
2: lla a0,2b
sub a0,a0,${link}
add s0,s0,a0
seqz a0,a0
add s0,s0,a0`,
      // Constants behind the call: the callee reads through its link.
      offset: `jal ${link},${p}_next
.8byte ${random.below(1 << 30)}
add s0,s0,a0`,
      // A callee that returns behind what its link says.
      jump: `jal ${link},${p}_next
nop
nop
add s0,s0,a0`,
      // A PLT-like stub: it leaves its own address in the link.
      stub: `lla t4,${p}_next
jalr ${link},t4
add s0,s0,a0`,
      return: `mv a0,s0
jal ${link},${p}_next
add s0,s0,a0`,
    };
    const nexts: Record<string, string> = {
      compare: `ret`,
      offset: `ld a0,0(${link})
addi ${link},${link},8
jr ${link}`,
      jump: `li a0,${random.below(2000)}
${random.oneIn(2) ? 'xor a0,a0,s0' : ''}
jalr x0,${random.choose([4, 8])}(${link})`,
      stub: `lla t4,${p}_here
sub a0,${link},t4
jr ${link}`,
      return: `andi a0,a0,${random.choose([1, 6])}
beqz a0,1f
addi a0,a0,77
1: jr ${link}`,
    };
    const body = `addi sp,sp,-48
sd ra,40(sp)
sd s0,32(sp)
sd s1,24(sp)
sd s3,16(sp)
sd s2,8(sp)
mv s2,a0
li s0,1
1:
${p}_here:
slli a0,s0,1
xor s0,s0,a0
${bodies[use]}
${random.oneIn(2) ? `jal ${second},${p}_leaf\nadd s0,s0,a0` : ''}
addi s2,s2,-1
bnez s2,1b
mv a0,s0
ld ra,40(sp)
ld s0,32(sp)
ld s1,24(sp)
ld s3,16(sp)
ld s2,8(sp)
addi sp,sp,48
ret`;
    const text = [
      define(`${p}_loop`, body),
      `.balign 4\n${define(`${p}_next`, nexts[use]!)}`,
      define(`${p}_leaf`, `srli a0,s0,7\nandi a0,a0,255\njr ${second}`),
    ];
    return `u ${p}_loop(u n);
${asm(random, [`.option norvc`, ...shuffled(random, text)].join('\n'))}
static u ${p}_run(u i, u x) { return ${p}_loop(1 + (x & 31)) * 3 + i + ${way(random)}; }`;
  },
};

/** Saving and restoring by helpers linked through t0, by hand. */
const millicode: Piece = {
  name: 'millicode',
  make(random, p) {
    const saved = 1 + random.below(5);
    const frame = 16 * Math.ceil((saved + 1) / 2) + 16;
    const regs = times(saved, (k) => `s${k}`);
    const save = `addi sp,sp,-${frame}
sd ra,${frame - 8}(sp)
${regs.map((reg, k) => `sd ${reg},${frame - 16 - 8 * k}(sp)`).join('\n')}
jr t0`;
    const restore = `${regs.map((reg, k) => `ld ${reg},${frame - 16 - 8 * k}(sp)`).join('\n')}
ld ra,${frame - 8}(sp)
addi sp,sp,${frame}
ret`;
    const inner = `${p}_rec`;
    const rec = `jal t0,${p}_save
mv s0,a0
${regs
  .slice(1)
  .map((reg, k) => `addi ${reg},a1,${k}`)
  .join('\n')}
beqz a1,1f
addi a1,a1,-1
slli a0,a0,1
call ${inner}
1: add a0,a0,s0
${regs
  .slice(1)
  .map((reg) => `xor a0,a0,${reg}`)
  .join('\n')}
tail ${p}_restore`;
    return `u ${inner}(u x, u d);
${asm(random, shuffled(random, [define(`${p}_save`, save), define(`${p}_restore`, restore), define(inner, rec)]).join('\n'))}
${attribute(random)} u ${p}_f(u x, u d) { u a = x * 3; for (u j = 0; j < d; j++) a += ${inner}(a, j); return a; }
static u ${p}_run(u i, u x) { return ${p}_f(x, 1 + (i & 3)) + (${way(random)} ? ${inner}(x, 40) : 0); }`;
  },
};

/** A jump into the second half of a four-byte instruction: c.addi a0, k in the immediate of an addi. */
const streams: Piece = {
  name: 'streams',
  make(random, p) {
    const k = random.choose([1, 5, 9, 13]);
    const half = 0x0501 | (k << 2);
    const word = ((half << 16) | (random.below(2) << 15) | 0x0513) >>> 0;
    const entry = random.choose(['jump', 'branch', 'symbol', 'address', 'data']);
    const rest = times(2 + random.below(20), (each) =>
      random.choose([`add a0,a0,a${1 + (each % 4)}`, `xor a0,a0,a${1 + (each % 4)}`, `addi a0,a0,${each}`]),
    ).join('\n');
    const enter: Record<string, string> = {
      jump: `j ${p}_f+2`,
      branch: `beq a2,a2,${p}_f+2\nli a0,0\nret`,
      data: `lla t0,${p}_entry\nld t0,0(t0)\njr t0`,
      symbol: `j ${p}_middle`,
      address: `lla t0,${p}_f+2\njr t0`,
    };
    const symbol = {
      symbol: `.globl ${p}_middle\n.set ${p}_middle,${p}_f+2`,
      data: `.section .data\n.balign 8\n${p}_entry: .8byte ${p}_f+2\n.text`,
    }[entry as string];
    return `u ${p}_f(u, u, u, u, u), ${p}_g(u, u, u, u, u);
${asm(random, `${define(`${p}_f`, `.4byte 0x${word.toString(16)}\n${rest}\nret`)}\n${symbol ?? ''}\n${define(`${p}_g`, `slli a0,a0,1\n${enter[entry]}`)}`)}
static u (*volatile ${p}_p)(u, u, u, u, u) = ${p}_f; static u (*volatile ${p}_q)(u, u, u, u, u) = ${p}_g;
N static u ${p}_call(u x, u n) { u s = x; for (u j = 0; j < n; j++) s += ${p}_p(s, j, 3, x, 5); ${`if (${way(random)}) s += ${p}_q(s, 1, 2, 3, x);`} return s; }
static u ${p}_run(u i, u x) { return ${p}_call(x + i, 2 + (x & 15)); }`;
  },
};

/** Registers that are saved and restored around what is not a call, by hand. */
const spills: Piece = {
  name: 'spills',
  make(random, p) {
    const regs = shuffled(random, ['s1', 's2', 's3', 's4', 's5', 's6']).slice(0, 2 + random.below(3));
    const slot = (k: number) => 8 * k;
    const other = spillBody(random, p, regs);
    return `u ${p}_on, ${p}_f(u x, u n);
N u ${p}_poke(u *slot, u x) { *slot += x; return *slot ^ 3; }
${asm(
  random,
  define(
    `${p}_f`,
    `addi sp,sp,-112
sd ra,104(sp)
sd s0,96(sp)
${regs.map((reg, k) => `sd ${reg},${56 + slot(k)}(sp)`).join('\n')}
mv s0,a1
${regs.map((reg, k) => `addi ${reg},a0,${k}`).join('\n')}
1:
${other}
addi s0,s0,-1
bnez s0,1b
li a0,0
${regs.map((reg) => `xor a0,a0,${reg}`).join('\n')}
ld ra,104(sp)
ld s0,96(sp)
${regs.map((reg, k) => `ld ${reg},${56 + slot(k)}(sp)`).join('\n')}
addi sp,sp,112
ret`,
  ),
)}
static u ${p}_run(u i, u x) { ${p}_on = ${way(random)}; return ${p}_f(x + i, 1 + (x & 15)); }`;
  },
};

/** Callee-saved registers go to the frame as arguments, by address, and as locals: none of that is a save. */
function spillBody(random: Random, p: string, regs: readonly string[]): string {
  const [a, b] = regs as [string, string];
  return some(random, 2 + random.below(3), [
    // Stored, changed through a pointer, loaded.
    () => `sd ${a},0(sp)
mv a0,sp
mv a1,s0
call ${p}_poke
ld ${a},0(sp)
add ${b},${b},a0`,
    () => `sd ${b},16(sp)
addi a0,sp,16
li a1,5
call ${p}_poke
ld t0,16(sp)
add ${b},${b},t0`,
    // Through another base.
    () => `addi t1,sp,8
sd ${a},24(sp)
sb s0,16(t1)
ld ${a},24(sp)`,
    () => `lla t2,${p}_on
ld t2,0(t2)
sd ${a},8(sp)
addi t3,sp,8
beqz t2,7f
sd s0,0(t3)
7: ld ${b},8(sp)
add ${a},${a},${b}`,
    // Swapped by way of the frame.
    () => `sd ${a},32(sp)
mv ${a},${b}
ld ${b},32(sp)
addi ${b},${b},1`,
  ]);
}

/** One frame by many bases, with accesses of all sizes, of registers that are elsewhere saved. */
const bases: Piece = {
  name: 'bases',
  make(random, p) {
    const area = 64;
    const places = [
      { reg: 'sp', at: 0 },
      { reg: 's0', at: random.choose([8, 16, 64, 128]) },
      { reg: 's1', at: 8 * random.below(8) },
      { reg: 't1', at: 8 * random.below(8) },
    ] as const;
    const data = ['s2', 's3', 's4', 'a2', 'a3', 'a4'];
    const sizes = [
      ['sb', 'lbu', 1],
      ['sb', 'lb', 1],
      ['sh', 'lhu', 2],
      ['sw', 'lw', 4],
      ['sd', 'ld', 8],
      ['sd', 'ld', 8],
      ['sd', 'ld', 8],
    ] as const;
    const access = (kind: 0 | 1) => {
      const size = random.choose(sizes);
      const base = random.choose(places);
      return `${size[kind]} ${random.choose(data)},${size[2] * random.below(area / size[2]) - base.at}(${base.reg})`;
    };
    const mix = () =>
      `${random.choose(['add', 'xor', 'sub'])} ${random.choose(data)},${random.choose(data)},${random.choose(data)}`;
    // t1 and the arguments do not outlive a call.
    const call = () => {
      const base = random.choose(places.slice(0, 3));
      return `addi a0,${base.reg},${8 * random.below(7) - base.at}
call ${p}_poke
mv a2,a0
li a3,${random.below(2000)}
mv a4,s2
addi t1,sp,${places[3].at}`;
    };
    let labels = 10;
    const steps = (count: number, calls: boolean): string =>
      some(random, count, [
        () => access(0),
        () => access(0),
        () => access(1),
        () => access(1),
        mix,
        () => (calls ? call() : mix()),
        () => {
          const label = labels++;
          const test = random.oneIn(2) ? `lla t2,${p}_on\nld t2,0(t2)` : `andi t2,${random.choose(data)},1`;
          return `${test}\nbeqz t2,${label}f\n${steps(1 + random.below(3), calls)}\n${label}:`;
        },
      ]);
    const own = ['ra', 's0', 's1', 's2', 's3', 's4', 's5'];
    const frame = 128;
    const slots = (op: string) => own.map((reg, k) => `${op} ${reg},${frame - 8 * (k + 1)}(sp)`).join('\n');
    const words = times(area / 8, (k) => `${8 * k}(sp)`);
    const body = `addi sp,sp,-${frame}
${slots('sd')}
mv s5,a1
addi s0,sp,${places[1].at}
addi s1,s0,${places[2].at - places[1].at}
addi t1,sp,${places[3].at}
${data.map((reg, k) => `${k % 2 === 0 ? 'xori' : 'addi'} ${reg},${k === 0 ? 'a0' : data[k - 1]},${random.below(2000)}`).join('\n')}
${words.map((word) => `sd ${random.choose(data)},${word}`).join('\n')}
1:
${steps(6 + random.below(12), random.oneIn(2))}
addi s5,s5,-1
bnez s5,1b
${words.map((word) => `ld t0,${word}\nadd s2,s2,t0\nslli t0,s2,3\nxor s2,s2,t0`).join('\n')}
${data
  .slice(1)
  .map((reg) => `add s2,s2,${reg}`)
  .join('\n')}
mv a0,s2
${slots('ld')}
addi sp,sp,${frame}
ret`;
    return `u ${p}_on, ${p}_f(u x, u n);
N u ${p}_poke(u *slot) { *slot = *slot * 3 + 1; return *slot >> 5; }
${asm(random, define(`${p}_f`, body))}
static u ${p}_run(u i, u x) { ${p}_on = ${way(random)}; return ${p}_f(x + i, 1 + (x & 15)); }`;
  },
};

/** Values that go by way of the stack, which moves inside the loop, by constants and by others. */
const pushes: Piece = {
  name: 'pushes',
  make(random, p) {
    const data = ['s2', 's3', 's4', 's5'];
    const reg = () => random.choose(data);
    const mix = () => `${random.choose(['add', 'xor', 'sub'])} ${reg()},${reg()},${reg()}`;
    const work = (depth: number): string =>
      some(random, 1 + random.below(2), [
        mix,
        mix,
        () => `addi a0,sp,${8 * random.below(2 * depth)}\ncall ${p}_poke\nadd ${reg()},${reg()},a0`,
        () => `ld ${reg()},${8 * random.below(2 * depth)}(sp)`,
        () => `addi t1,sp,8\nsd ${reg()},-8(t1)`,
        () => `lla t0,${p}_on\nld t0,0(t0)\nslli t0,t0,3\nadd t0,t0,sp\nsd ${reg()},0(t0)`,
      ]);
    const push = (depth: number): string => `addi sp,sp,-16
sd ${reg()},0(sp)
sd ${reg()},8(sp)
${work(depth + 1)}
${depth < 2 && random.oneIn(2) ? push(depth + 1) : mix()}
${work(depth + 1)}
ld ${reg()},${8 * random.below(2)}(sp)
addi sp,sp,16`;
    // By a number that is known only then: what is stored beyond is found again from the frame pointer's side.
    const moved = (): string => `andi s6,s2,48
addi s6,s6,16
sub sp,sp,s6
sd ${reg()},0(sp)
sd ${reg()},8(sp)
${work(1)}
add t2,sp,s6
ld ${reg()},0(sp)
mv sp,t2`;
    const leaf = `addi sp,sp,-32
sd s2,0(sp)
sd ra,24(sp)
ld s2,0(a0)
addi s2,s2,1
${random.oneIn(2) ? `xori a0,a0,0\n` : `sd s2,8(sp)\nsd s2,0(a0)\nld s2,8(sp)\n`}slli a0,s2,2
ld s2,0(sp)
ld ra,24(sp)
addi sp,sp,32
ret`;
    const own = ['ra', 's0', ...data, 's6'];
    const slots = (op: string) => own.map((each, k) => `${op} ${each},${8 * (k + 1)}(sp)`).join('\n');
    const body = `addi sp,sp,-80
${slots('sd')}
addi s0,a1,0
${data.map((each, k) => `addi ${each},a0,${random.below(700) * (k + 1) - 1000}`).join('\n')}
1:
${some(random, 1 + random.below(3), [() => push(0), moved, mix])}
${push(0)}
addi s0,s0,-1
bnez s0,1b
${data
  .slice(1)
  .map((each) => `slli ${each},${each},1\nxor s2,s2,${each}`)
  .join('\n')}
mv a0,s2
${slots('ld')}
addi sp,sp,80
ret`;
    const parts = shuffled(random, [define(`${p}_f`, body), define(`${p}_poke`, leaf)]);
    return `u ${p}_on, ${p}_f(u x, u n);
${asm(random, parts.join('\n'))}
static u ${p}_run(u i, u x) { ${p}_on = ${way(random)}; return ${p}_f(x + i, 1 + (x & 15)); }`;
  },
};

/** Rounding modes and flags of floating point, read and written by the program's own instructions. */
const flags: Piece = {
  name: 'float-flags',
  make(random, p) {
    const wide = random.oneIn(2) ? 'd' : 's';
    const reg = () => random.choose(['ft0', 'ft1', 'ft2', 'fs0', 'fa5']);
    const operate = () =>
      random.choose([
        () =>
          `${random.choose(['fadd', 'fsub', 'fmul', 'fdiv'])}.${wide} ${reg()},${reg()},${reg()}${random.choose(['', ',rtz', ',rup', ',dyn'])}`,
        () => `fmadd.${wide} ${reg()},${reg()},${reg()},${reg()}`,
        () => `fsqrt.${wide} ${reg()},${reg()}`,
        () => `fcvt.${wide}.l ${reg()},a1`,
        () => `flt.${wide} a3,${reg()},${reg()}\nadd a2,a2,a3`,
        () => `fcvt.l.${wide} a3,${reg()}${random.choose(['', ',rdn', ',rtz'])}\nxor a2,a2,a3`,
        () => `fmin.${wide} ${reg()},${reg()},${reg()}`,
        () => `fsgnjn.${wide} ${reg()},${reg()},${reg()}`,
        () => `fclass.${wide} a3,${reg()}\nadd a2,a2,a3`,
        () =>
          wide === 'd'
            ? `fcvt.s.d ${reg()},${reg()}\nfcvt.d.s ft0,ft0`
            : `fcvt.d.s ${reg()},${reg()}\nfcvt.s.d ft0,ft0`,
      ])();
    const look = () =>
      random.choose([
        `frflags a3\nslli a2,a2,1\nadd a2,a2,a3`,
        `fsflags a3,x0\nadd a2,a2,a3`,
        `frrm a3\nadd a2,a2,a3`,
        `frcsr a3\nxor a2,a2,a3`,
      ]);
    const set = () =>
      random.choose([`andi a3,a1,3\nfsrm x0,a3`, `fsrmi ${random.below(5)}`, `fsflagsi ${random.below(32)}`]);
    const body = some(random, 8 + random.below(10), [operate, operate, operate, operate, look, set]);
    const text = `addi sp,sp,-16
fsd fs0,8(sp)
fcvt.${wide}.l ft0,a1
fcvt.${wide}.lu ft1,a0
fdiv.${wide} ft2,ft0,ft1
fmv.${wide} fs0,ft2
fmv.${wide} fa5,ft1
li a2,0
1:
${body}
fsqrt.${wide} fa5,ft1
addi a1,a1,-1
bnez a1,1b
frcsr a3
fscsr x0,x0
slli a2,a2,8
xor a2,a2,a3
fcvt.l.${wide} a3,fs0
xor a0,a2,a3
fscsr x0,x0
fld fs0,8(sp)
addi sp,sp,16
ret`;
    return `u ${p}_f(u x, u n);
${asm(random, define(`${p}_f`, text))}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, ${way(random)} ? 1 + (x & 31) : 1 + (x & 7)); }`;
  },
};

/** System calls in the middle of loops. */
const calls: Piece = {
  name: 'system-calls',
  make(random, p) {
    const number = random.choose([172, 173, 174, 178]);
    const body = some(random, 1 + random.below(3), [
      () => `s += a[j & 3];`,
      () => `a[${random.below(4)}] ^= s + j;`,
      () => `x = x * ${odd(random)} + s;`,
      () => `if (${way(random)}) s += ${p}_call() == first;`,
    ]);
    return `static u ${p}_call(void) { register u a0 __asm__("a0"); register u a7 __asm__("a7") = ${number}; __asm__ volatile("ecall" : "=r"(a0) : "r"(a7) : "memory"); return a0; }
${attribute(random)} u ${p}_f(u x, u n) {
  u a[4] = {x, 1, 2, 3}, s = 0, first = ${p}_call();
  for (u j = 0; j < n; j++) {
${body}
    s += ${p}_call() == first;
${body}
  }
  return s + x + a[0] + a[3];
}
static u ${p}_run(u i, u x) { return ${p}_f(x + i, 1 + (x & 7)); }`;
  },
};

export const REGISTERS: readonly Piece[] = [
  globalRegister,
  bases,
  pushes,
  flags,
  calls,
  tRegisters,
  inline,
  otherLinks,
  millicode,
  streams,
  spills,
];
