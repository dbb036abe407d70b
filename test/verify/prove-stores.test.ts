/** What an optimizer may do to stores and loads, and what it may not: each rule from both sides. */
import { describe, expect, test } from 'vitest';
import { refute } from '../../src/verify/prove/refute.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { entry, proof, sidesOf, why } from '../support/prove-pieces.ts';

/** The verdict on straight code whose optimized form is given without its last jump. */
function verdict(original: string, optimized: string, options: Parameters<typeof proof>[2] = {}): string {
  const insns = original.split('\n').length;
  return proof(original, `${optimized}\n jal zero,0x${(0x1000 + 4 * insns).toString(16)}`, options).verdict;
}

describe('a store whose bytes are loaded', () => {
  test.each([
    ['whole', 'sd a0,0(a2)\n ld a1,0(a2)', 'sd a0,0(a2)\n addi a1,a0,0'],
    ['low part, signed', 'sd a0,0(a2)\n lw a1,0(a2)', 'sd a0,0(a2)\n addiw a1,a0,0'],
    ['high part, unsigned', 'sd a0,0(a2)\n lwu a1,4(a2)', 'sd a0,0(a2)\n srli a1,a0,32'],
    ['high part, signed', 'sd a0,0(a2)\n lw a1,4(a2)', 'sd a0,0(a2)\n srai a1,a0,32'],
    ['a byte stored, a byte loaded', 'sb a0,3(a2)\n lbu a1,3(a2)', 'sb a0,3(a2)\n andi a1,a0,255'],
    ['half of a word', 'sw a0,0(a2)\n lhu a1,2(a2)', 'sw a0,0(a2)\n slli a1,a0,32\n srli a1,a1,48'],
    ['half of a word, signed', 'sw a0,0(a2)\n lh a1,2(a2)', 'sw a0,0(a2)\n sraiw a1,a0,16'],
    ['past a store beside it', 'sd a0,0(a2)\n sd a3,8(a2)\n ld a1,0(a2)', 'sd a0,0(a2)\n sd a3,8(a2)\n addi a1,a0,0'],
  ])('gives the register: %s', (_, original, optimized) => {
    const count = original.split('\n').length;
    expect(proof(original, `${optimized}\n jal zero,0x${(0x1000 + 4 * count).toString(16)}`).verdict).toBe('proved');
  });

  test('a part of what was put together of several is the one it is', () => {
    const was = 'sw a0,0(a2)\n ld a1,0(a2)\n sd a1,8(a2)';
    for (const [load, known] of [
      ['lw a3,8(a2)', 'addiw a3,a0,0'],
      ['lwu a3,8(a2)', 'slli a3,a0,32\n srli a3,a3,32'],
      ['lb a3,8(a2)', 'slli a3,a0,56\n srai a3,a3,56'],
      ['lhu a3,10(a2)', 'slli a3,a0,32\n srli a3,a3,48'],
      ['lw a3,12(a2)', 'lw a3,4(a2)'],
      ['lwu a3,12(a2)', 'srli a3,a1,32'],
      ['lb a3,15(a2)', 'srai a3,a1,56'],
    ]) {
      expect([load, verdict(`${was}\n ${load}`, `${was}\n ${known}`)]).toEqual([
        load,
        load === 'lw a3,12(a2)' ? 'unproved' : 'proved',
      ]);
    }
    expect(verdict(`${was}\n lw a4,4(a2)\n lw a3,12(a2)`, `${was}\n lw a4,4(a2)\n addi a3,a4,0`)).toBe('proved');
    expect(verdict(`${was}\n lw a3,12(a2)`, `${was}\n addiw a3,a0,0`)).toBe('unproved');
    expect(verdict(`${was}\n lw a3,8(a2)`, `${was}\n srai a3,a1,32`)).toBe('unproved');
  });

  test.each([
    ['a load of more', 'sw a0,0(a2)\n ld a1,0(a2)', 'sw a0,0(a2)\n addi a1,a0,0'],
    ['a load that reaches beyond', 'sd a0,0(a2)\n ld a1,4(a2)', 'sd a0,0(a2)\n srli a1,a0,32'],
    ['another sign', 'sw a0,0(a2)\n lwu a1,0(a2)', 'sw a0,0(a2)\n addiw a1,a0,0'],
    [
      'a store in between through a register that may point there',
      'sd a0,0(a2)\n sb a3,0(a4)\n ld a1,0(a2)',
      'sd a0,0(a2)\n sb a3,0(a4)\n addi a1,a0,0',
    ],
    [
      'a store in between to one of its bytes',
      'sd a0,0(a2)\n sb a3,7(a2)\n ld a1,0(a2)',
      'sd a0,0(a2)\n sb a3,7(a2)\n addi a1,a0,0',
    ],
  ])('does not: %s', (_, original, optimized) => expect(verdict(original, optimized)).toBe('unproved'));
});

