/** New inodes of an overlay: their numbers, their times, and the memory that they take. */
import { costOfNode, type DirectoryNode, type LinkNode, type Node, type Times } from './nodes.ts';
import type { Usage } from './usage.ts';

const FIRST_NUMBER = 2;

export class Inodes {
  readonly #now: () => bigint;
  readonly #usage: Usage;
  #next = FIRST_NUMBER;

  /** @param now nanoseconds since the epoch */
  constructor(now: () => bigint, usage: Usage) {
    this.#now = now;
    this.#usage = usage;
  }

  /** The attributes of a new inode with one name. @param times default: now */
  attributes(mode: number, times?: Times) {
    const now = this.#now();
    return {
      ino: this.#next++,
      mode,
      links: 1,
      times: times ?? { accessed: now, modified: now, changed: now },
      changed: false,
    };
  }

  /** A directory in which nothing is known yet. @param parent undefined: the directory is the root */
  directory(host: string | undefined, parent: DirectoryNode | undefined, name: string, times?: Times): DirectoryNode {
    const node = {
      kind: 'directory' as const,
      entries: new Map<string, Node | null>(),
      placed: new Set<string>(),
      host,
      sealed: false,
      fixed: false,
      name,
      gone: false,
      ...this.attributes(0o755, times),
    } as unknown as DirectoryNode;
    node.parent = parent ?? node;
    return node;
  }

  /** A symbolic link without a name; its memory is counted. Fails with ENOSPC. */
  link(target: string): LinkNode {
    return this.counted({ kind: 'link', target, ...this.attributes(0o777), links: 0 });
  }

  /** Counts the memory of a node as the guest's. Fails with ENOSPC. */
  counted<T extends Node>(node: T): T {
    this.#usage.take(costOfNode(node));
    node.counted = true;
    return node;
  }
}
