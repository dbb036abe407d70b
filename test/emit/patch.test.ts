import { describe, expect, test } from 'vitest';
import { type Addr, RA } from '../../src/base/units.ts';
import type { Evidence } from '../../src/emit/evidence.ts';
import { makePatches, type PatchRequest } from '../../src/emit/patch.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { compress, makeInsn } from '../../src/isa/encode.ts';
import type { Insn, InsnSource } from '../../src/isa/row.ts';

/** A line of instructions from an address on, compressed where `makeInsn` can be and `wide` does not say otherwise. */
function line(at: Addr, ...insns: readonly Insn[]): InsnSource {
  const placed = new Map<Addr, Insn>();
  let pc = at;
  for (const insn of insns) {
    placed.set(pc, insn);
    pc += insn.size;
  }
  return { insnAt: (address) => placed.get(address) };
}
const narrow = (insn: Insn): Insn => {
  expect(compress(insn)).toBeDefined();
  return { ...insn, size: 2 };
};
const small = narrow(makeInsn('addi', { rd: 10, rs1: 10, imm: 1 }));
const big = makeInsn('addi', { rd: 10, rs1: 11, imm: 100 });
const ret = narrow(makeInsn('jalr', { rs1: RA }));
const call = makeInsn('jal', { rd: RA, imm: 64 });
const branch = narrow(makeInsn('beq', { rs1: 10, imm: 16 }));

const nothing: Evidence = { into: () => undefined };
const entered = (...addresses: readonly Addr[]): Evidence => ({
  into: (start, size) => addresses.find((address) => address > start && address < start + size),
});
const HEAD = 0x10000;
const NEAR: PatchRequest = { head: HEAD, target: 0x20000, scratch: undefined };
const FAR: PatchRequest = { head: HEAD, target: 0x400000, scratch: 5 };
const patch = (request: PatchRequest, code: InsnSource, evidence = nothing, narrow = false, kept: Addr[] = []) =>
  makePatches([request], code, evidence, new Set(kept), narrow);

describe('patches', () => {
  test('one wide instruction: a jump, where nothing enters its second half', () => {
    const made = patch(NEAR, line(HEAD, big), entered(HEAD), true);
    expect(made.left).toEqual([]);
    const [only] = made.patches;
    expect(only!.address).toBe(HEAD);
    expect(decodeAt(only!.bytes, 0)).toMatchObject({ rd: 0, imm: NEAR.target - HEAD, size: 4 });
    expect(patch(NEAR, line(HEAD, big), entered(HEAD + 2)).left).toEqual([HEAD]);
    expect(patch(NEAR, line(HEAD, big), nothing, false, [HEAD + 2]).left).toEqual([HEAD]);
  });

  test('two narrow ones: only where nothing enters the second, and not when single instructions are asked for', () => {
    const code = line(HEAD, small, small);
    expect(patch(NEAR, code)).toMatchObject({ left: [] });
    expect(patch(NEAR, code, entered(HEAD))).toMatchObject({ left: [] });
    expect(patch(NEAR, code, entered(HEAD + 2)).left).toEqual([HEAD]);
    expect(patch(NEAR, code, nothing, false, [HEAD + 2]).left).toEqual([HEAD]);
    expect(patch(NEAR, code, nothing, true)).toMatchObject({ left: [HEAD], patches: [] });
  });

  test('a narrow one and a wide one are cut across, and nothing behind them is touched', () => {
    const made = patch(NEAR, line(HEAD, small, big));
    expect(made.patches.map(({ bytes }) => bytes.length)).toEqual([4]);
    expect(patch(NEAR, line(HEAD, small, big), entered(HEAD + 2)).left).toEqual([HEAD]);
  });

  test('never beyond an unconditional transfer, nor beyond what is no code', () => {
    expect(patch(NEAR, line(HEAD, ret, small)).left).toEqual([HEAD]);
    expect(patch(NEAR, line(HEAD, ret)).left).toEqual([HEAD]);
    expect(patch(NEAR, line(HEAD, small, ret)).left).toEqual([]);
    expect(patch(NEAR, line(HEAD, small)).left).toEqual([HEAD]);
    expect(patch(NEAR, line(HEAD, branch, small)).left).toEqual([]);
    expect(patch(FAR, line(HEAD, call, big)).left).toEqual([HEAD]);
    expect(patch(NEAR, line(HEAD, call)).left).toEqual([]);
    expect(patch(NEAR, { insnAt: () => undefined }).left).toEqual([HEAD]);
  });

  test('far: eight bytes through a dead register, all of them with evidence', () => {
    const code = line(HEAD, big, small, small);
    const made = patch(FAR, code);
    expect(made).toMatchObject({ left: [] });
    const { bytes } = made.patches[0]!;
    const [first, second] = [decodeAt(bytes, 0)!, decodeAt(bytes, 4)!];
    expect(first).toMatchObject({ rd: 5 });
    expect(second).toMatchObject({ rd: 0, rs1: 5 });
    expect(HEAD + first.imm + second.imm).toBe(FAR.target);
    for (const at of [HEAD + 4, HEAD + 6]) expect(patch(FAR, code, entered(at)).left).toEqual([HEAD]);
    expect(patch(FAR, code, entered(HEAD + 8)).left).toEqual([]);
    expect(patch({ ...FAR, scratch: undefined }, code).left).toEqual([HEAD]);
    expect(patch(FAR, code, nothing, true).left).toEqual([HEAD]);
  });

  test('two heads: neither lies within the patch of the other', () => {
    const code = line(HEAD, small, small, small, small);
    const at = (head: Addr): PatchRequest => ({ ...NEAR, head });
    const both = makePatches([at(HEAD + 2), at(HEAD)], code, nothing, new Set(), false);
    expect(both.left).toEqual([HEAD]);
    expect(both.patches.map(({ address }) => address)).toEqual([HEAD + 2]);
    const apart = makePatches([at(HEAD + 4), at(HEAD)], code, nothing, new Set(), false);
    expect(apart.patches.map(({ address }) => address)).toEqual([HEAD, HEAD + 4]);
  });
});
