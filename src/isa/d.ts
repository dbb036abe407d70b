/** D: double precision (see float.ts). */
import { floatRows, widthConversions } from './float.ts';
import type { Row } from './row.ts';

export const D: readonly Row[] = [...floatRows(64), ...widthConversions()];
