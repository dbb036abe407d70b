/**
 * A small made-up program with a profile whose flow is right, and a made-up optimized form of it: what the report's tests and the
 * work on its looks need before, and apart from, any real run.
 *
 * `main` calls each function `rounds` times; a function loops over bytes, with an odd and an even way through the loop.
 */
import type { Addr } from '../../src/base/units.ts';
import type { Image } from '../../src/elf/image.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import { compareDestinations, type ImageProfile, type TransferCount } from '../../src/profile/profile.ts';
import type { ReportInput } from '../../src/report/build.ts';
import type { SuperblockSummary } from '../../src/report/superblocks.ts';

export interface ExampleFunction {
  readonly name: string;
  /** Bytes per call. */
  readonly length: number;
  /** Share of odd bytes. */
  readonly odd: number;
  /** Share of calls that end at a zero byte. */
  readonly zero: number;
}

/** A name that would break a page that does not escape. */
export const HOSTILE = '</script><img src=x onerror="document.title=\'broken\'">&amp;';

export const FUNCTIONS: readonly ExampleFunction[] = [
  { name: 'mix_block', length: 940, odd: 0.06, zero: 0.02 },
  { name: 'hash_bytes', length: 610, odd: 0.31, zero: 0.6 },
  {
    name: '_ZNSt8_Rb_treeISsSt4pairIKSsiESt10_Select1stIS2_ESt4lessISsESaIS2_EE8_M_eraseEPSt13_Rb_tree_nodeIS2_E',
    length: 333,
    odd: 0.02,
    zero: 0,
  },
  { name: HOSTILE, length: 280, odd: 0.5, zero: 0.3 },
  { name: 'operator<< <char>', length: 120, odd: 0.11, zero: 0 },
  { name: 'update_crc', length: 90, odd: 0.49, zero: 0.05 },
  { name: 'next_token', length: 41, odd: 0.2, zero: 0.9 },
  { name: 'fold', length: 22, odd: 0.01, zero: 0 },
  { name: 'compare', length: 12, odd: 0.4, zero: 0.2 },
  { name: 'copy_out', length: 7, odd: 0.1, zero: 0.1 },
  { name: 'flush', length: 3, odd: 0.3, zero: 0 },
  { name: 'checksum_final', length: 2, odd: 0.25, zero: 0 },
];

const BASE = 0x10000;

/** Assembles lines at an address. `label:` marks an address, `@label` refers to one. */
function assemble(lines: readonly string[], base: Addr, known: ReadonlyMap<string, Addr> = new Map()) {
  const labels = new Map(known);
  let at = base;
  for (const line of lines)
    if (line.endsWith(':')) labels.set(line.slice(0, -1), at);
    else at += 4;
  const bytes: number[] = [];
  for (const line of lines) {
    if (line.endsWith(':')) continue;
    const text = line.replace(/@([\w.]+)/, (_, label: string) => `0x${labels.get(label)!.toString(16)}`);
    bytes.push(...encodeBytes(parse(text, base + bytes.length), false));
  }
  return { labels, bytes: Uint8Array.from(bytes) };
}

const functionLines = (id: string): string[] => [
  `${id}:`,
  'addi sp,sp,-16',
  'sd ra,8(sp)',
  'addi a5,zero,0',
  'addi t1,zero,0',
  `${id}.loop:`,
  'add a4,a0,a5',
  'lbu a3,0(a4)',
  `beq a3,zero,@${id}.out`,
  `${id}.body:`,
  'slli t1,t1,32',
  'srli t1,t1,32',
  'andi a2,a3,1',
  `bne a2,zero,@${id}.odd`,
  `${id}.even:`,
  'xor t1,t1,a3',
  `jal zero,@${id}.next`,
  `${id}.odd:`,
  'mul t1,t1,a3',
  'addi t1,t1,7',
  `${id}.next:`,
  'addi a5,a5,1',
  `blt a5,a1,@${id}.loop`,
  `${id}.out:`,
  'add a0,t1,zero',
  'ld ra,8(sp)',
  'addi sp,sp,16',
  'jalr zero,0(ra)',
];

