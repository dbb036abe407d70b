/** F: single precision (see float.ts). */
import { floatRows } from './float.ts';
import type { Row } from './row.ts';

export const F: readonly Row[] = floatRows(32);
