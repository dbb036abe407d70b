/** What an operation of the guest's kernel fails with. */
import { Errno } from '../../src/machine/linux/errno.ts';

/** The error number, or undefined where it does not fail. Other exceptions go on. */
export function codeOf(operation: () => unknown): number | undefined {
  try {
    operation();
    return undefined;
  } catch (error) {
    if (error instanceof Errno) return error.code;
    throw error;
  }
}
