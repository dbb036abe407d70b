/**
 * Units in types: an address in a guest's address space is not an offset in a file, and neither is a count.
 * Units are plain numbers at run time; the brand exists only for the type checker.
 */
declare const unit: unique symbol;

/** An address in bytes: of an image as linked (ELF p_vaddr); within the machine and its engines, which know no images, in guest memory. */
export type Addr = number & { readonly [unit]?: 'Addr' };
/**
 * The address of an image's byte in guest memory, where images and memory meet. No number becomes one by itself, and a RunAddr is no
 * Addr: only an image's place (src/place) turns one into the other.
 */
export type RunAddr = number & { readonly [unit]: 'RunAddr' };
/** An offset in a file, in bytes. */
export type FileOffset = number & { readonly [unit]?: 'FileOffset' };
/** A size in bytes. */
export type ByteCount = number & { readonly [unit]?: 'ByteCount' };
/** The size of a page of memory (privileged manual, "Sv39"; Linux on RISC-V has no other). */
export const PAGE = 4096;
/** A number of instructions. Exact up to 2^53. */
export type InsnCount = number & { readonly [unit]?: 'InsnCount' };
/** A register: 0..31 are x0..x31, 32..63 are f0..f31. */
export type Reg = number & { readonly [unit]?: 'Reg' };

/** Registers that the psABI or the emitted code needs by their role (RISC-V ELF psABI, section 1). */
export const ZERO: Reg = 0;
export const RA: Reg = 1;
export const SP: Reg = 2;
export const GP: Reg = 3;
export const TP: Reg = 4;
/** The alternate link register: millicode such as __riscv_save_3 is called with it. */
export const T0: Reg = 5;
export const S0: Reg = 8;
export const A0: Reg = 10;
export const A7: Reg = 17;
/** The first floating-point register. */
export const F0: Reg = 32;
export const REG_COUNT = 64;

/**
 * Is this a link register of the psABI: ra, or t0 for millicode? (Unprivileged manual, section "Unconditional Jumps", table of
 * return-address stack prediction hints.) A link in any other register is a value like any other.
 */
export const isLink = (reg: Reg | undefined): boolean => reg === RA || reg === T0;

const X_NAMES =
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(' ');
const F_NAMES =
  'ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11'.split(
    ' ',
  );
const REG_NAMES: readonly string[] = [...X_NAMES, ...F_NAMES];
const REG_BY_NAME = new Map(REG_NAMES.map((name, reg) => [name, reg as Reg]));

/** The ABI name of a register: `a0`, `fs1`. */
export const regName = (reg: Reg): string => REG_NAMES[reg] ?? `?${reg}`;
/** The register with an ABI name, or undefined. */
export const regByName = (name: string): Reg | undefined => REG_BY_NAME.get(name);

/** An address as text, always `0x` and lower-case digits. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