describe('a store wholly overwritten by a later one', () => {
  test.each([
    ['at once', 'sd a0,0(a2)\n sd a1,0(a2)', 'sd a1,0(a2)'],
    ['by a wider one', 'sb a0,5(a2)\n sd a1,0(a2)', 'sd a1,0(a2)'],
    [
      'stores beside it in between',
      'sd a0,0(a2)\n sd a3,8(a2)\n sd a3,-8(a2)\n sd a1,0(a2)',
      'sd a3,8(a2)\n sd a3,-8(a2)\n sd a1,0(a2)',
    ],
    ['a store in between that may overlap', 'sd a0,0(a2)\n sd a3,0(a4)\n sd a1,0(a2)', 'sd a3,0(a4)\n sd a1,0(a2)'],
    ['a load beside it in between', 'sd a0,0(a2)\n ld a5,8(a2)\n sd a1,0(a2)', 'ld a5,8(a2)\n sd a1,0(a2)'],
    [
      'a load of it that takes the register instead',
      'sd a0,0(a2)\n ld a5,0(a2)\n sd a1,0(a2)',
      'addi a5,a0,0\n sd a1,0(a2)',
    ],
    [
      'a load past what may overlap, not beside it',
      'sd a0,0(a2)\n sd a3,0(a4)\n ld a5,8(a2)\n sd a1,0(a2)',
      'sd a3,0(a4)\n ld a5,8(a2)\n sd a1,0(a2)',
    ],
    [
      'a load of what was stored since',
      'sd a0,0(a6)\n sd a3,0(a2)\n sb a0,0(a4)\n ld a5,0(a2)\n sd a1,0(a6)',
      'sd a3,0(a2)\n sb a0,0(a4)\n ld a5,0(a2)\n sd a1,0(a6)',
    ],
  ])('may be left out: %s', (_, original, optimized) => expect(verdict(original, optimized)).toBe('proved'));

  test.each([
    ['by a narrower one', 'sd a0,0(a2)\n sw a1,0(a2)', 'sw a1,0(a2)'],
    ['by one that begins later', 'sd a0,0(a2)\n sd a1,4(a2)', 'sd a1,4(a2)'],
    ['through another register', 'sd a0,0(a2)\n sd a1,0(a3)', 'sd a1,0(a3)'],
    ['a load in between that may see it', 'sd a0,0(a2)\n ld a5,0(a4)\n sd a1,0(a2)', 'ld a5,0(a4)\n sd a1,0(a2)'],
    ['a load in between of one of its bytes', 'sd a0,0(a2)\n lbu a5,7(a2)\n sd a1,0(a2)', 'lbu a5,7(a2)\n sd a1,0(a2)'],
    ['a fence in between', 'sd a0,0(a2)\n fence iorw,iorw\n sd a1,0(a2)', 'fence iorw,iorw\n sd a1,0(a2)'],
    [
      'an atomic access in between',
      'sd a0,0(a2)\n amoadd.d a5,a6,(a4)\n sd a1,0(a2)',
      'amoadd.d a5,a6,(a4)\n sd a1,0(a2)',
    ],
    ['the later one left out', 'sd a0,0(a2)\n sd a1,0(a2)', 'sd a0,0(a2)'],
  ])('may not: %s', (_, original, optimized) => expect(verdict(original, optimized)).toBe('unproved'));

  const original = 'sd a0,0(a2)\n beq a3,zero,0x2000\n sd a1,0(a2)';
  test('not past an exit, unless the exit makes it up', () => {
    const late = (stub: string) =>
      `beq a3,zero,0x9100\n sd a1,0(a2)\n jal zero,0x100c\n @0x9100\n ${stub} jal zero,0x2000`;
    expect(why(original, late(''))).toContain('memory differs');
    const result = proveEntry(sidesOf(original, late('')), entry);
    expect(refute(sidesOf(original, late('')), entry, result)?.difference).toContain('the byte at');
    expect(proof(original, late('sd a0,0(a2)\n')).verdict).toBe('proved');
  });
});

