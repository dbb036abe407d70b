/** Sleep that blocks the thread: nothing else runs meanwhile. */

const unnotifiedCell = new Int32Array(new SharedArrayBuffer(4));

export function sleep(milliseconds: number): void {
  Atomics.wait(unnotifiedCell, 0, 0, milliseconds);
}
