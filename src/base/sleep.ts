/** Waiting in which nothing else runs. */

const never = new Int32Array(new SharedArrayBuffer(4));

export function sleep(milliseconds: number): void {
  Atomics.wait(never, 0, 0, milliseconds);
}