describe('the order of stores that cannot overlap', () => {
  test('does not matter, however others lie between', () => {
    // The last commutes with both, the first two do not with each other.
    expect(verdict('sd a0,0(sp)\n sd a1,0(a4)\n sd a3,8(sp)', 'sd a3,8(sp)\n sd a0,0(sp)\n sd a1,0(a4)')).toBe(
      'unproved',
    );
    expect(verdict('sd a0,0(a4)\n sd a1,16(a4)\n sd a3,8(a4)', 'sd a3,8(a4)\n sd a1,16(a4)\n sd a0,0(a4)')).toBe(
      'proved',
    );
    expect(verdict('sd a0,0(a4)\n sd a1,4(a4)\n sd a3,16(a4)', 'sd a3,16(a4)\n sd a0,0(a4)\n sd a1,4(a4)')).toBe(
      'proved',
    );
    expect(verdict('sd a0,0(a4)\n sd a1,4(a4)\n sd a3,16(a4)', 'sd a3,16(a4)\n sd a1,4(a4)\n sd a0,0(a4)')).toBe(
      'unproved',
    );
  });
});

describe('a store below the stack pointer of the exit', () => {
  const frame = 'addi sp,sp,-16\n sd s0,8(sp)\n addi s0,a0,1\n sd s0,0(a1)\n ld s0,8(sp)\n addi sp,sp,16';
  const without = 'addi a5,a0,1\n sd a5,0(a1)\n ld s0,-8(sp)';
  const options = { deadFrames: true, live: [2, 8, 10, 11] };
  const saved = 'addi sp,sp,-16\n sd a0,8(sp)\n ld a0,0(sp)\n addi sp,sp,16';
  test('may be left out by assumption A8, which is named', () => {
    const optimized = 'ld a0,-16(sp)\n jal zero,0x1010';
    const assumptions = ['A8', 'A11'];
    expect(proof(saved, optimized, { deadFrames: true })).toMatchObject({ verdict: 'proved', assumptions });
    expect(why(saved, optimized)).toContain('memory differs');
  });

  test('not if it is needed: loaded, at or above the stack pointer, in a frame that is still there', () => {
    expect(verdict(frame, without, options)).toBe('unproved');
    expect(verdict('sd a0,0(sp)', 'addi zero,zero,0', { deadFrames: true })).toBe('unproved');
    expect(verdict('sd a0,-4(sp)', 'addi zero,zero,0', { deadFrames: true })).toBe('unproved');
    expect(verdict('addi sp,sp,-16\n sd a0,0(sp)', 'addi sp,sp,-16', { deadFrames: true })).toBe('unproved');
    expect(verdict('sd a0,-8(a1)', 'addi zero,zero,0', { deadFrames: true })).toBe('unproved');
    // The stack pointer is another one: what lies below is not known.
    expect(verdict('sd a0,-8(sp)\n ld sp,0(a1)', 'ld sp,0(a1)', { deadFrames: true })).toBe('unproved');
  });

  test('an exit within the frame needs it, and its stub may make it', () => {
    const original = 'addi sp,sp,-16\n sd a0,8(sp)\n beq a1,zero,0x2000\n addi sp,sp,16';
    const late = (stub: string) =>
      `beq a1,zero,0x9100\n jal zero,0x1010\n @0x9100\n addi sp,sp,-16\n ${stub} jal zero,0x2000`;
    expect(proof(original, late('sd a0,8(sp)\n'), { deadFrames: true }).verdict).toBe('proved');
    expect(why(original, late(''), { deadFrames: true })).toContain('memory differs');
  });
});

