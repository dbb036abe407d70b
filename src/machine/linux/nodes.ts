/**
 * Nodes of the overlay file system: directories, files, symbolic links, devices, all in memory. A node that stands for an entry of
 * the host reads that entry on demand and never writes to the host. Names and link targets are strings of bytes ("binary"
 * strings, one character a byte): a Linux name is bytes, and need not be UTF-8.
 */
import type { Pipe } from './buffer.ts';
import type { Contents } from './contents.ts';
import { E, fail } from './errno.ts';

/** Bytes as one character each, and back. */
export const toBinary = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const fromBinary = (name: string): string => Buffer.from(name, 'latin1').toString('utf8');

/** Bytes of V8's heap, measured and rounded up: directories and files have tables, all nodes have times, a name has two entries. */
const COST = { directory: 1024, file: 1024, other: 512, name: 256, listed: 64 } as const;

export const costOfNode = (node: Node): number =>
  node.kind === 'directory' || node.kind === 'file'
    ? COST[node.kind]
    : COST.other + (node.kind === 'link' ? node.target.length : 0);
export const costOfName = (name: string): number => COST.name + name.length;
/** Of the names of a directory while they are being read. */
export const costOfList = (names: readonly string[]): number => COST.listed * names.length;

/** Nanoseconds since the epoch. */
export interface Times {
  accessed: bigint;
  modified: bigint;
  changed: bigint;
}

/** Times that the guest has set by name (utimensat); `now` is the time when they come to the host. */
export interface AskedTimes {
  readonly accessed?: bigint | 'now' | undefined;
  readonly modified?: bigint | 'now' | undefined;
}

interface Common {
  readonly ino: number;
  /** Permission bits, 0..07777. */
  mode: number;
  links: number;
  readonly times: Times;
  /** Contents, mode or times differ from the host's. */
  changed: boolean;
  /** A path of the inode on the host, and its time of modification there. */
  readonly origin?: { readonly path: string; readonly modified: bigint };
  asked?: AskedTimes;
  /** Made by the guest: the memory of the node is counted as long as the node can be reached. */
  counted?: boolean;
}

export interface DirectoryNode extends Common {
  readonly kind: 'directory';
  /** Known entries; null: the host has one of this name, and the guest deleted it. */
  readonly entries: Map<string, Node | null>;
  /** Names that the guest put there (created, renamed, linked), as opposed to those found on the host. */
  readonly placed: Set<string>;
  /** The path on the host, if the directory is there, without a trailing slash. */
  host: string | undefined;
  /** Only the known entries can be seen, as in an ancestor of a granted directory. */
  sealed: boolean;
  /** Granted, or an ancestor of a granted directory: such a directory stays in its place, as a mount point does. */
  fixed: boolean;
  parent: DirectoryNode;
  name: string;
  /** Removed: nothing can be created in it. */
  gone: boolean;
  /** Entries that the kernel makes at each look (/proc). */
  readonly live?: LiveEntries;
}

export interface LiveEntries {
  names(): string[];
  entry(name: string): Node | undefined;
}

/** Seals of a file in memory (uapi/linux/fcntl.h). */
export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16 } as const;

/** Fails with EPERM if a seal forbids a write, or the new size. @param size of the file after the change, in bytes */
export function checkSeals({ seals, contents }: FileNode, writes: boolean, size: number): void {
  if (!seals) return;
  if (writes && seals & (SEAL.WRITE | SEAL.FUTURE_WRITE)) fail(E.PERM);
  if (seals & (size > contents.size ? SEAL.GROW : size < contents.size ? SEAL.SHRINK : 0)) fail(E.PERM);
}

export interface FileNode extends Common {
  readonly kind: 'file';
  /** The seals of a file in memory; undefined for other files. */
  seals?: number;
  readonly contents: Contents;
  /** Number of open file descriptions and shared mappings of the file. */
  opens: number;
  /** A file without a name (O_TMPFILE) that may get one. */
  linkable?: boolean;
  /** The guest's own executable. */
  readonly runs?: boolean;
  /** Generates the contents at each open (/proc). */
  readonly made?: () => Uint8Array;
}

export interface LinkNode extends Common {
  readonly kind: 'link';
  readonly target: string;
  /** The node that a link of /proc/self/fd leads to, whatever its target says. */
  readonly to?: () => Node;
}

export interface DeviceNode extends Common {
  readonly kind: 'device';
  /** tty: the controlling terminal, which the process has not; host: a device of the host, which cannot be opened. */
  readonly device: 'null' | 'zero' | 'full' | 'random' | 'tty' | 'host';
  readonly rdev: number;
  /** A block device; else a character device. */
  readonly block: boolean;
}

/** A FIFO or socket, of which only the name is in the file system. */
export interface MeetingNode extends Common {
  readonly kind: 'fifo' | 'socket';
  /** The pipe of a FIFO that is open. */
  pipe: Pipe | undefined;
  /** The guest cannot open the FIFO by a path. */
  readonly foreign?: boolean;
}

export type Node = DirectoryNode | FileNode | LinkNode | DeviceNode | MeetingNode;

/** Does a node grant permissions? The guest owns all nodes: only the owner's bits count. @param wanted 4 read, 2 write, 1 execute */
export const may = (node: Node, wanted: number): boolean => ((node.mode >> 6) & wanted) === wanted;
