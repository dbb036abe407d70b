/** The prover on small pieces of code: what it must see to be equal, and what it must not. */
import { describe, expect, test } from 'vitest';
import { ALL_REGS } from '../../src/base/regset.ts';
import { REG_COUNT, regName } from '../../src/base/units.ts';
import { linksAt } from '../../src/verify/prove/original.ts';
import { refute } from '../../src/verify/prove/refute.ts';
import { proveEntry } from '../../src/verify/prove/superblock.ts';
import { ProofTerms } from '../../src/verify/prove/terms.ts';
import { Meaning } from '../support/meaning.ts';
import { assemble, entry, expectWrong, HEAD, proof, sidesOf, textOf, why } from '../support/prove-pieces.ts';

describe('what is proved', () => {
  test('the same code elsewhere', () => {
    const original = 'addi a0,a0,1\n bne a0,a1,0x1000\n addi a2,a2,1';
    expect(proof(original, 'addi a0,a0,1\n bne a0,a1,0x9000\n jal zero,0x1008')).toMatchObject({
      verdict: 'proved',
      assumptions: [],
      ways: 2,
    });
  });

  test('a branch turned round, a computation sunk behind it, a redundant extension gone', () => {
    const original = 'lw a3,0(a1)\n addiw a3,a3,0\n addi a2,a0,5\n beq a3,zero,0x2000\n add a4,a2,a3\n addi a2,zero,0';
    const optimized = `lw a3,0(a1)
      bne a3,zero,0x900c
      jal zero,0x9100
      addi a4,a0,5
      add a4,a4,a3
      addi a2,zero,0
      jal zero,0x1018
      @0x9100
      addi a2,a0,5
      jal zero,0x2000`;
    expect(proof(original, optimized).verdict).toBe('proved');
  });

  test('a load that nobody needs left out; stores that cannot overlap exchanged; a stored value taken', () => {
    const original = 'sd a0,0(sp)\n sd a1,8(sp)\n ld a2,0(sp)\n ld a3,0(a4)\n addi a3,zero,1';
    expect(
      proof(original, 'sd a1,8(sp)\n sd a0,0(sp)\n add a2,zero,a0\n addi a3,zero,1\n jal zero,0x1014').verdict,
    ).toBe('proved');
  });

  test('an inlined call: its link is the original one, its return is gone', () => {
    const original = 'jal ra,0x2000\n addi a0,a0,2\n @0x2000\n addi a0,a0,1\n jalr zero,0(ra)';
    const optimized = 'addi a0,a0,3\n lui ra,0x1\n addi ra,ra,4\n jal zero,0x1008';
    expect(proof(original, optimized).verdict).toBe('proved');
    // In a position-independent image addresses are not constants, their distances are.
    expect(proof(original, optimized, { relocatable: true }).verdict).toBe('unproved');
    const relative = 'addi a0,a0,3\n auipc ra,0xffff8\n addi ra,ra,0\n jal zero,0x1008';
    expect(proof(original, relative, { relocatable: true }).verdict).toBe('proved');
  });

  test('a real call links to its own return point', () => {
    const original = 'addi a0,a0,1\n jal ra,0x2000';
    const optimized = 'addi a0,a0,1\n jal ra,0x2000\n jal zero,0x1008';
    expect(proof(original, optimized, { returns: new Map([[0x9008, 0x1008]]) }).verdict).toBe('proved');
    expect(proof(original, optimized, { returns: new Map([[0x9008, 0x100c]]) }).verdict).toBe('unproved');
    expect(proof(original, optimized).verdict).toBe('unproved');
  });

  test('within an inlined call the return address may be the optimized one, wherever it is kept (A7)', () => {
    const original = 'jal ra,0x2000\n addi a0,a0,2\n @0x2000\n sd ra,8(sp)\n addi a0,a0,1';
    const optimized = 'lui ra,0x9\n addi ra,ra,256\n sd ra,8(sp)\n addi a0,a0,1\n jal zero,0x2008';
    const returns = new Map([[0x9100, 0x1004]]);
    const saves = [0x2000];
    expect(proof(original, optimized, { returns, saves })).toMatchObject({ verdict: 'proved', assumptions: ['A7'] });
    expect(proof(original, optimized, { saves }).verdict).toBe('unproved');
    // Stored in any other way it is a value.
    expect(proof(original, optimized, { returns }).verdict).toBe('unproved');
    const exact = optimized.replace('lui ra,0x9\n addi ra,ra,256', 'lui ra,0x1\n addi ra,ra,4');
    for (const options of [{ returns }, { returns, saves }, {}])
      expect(proof(original, exact, options).verdict).toBe('proved');
    // A part of it, or it in another register, is a number, and another one.
    for (const look of ['lw a1,8(sp)', 'lbu a1,8(sp)', 'lw a1,12(sp)', 'ld a1,7(sp)', 'fld fa0,8(sp)', 'ld a1,8(sp)']) {
      const looking = (form: string) => form.replace('addi a0,a0,1', look);
      expect(proof(looking(original), looking(optimized), { returns, saves }).verdict).toBe('unproved');
    }
    // It has to stand for that very return point, and a call before it.
    expect(proof(original, optimized, { returns: new Map([[0x9100, 0x2004]]), saves }).verdict).toBe('unproved');
    const none = 'lui ra,0x1\n addi ra,ra,8\n sd ra,8(sp)';
    const made = 'lui ra,0x9\n addi ra,ra,256\n sd ra,8(sp)\n jal zero,0x100c';
    expect(proof(none, made, { returns: new Map([[0x9100, 0x1008]]) }).verdict).toBe('unproved');
  });

  test('a guard on a jump by a table whose entry leads to the superblock (A4)', () => {
    const original = 'addi a0,a0,1\n jalr zero,0(a5)';
    const optimized = `addi a0,a0,1
      lui a4,0x9
      bne a5,a4,0x9100
      jal zero,0x9000
      @0x9100
      jalr zero,0(a5)`;
    const live = [10, 15];
    expect(proof(original, optimized, { live, jumpTables: true })).toMatchObject({
      verdict: 'proved',
      assumptions: ['A1', 'A4'],
    });
    expect(proof(original, optimized, { live }).verdict).toBe('unproved');
  });

  test('a guard on a computed jump', () => {
    const original = 'addi a0,a0,1\n jalr zero,0(a5)\n @0x3000\n addi a0,a0,1\n @0x3004';
    const optimized = `addi a0,a0,1
      lui a4,0x3
      bne a5,a4,0x9100
      addi a0,a0,1
      jal zero,0x3004
      @0x9100
      jalr zero,0(a5)`;
    const live = [10, 15];
    expect(proof(original, optimized, { live })).toMatchObject({
      verdict: 'proved',
      assumptions: ['A1'],
      ways: 2,
    });
    expect(why(original, optimized)).toContain('a4 differs');
  });

  test('a saved return address, by assumption A3 only', () => {
    const original = `jal ra,0x2000
      @0x2000
      sd ra,8(sp)
      sd a1,0(a2)
      fence iorw,iorw
      ld ra,8(sp)
      jalr zero,0(ra)`;
    const optimized = `lui ra,0x1
      addi ra,ra,4
      sd ra,8(sp)
      sd a1,0(a2)
      fence iorw,iorw
      jal zero,0x1004`;
    expect(proof(original, optimized, { saves: [0x2000] })).toMatchObject({
      verdict: 'proved',
      assumptions: ['A3', 'A11'],
    });
    expect(proof(original, optimized).verdict).toBe('unproved');
    // A handler needs a stack, whatever is accessed: where it is another in between, nobody may come.
    const plain = 'addi a0,a0,1\n addi sp,sp,-16\n ld a1,0(a0)\n addi sp,sp,16';
    const order = ['addi a0,a0,1', 'ld a1,0(a0)', 'jal zero,0x1010'];
    expect(proof(plain, `${plain}\n jal zero,0x1010`)).toMatchObject({ verdict: 'proved', assumptions: [] });
    expect(proof(plain, order.join('\n'))).toMatchObject({ verdict: 'proved', assumptions: ['A11'] });
    // One load in the stead of two may be of another value, and the other way round.
    const copied = 'ld a1,0(a0)\n addi a2,a1,0';
    const twice = 'ld a1,0(a0)\n ld a2,0(a0)\n jal zero,0x1008';
    expect(proof(copied, twice)).toMatchObject({ verdict: 'proved', assumptions: ['A11'] });
    // Overwritten through the stack pointer itself it is not the one that was saved.
    expect(
      proof(original.replace('0(a2)', '8(sp)'), optimized.replace('0(a2)', '8(sp)'), { saves: [0x2000] }).verdict,
    ).toBe('unproved');
  });
});

