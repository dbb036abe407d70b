/** Open files of nodes of the file system: regular files, directories, devices, and paths. */
import { MAX_FILE_SIZE } from './contents.ts';
import { E, Errno, fail } from './errno.ts';
import { checkSeals, type DeviceNode, type DirectoryNode, type FileNode, type Node } from './nodes.ts';
import { O, OpenFile } from './openfile.ts';
import type { Overlay } from './overlay.ts';

const SIGXFSZ = 25;

/** Fails with EFBIG, and raises SIGXFSZ, if RLIMIT_FSIZE forbids a file of a size. */
export function checkLength({ sizeLimit }: Overlay, size: number): void {
  if (size > sizeLimit) throw new Errno(E.FBIG, false, SIGXFSZ);
}

export class RegularFile extends OpenFile {
  override readonly node: FileNode;
  readonly #path: () => string;
  readonly #overlay: Overlay;
  constructor(node: FileNode, path: () => string, flags: number, overlay: Overlay) {
    super(flags);
    this.node = node;
    this.#path = path;
    this.#overlay = overlay;
    node.opens++;
  }
  /** The path that /proc/self/maps shows. */
  get path(): string {
    return this.#path();
  }
  override close(): void {
    this.node.opens--;
    this.#overlay.release(this.node);
  }
  read(target: Uint8Array): number {
    const count = this.node.contents.read(this.position, target);
    this.position += count;
    return count;
  }
  write(source: Uint8Array): number {
    if (this.flags & O.APPEND) this.position = this.node.contents.size;
    const count = this.#put(this.position, source);
    this.position += count;
    return count;
  }
  override readAt(at: number, target: Uint8Array): number {
    return this.node.contents.read(at, target);
  }
  override writeAt(at: number, source: Uint8Array): number {
    // With O_APPEND Linux appends whatever the offset (pwrite(2), "Bugs").
    return this.#put(this.flags & O.APPEND ? this.node.contents.size : at, source);
  }
  override end(): number {
    return this.node.contents.size;
  }
  override get limit(): number {
    return MAX_FILE_SIZE;
  }
  override nextData(position: number): number | undefined {
    return this.node.contents.nextData(position);
  }
  override nextHole(position: number): number {
    return this.node.contents.nextHole(position);
  }
  #put(at: number, source: Uint8Array): number {
    const { sizeLimit } = this.#overlay;
    const end = at + source.length;
    if (end > sizeLimit && source.length > 0) checkLength(this.#overlay, at + 1);
    if (this.node.seals && source.length > 0) checkSeals(this.node, true, Math.max(end, this.node.contents.size));
    const count = this.node.contents.write(
      at,
      end > sizeLimit ? source.subarray(0, Math.max(0, sizeLimit - at)) : source,
    );
    if (count > 0) this.#overlay.written(this.node);
    return count;
  }
}

export class OpenDirectory extends OpenFile {
  override readonly node: DirectoryNode;
  readonly #overlay: Overlay;
  #names: readonly string[] | undefined;
  constructor(node: DirectoryNode, flags: number, overlay: Overlay) {
    super(flags);
    this.node = node;
    this.#overlay = overlay;
  }
  /** Names as they were when reading began; the position counts entries. Fails with ENOSPC. */
  get names(): readonly string[] {
    this.#names ??= this.#overlay.names(this.node);
    return this.#names;
  }
  /** Makes the next read begin anew. */
  rewind(): void {
    if (this.#names) this.#overlay.forget(this.#names);
    this.#names = undefined;
  }
  override close(): void {
    this.rewind();
  }
  read(): number {
    return fail(E.ISDIR);
  }
  write(): number {
    return fail(E.BADF);
  }
  override readAt(): number {
    return fail(E.ISDIR);
  }
  override end(): number {
    return 2 ** 31 - 1;
  }
}

export class OpenDevice extends OpenFile {
  override readonly node: DeviceNode;
  readonly #random: (target: Uint8Array) => void;
  constructor(node: DeviceNode, flags: number, random: (target: Uint8Array) => void) {
    super(flags);
    this.node = node;
    this.#random = random;
  }
  read(target: Uint8Array): number {
    const { device } = this.node;
    if (device === 'null') return 0;
    if (device === 'random') this.#random(target);
    else target.fill(0);
    return target.length;
  }
  write(source: Uint8Array): number {
    return this.node.device === 'full' ? fail(E.NOSPC) : source.length;
  }
  override readAt(_at: number, target: Uint8Array): number {
    return this.read(target);
  }
  override writeAt(_at: number, source: Uint8Array): number {
    return this.write(source);
  }
  override end(): number {
    return 0;
  }
}

/** A path, not of a directory, that was opened with O_PATH: only its node can be used. */
export class OpenPath extends OpenFile {
  override readonly node: Node;
  constructor(node: Node, flags: number) {
    super(flags);
    this.node = node;
  }
  read(): number {
    return fail(E.BADF);
  }
  write(): number {
    return fail(E.BADF);
  }
}
