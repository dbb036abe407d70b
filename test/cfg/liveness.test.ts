import { describe, expect, test } from 'vitest';
import { ALL_REGS, hasReg } from '../../src/base/regset.ts';
import { regByName } from '../../src/base/units.ts';
import { buildCfg } from '../../src/cfg/build.ts';
import { type Liveness, livenessOf } from '../../src/cfg/liveness.ts';
import { type Assembled, assemble } from './assembly.ts';

const solve = (program: Assembled, assumeAbi = true): Liveness => livenessOf(buildCfg(program.image), { assumeAbi });
/** Those of the registers named that are live. */
const among = (liveness: Liveness, address: number, names: string): string =>
  names
    .split(' ')
    .filter((name) => hasReg(liveness.liveIn(address), regByName(name)!))
    .join(' ');

describe('within a function', () => {
  test('a register is live from write to last read', () => {
    const program = assemble(`
Main:
  addi t0,zero,1
two:
  add a0,t0,t1
three:
  jalr zero,0(ra)
`);
    const live = solve(program);
    expect(among(live, program.at('Main'), 't0 t1 t2 a0 a1 a2 s0 fs0 fa0 fa5 sp ra')).toBe('t1 a1 s0 fs0 fa0 sp ra');
    expect(among(live, program.at('two'), 't0 t1 t2 a0')).toBe('t0 t1');
    expect(among(live, program.at('three'), 't0 t1 a0 a1 a2 ra')).toBe('a0 a1 ra');
    expect(hasReg(live.liveIn(program.at('Main')), 0)).toBe(false);
  });

  test('both ways out of a branch count, and loops close', () => {
    const program = assemble(`
Main:
  addi a5,zero,9
loop:
  addi a5,a5,-1
  add a4,a4,t3
  bne a5,zero,@loop
  beq a4,zero,@other
  jalr zero,0(ra)
other:
  add a0,t4,zero
  jalr zero,0(ra)
`);
    const live = solve(program);
    expect(among(live, program.at('loop'), 'a4 a5 t3 t4 t5')).toBe('a4 a5 t3 t4');
    expect(among(live, program.at('Main'), 'a4 a5 t3 t4 t5')).toBe('a4 t3 t4');
  });
});

describe('calls', () => {
  const program = assemble(`
Main:
  addi sp,sp,-16
  addi a2,zero,1
  addi t3,zero,7
call:
  jal ra,@Callee
back:
  add a0,a0,s1
  ld ra,0(sp)
  jalr zero,0(ra)
Callee:
  add a0,a1,t2
  addi t3,zero,0
  jalr zero,0(ra)
`);
  test('need what the callee really reads, also if it is no argument', () => {
    const live = solve(program);
    // a0 is written by the callee before it is read, a2 never read; t2 is read against the convention.
    expect(among(live, program.at('call'), 'a0 a1 a2 t2 t3 s1 s2 ra')).toBe('a1 t2 s1 s2');
    expect(among(live, program.at('back'), 'a0 s1 ra t2')).toBe('a0 s1');
  });

  test('through a pointer need all arguments', () => {
    const pointer = assemble('Main:\n  jalr ra,0(t1)\n  add a0,s1,zero\n  jalr zero,0(s2)');
    expect(among(solve(pointer), pointer.at('Main'), 't0 t1 a0 a7 fa7 s1 s2 s3 ft0 ra')).toBe('t1 a0 a7 fa7 s1 s2 s3');
  });

  test('registers that a known callee leaves alone may be kept across it', () => {
    const keeping = assemble(`
Main:
  addi t3,zero,7
  jal ra,@Leaf
back:
  add a0,a0,t3
  add a0,a0,t4
  jalr zero,0(ra)
Leaf:
  addi t4,a0,1
  add a0,t4,a0
leave:
  jalr zero,0(ra)
`);
    const live = solve(keeping);
    // Leaf never writes t3: its caller relies on that. It writes t4, which is read behind it: nobody can have kept that, Leaf returns it.
    expect(among(live, keeping.at('Leaf'), 't3 t4 t5')).toBe('t3');
    expect(among(live, keeping.at('leave'), 't3 t4 t5')).toBe('t3 t4');
    expect(among(live, keeping.at('Main') + 4, 't3 t4 t5')).toBe('t3');
    expect(among(live, keeping.at('Main'), 't3 t4 t5')).toBe('');
  });

  test('a direct tail call passes on what its target needs', () => {
    const tail = assemble(`
Main:
  addi a0,zero,1
  jal zero,@Target
Target:
  add a0,a0,a3
  jalr zero,0(ra)
`);
    expect(among(solve(tail), tail.at('Main'), 'a0 a1 a2 a3 t0 ra')).toBe('a1 a3 ra');
  });

  test('the long form of a call is a direct call', () => {
    const far = assemble(`
Main:
  auipc ra,0x0
  jalr ra,12(ra)
  ebreak
Callee:
  add a0,a1,t2
  jalr zero,0(ra)
`);
    expect(among(solve(far), far.at('Main'), 'a0 a1 a2 t2 t3 ra')).toBe('a1 t2');
    const live = solve(far);
    expect(hasReg(live.liveAfter(far.at('Main') + 4), regByName('t2')!)).toBe(true);
    expect(hasReg(live.liveAfter(far.at('Main') + 4), regByName('t3')!)).toBe(false);
  });
});

