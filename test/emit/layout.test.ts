import { describe, expect, test } from 'vitest';
import { type Addr, RA } from '../../src/base/units.ts';
import { type Layout, layOut as layOutGroups } from '../../src/emit/layout.ts';
import type { Group, Piece } from '../../src/emit/place.ts';
import { OutOfReach } from '../../src/emit/relax.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { makeInsn } from '../../src/isa/encode.ts';
import type { Insn } from '../../src/isa/row.ts';
import type { Item, LoweredSuperblock, Stub } from '../../src/lower/item.ts';

const AT = 0x100000;
const NEAR = 0xf0000;
const FAR = 0x400000;

const op = (imm = 100): Item => ({ kind: 'insn', insn: makeInsn('addi', { rd: 10, rs1: 11, imm }) });
const filler = (bytes: number): Item[] => Array.from({ length: bytes / 4 }, (_, index) => op(100 + (index % 100)));
const branch = (stub: number, insn = makeInsn('beq', { rs1: 20, rs2: 21 })): Item => ({ kind: 'branch', insn, stub });
const stubTo = (to: Addr | undefined, items: Item[] = [], scratch?: number): Stub => ({ items, to, scratch, count: 1 });
const superblock = (
  head: Addr,
  line: Item[],
  to: Addr | undefined,
  rest: Partial<LoweredSuperblock> & {
    scratch?: number;
    kind?: 'goto' | 'call' | 'indirect';
    flippable?: boolean;
  } = {},
): LoweredSuperblock => ({
  head,
  count: 10,
  line,
  stubs: rest.stubs ?? [],
  final: { kind: rest.kind ?? 'goto', to, count: 9, scratch: rest.scratch, flippable: rest.flippable ?? false },
});

/** Groups with their stubs behind their lines. */
const layOut = (groups: readonly (readonly Piece[])[], at: Addr): Layout =>
  layOutGroups(
    groups.map((pieces): Group => ({ pieces, stubs: 'behind' })),
    at,
  );

function decoded({ bytes }: Layout): { at: Addr; insn: Insn }[] {
  const insns: { at: Addr; insn: Insn }[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const insn = decodeAt(bytes, offset)!;
    insns.push({ at: AT + offset, insn });
    offset += insn.size;
  }
  return insns;
}
const names = (layout: Layout): string[] => decoded(layout).map(({ insn }) => insn.row.name);

/** Where control gets to from an address with transfers only: jumps, and pairs that make an address and jump there. */
function leads(layout: Layout, from: Addr): Addr {
  const { insn } = decoded(layout).find(({ at }) => at === from)!;
  if (insn.row.name === 'jal') return from + insn.imm;
  const second = decodeAt(layout.bytes, from - AT + insn.size)!;
  expect([insn.row.name, second.row.name]).toEqual(['auipc', 'jalr']);
  expect(second.rs1).toBe(insn.rd);
  return from + insn.imm + second.imm;
}

describe('final exits', () => {
  test('to the superblock behind: nothing', () => {
    const layout = layOut([[superblock(1, [op()], 2), superblock(2, [op()], 1)]], AT);
    expect(names(layout)).toEqual(['addi', 'addi', 'jal']);
    expect(leads(layout, AT + 8)).toBe(AT);
  });
  test('to original code near and far', () => {
    const near = layOut([[superblock(1, [op()], NEAR)]], AT);
    expect(leads(near, AT + 4)).toBe(NEAR);
    const far = layOut([[superblock(1, [op()], FAR, { scratch: 6 })]], AT);
    expect(names(far)).toEqual(['addi', 'auipc', 'jalr']);
    expect(leads(far, AT + 4)).toBe(FAR);
  });
  test('far without a register: told, with each exit that is stranded', () => {
    const make = () => layOut([[superblock(1, [op()], FAR), superblock(2, [op()], FAR + 8)]], AT);
    expect(make).toThrow(OutOfReach);
    try {
      make();
    } catch (error) {
      expect((error as OutOfReach).exits).toEqual([
        { head: 1, to: FAR },
        { head: 2, to: FAR + 8 },
      ]);
    }
  });
  test('a loop end is turned round, so that the branch goes back and the exit falls out', () => {
    const loop = superblock(1, [op(), branch(0)], 1, { stubs: [stubTo(2)], flippable: true });
    const layout = layOut([[loop, superblock(2, [op()], NEAR)]], AT);
    expect(names(layout).slice(0, 3)).toEqual(['addi', 'bne', 'addi']);
    expect(decoded(layout)[1]!.insn.imm).toBe(-4);
    // What the exit's stub does then stands behind the branch.
    const busy = superblock(1, [op(), branch(0)], 1, { stubs: [stubTo(NEAR, [op(7)])], flippable: true });
    const other = layOut([[busy]], AT);
    expect(names(other)).toEqual(['addi', 'bne', 'addi', 'jal']);
    expect(decoded(other)[2]!.insn.imm).toBe(7);
    expect(leads(other, AT + 12)).toBe(NEAR);
  });
});