/** Four superblocks a function: A entry, B loop, C way out, D odd; then B's stub. */
const optimizedLines = (id: string): string[] => [
  `${id}.A:`,
  'addi sp,sp,-16',
  'sd ra,8(sp)',
  'addi a5,zero,0',
  'addi t1,zero,0',
  `${id}.B:`,
  'add a4,a0,a5',
  'lbu a3,0(a4)',
  `beq a3,zero,@${id}.C`,
  'andi a2,a3,1',
  `bne a2,zero,@${id}.stub`,
  'addi a5,a5,1',
  'xor t1,t1,a3',
  `blt a5,a1,@${id}.B`,
  `${id}.C:`,
  'addi a0,t1,0',
  'ld ra,8(sp)',
  'addi sp,sp,16',
  'jalr zero,0(ra)',
  `${id}.D:`,
  'mul t1,t1,a3',
  'addi t1,t1,7',
  'addi a5,a5,1',
  `blt a5,a1,@${id}.B`,
  `jal zero,@${id}.C`,
  `${id}.stub:`,
  'slli t1,t1,32',
  'srli t1,t1,32',
  `jal zero,@${id}.D`,
];

function imageOf(file: string, code: Uint8Array, names: readonly [string, Addr][], extra: number): Image {
  const bytes = new Uint8Array(code.length + extra);
  bytes.set(code);
  return {
    file,
    bytes,
    hash: [...file]
      .reduce((all, letter) => all + letter.charCodeAt(0).toString(16), '')
      .padEnd(64, '0')
      .slice(0, 64),
    relocatable: false,
    entry: BASE,
    programHeaders: [],
    programHeaderOffset: 64,
    segments: [
      {
        address: BASE,
        size: code.length,
        bytes: code,
        offset: 0,
        flags: { read: true, write: false, execute: true },
      },
    ],
    sections: [],
    symbols: names.map(([name, address]) => ({ name, address, size: 0, kind: 'function', global: true, section: 1 })),
    end: BASE + code.length,
  };
}

const sorted = (transfers: TransferCount[]): TransferCount[] =>
  transfers.filter(({ count }) => count > 0).sort((a, b) => a.from - b.from || compareDestinations(a.to, b.to));

