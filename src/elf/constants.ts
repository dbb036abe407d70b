/** Numbers of the ELF format (System V gABI chapters 4 and 5; RISC-V ELF psABI, "ELF Object Files") that reading and loading need. */

export const ELF_HEADER_SIZE = 64;
export const PROGRAM_HEADER_SIZE = 56;
export const SECTION_HEADER_SIZE = 64;
export const SYMBOL_SIZE = 24;

export const EM_RISCV = 243;
export const ET = { REL: 1, EXEC: 2, DYN: 3, CORE: 4 } as const;
export const PT = {
  LOAD: 1,
  DYNAMIC: 2,
  INTERP: 3,
  NOTE: 4,
  PHDR: 6,
  TLS: 7,
  GNU_STACK: 0x6474e551,
  RISCV_ATTRIBUTES: 0x70000003,
  GNU_EH_FRAME: 0x6474e550,
} as const;
export const PF = { EXECUTE: 1, WRITE: 2, READ: 4 } as const;
export const SHT = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  NOTE: 7,
  NOBITS: 8,
  DYNSYM: 11,
  RISCV_ATTRIBUTES: 0x70000003,
} as const;
/** e_flags of RISC-V: C, the E base instruction set, and the field of the floating-point ABI with its value for 128-bit floats. */
export const EF_RISCV = { RVC: 1, RVE: 8, FLOAT_ABI: 6, FLOAT_ABI_QUAD: 6 } as const;
export const SHN = { UNDEF: 0 } as const;
export const STT = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4, TLS: 6 } as const;
