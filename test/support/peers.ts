/**
 * What the tools that rows are compared with do not know: Debian 12 has objdump 2.40 and qemu 7.2. What objdump does not know needs an
 * encoding written by hand, what qemu does not know a meaning (test/isa/semantics.test.ts asks for both).
 */
interface Extended {
  readonly name: string;
  readonly extension: string;
}

const UNKNOWN_TO_OBJDUMP: readonly string[] = ['Zicond'];
const UNKNOWN_TO_QEMU: readonly string[] = ['Zicond'];

/** Of a row or a compressed form. */
export const objdumpKnows = ({ extension }: Extended): boolean => !UNKNOWN_TO_OBJDUMP.includes(extension);
/** qemu 7.2 counts the zeros of all 64 bits in ctzw ("target/riscv: fix ctzw behavior", 8.0). */
export const qemuKnows = ({ name, extension }: Extended): boolean =>
  !UNKNOWN_TO_QEMU.includes(extension) && name !== 'ctzw';