/** The input from which the report of the made-up program is built. */
export function exampleInput(functions: readonly ExampleFunction[] = FUNCTIONS, rounds = 5000): ReportInput {
  const ids = functions.map((_, index) => `f${index}`);
  const main = [
    'main:',
    `addi s0,zero,${Math.min(rounds, 2047)}`,
    'again:',
    ...functions.flatMap(({ length }, index) => [
      `addi a1,zero,${length}`,
      `call${index}:`,
      `jal ra,@f${index}`,
      `back${index}:`,
    ]),
    'addi s0,s0,-1',
    'bne s0,zero,@again',
    'done:',
    'addi a7,zero,93',
    'exit:',
    'ecall',
    'end:',
  ];
  const source = [...main, ...ids.flatMap(functionLines)];
  const original = assemble(source, BASE);
  const at = (label: string): Addr => original.labels.get(label)!;
  const end = BASE + original.bytes.length;
  const added = assemble(ids.flatMap(optimizedLines), end);
  const now = (label: string): Addr => added.labels.get(label)!;
  const patched = Uint8Array.from([...original.bytes, ...added.bytes]);
  for (const id of ids)
    patched.set(encodeBytes(parse(`jal zero,0x${now(`${id}.A`).toString(16)}`, at(id)), false), at(id) - BASE);

  const before: TransferCount[] = [];
  const after: TransferCount[] = [];
  const superblocks: SuperblockSummary[] = [];
  const shared: TransferCount[] = [
    { from: at('done') - 4, to: at('again'), count: rounds - 1 },
    { from: at('done') - 4, to: at('done'), count: 1 },
    { from: at('exit'), to: at('end'), count: 1 },
  ];
  functions.forEach(({ length, odd, zero }, index) => {
    const id = ids[index]!;
    const loops = rounds * length;
    const zeros = Math.floor(rounds * zero);
    const bodies = loops - zeros;
    const odds = Math.floor(bodies * odd);
    const again = loops - rounds;
    const againOdd = Math.floor((again * odds) / bodies);
    shared.push({ from: at(`call${index}`), to: at(id), count: rounds });
    before.push(
      { from: at(`${id}.body`) - 4, to: at(`${id}.out`), count: zeros },
      { from: at(`${id}.body`) - 4, to: at(`${id}.body`), count: bodies },
      { from: at(`${id}.even`) - 4, to: at(`${id}.odd`), count: odds },
      { from: at(`${id}.even`) - 4, to: at(`${id}.even`), count: bodies - odds },
      { from: at(`${id}.odd`) - 4, to: at(`${id}.next`), count: bodies - odds },
      { from: at(`${id}.out`) - 4, to: at(`${id}.loop`), count: again },
      { from: at(`${id}.out`) - 4, to: at(`${id}.out`), count: bodies - again },
      { from: at(`${id}.out`) + 12, to: at(`back${index}`), count: rounds },
    );
    const part = (label: string) => now(`${id}.${label}`);
    const [a, b, c, d, stub] = [part('A'), part('B'), part('C'), part('D'), part('stub')];
    after.push(
      { from: at(id), to: a, count: rounds },
      { from: b + 8, to: c, count: zeros },
      { from: b + 8, to: b + 12, count: bodies },
      { from: b + 16, to: stub, count: odds },
      { from: b + 16, to: b + 20, count: bodies - odds },
      { from: b + 28, to: b, count: again - againOdd },
      { from: b + 28, to: c, count: bodies - odds - (again - againOdd) },
      { from: c + 12, to: at(`back${index}`), count: rounds },
      { from: d + 12, to: b, count: againOdd },
      { from: d + 12, to: d + 16, count: odds - againOdd },
      { from: d + 16, to: c, count: odds - againOdd },
      { from: stub + 8, to: d, count: odds },
    );
    superblocks.push(...superblocksOf(id, at, now, index));
  });
  const profile = (name: string, transfers: TransferCount[]): ImageProfile => ({
    hash: name,
    name,
    starts: [{ at: BASE, count: 1 }],
    stops: [{ at: at('end'), count: 1 }],
    others: [],
    transfers: sorted([...shared, ...transfers]),
  });
  const names: [string, Addr][] = [
    ['main', BASE],
    ...functions.map(({ name }, index): [string, Addr] => [name, at(ids[index]!)]),
  ];
  const padding = 61_440;
  return {
    arguments: ['--level', '6', "it's"],
    inputs: ['standard input'],
    original: { image: imageOf('digest', original.bytes, names, padding), profile: profile('digest', before) },
    optimized: { image: imageOf('digest.opt', patched, names, padding), profile: profile('digest.opt', after) },
    superblocks,
    proof: {
      ways: 4 * superblocks.length,
      open: new Map(
        superblocks.filter(({ verdict }) => verdict === 'tested').map(({ head }) => [head, 'the exit: a0 differs']),
      ),
      file: [
        { what: 'headers', checked: 4, problems: [] },
        { what: 'patches', checked: 12, problems: ['the patch at 0x10432: it is no instruction'] },
      ],
    },
    passes: [
      {
        name: 'extensions',
        description: 'Drops sign and zero extensions of values that have the form already.',
        rewrites: 24,
        removed: 21_000_000,
        taken: 0,
        cycles: 14_200_000,
      },
      {
        name: 'sink',
        description: 'Drops what nothing on the line needs; an exit that needs it computes it in its stub.',
        rewrites: 12,
        removed: 1_240_000,
        taken: 0,
        cycles: -310_000,
      },
      {
        name: 'jumps',
        description:
          'Removes jumps to what now lies right behind and inverts branches so that the hot way falls through.',
        rewrites: 12,
        removed: 9_530_112,
        taken: 9_530_112,
        cycles: 19_060_224,
      },
      {
        name: 'constants',
        description: 'Folds what is known when the superblock is formed.',
        rewrites: 0,
        removed: 0,
        taken: 0,
        cycles: 0,
      },
    ],
    assumptions: [
      {
        id: 'A1',
        name: 'No code is written',
        text: 'The program does not change its own text and does not read it as data.',
        used: true,
        checked: true,
      },
      {
        id: 'A2',
        name: 'Calls keep the ABI',
        text: 'Registers that the psABI calls temporary are not expected to survive a call.',
        used: true,
        checked: false,
      },
      {
        id: 'A3',
        name: 'Jump tables are whole',
        text: 'A jump table whose profiled targets all match holds no other entries that are used.',
        used: false,
        checked: false,
      },
    ],
    verify: {
      inputs: [
        {
          name: 'training.txt',
          arguments: ['--level', '6'],
          training: true,
          verdict: 'equivalent',
          syscalls: 1284,
          end: 'exit status 0',
        },
        {
          name: 'other.txt',
          arguments: ['--level', '9'],
          training: false,
          verdict: 'equivalent',
          syscalls: 977,
          end: 'exit status 0',
        },
      ],
      differences: [],
    },
  };
}

