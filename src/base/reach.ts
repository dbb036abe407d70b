/**
 * Host paths as the guest and Linux have them: bytes ("binary" strings, one character a byte), possibly longer than a system call takes.
 * A long path is walked in steps: Linux names an open directory in /proc/self/fd.
 */
import { closeSync, constants, openSync } from 'node:fs';

/** With the final NUL (uapi/linux/limits.h). */
const PATH_MAX = 4096;
/** Most bytes of a step; a name has at most 255. Short steps cost less: successive paths mostly share the directory reached. */
const STEP_BYTES = 1024;
/** fcntl.h; Node has no constant for this flag. A directory that may be searched need not be readable. */
const O_PATH = 0o10000000;

export class Reach {
  /** The last directory that was reached on the way: the next path mostly lies in it, too. */
  #far: { readonly path: string; readonly fd: number } | undefined;

  /**
   * @param path absolute
   * @param use gets a path that leads to the same file during the call
   */
  at<T>(path: string, use: (path: Buffer) => T): T {
    if (path.length < PATH_MAX || process.platform !== 'linux') return use(Buffer.from(path, 'latin1'));
    const { length } = this.#far?.path ?? '';
    // slice and compare, because startsWith looks at one character after the other.
    if (path[length] !== '/' || path.slice(0, length) !== this.#far?.path) this.close();
    for (;;) {
      const known = this.#far?.path.length ?? 0;
      const before = this.#far ? `/proc/self/fd/${this.#far.fd}` : '';
      if (path.length - known <= STEP_BYTES) return use(Buffer.from(before + path.slice(known), 'latin1'));
      const step = path.lastIndexOf('/', known + STEP_BYTES);
      const next = Buffer.from(before + path.slice(known, step), 'latin1');
      const fd = openSync(next, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      this.close();
      this.#far = { path: path.slice(0, step), fd };
    }
  }

  close(): void {
    if (this.#far) closeSync(this.#far.fd);
    this.#far = undefined;
  }
}