describe('what is not', () => {
  const loop = 'lw a3,0(a1)\n beq a3,zero,0x2000\n lw a4,4(a3)\n add a0,a0,a4';
  test('another operand, immediate, width, sign, target', () => {
    const same =
      'lw a3,0(a1)\n beq a3,zero,0x9100\n lw a4,4(a3)\n add a0,a0,a4\n jal zero,0x1010\n @0x9100\n jal zero,0x2000';
    expect(proof(loop, same).verdict).toBe('proved');
    expectWrong(loop, same.replace('add a0,a0,a4', 'add a0,a0,a3'));
    expectWrong(loop, same.replace('4(a3)', '8(a3)'));
    expectWrong(loop, same.replace('lw a4', 'lwu a4'));
    expectWrong(loop, same.replace('lw a4', 'lh a4'));
    expectWrong(loop, same.replace('beq', 'bge'));
    expectWrong(loop, same.replace('0x2000', '0x2004'));
    expectWrong(loop, same.replace('0x1010', '0x100c'));
    expectWrong(loop, same.replace('add a0,a0,a4', 'addi a0,a0,0'));
  });

  test('a load above the guard that makes it safe', () => {
    const hoisted = `lw a3,0(a1)
      lw a4,4(a3)
      beq a3,zero,0x9100
      add a0,a0,a4
      jal zero,0x1010
      @0x9100
      jal zero,0x2000`;
    const live = [10, 13];
    const sides = sidesOf(loop, hoisted, { live });
    const result = proveEntry(sides, entry);
    expect(textOf(result)).toContain('a load of 4 bytes that the original has not');
    expect(refute(sides, entry, result)?.difference).toContain('a load of 4 bytes');
  });

  test('stores that may overlap, exchanged', () => {
    expectWrong('sd a0,0(a2)\n sd a1,4(a2)', 'sd a1,4(a2)\n sd a0,0(a2)\n jal zero,0x1008');
    expect(proof('sd a0,0(a2)\n sd a1,0(a3)', 'sd a1,0(a3)\n sd a0,0(a2)\n jal zero,0x1008').verdict).toBe('unproved');
  });

  test('a load moved over a store that may change it, or over a fence', () => {
    const stored = 'sd a0,0(a2)\n ld a1,0(a3)';
    expect(proof(stored, 'ld a1,0(a3)\n sd a0,0(a2)\n jal zero,0x1008').verdict).toBe('unproved');
    const fenced = 'fence iorw,iorw\n ld a1,0(a3)';
    expect(proof(fenced, 'ld a1,0(a3)\n fence iorw,iorw\n jal zero,0x1008').verdict).toBe('unproved');
  });

  test('floating point: flags, rounding, the rounding mode of the moment', () => {
    const original = 'fadd.d fa0,fa1,fa2,dyn\n fmul.d fa0,fa1,fa2,dyn';
    expect(proof(original, `${original}\n jal zero,0x1008`).verdict).toBe('proved');
    // The sum's value is not needed, its flags are.
    expect(why(original, 'fmul.d fa0,fa1,fa2,dyn\n jal zero,0x1008')).toContain('flags differ');
    expectWrong(original, `${original.replace('fmul.d fa0,fa1,fa2,dyn', 'fmul.d fa0,fa1,fa2,rtz')}\n jal zero,0x1008`);
    const modes = 'fadd.d fa0,fa1,fa2,dyn\n csrrw zero,frm,a0\n fadd.d fa3,fa1,fa2,dyn';
    expect(
      proof(modes, 'csrrw zero,frm,a0\n fadd.d fa0,fa1,fa2,dyn\n fadd.d fa3,fa1,fa2,dyn\n jal zero,0x100c').verdict,
    ).toBe('unproved');
  });

  test.each(['fcvt.d.w', 'fcvt.d.wu'])('%s never rounds, but a dynamic mode that is none makes it illegal', (name) => {
    const [fixed, dynamic] = [`${name} fa0,a0`, `${name} fa0,a0,dyn`];
    const end = 'jal zero,0x1004';
    expect(proof(fixed, `${name} fa0,a0,rtz\n ${end}`).verdict).toBe('proved');
    expect(proof(dynamic, `${dynamic}\n ${end}`).verdict).toBe('proved');
    expectWrong(fixed, `${dynamic}\n ${end}`);
    expect(proof(dynamic, `${fixed}\n ${end}`).verdict).toBe('unproved');
    // Nobody needs the result: whether it was an instruction matters all the same.
    const dead = `${dynamic}\n fmv.d.x fa0,a1`;
    expect(proof(dead, 'fmv.d.x fa0,a1\n jal zero,0x1008').verdict).toBe('unproved');
    expect(proof(`${fixed}\n fmv.d.x fa0,a1`, 'fmv.d.x fa0,a1\n jal zero,0x1008').verdict).toBe('proved');
    // Not above a branch, nor over a change of the mode.
    const branch = `beq a1,zero,0x1800\n ${dynamic}`;
    const above = `${dynamic}\n beq a1,zero,0x9100\n jal zero,0x1008\n @0x9100\n jal zero,0x1800`;
    expect(proof(branch, above, { live: [] }).verdict).toBe('unproved');
    expect(proof(branch.replace(dynamic, fixed), above.replace(dynamic, fixed), { live: [] }).verdict).toBe('proved');
    const modes = `${dynamic}\n csrrw zero,frm,a1`;
    expect(proof(modes, `${modes}\n jal zero,0x1008`).verdict).toBe('proved');
    expect(proof(modes, `csrrw zero,frm,a1\n ${dynamic}\n jal zero,0x1008`).verdict).toBe('unproved');
  });

  test('an instruction that the machine may lack, and the program may find lacking, is not left out', () => {
    const probe = 'orc.b a5,a0\n li a5,0\n addi a0,a0,1'.replace('li a5,0', 'addi a5,zero,0');
    const without = 'addi a5,zero,0\n addi a0,a0,1\n jal zero,0x100c';
    for (const more of [false, true]) {
      const machine = { has: ['I'], more };
      expect(why(probe, without, { machine })).toContain('it does without Zbb, which the original needs on that way');
      expect(proof(probe, `${probe}\n jal zero,0x100c`, { machine }).verdict).toBe('proved');
      // A program that was built for it does not look for it; and every machine has all of RV64GC.
      expect(proof(probe, without, { machine: { ...machine, declared: ['Zbb'] } }).verdict).toBe('proved');
      expect(proof(probe.replace('orc.b a5,a0', 'mul a5,a0,a0'), without, { machine }).verdict).toBe('proved');
    }
  });

  test('what the machine may not have, unless it may be asked of it (A9)', () => {
    const machine = (more: boolean) => ({ has: ['I', 'M'], more });
    const original = 'slli a1,a1,0x1\n add a0,a0,a1\n sub a1,a0,a1';
    const other = 'sh1add a0,a1,a0\n slli a1,a1,0x1\n sub a1,a0,a1\n jal zero,0x100c';
    expect(proof(original, other).assumptions).toEqual([]);
    expect(proof(original, other, { machine: machine(true) })).toMatchObject({
      verdict: 'proved',
      assumptions: ['A9'],
    });
    expect(why(original, other, { machine: machine(false) })).toContain('it needs Zba, which the original');
    // What the original runs on that very way the machine has.
    const has = 'sh1add a0,a1,a0';
    expect(proof(has, `${has}\n jal zero,0x1004`, { machine: machine(false) })).toMatchObject({
      verdict: 'proved',
      assumptions: [],
    });
    // Nor may an instruction stand between two words, where there are none of two bytes.
    const between = 'slli a1,a1,0x1\n add a0,a0,a1\n jal zero,0x9012\n @0x9012\n sub a1,a0,a1\n jal zero,0x100c';
    expect(why(original, between, { machine: machine(false) })).toContain('it needs C');
    expect(proof(original, between, { machine: { has: ['I', 'C'], more: false } }).verdict).toBe('proved');
    // On another way it may be there for machines that have it.
    const guarded = 'beq a2,zero,0x1800\n clz a0,a1';
    const above = 'clz a3,a1\n beq a2,zero,0x9100\n addi a0,a3,0\n jal zero,0x1008\n @0x9100\n jal zero,0x1800';
    const live = [10, 11];
    expect(why(guarded, above, { live, machine: machine(false) })).toContain('it needs Zbb');
    expect(proof(guarded, above, { live, machine: machine(true) }).assumptions).toEqual(['A1', 'A9']);
    // Floating-point registers where there may be none.
    const kept = 'fmv.d.x fa0,a0\n fmv.x.d a0,fa0\n addi a0,a0,1\n jal zero,0x1004';
    expect(why('addi a0,a0,1', kept, { live, machine: machine(false) })).toContain('it needs D');
  });

  test('an atomic access repeated or left out', () => {
    const original = 'amoadd.w a0,a1,(a2)';
    expect(proof(original, `${original}\n jal zero,0x1004`).verdict).toBe('proved');
    expectWrong(original, `${original}\n ${original}\n jal zero,0x1004`);
    expect(proof(original, 'lw a0,0(a2)\n addw a3,a0,a1\n sw a3,0(a2)\n jal zero,0x1004').verdict).toBe('unproved');
  });

  test('leaving at once to where it came from, or never', () => {
    expect(proof('addi a0,a0,1', 'jal zero,0x1000').verdict).toBe('unproved');
    expect(proof('addi a0,a0,1', 'addi a0,a0,1\n jal zero,0x9000').verdict).toBe('unproved');
    expect(proof('jal zero,0x1000', 'addi zero,zero,0\n jal zero,0x9008\n jal zero,0x9004').verdict).toBe('unproved');
  });

  test('a system call in optimized code', () =>
    expect(why('addi a0,a0,1\n ecall', 'addi a0,a0,1\n ecall\n jal zero,0x1008')).toContain('a system call'));

  test('a dead register proves nothing without assumption A1', () => {
    const original = 'addi a5,a0,1\n addi a0,a5,1';
    const optimized = 'addi a0,a0,2\n jal zero,0x1008';
    expect(proof(original, optimized, { live: [10] })).toMatchObject({ verdict: 'proved', assumptions: ['A1'] });
    expectWrong(original, optimized);
    expect(ALL_REGS.x).toBe(~1);
  });
});

