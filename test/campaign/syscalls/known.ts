/** Where qemu-riscv64 is known to answer otherwise than Linux, and what depends on the host. */

/** What is compared of an output. */
export const comparable = (text: string): string => text;
