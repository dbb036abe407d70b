/** The table of file descriptors. */
import { E, fail } from './errno.ts';
import { O, type OpenFile } from './openfile.ts';

/** The inode number that all anonymous files share, as in Linux. */
const ANONYMOUS_NUMBER = 1;

/** The descriptors of a process. */
export class Descriptors {
  /** The highest RLIMIT_NOFILE. */
  static readonly LIMIT = 1024;
  /** RLIMIT_NOFILE. */
  limit = Descriptors.LIMIT;
  readonly #files = new Map<number, { file: OpenFile; cloexec: boolean }>();
  readonly #closed: (file: OpenFile, last: boolean) => void;
  #size = 64;
  /** The last inode number given to a pipe or a socket. */
  #numbers = ANONYMOUS_NUMBER;

  /** @param closed called when a descriptor is closed; `last`: it was the last one of the open file */
  constructor(closed: (file: OpenFile, last: boolean) => void) {
    this.#closed = closed;
  }

  /** In order. */
  get numbers(): number[] {
    return [...this.#files.keys()].sort((a, b) => a - b);
  }

  /** Descriptors that the table has room for: the table grows as in Linux (fs/file.c, expand_fdtable), and select looks no further. */
  get size(): number {
    return this.#size;
  }

  find(fd: number): OpenFile | undefined {
    return this.#files.get(fd)?.file;
  }

  /** The open file of a descriptor; fails with EBADF. Most calls refuse descriptors opened with O_PATH in this way. */
  get(fd: number): OpenFile {
    const file = this.any(fd);
    return file.flags & O.PATH ? fail(E.BADF) : file;
  }
  /** The same, but descriptors opened with O_PATH are allowed. */
  any(fd: number): OpenFile {
    return this.#files.get(fd)?.file ?? fail(E.BADF);
  }
  /** The lowest free descriptor, not below `from`; fails with EMFILE. Calls that make a file ask first, as in Linux. */
  free(from = 0): number {
    let fd = from;
    while (this.#files.has(fd)) fd++;
    return fd < this.limit ? fd : fail(E.MFILE);
  }
  /** Gives an open file the lowest free descriptor. */
  add(file: OpenFile, cloexec: boolean, from = 0): number {
    const fd = this.free(from);
    this.#put(fd, file, cloexec);
    return fd;
  }
  /** Puts an open file at a descriptor and closes the file that was there. */
  replace(fd: number, file: OpenFile, cloexec: boolean): void {
    if (fd < 0 || fd >= this.limit) fail(E.BADF);
    // The new reference comes first: `file` may be the one that is closed.
    file.references++;
    if (this.#files.has(fd)) this.close(fd);
    file.references--;
    this.#put(fd, file, cloexec);
  }
  close(fd: number): void {
    const file = this.any(fd);
    this.#files.delete(fd);
    const last = --file.references === 0;
    this.#closed(file, last);
    if (last) file.close();
  }
  cloexec(fd: number): boolean {
    return this.#files.get(fd)?.cloexec ?? fail(E.BADF);
  }
  setCloexec(fd: number, cloexec: boolean): void {
    (this.#files.get(fd) ?? fail(E.BADF)).cloexec = cloexec;
  }
  #put(fd: number, file: OpenFile, cloexec: boolean): void {
    if (file.references++ === 0 && file.node === undefined && file.inode.number === 0)
      file.inode.number = file.nameless === 'anonymous' ? ANONYMOUS_NUMBER : ++this.#numbers;
    while (this.#size <= fd) this.#size *= 2;
    this.#files.set(fd, { file, cloexec });
  }
}