describe('memory as terms', () => {
  /** Byte by byte: the plain meaning that the rules must keep. */
  test('loads give what was stored, in random programs', () => {
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    for (let run = 0; run < 400; run++) {
      const terms = new ProofTerms(false, 'sp');
      const bases = ['sp', 'a0'].map((name) => terms.input(name));
      // Both bases near each other: what may overlap does.
      const at = [5000n, 5000n + BigInt(random(12))];
      const bytes = new Map<bigint, number>();
      const meaning = new Meaning({ sp: at[0]!, a0: at[1]! });
      let memory = terms.memory;
      for (let step = 0; step < 12; step++) {
        const which = random(2);
        const offset = random(10);
        const width = [1, 2, 4, 8][random(4)] as 1 | 2 | 4 | 8;
        const address = terms.add(bases[which]!, terms.const(BigInt(offset)));
        const place = at[which]! + BigInt(offset);
        if (random(3) > 0) {
          const value = BigInt(random(2 ** 30)) * 0x100000001n;
          memory = terms.store(memory, address, width, terms.const(value));
          for (let i = 0; i < width; i++) bytes.set(place + BigInt(i), Number((value >> BigInt(8 * i)) & 0xffn));
          continue;
        }
        const loaded = terms.load(memory, address, width);
        let expected = 0n;
        for (let i = width - 1; i >= 0; i--) expected = (expected << 8n) | BigInt(bytes.get(place + BigInt(i)) ?? 0);
        expect(meaning.of(loaded)).toBe(expected);
      }
      const final = new Map<bigint, number>();
      for (const place of bytes.keys()) final.set(place, meaning.byte(memory, place));
      expect(final).toEqual(bytes);
    }
  });

  test('return addresses are known by the call before them', () => {
    const code = assemble('addi a0,a0,1\n jal ra,0x2000', HEAD);
    const source = { insnAt: (at: number) => code.get(at) };
    expect([linksAt(source, 0x1000), linksAt(source, 0x1004), linksAt(source, 0x1008)]).toEqual([false, true, false]);
    expect(regName(REG_COUNT - 1)).toBe('ft11');
  });
});
