/**
 * The part of the overlay's tree that is there from the start and counts as no change: granted directories with the way to them, /tmp,
 * devices, and files that isoform provides.
 */
import { statSync } from 'node:fs';
import { badOption } from '../../base/errors.ts';
import { Contents } from './contents.ts';
import { type HostNodes, timesOf } from './hostnodes.ts';
import type { Inodes } from './inodes.ts';
import {
  type DeviceNode,
  type DirectoryNode,
  type FileNode,
  type LinkNode,
  type LiveEntries,
  type MeetingNode,
  type Node,
  type Times,
  toBinary,
} from './nodes.ts';
import type { Usage } from './usage.ts';

/** Device numbers, as st_rdev has them. */
const DEVICES = { null: 0x103, zero: 0x105, full: 0x107, random: 0x109, tty: 0x500 } as const;

export interface ProvidedParts {
  readonly inodes: Inodes;
  readonly host: HostNodes;
  readonly usage: Usage;
}

export class Provided {
  readonly root: DirectoryNode;
  readonly #inodes: Inodes;
  readonly #host: HostNodes;
  readonly #usage: Usage;

  /**
   * @param grants absolute host directories, POSIX paths
   * @throws bad-option for a grant that is no directory of the host
   */
  constructor(grants: readonly string[], { inodes, host, usage }: ProvidedParts) {
    this.#inodes = inodes;
    this.#host = host;
    this.#usage = usage;
    this.root = inodes.directory(undefined, undefined, '');
    seal(this.root);
    // Shorter paths first: a grant inside another one is found there.
    const ordered = [...grants].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    for (const grant of ordered) this.#grant(grant);
    // /tmp is writable, even if it is only an ancestor of a granted directory.
    const tmp = this.directory('/tmp');
    tmp.mode = 0o1777;
    tmp.sealed = false;
    const devices = this.directory('/dev');
    for (const device of ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const)
      if (!devices.entries.has(device))
        devices.entries.set(device, this.#device(device === 'urandom' ? 'random' : device));
  }

  #device(device: keyof typeof DEVICES): DeviceNode {
    return { kind: 'device', device, rdev: DEVICES[device], block: false, ...this.#inodes.attributes(0o666) };
  }

  #grant(path: string): void {
    let times: Times;
    let mode: number;
    try {
      const stat = statSync(path, { bigint: true });
      if (!stat.isDirectory()) throw badOption(`${path}: is not a directory`, 'a grant is a directory');
      times = timesOf(stat);
      mode = Number(stat.mode) & 0o7777;
    } catch (error) {
      if ((error as Error).name === 'IsoformError') throw error;
      throw badOption(`${path}: cannot be granted: ${(error as NodeJS.ErrnoException).code}`, 'a grant is a directory');
    }
    const at = this.directory(path);
    for (let on = at; !on.fixed; on = on.parent) on.fixed = true;
    // A directory inside one that was granted before has its host path already.
    if (at.host !== undefined) return;
    at.host = path === '/' ? '' : toBinary(path);
    at.sealed = false;
    at.mode = mode;
    Object.assign(at.times, times);
  }

  /**
   * A directory that exists whatever the host has; directories that are made on the way are sealed.
   * @param sealed seal the last directory, too, if it is made
   */
  directory(path: string, sealed = false): DirectoryNode {
    let at = this.root;
    const names = toBinary(path)
      .split('/')
      .filter((part) => part !== '');
    for (const [index, name] of names.entries()) {
      let next = at.entries.get(name) ?? (at.host === undefined ? undefined : this.#host.entry(at, name));
      if (next?.kind !== 'directory') {
        next = this.#inodes.directory(undefined, at, name);
        if (sealed || index < names.length - 1) seal(next);
        at.entries.set(name, next);
      }
      at = next;
    }
    return at;
  }

  #put(path: string, node: Node): void {
    const at = path.lastIndexOf('/');
    this.directory(path.slice(0, at), true).entries.set(toBinary(path.slice(at + 1)), node);
  }

  /** A symbolic link (/proc/self). */
  link(path: string, target: string): void {
    this.#put(path, this.#inodes.link(toBinary(target)));
  }

  /** A file of /proc, whose contents are generated at each open. */
  made(path: string, made: () => Uint8Array): void {
    this.#put(path, {
      kind: 'file',
      contents: this.bytes(new Uint8Array(0)),
      opens: 0,
      made,
      ...this.#inodes.attributes(0o444),
    });
  }

  /** File contents with these bytes. */
  bytes(bytes: Uint8Array): Contents {
    return Contents.from(this.#usage, bytes);
  }

  /** A file with these bytes, whatever the host has there: the guest's own executable. */
  file(path: string, bytes: Uint8Array): FileNode {
    const host = hostStat(path);
    const attributes = this.#inodes.attributes(
      host === undefined ? 0o755 : Number(host.mode) & 0o7777,
      host && timesOf(host),
    );
    const node: FileNode = { kind: 'file', contents: this.bytes(bytes), opens: 0, runs: true, ...attributes };
    this.#put(path, node);
    return node;
  }

  /** A directory of /proc. */
  live(path: string, live: LiveEntries): void {
    const at = path.lastIndexOf('/');
    const parent = this.directory(path.slice(0, at), true);
    const node = this.#inodes.directory(undefined, parent, path.slice(at + 1));
    this.#put(path, Object.assign(node, { live, sealed: true, mode: 0o500 }));
  }
  /** An entry of such a directory. */
  magicLink(mode: number, target: () => string, to: () => Node): LinkNode {
    const link = { kind: 'link' as const, target: '', to, ...this.#inodes.attributes(mode) };
    return Object.defineProperty(link, 'target', { get: target });
  }
  /** A stand-in for a pipe or socket that is nowhere in the file system. */
  nameless(kind: MeetingNode['kind'], mode: number): MeetingNode {
    return { kind, pipe: undefined, foreign: true, ...this.#inodes.attributes(mode) };
  }
}

/** Seals a directory: no entry can be made in it, and only its known entries can be seen. */
function seal(directory: DirectoryNode): void {
  directory.sealed = true;
  directory.mode = 0o555;
}

/** @param path a host path, as text */
function hostStat(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}