describe('side exits', () => {
  test('a branch whose stub is empty goes straight to a superblock in reach', () => {
    const first = superblock(1, [branch(0), op()], 2, { stubs: [stubTo(2)] });
    const layout = layOut([[first, superblock(2, [op()], NEAR)]], AT);
    expect(decoded(layout)[0]!.insn.imm).toBe(8);
    expect(layout.superblocks[0]!.stubs).toEqual([undefined]);
  });
  test('beyond 4 KiB through its stub', () => {
    const first = superblock(1, [branch(0), op()], NEAR, { stubs: [stubTo(2)] });
    const layout = layOut([[first], [superblock(3, filler(6000), NEAR)], [superblock(2, [op()], NEAR)]], AT);
    const stub = layout.superblocks[0]!.stubs[0]!;
    expect(AT + decoded(layout)[0]!.insn.imm).toBe(stub.start);
    expect(leads(layout, stub.start)).toBe(layout.superblocks[2]!.start);
  });
  test('a stub beyond 4 KiB is reached by the inverse over a jump', () => {
    const first = superblock(1, [branch(0), ...filler(6000)], NEAR, { stubs: [stubTo(NEAR, [op(5)])] });
    const layout = layOut([[first]], AT);
    const [inverse, jump] = decoded(layout);
    expect([inverse!.insn.row.name, inverse!.insn.imm, jump!.insn.row.name]).toEqual(['bne', 8, 'jal']);
    expect(leads(layout, AT + 4)).toBe(layout.superblocks[0]!.stubs[0]!.start);
  });
  test('an escape leaves when its branch is not taken', () => {
    const item: Item = { kind: 'escape', insn: makeInsn('beq', { rs1: 20, rs2: 21 }), stub: 0 };
    const layout = layOut([[superblock(1, [item, op()], NEAR, { stubs: [stubTo(NEAR + 8)] })]], AT);
    expect(decoded(layout)[0]!.insn).toMatchObject({ imm: 8 });
    expect(names(layout)[0]).toBe('beq');
    const stub = leads(layout, AT + 4);
    expect(leads(layout, stub)).toBe(NEAR + 8);
  });
  test('compressed where it can be, and only as long as it reaches', () => {
    const test0 = makeInsn('beq', { rs1: 10 });
    const short = layOut(
      [[superblock(1, [branch(0, test0), op()], 2, { stubs: [stubTo(2)] }), superblock(2, [op()], NEAR)]],
      AT,
    );
    expect(decoded(short)[0]!.insn.size).toBe(2);
    const long = superblock(1, [branch(0, test0), ...filler(252)], 2, { stubs: [stubTo(2)] });
    expect(decoded(layOut([[long, superblock(2, [op()], NEAR)]], AT))[0]!.insn.size).toBe(2);
    const longer = superblock(1, [branch(0, test0), ...filler(256)], 2, { stubs: [stubTo(2)] });
    expect(decoded(layOut([[longer, superblock(2, [op()], NEAR)]], AT))[0]!.insn.size).toBe(4);
  });
});

describe('stubs among the lines', () => {
  const busy = (to: Addr, rest: Item[] = [], more: Parameters<typeof superblock>[3] = {}) =>
    superblock(1, [op(1), branch(0), ...rest], NEAR, { stubs: [stubTo(to, [op(7)])], ...more });
  test('in front of where it leads, a stub needs no jump', () => {
    const first = busy(2);
    const layout = layOut([[first, { of: first, stub: 0 }, superblock(2, [op(9)], NEAR)]], AT);
    expect(names(layout)).toEqual(['addi', 'beq', 'jal', 'addi', 'addi', 'jal']);
    const [stub] = layout.superblocks[0]!.stubs;
    expect(stub!.end).toBe(layout.superblocks[1]!.start);
    expect(decoded(layout)[1]!.insn.imm).toBe(stub!.start - decoded(layout)[1]!.at);
    expect(layout.superblocks[0]!.hops).toEqual([]);
  });
  test('out of reach, it is reached by a jump that stands with the other stubs', () => {
    const first = busy(2);
    const far = superblock(3, filler(6000), NEAR);
    const layout = layOut([[first], [far], [{ of: first, stub: 0 }, superblock(2, [op(9)], NEAR)]], AT);
    const [hop] = layout.superblocks[0]!.hops;
    expect(decoded(layout)[1]!.at + decoded(layout)[1]!.insn.imm).toBe(hop!.start);
    expect(leads(layout, hop!.start)).toBe(layout.superblocks[0]!.stubs[0]!.start);
  });
  test('behind its own line, the last branch is turned', () => {
    const loop = superblock(1, [op(1), branch(0)], 1, { stubs: [stubTo(2, [op(7)])], flippable: true });
    const layout = layOut([[loop, { of: loop, stub: 0 }, superblock(2, [op(9)], NEAR)]], AT);
    expect(names(layout)).toEqual(['addi', 'bne', 'addi', 'addi', 'jal']);
    expect(decoded(layout)[1]!.insn.imm).toBe(-4);
  });
  test('elsewhere, the turned branch is followed by a jump to it', () => {
    const loop = superblock(1, [op(1), branch(0)], 1, { stubs: [stubTo(2, [op(7)])], flippable: true });
    const layout = layOut(
      [[loop, superblock(3, [op(8)], NEAR), { of: loop, stub: 0 }, superblock(2, [op(9)], NEAR)]],
      AT,
    );
    expect(names(layout).slice(0, 3)).toEqual(['addi', 'bne', 'jal']);
    expect(leads(layout, AT + 8)).toBe(layout.superblocks[0]!.stubs[0]!.start);
  });
  test('a group can have its stubs before its lines', () => {
    const first = superblock(1, [op(1), branch(0)], NEAR, { stubs: [stubTo(NEAR, [op(7)])] });
    const layout = layOutGroups([{ pieces: [first], stubs: 'before' }], AT);
    expect(layout.superblocks[0]!.stubs[0]!.start).toBe(AT);
    expect(decoded(layout).at(-2)!.insn.imm).toBeLessThan(0);
  });
});

