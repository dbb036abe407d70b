/** Straight lines of any length, as assembler text: what isoform has to do on them must grow hardly faster than they do. */
import type { Insn } from '../../src/isa/row.ts';
import { parse } from '../../src/isa/text.ts';
import type { Entry, Sides } from '../../src/verify/prove/sides.ts';
import { makeRandom } from './random.ts';

/** The kinds of lines: what is stored to and loaded from. */
export const SHAPES = ['one', 'two', 'spread', 'walk', 'mixed', 'exits'] as const;
export type Shape = (typeof SHAPES)[number];

/**
 * The instructions of a line, about so many.
 *
 * one: loads, fused multiply-adds and two stores each, on one array, over and over; two: the same on two arrays that may overlap; spread:
 * each store to a new place, through two pointers in turn; walk: through a pointer that is loaded each time; mixed: of all widths, to anywhere in three arrays; exits: with a branch out of the
 * line in each round.
 */
export function lineOf(shape: Shape, length: number): string[] {
  const { below } = makeRandom(1);
  const lines: string[] = [];
  const other = shape === 'two' ? 'a2' : 'a0';
  for (let round = 0; lines.length < length; round++) {
    const [a, b, c, d] = [below(8), below(8), below(8), below(8)];
    const near = 8 * (round % 200);
    const far = 8 * ((round * 7) % 200);
    if (shape === 'spread') {
      lines.push(`fld ft${a}, ${near}(a3)`, `fmadd.d fa${d}, ft${a}, fs${b}, ft${c}, dyn`);
      lines.push(`fsd fa${d}, 0(a0)`, 'addi a0, a0, 8', `sd a0, 0(a2)`, 'addi a2, a2, 8');
    } else if (shape === 'walk') lines.push('sd a3, 8(a0)', 'ld a0, 0(a0)', `addi a3, a3, ${1 + a}`);
    else if (shape === 'mixed') {
      const width = 'bhwd'[b % 4];
      const base = ['a0', 'a2', 'a3'][below(3)]!;
      const at = below(200);
      lines.push(c < 4 ? `s${width} a1, ${at}(${base})` : `l${width} a5, ${at}(${base})`);
      if (c >= 4) lines.push('add a1, a1, a5');
    } else {
      lines.push(`fld ft${a}, ${near}(a0)`, `fmadd.d fa${d}, ft${a}, fs${b}, ft${c}, dyn`);
      if (shape === 'exits') lines.push(`ld a1, ${far}(a0)`, 'addi a1, a1, 1', 'beq a1, zero, out');
      else lines.push('csrrs a1, fcsr, zero');
      lines.push(`fsd fa${d}, ${near}(${other})`, `sd a1, ${far}(a0)`);
    }
  }
  return lines;
}

/** A program that runs a line once. */
export function lineProgram(shape: Shape, length: number): string {
  const bytes = 2000 + 8 * length;
  return [
    '.globl _start',
    '_start: la a0, first',
    'la a2, second',
    'la a3, third',
    ...lineOf(shape, length),
    'out: li a0, 0',
    'li a7, 93',
    'ecall',
    '.data',
    '.align 3',
    'third: .space 1800',
    // A list that leads to itself.
    `first: .dword first\n.space ${bytes}`,
    `second: .space ${bytes}`,
    '',
  ].join('\n');
}

const HEAD = 0x1000;
/** Within a jump's reach of all exits. */
const START = 0x80000;

/** The operand that says where an instruction accesses memory. */
const placeOf = (line: string): { base: string; offset: string } => {
  const [, offset = '', base = ''] = /(-?\d+)\((\w+)\)$/.exec(line) ?? [];
  return { base, offset };
};

/** A line as the prover sees it, and what an optimizer could have made of it: neighbours that do not depend on each other change places. */
export function lineProof(shape: Shape, length: number): { readonly sides: Sides; readonly entry: Entry } {
  // A branch hardly reaches beyond a long line.
  const was = lineOf(shape, length).flatMap((line) =>
    line === 'beq a1, zero, out' ? ['bne a1, zero, .+8', 'jal zero, 0x200'] : [line],
  );
  const is = was.slice();
  for (let at = 1; at < is.length; at++) {
    const [first, second] = [is[at - 1]!, is[at]!];
    if (
      first.startsWith('fsd') &&
      placeOf(first).base === placeOf(second).base &&
      placeOf(first).offset !== placeOf(second).offset
    )
      is.splice(at - 1, 2, second, first);
  }
  const codeAt = (lines: readonly string[], from: number): Map<number, Insn> =>
    new Map(lines.map((line, index) => [from + 4 * index, { ...parse(line, from + 4 * index), size: 4 }]));
  const end = HEAD + 4 * was.length;
  const original = codeAt(was, HEAD);
  const optimized = codeAt([...is, 'jal zero, .+4'], START);
  const out = START + 4 * is.length + 4;
  return {
    sides: {
      original: { insnAt: (at) => original.get(at) },
      optimized: { insnAt: (at) => optimized.get(at) },
      returns: new Map(),
      relocatable: false,
      liveness: undefined,
      jumpTables: false,
      deadFrames: false,
      standsFor: (at) => (at === START ? HEAD : at === out ? end : at < START ? at : undefined),
      inside: (at) => at >= START && at < out,
    },
    entry: { head: HEAD, start: START, first: true, progress: true },
  };
}