describe('saved registers', () => {
  /** A call to a function that saves ra and s0, works through pointers, and restores them. */
  const call = (body: string) => `jal ra,0x2000
    @0x2000
    addi sp,sp,-16
    sd ra,8(sp)
    sd s0,0(sp)
    ${body}
    ld s0,0(sp)
    ld ra,8(sp)
    addi sp,sp,16
    jalr zero,0(ra)`;
  const body = 'ld s0,0(a0)\n sd s0,8(a0)\n ld a1,0(a1)';
  const linked = 'lui ra,0x1\n addi ra,ra,4\n';
  const kept = 'ld a4,0(a0)\n sd a4,8(a0)\n ld a1,0(a1)\n jal zero,0x1004';
  const live = [1, 2, 8, 10, 11];
  /** The addresses of its two saves. */
  const saves = [0x2004, 0x2008];
  const all = { saves, deadFrames: true, live };

  test('need not be saved where the frame is given back, by A3 and A8', () => {
    const result = proof(call(body), linked + kept, all);
    expect(result).toMatchObject({ verdict: 'proved', assumptions: ['A1', 'A3', 'A8', 'A11'] });
    expect(proof(call(body), linked + kept, { ...all, saves: [] }).verdict).toBe('unproved');
    expect(proof(call(body), linked + kept, { ...all, deadFrames: false }).verdict).toBe('unproved');
    // With other contents in s0 at the head of the call, too.
    const before = 'addi s0,s0,1\n';
    expect(
      proof(`${before} ${call(body)}`, `${before} lui ra,0x1\n addi ra,ra,8\n ${kept.replace('0x1004', '0x1008')}`, all)
        .verdict,
    ).toBe('proved');
  });

  test('are saved at an exit in between, late', () => {
    const exit = (stub: string) => `${linked}
      ld a4,0(a0)
      beq a4,zero,0x9100
      sd a4,8(a0)
      ld a1,0(a1)
      jal zero,0x1004
      @0x9100
      addi sp,sp,-16
      ${stub}
      addi s0,a4,0
      jal zero,0x3000`;
    const original = call('ld s0,0(a0)\n beq s0,zero,0x3000\n sd s0,8(a0)\n ld a1,0(a1)');
    expect(proof(original, exit('sd ra,8(sp)\n sd s0,0(sp)'), all).verdict).toBe('proved');
    expect(proof(original, exit('sd s0,8(sp)\n sd ra,0(sp)'), all).verdict).toBe('unproved');
    expect(proof(original, exit('sd ra,8(sp)'), all).verdict).toBe('unproved');
  });

  test('are no longer known once the slot is overwritten, or where it is not a save', () => {
    // Through the stack pointer, in the body.
    expect(proof(call(`${body}\n sd a0,0(sp)`), linked + kept, all).verdict).toBe('unproved');
    expect(proof(call(`${body}\n sb a0,3(sp)`), linked + kept, all).verdict).toBe('unproved');
    // Where the store is no save: what the original passes in memory, or shows to others.
    for (const none of [[0x2004], [0x2008], []])
      expect(proof(call(body), linked + kept, { ...all, saves: none }).verdict).toBe('unproved');
    // The same value stored to the slot as a variable, besides.
    expect(proof(call(`sd a6,0(sp)\n ${body}`), linked + kept, all).verdict).toBe('unproved');
  });

  test('are out of reach of what is known to miss them only later', () => {
    // That a2 does not lead to the slot is known once it has been loaded from while the frame was there; not at the first exit.
    const was = `sd zero,0(a2)
      addi sp,sp,-16
      sd s0,8(sp)
      addi s0,a1,0
      beq a0,zero,0x1e00
      ld a3,0(a2)
      beq a3,a4,0x1f00`;
    const is = (first: string, second: string) => `sd zero,0(a2)
      beq a0,zero,0x9100
      addi a3,zero,0
      beq a4,zero,0x9200
      addi sp,sp,-16
      sd s0,8(sp)
      addi s0,a1,0
      jal zero,0x101c
      @0x9100
      ${first}
      jal zero,0x1e00
      @0x9200
      addi a3,zero,0
      ${second}
      jal zero,0x1f00`;
    const late = 'addi sp,sp,-16\n sd s0,8(sp)\n addi s0,a1,0';
    expect(proof(was, is(late, late), { saves: [0x1008] }).verdict).toBe('proved');
    expect(proof(was, is(late, late), { saves: [] }).verdict).toBe('unproved');
    const early = 'addi sp,sp,-16\n sd s0,8(sp)\n sd zero,0(a2)\n addi s0,a1,0';
    expect(proof(was, is(early, late), { saves: [0x1008] }).verdict).toBe('unproved');
    expect(proof(was, is(late, early), { saves: [0x1008] }).verdict).toBe('proved');
  });

  test('are out of reach only until their frame is given back', () => {
    // Behind the return the place where s0 was saved is nobody's: a store through a pointer may be there, and stays behind the save's.
    const was = `${call(body)}\n @0x1004\n addi sp,sp,-32\n sd a6,0(a7)`;
    const is = (first: string, last: string) =>
      `ld a4,0(a0)\n sd a4,8(a0)\n ld a1,0(a1)\n ${first} addi sp,sp,-32\n sd a6,0(a7)\n ${last} jal zero,0x100c`;
    const everything = { ...all, live: [2, 8, 11] };
    // What is left of the frame may be anything (A8), but it may not be stored over what has been stored since.
    expect(proof(was, is('', ''), everything).verdict).toBe('proved');
    expect(proof(was, is('', ''), { ...everything, deadFrames: false }).verdict).toBe('unproved');
    expect(proof(was, is('', 'sd s0,16(sp)\n'), everything).verdict).toBe('unproved');
    expect(proof(was, is('lui ra,0x1\n addi ra,ra,4\n sd ra,-8(sp)\n sd s0,-16(sp)\n', ''), everything).verdict).toBe(
      'proved',
    );
  });
});