describe('calls', () => {
  const caller = (to: Addr): LoweredSuperblock =>
    superblock(1, [op(), { kind: 'call', to, link: RA }], 2, { kind: 'call' });
  test('return behind themselves, where the return point stands', () => {
    const layout = layOut([[caller(NEAR), superblock(2, [op()], NEAR)]], AT);
    expect(layout.superblocks[0]!.returnAddress).toBe(AT + 8);
    expect(layout.superblocks[1]!.start).toBe(AT + 8);
    expect(decoded(layout)[1]!.insn).toMatchObject({ rd: RA, imm: NEAR - AT - 4 });
  });
  test('or a jump to it', () => {
    const layout = layOut([[{ ...caller(NEAR), final: { ...caller(NEAR).final, to: NEAR + 8 } }]], AT);
    expect(layout.superblocks[0]!.returnAddress).toBe(AT + 8);
    expect(leads(layout, AT + 8)).toBe(NEAR + 8);
  });
  test('far through the link register', () => {
    const layout = layOut([[caller(FAR), superblock(2, [op()], NEAR)]], AT);
    expect(names(layout).slice(1, 3)).toEqual(['auipc', 'jalr']);
    expect(decoded(layout)[2]!.insn).toMatchObject({ rd: RA, rs1: RA });
    expect(leads(layout, AT + 4)).toBe(FAR);
    expect(layout.superblocks[0]!.returnAddress).toBe(AT + 12);
  });
});

describe('addresses', () => {
  const high = (address: Addr): Item => ({ kind: 'high', reg: 15, base: 0, address });
  const low = (address: Addr): Item => ({
    kind: 'low',
    insn: makeInsn('ld', { rd: 10, rs1: 15 }),
    base: 0,
    address,
  });
  /** The addresses that loads through the base access. */
  function accessed(layout: Layout): Addr[] {
    const insns = decoded(layout);
    let base = 0;
    const found: Addr[] = [];
    for (const { at, insn } of insns) {
      if (insn.row.name === 'auipc') base = at + insn.imm;
      else if (insn.row.name === 'addi') base += insn.imm;
      else if (insn.row.name === 'ld') found.push(base + insn.imm);
    }
    return found;
  }
  test('an upper part serves all its users where their offsets reach', () => {
    const wanted = [0x123000, 0x1237f8, 0x122ff8];
    const layout = layOut([[superblock(1, [high(0x123000), ...wanted.map(low)], NEAR)]], AT);
    expect(names(layout).slice(0, 4)).toEqual(['auipc', 'ld', 'ld', 'ld']);
    expect(accessed(layout)).toEqual(wanted);
  });
  test('else the address is made whole', () => {
    for (const wanted of [
      [0x122800, 0x1237f8],
      [0x1237f8, 0x122c00],
      [0x123000, 0x123010],
    ])
      for (let at = 0; at < 0x1000; at += 0x3fe) {
        const layout = layOut([[superblock(1, [high(0x123000), ...wanted.map(low)], NEAR)]], AT + at);
        expect(accessed(layout).map((address) => address + at)).toEqual(wanted);
      }
  });
  test('an address is exact wherever it stands', () => {
    for (const address of [0, 0x10000, AT + 0x7fe, AT + 0x800, FAR, 0x7fffffff]) {
      const layout = layOut([[superblock(1, [{ kind: 'address', reg: 10, address }], NEAR)]], AT);
      const [first, second] = decoded(layout);
      expect(AT + first!.insn.imm + second!.insn.imm).toBe(address);
    }
  });
});

test('the same in, the same out', () => {
  const make = () =>
    layOut(
      [
        [
          superblock(1, [op(), branch(0)], 1, { stubs: [stubTo(2)], flippable: true }),
          superblock(2, [op()], FAR, { scratch: 5 }),
        ],
      ],
      AT,
    );
  expect(make()).toEqual(make());
});
