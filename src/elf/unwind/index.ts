/** Unwind tables for optimized code: C++ exceptions pass through optimized code as through the original. */
export { Cursor, Malformed } from './bytes.ts';
export {
  type Code,
  coveringFde,
  type Fde,
  type Frames,
  findFrames,
  readFrames,
  recordAt,
  type Search,
  searchAt,
  searchHeader,
  tableAt,
} from './frames.ts';
export { handlingAt } from './lsda.ts';
export { type Row, readsLink, rowAt } from './rows.ts';
export {
  type CallSite,
  hasSignalFrames,
  isAsWritten,
  landingPads,
  unreadableTables,
  unwindTables,
} from './tables.ts';
