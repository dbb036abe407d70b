/** What counts as a function, and what its jumps and calls may lead to. */
import { describe, expect, test } from 'vitest';
import { imageCfg } from '../../src/cfg/build.ts';
import { entriesOf } from '../../src/cfg/groups.ts';
import { isOpenJump } from '../../src/cfg/landings.ts';
import { assemble } from './assembly.ts';

describe('entries of functions', () => {
  test('are not what a guessed call calls: a number may lead into the midst of an instruction', () => {
    // The upper half of the lui and the next halfword are `jal ra` to `label`; the two halves at `number` are the address of that.
    const { image, at } = assemble(`Main:
      lui a5,0xef0
      .half 0x80
      .half 0x1
      .half 0x1
label:
      addi a0,a0,1
      jalr zero,0(ra)
      .half 0x1
number:
      .half 0x2
      .half 0x1`);
    const cfg = imageCfg(image);
    const guessed = cfg.blockAt(at('Main') + 2);
    expect(guessed).toMatchObject({ evidence: 'guess', ending: 'call', target: at('label') });
    expect([...entriesOf(cfg)]).toEqual([at('Main')]);
  });
});

describe('a jump by a link register', () => {
  const opens = (text: string): boolean => {
    const { image } = assemble(`Main:\n${text}`);
    return isOpenJump(imageCfg(image), imageCfg(image).blocks.at(-1)!);
  };
  test('is no return if the block makes its target, and one if it was kept on the stack, or comes from before', () => {
    expect(opens('jalr zero,0(ra)')).toBe(false);
    expect(opens('ld ra,8(sp)\n jalr zero,0(ra)')).toBe(false);
    expect(opens('ld ra,8(a0)\n jalr zero,0(ra)')).toBe(true);
    expect(opens('add t0,a0,a1\n jalr zero,0(t0)')).toBe(true);
    expect(opens('jalr zero,0(a0)')).toBe(true);
  });
});