describe('millicode, linked through t0', () => {
  const program = assemble(`
Main:
  jal t0,@Save
  jalr zero,0(ra)
Save:
  addi sp,sp,-64
  sd s0,0(sp)
  jalr zero,0(t0)
`);
  test('keeps everything', () => {
    const live = solve(program);
    expect(among(live, program.at('Save'), 't0 t1 t2 t3 a0 a5 ft3')).toBe('t0 t1 t2 t3 a0 a5 ft3');
    expect(among(live, program.at('Main'), 't0 t1 a5 ft3')).toBe('t1 a5 ft3');
  });

  test('where nothing is called so, a jump to t0 is a return', () => {
    const own = assemble('Main:\n  addi t0,ra,0\n  addi a0,zero,1\n  jalr zero,0(t0)');
    expect(among(solve(own), own.at('Main'), 't0 t1 a0 a1 a2 s0 ra')).toBe('a1 s0 ra');
  });
});

describe('what is not known', () => {
  test('a jump to a loaded address needs what its function reads anywhere, what functions read that nobody calls, and arguments', () => {
    const program = assemble(`
Main:
  ld t1,0(a0)
  jalr zero,0(t1)
case:
  add a0,t2,t3
  jalr zero,0(ra)
Other:
  add a0,t5,t5
  jalr zero,0(ra)
Called:
  add a0,t4,t4
  jalr zero,0(ra)
Caller:
  jal ra,@Called
  jal zero,@Caller
`);
    expect(among(solve(program), program.at('Main'), 't0 t1 t2 t3 t4 t5 a0 a6 s3 ra')).toBe('t2 t3 t5 a0 a6 s3 ra');
  });

  test('one that computes its target so that it is not seen needs everything', () => {
    const program = assemble('Main:\n  slli t1,a0,0x3\n  jalr zero,0(t1)');
    expect(among(solve(program), program.at('Main'), 't0 t1 t2 ft0')).toBe('t0 t2 ft0');
  });

  test('without symbols it needs everything', () => {
    const program = assemble('Main:\n  slli t1,a0,0x3\n  jalr zero,0(t1)');
    const live = livenessOf(buildCfg({ ...program.image, symbols: [] }));
    expect(among(live, program.at('Main'), 't0 t1 t2 ft0')).toBe('t0 t2 ft0');
  });

  test('bytes that are no instruction, and addresses outside', () => {
    const program = assemble('Main:\n  addi t0,zero,1\n  .half 0\n  .half 0');
    const live = solve(program);
    expect(among(live, program.at('Main'), 't0 t1 a0')).toBe('t1 a0');
    expect(live.liveIn(0x999)).toEqual(ALL_REGS);
    expect(live.liveAfter(0x999)).toEqual(ALL_REGS);
  });
});

test('stack, global and thread pointer are live everywhere: a signal may come', () => {
  const program = assemble('Main:\n  ecall\n  addi sp,zero,0\n  addi gp,zero,0\nend:\n  jal zero,@end');
  expect(among(solve(program), program.at('Main'), 'sp gp tp t0 s0')).toBe('sp gp tp');
  expect(among(solve(program), program.at('end'), 'sp gp tp t0 s0')).toBe('sp gp tp');
});

test('ecall reads a0 to a7, writes a0, keeps the rest', () => {
  const program = assemble('Main:\n  ecall\nafter:\n  add a1,a0,t3\n  jalr zero,0(ra)');
  const live = solve(program);
  expect(among(live, program.at('Main'), 'a0 a1 a7 t3 t4 fa1 fa2')).toBe('a0 a1 a7 t3 fa1');
});

test('without the convention everything is live at calls, returns and computed jumps', () => {
  const program = assemble(`
Main:
  addi t0,zero,1
  jal ra,@Leaf
  addi t1,zero,1
  jalr zero,0(ra)
Leaf:
  addi t2,zero,1
  jalr zero,0(ra)
`);
  const live = solve(program, false);
  expect(among(live, program.at('Main'), 't0 t1 t2 t3 a5 ft0 ra')).toBe('t1 t2 t3 a5 ft0');
  expect(among(live, program.at('Leaf'), 't0 t1 t2 t3 a5 ft0 ra')).toBe('t0 t1 t3 a5 ft0 ra');
});

test('inside a block the answer is for the instruction asked about', () => {
  const program = assemble('Main:\n  addi t0,zero,1\n  addi t1,t0,1\n  add a0,t1,t1\n  jalr zero,0(ra)');
  const live = solve(program);
  expect([0, 4, 8, 12].map((at) => among(live, program.at('Main') + at, 't0 t1 a0'))).toEqual(['', 't0', 't1', 'a0']);
});