function superblocksOf(
  id: string,
  at: (label: string) => Addr,
  now: (label: string) => Addr,
  index: number,
): SuperblockSummary[] {
  const block = (label: string, insns: number) => ({
    start: at(`${id}${label}`),
    end: at(`${id}${label}`) + insns * 4,
  });
  const range = (label: string, insns: number, part: 'line' | 'stub' = 'line') => ({
    start: now(`${id}.${label}`),
    end: now(`${id}.${label}`) + insns * 4,
    part,
  });
  const origins = (label: string, ...from: (Addr | undefined)[]): [Addr, Addr][] =>
    from.flatMap((origin, place): [Addr, Addr][] =>
      origin === undefined ? [] : [[now(`${id}.${label}`) + place * 4, origin]],
    );
  const from = (label: string, place: number): Addr => at(`${id}${label}`) + place * 4;
  const verdict = index % 3 === 2 ? 'tested' : 'proved';
  const [entry, loop, body, even, odd, next, out] = [
    block('', 4),
    block('.loop', 3),
    block('.body', 4),
    block('.even', 2),
    block('.odd', 2),
    block('.next', 2),
    block('.out', 4),
  ];
  const four = [0, 1, 2, 3];
  return [
    {
      head: entry.start,
      path: [entry],
      ranges: [range('A', 4)],
      addresses: new Map(origins('A', ...four.map((place) => from('', place)))),
      exits: [
        { kind: 'final', site: now(`${id}.A`) + 12, to: now(`${id}.B`), target: loop.start, pathInstructions: 4 },
      ],
      bytes: 16,
      verdict,
    },
    {
      head: loop.start,
      path: [loop, body, even, next],
      ranges: [range('B', 8), range('stub', 3, 'stub')],
      addresses: new Map([
        ...origins(
          'B',
          from('.loop', 0),
          from('.loop', 1),
          from('.loop', 2),
          from('.body', 2),
          from('.body', 3),
          from('.next', 0),
          from('.even', 0),
          from('.next', 1),
        ),
        ...origins('stub', from('.body', 0), from('.body', 1)),
      ]),
      exits: [
        { kind: 'side', site: now(`${id}.B`) + 8, to: now(`${id}.C`), target: out.start, pathInstructions: 3 },
        { kind: 'side', site: now(`${id}.B`) + 16, to: now(`${id}.stub`), target: odd.start, pathInstructions: 7 },
        { kind: 'loop', site: now(`${id}.B`) + 28, to: now(`${id}.B`), target: loop.start, pathInstructions: 11 },
        { kind: 'final', site: now(`${id}.B`) + 28, to: now(`${id}.C`), target: out.start, pathInstructions: 11 },
      ],
      bytes: 44,
      verdict,
    },
    {
      head: out.start,
      path: [out],
      ranges: [range('C', 4)],
      addresses: new Map(origins('C', ...four.map((place) => from('.out', place)))),
      exits: [{ kind: 'return', site: now(`${id}.C`) + 12, pathInstructions: 4 }],
      bytes: 16,
      verdict: index === 6 ? 'rejected' : verdict,
      ...(index === 6 ? { reason: 'the prover ran out of room; emitted in its identity form' } : {}),
    },
    {
      head: odd.start,
      path: [odd, next],
      ranges: [range('D', 5)],
      addresses: new Map(origins('D', from('.odd', 0), from('.odd', 1), from('.next', 0), from('.next', 1))),
      exits: [
        { kind: 'loop', site: now(`${id}.D`) + 12, to: now(`${id}.B`), target: loop.start, pathInstructions: 4 },
        { kind: 'final', site: now(`${id}.D`) + 16, to: now(`${id}.C`), target: out.start, pathInstructions: 4 },
      ],
      bytes: 20,
      verdict,
    },
  ];
}
