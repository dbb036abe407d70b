/**
 * What the overlay file system is made of: directories, files, symbolic links, devices, all in memory. A node that stands for
 * something on the host reads it when first asked and never writes it. Names and link targets are strings of bytes ("binary"
 * strings, one character a byte): a Linux name is bytes, and need not be UTF-8.
 */
import type { Pipe } from './buffer.ts';
import type { Contents } from './contents.ts';

/** Bytes as one character each, and back. */
export const toBinary = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const fromBinary = (name: string): string => Buffer.from(name, 'latin1').toString('utf8');

/** What things take of V8's heap, measured and rounded up: directories and files have tables, all have times. A name is two entries. */
const COST = { directory: 1024, file: 1024, other: 512, name: 256, listed: 64 } as const;

export const costOfNode = (node: Node): number =>
  node.kind === 'directory' || node.kind === 'file'
    ? COST[node.kind]
    : COST.other + (node.kind === 'link' ? node.target.length : 0);
export const costOfName = (name: string): number => COST.name + name.length;
/** Of names that somebody reads. */
export const costOfList = (names: readonly string[]): number => COST.listed * names.length;

/** Nanoseconds since the epoch. */
export interface Times {
  accessed: bigint;
  modified: bigint;
  changed: bigint;
}

interface Common {
  readonly ino: number;
  /** Permission bits, 0..07777. */
  mode: number;
  links: number;
  readonly times: Times;
  /** Contents, mode or times differ from the host's. */
  changed: boolean;
  /** The guest made it: it is counted as long as it can be reached. */
  counted?: boolean;
}

export interface DirectoryNode extends Common {
  readonly kind: 'directory';
  /** Known entries; null: the host has one of this name, and the guest deleted it. */
  readonly entries: Map<string, Node | null>;
  /** Names that the guest put there (created, renamed, linked), as opposed to those found on the host. */
  readonly placed: Set<string>;
  /** Where it is on the host, if it is there: without a slash at the end. */
  host: string | undefined;
  /** Only the entries that are known can be seen: above a granted directory. */
  sealed: boolean;
  /** It was granted, or is on the way to what was: it stays in its place, as a mount point does. */
  fixed: boolean;
  parent: DirectoryNode;
  name: string;
  /** Removed: nothing can be created in it. */
  gone: boolean;
}

export interface FileNode extends Common {
  readonly kind: 'file';
  readonly contents: Contents;
  /** Open file descriptions that refer to it. */
  opens: number;
  /** The guest's own executable. */
  readonly runs?: boolean;
  /** What the kernel writes, when it is opened (/proc). */
  readonly made?: () => Uint8Array;
}

export interface LinkNode extends Common {
  readonly kind: 'link';
  readonly target: string;
}

export interface DeviceNode extends Common {
  readonly kind: 'device';
  readonly device: 'null' | 'zero' | 'full' | 'random';
}

/** What only has a name in the file system: processes meet there. */
export interface MeetingNode extends Common {
  readonly kind: 'fifo' | 'socket';
  /** What is in a FIFO that is open. */
  pipe: Pipe | undefined;
}

export type Node = DirectoryNode | FileNode | LinkNode | DeviceNode | MeetingNode;
