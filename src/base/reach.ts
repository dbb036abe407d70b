/**
 * Paths of the host as the guest and Linux have them: bytes ("binary" strings, one character a byte), and longer than a system call takes.
 * A long one is gone step by step: Linux has an open directory at /proc/self/fd.
 */
import { closeSync, constants, openSync } from 'node:fs';

/** With the final NUL (uapi/linux/limits.h). */
const PATH_MAX = 4096;
/** So far a step goes at most: short ones cost less, for what lies near is asked for together. A name has at most 255 bytes. */
const STEP = 1024;
/** fcntl.h; Node does not have it: a directory that may be gone through need not be readable. */
const O_PATH = 0o10000000;

export class Reach {
  /** The last directory that was gone to on the way: what comes next mostly lies in it, too. */
  #far: { readonly path: string; readonly fd: number } | undefined;

  /**
   * @param path absolute
   * @param use gets a path that leads there, for now
   */
  at<T>(path: string, use: (path: Buffer) => T): T {
    if (path.length < PATH_MAX || process.platform !== 'linux') return use(Buffer.from(path, 'latin1'));
    const { length } = this.#far?.path ?? '';
    // Not startsWith, which looks at one character after the other.
    if (path[length] !== '/' || path.slice(0, length) !== this.#far?.path) this.close();
    for (;;) {
      const known = this.#far?.path.length ?? 0;
      const before = this.#far ? `/proc/self/fd/${this.#far.fd}` : '';
      if (path.length - known <= STEP) return use(Buffer.from(before + path.slice(known), 'latin1'));
      const step = path.lastIndexOf('/', known + STEP);
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
