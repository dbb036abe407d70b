/** Zifencei (unprivileged manual, chapter "Zifencei"). All operand fields are reserved and shall be ignored. */
import { OPCODE, rowsOf } from './build.ts';
import type { Row } from './row.ts';

export const ZIFENCEI: readonly Row[] = [
  rowsOf('Zifencei')('fence.i', 'none', '', { opcode: OPCODE.MISC_MEM, funct3: 1 }, (s) => s.fenceI()),
];