describe('what is known of a way only at its end', () => {
  // That a2 does not lead to the slot shows once another frame keeps s1 there; on the way that leaves before, it may.
  const was = `addi sp,sp,-16
    sd a0,8(sp)
    ld a1,0(a2)
    beq a3,zero,0x1f00
    addi sp,sp,16
    addi sp,sp,-16
    sd s1,8(sp)
    addi s1,zero,1
    ld a4,0(a2)
    ld s1,8(sp)
    addi sp,sp,16`;
  const is = (stub: string) => `ld a1,0(a2)
    beq a3,zero,0x9100
    addi a4,a1,0
    jal zero,0x102c
    @0x9100
    addi sp,sp,-16
    sd a0,8(sp)
    ${stub}
    jal zero,0x1f00`;
  const options = { saves: [0x1018], deadFrames: true };

  test('holds from the head on, on that way and on no other', () => {
    expect(proof(was, is('ld a1,0(a2)'), options).verdict).toBe('proved');
    expect(proof(was, is('addi zero,zero,0'), options).verdict).toBe('unproved');
    expect(proof(was, is('ld a1,0(a2)'), { ...options, saves: [] }).verdict).toBe('unproved');
  });
});

describe('what is left of a frame that was given back', () => {
  const frame = 'addi sp,sp,-16\n sd s1,8(sp)\n addi s1,zero,1\n ld s1,8(sp)\n addi sp,sp,16';
  const options = { saves: [0x1004], deadFrames: true };

  test('is not read: a load behind finds what it finds without the save', () => {
    expect(verdict(`${frame}\n ld a2,0(a0)`, 'ld a2,0(a0)', options)).toBe('proved');
    expect(verdict(`${frame}\n sd a1,0(a0)\n ld a2,0(a3)`, 'sd a1,0(a0)\n ld a2,0(a3)', options)).toBe('proved');
    expect(verdict(`${frame}\n ld a2,0(a0)`, 'ld a2,0(a0)', { ...options, deadFrames: false })).toBe('unproved');
  });

  test('may not come over what was stored there since, where that is loaded', () => {
    const store = `${frame}\n sd a1,0(a0)\n`;
    expect(verdict(`${store} ld a2,0(a0)`, 'sd s1,-8(sp)\n sd a1,0(a0)\n ld a2,0(a0)', options)).toBe('proved');
    expect(verdict(`${store} ld a2,0(a0)`, 'sd a1,0(a0)\n sd s1,-8(sp)\n ld a2,0(a0)', options)).toBe('unproved');
    expect(verdict(`${store} ld a2,0(a3)`, 'sd a1,0(a0)\n sd s1,-8(sp)\n ld a2,0(a3)', options)).toBe('unproved');
    // A byte of what is loaded may be there.
    expect(verdict(`${store} lb a2,3(a3)`, 'sd a1,0(a0)\n sd s1,-8(sp)\n lb a2,3(a3)', options)).toBe('unproved');
    // A part of it is stored behind all the same.
    const both = 'sd a1,0(a0)\n sd s1,-8(sp)\n sw a1,0(a0)\n';
    expect(verdict(`${store} sw a1,0(a0)\n ld a2,0(a3)`, `${both} ld a2,0(a3)`, options)).toBe('unproved');
    // It was loaded from before anything was stored: so it is elsewhere.
    const seen = `${frame}\n ld a4,0(a3)\n sd a1,0(a0)\n ld a2,0(a3)`;
    expect(verdict(seen, 'ld a4,0(a3)\n sd a1,0(a0)\n sd s1,-8(sp)\n ld a2,0(a3)', options)).toBe('proved');
  });

  test('is not known of many bytes by what is known of one of them', () => {
    // What was stored since is none of what lb loads, but half of what ld loads.
    const was = `${frame}\n sw a1,4(a0)\n ld a2,0(a0)\n lb a3,0(a0)`;
    expect(verdict(was, 'sw a1,4(a0)\n sd s1,-8(sp)\n ld a2,0(a0)\n lb a3,0(a0)', options)).toBe('unproved');
    expect(verdict(was, 'sd s1,-8(sp)\n sw a1,4(a0)\n ld a2,0(a0)\n lb a3,0(a0)', options)).toBe('proved');
  });

  test('may lie on both sides of what was stored since: its pieces are found one by one', () => {
    const was = `addi sp,sp,-48
      sd s3,40(sp)
      sw a0,0(a0)
      ld s3,40(sp)
      addi sp,sp,16
      sd t0,24(sp)
      sb t0,28(sp)
      sb a0,1(a0)
      lhu a2,0(a0)`;
    const is = 'sw a0,0(a0)\n addi sp,sp,-32\n sd t0,24(sp)\n sb t0,28(sp)\n sb a0,1(a0)\n lhu a2,0(a0)';
    expect(verdict(was.replaceAll('\n      ', '\n '), is, options)).toBe('proved');
    expect(verdict(was.replaceAll('\n      ', '\n '), is.replace('sb a0,1', 'sb a0,2'), options)).toBe('unproved');
  });

  test('is not known on one way by what another one shows', () => {
    // That a0 does not lead to the slot shows only where the second frame keeps s1 there.
    const was = (out: string) => `${frame}
      sd a1,0(a0)
      ld a2,0(a3)
      ${out}
      addi sp,sp,-16
      sd s1,8(sp)
      addi s1,zero,1
      ld a5,0(a0)
      ld s1,8(sp)
      addi sp,sp,16`;
    const is = (out: string, end: string) => `sd a1,0(a0)
      sd s1,-8(sp)
      ld a2,0(a3)
      ${out}
      ld a5,0(a0)
      jal zero,${end}
      @0x9100
      jal zero,0x1f00`;
    const saves = [0x1004, 0x1024];
    const branch = is('beq a4,zero,0x9100', '0x1038');
    expect(proof(was('beq a4,zero,0x1f00'), branch, { ...options, saves }).verdict).toBe('unproved');
    expect(proof(was('addi zero,zero,0'), is('addi zero,zero,0', '0x1038'), { ...options, saves }).verdict).toBe(
      'proved',
    );
  });

  test('is known of no more bytes than were loaded', () => {
    // The first byte is outside the slot, as is known; the others need not be.
    const was = `ld a2,0(a0)\n ${frame}\n lb a4,0(a0)`;
    expect(verdict(was, 'ld a2,0(a0)\n sd s1,-8(sp)\n lb a4,0(a0)', { ...options, saves: [0x1008] })).toBe('proved');
    expect(verdict(was, 'sd s1,-8(sp)\n ld a2,0(a0)\n lb a4,0(a0)', { ...options, saves: [0x1008] })).toBe('unproved');
    // So with what is known while the frame is there.
    const within = was.replace('addi s1,zero,1', 'lb a4,0(a0)').replace(/\n lb a4,0\(a0\)$/, '');
    expect(verdict(within, 'lb a4,0(a0)\n ld a2,0(a0)', { ...options, saves: [0x1008] })).toBe('proved');
    expect(verdict(within, 'sd s1,-8(sp)\n ld a2,0(a0)\n lb a4,0(a0)', { ...options, saves: [0x1008] })).toBe(
      'unproved',
    );
  });

  test('in part, where something of the next frame is stored over the rest, is not read either', () => {
    const next = (body: string) => `${frame}\n addi sp,sp,-16\n ${body}\n ld a2,0(a0)\n lw a4,12(sp)`;
    const is = 'addi sp,sp,-16\n sw a1,12(sp)\n ld a2,0(a0)\n lw a4,12(sp)';
    const all = { ...options, deadFrames: true };
    expect(verdict(next('sw a1,12(sp)'), is, all)).toBe('proved');
    expect(verdict(next('sw a1,12(sp)'), is, { ...all, saves: [] })).toBe('unproved');
    expect(verdict(next('sw a1,12(sp)'), is.replace('sw a1', 'sd s1,8(sp)\n sw a1'), all)).toBe('proved');
    // What the frame has stored may well be read through a pointer.
    expect(verdict(next('sw a1,12(sp)'), 'addi sp,sp,-16\n ld a2,0(a0)\n sw a1,12(sp)\n lw a4,12(sp)', all)).toBe(
      'unproved',
    );
    // What stays of the save may lie on both sides.
    for (const store of ['sw a1,10(sp)', 'sb a1,10(sp)']) {
      const narrow = (text: string) => text.replace('lw a4,12', 'lbu a4,10');
      const [was, now] = [narrow(next(store)), narrow(is.replace('sw a1,12(sp)', store))];
      expect(verdict(was, now, all)).toBe('proved');
      expect(verdict(was, now, { ...all, deadFrames: false })).toBe('unproved');
    }
  });

  test('need not be what the original leaves there', () => {
    const before = `sd a4,-8(sp)\n ${frame}`;
    const saves = [0x1008];
    expect(verdict(before, 'sd a4,-8(sp)', { ...options, saves })).toBe('proved');
    const live = `addi sp,sp,-32\n sd a4,24(sp)\n addi sp,sp,32\n ${frame}\n addi sp,sp,-32`;
    const all = { ...options, saves: [0x1010] };
    const is = 'addi sp,sp,-32\n sd a4,24(sp)';
    expect(verdict(live, is, all)).toBe('proved');
    expect(verdict(live, 'addi sp,sp,-32', all)).toBe('proved');
    expect(verdict(live, is, { ...all, deadFrames: false })).toBe('unproved');
    expect(verdict(live, is, { ...all, saves: [] })).toBe('unproved');
    // It may not come over what has been stored there since.
    expect(verdict(`${live}\n sd a1,0(a0)`, `${is}\n sd a1,0(a0)`, all)).toBe('proved');
    expect(verdict(`${live}\n sd a1,0(a0)`, 'addi sp,sp,-32\n sd a1,0(a0)\n sd a4,24(sp)', all)).toBe('unproved');
    expect(verdict(`${live}\n sd a1,24(sp)`, 'addi sp,sp,-32\n sd a1,24(sp)\n sd a4,24(sp)', all)).toBe('unproved');
  });

  test('may be read behind a barrier, where others may have stored there, but not behind the reading of a CSR', () => {
    const was = (between: string) => `${frame}\n ${between}\n ld a2,0(a0)`;
    const is = (between: string) => `${between}\n sd s1,-8(sp)\n ld a2,0(a0)`;
    expect(verdict(was('fence rw,rw'), 'sd s1,-8(sp)\n fence rw,rw\n ld a2,0(a0)', options)).toBe('proved');
    expect(verdict(was('fence rw,rw'), is('fence rw,rw'), options)).toBe('unproved');
    expect(verdict(was('csrrs a4,frm,zero'), is('csrrs a4,frm,zero'), options)).toBe('proved');
  });

  test('of another value than the last that was left there is not read either', () => {
    const again = `${frame}\n sd a1,0(a0)\n addi sp,sp,-16\n sd s2,8(sp)\n addi s2,zero,1\n ld s2,8(sp)\n addi sp,sp,16\n ld a2,0(a3)`;
    const two = { saves: [0x1004, 0x101c], deadFrames: true };
    expect(verdict(again, 'sd s1,-8(sp)\n sd a1,0(a0)\n ld a2,0(a3)', two)).toBe('proved');
    expect(verdict(again, 'sd a1,0(a0)\n sd s1,-8(sp)\n ld a2,0(a3)', two)).toBe('proved');
  });
});

