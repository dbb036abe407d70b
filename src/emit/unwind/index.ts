/** Unwind tables for optimized code: C++ exceptions pass through it as through the original. */
export { findFrames } from './frames.ts';
export { type CallSite, landingPads, unwindTables } from './tables.ts';
