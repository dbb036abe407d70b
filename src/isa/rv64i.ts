/** RV64I (unprivileged manual, chapters "RV32I" and "RV64I"). */
import { address, type Binary, fromImmediate, fromRegisters, not, OPCODE, rowsOf, type Semantics } from './build.ts';
import type { Domain, Row } from './row.ts';

const row = rowsOf('I');
const { OP, OP_32, OP_IMM, OP_IMM_32, LOAD, STORE, BRANCH, LUI, AUIPC, JAL, JALR, SYSTEM, MISC_MEM } = OPCODE;

const register = (name: string, funct3: number, funct7: number, f: Binary, opcode: number = OP): Row =>
  row(name, 'R', 'rd rs1 rs2', { opcode, funct3, funct7 }, fromRegisters(f));
const immediate = (name: string, funct3: number, f: Binary, opcode: number = OP_IMM): Row =>
  row(name, 'I', 'rd rs1 imm', { opcode, funct3 }, fromImmediate(f));
const shift = (name: string, funct3: number, funct6: number, f: Binary): Row =>
  row(name, 'shift', 'rd rs1 imm', { opcode: OP_IMM, funct3, funct6 }, fromImmediate(f));
const shiftWord = (name: string, funct3: number, funct7: number, f: Binary): Row =>
  row(name, 'shift', 'rd rs1 imm', { opcode: OP_IMM_32, funct3, funct7 }, fromImmediate(f));
const load = (name: string, funct3: number, bytes: 1 | 2 | 4 | 8, signed: boolean): Row =>
  row(name, 'I', 'rd mem', { opcode: LOAD, funct3 }, (s, d) => s.rd(s.load(address(s, d), bytes, signed)));
const store = (name: string, funct3: number, bytes: 1 | 2 | 4 | 8): Row =>
  row(name, 'S', 'rs2 mem', { opcode: STORE, funct3 }, (s, d) => s.store(address(s, d), bytes, s.rs2()));
const branch = (name: string, funct3: number, f: Binary): Row =>
  row(name, 'B', 'rs1 rs2 target', { opcode: BRANCH, funct3 }, (s, d) => s.branch(f(d, s.rs1(), s.rs2())));
const system = (name: string, match: number, semantics: Semantics): Row => ({
  ...row(name, 'none', '', { opcode: SYSTEM }, semantics),
  mask: 0xffffffff,
  match,
});

const lowFiveBits = <V>(d: Domain<V>, amount: V): V => d.and(amount, d.const(31n));

// Shift amounts of the 64-bit forms need no mask here: the domain takes them modulo 64.
const add: Binary = (d, a, b) => d.add(a, b);
const sub: Binary = (d, a, b) => d.sub(a, b);
const and: Binary = (d, a, b) => d.and(a, b);
const or: Binary = (d, a, b) => d.or(a, b);
const xor: Binary = (d, a, b) => d.xor(a, b);
const sll: Binary = (d, a, b) => d.shl(a, b);
const srl: Binary = (d, a, b) => d.shr(a, b);
const sra: Binary = (d, a, b) => d.sar(a, b);
const slt: Binary = (d, a, b) => d.ltS(a, b);
const sltu: Binary = (d, a, b) => d.ltU(a, b);
const addw: Binary = (d, a, b) => d.sext(d.add(a, b), 32);
const subw: Binary = (d, a, b) => d.sext(d.sub(a, b), 32);
const sllw: Binary = (d, a, b) => d.sext(d.shl(a, lowFiveBits(d, b)), 32);
const srlw: Binary = (d, a, b) => d.sext(d.shr(d.zext(a, 32), lowFiveBits(d, b)), 32);
const sraw: Binary = (d, a, b) => d.sar(d.sext(a, 32), lowFiveBits(d, b));

export const RV64I: readonly Row[] = [
  row('lui', 'U', 'rd imm', { opcode: LUI }, (s) => s.rd(s.imm())),
  row('auipc', 'U', 'rd imm', { opcode: AUIPC }, (s, d) => s.rd(d.add(s.pc(), s.imm()))),
  row('jal', 'J', 'rd target', { opcode: JAL }, (s) => {
    s.rd(s.link());
    s.goto();
  }),
  row('jalr', 'I', 'rd mem', { opcode: JALR, funct3: 0 }, (s, d) => {
    const target = d.and(address(s, d), d.const(0xfffffffffffffffen));
    s.rd(s.link());
    s.jump(target);
  }),

  branch('beq', 0, (d, a, b) => d.eq(a, b)),
  branch('bne', 1, (d, a, b) => not(d, d.eq(a, b))),
  branch('blt', 4, (d, a, b) => d.ltS(a, b)),
  branch('bge', 5, (d, a, b) => not(d, d.ltS(a, b))),
  branch('bltu', 6, (d, a, b) => d.ltU(a, b)),
  branch('bgeu', 7, (d, a, b) => not(d, d.ltU(a, b))),

  load('lb', 0, 1, true),
  load('lh', 1, 2, true),
  load('lw', 2, 4, true),
  load('ld', 3, 8, true),
  load('lbu', 4, 1, false),
  load('lhu', 5, 2, false),
  load('lwu', 6, 4, false),
  store('sb', 0, 1),
  store('sh', 1, 2),
  store('sw', 2, 4),
  store('sd', 3, 8),

  immediate('addi', 0, add),
  immediate('slti', 2, slt),
  immediate('sltiu', 3, sltu),
  immediate('xori', 4, xor),
  immediate('ori', 6, or),
  immediate('andi', 7, and),
  shift('slli', 1, 0x00, sll),
  shift('srli', 5, 0x00, srl),
  shift('srai', 5, 0x10, sra),

  register('add', 0, 0x00, add),
  register('sub', 0, 0x20, sub),
  register('sll', 1, 0x00, sll),
  register('slt', 2, 0x00, slt),
  register('sltu', 3, 0x00, sltu),
  register('xor', 4, 0x00, xor),
  register('srl', 5, 0x00, srl),
  register('sra', 5, 0x20, sra),
  register('or', 6, 0x00, or),
  register('and', 7, 0x00, and),

  immediate('addiw', 0, addw, OP_IMM_32),
  shiftWord('slliw', 1, 0x00, sllw),
  shiftWord('srliw', 5, 0x00, srlw),
  shiftWord('sraiw', 5, 0x20, sraw),
  register('addw', 0, 0x00, addw, OP_32),
  register('subw', 0, 0x20, subw, OP_32),
  register('sllw', 1, 0x00, sllw, OP_32),
  register('srlw', 5, 0x00, srlw, OP_32),
  register('sraw', 5, 0x20, sraw, OP_32),

  // The rd and rs1 fields of a fence are reserved and shall be ignored (manual, section "Memory Ordering Instructions").
  row('fence', 'fence', 'fence', { opcode: MISC_MEM, funct3: 0 }, (s) => s.fence()),
  system('ecall', 0x00000073, (s) => s.ecall()),
  system('ebreak', 0x00100073, (s) => s.ebreak()),
];