describe('a slot that is another frame’s later', () => {
  /** Stored to through its address, then a register is saved there, and something is loaded through a pointer. */
  const was = (slot: string, store: string, restore: string) =>
    `addi sp,sp,-16\n ${slot}\n ld a1,0(sp)\n ld a6,0(a2)\n ${store}\n addi s0,a3,0\n ld a4,0(a5)\n ${restore}\n addi sp,sp,16`;
  const saved = was('sd a0,0(sp)', 'sd s0,0(sp)', 'ld s0,0(sp)');
  const options = { saves: [0x1010], deadFrames: true };
  const is = 'sd a0,-16(sp)\n addi a1,a0,0\n ld a6,0(a2)\n ld a4,0(a5)';

  test('keeps what it held before where what was saved over it is left out', () => {
    expect(verdict(saved, is, options)).toBe('proved');
    expect(verdict(saved, `${is}\n sd s0,-16(sp)`, options)).toBe('proved');
    expect(verdict(saved, is.replace('sd a0', 'sd s0,-16(sp)\n sd a0'), options)).toBe('proved');
  });

  test('does not where that may be loaded, or what it held before is left out', () => {
    expect(verdict(saved, is, { deadFrames: true })).toBe('unproved');
    const variable = was('sd a0,0(sp)', 'sd a5,0(sp)', 'ld a7,0(sp)').replace('addi s0,a3,0', 'addi a3,a3,0');
    expect(verdict(variable, `${is}\n addi a7,a5,0`, { ...options, saves: [] })).toBe('unproved');
    expect(verdict(saved, is.replace('sd a0,-16(sp)\n', ''), options)).toBe('unproved');
    expect(verdict(saved, is.replace('sd a0', 'sw a0'), options)).toBe('unproved');
  });
});
