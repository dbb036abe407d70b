/**
 * Pages of a mapping that lie beyond the end of its file: an access raises SIGBUS (mmap(2)), until the file is longer. Meanwhile such a
 * page has no permission but MAPPED.
 */
import { type Addr, type ByteCount, PAGE } from '../../base/units.ts';
import { PERMISSION } from '../memory.ts';
import type { Contents } from './contents.ts';
import type { Kernel } from './kernel.ts';
import { sharedAt } from './shared.ts';

/** The file contents behind a page, and the page's offset in them. */
function sourceOf(kernel: Kernel, page: Addr): { contents: Contents | undefined; offset: number } | undefined {
  const shared = sharedAt(kernel, page);
  if (shared) return { contents: shared.node.contents, offset: shared.view.from + page - shared.from };
  const part = kernel.backed.at(page);
  return part && { contents: part.file.contents, offset: part.offset + page - part.address };
}

/** Brings `kernel.beyond` up to date for pages whose mapping, protection or file has changed. */
export function settle(kernel: Kernel, address: Addr, length: ByteCount): void {
  const { beyond, memory } = kernel;
  // Pages of files were settled when they were mapped: if no page is beyond and no file begins here, nothing changes.
  if (beyond.size === 0 && kernel.shared.size === 0 && kernel.backed.at(address) === undefined) return;
  for (let page = address; page < address + length; page += PAGE) {
    const { contents, offset } = sourceOf(kernel, page) ?? { contents: undefined, offset: 0 };
    if (contents !== undefined) contents.onSize ??= (from, to) => resized(kernel, contents, from, to);
    const kept = beyond.get(page);
    const permissions = memory.permissions[page / PAGE]!;
    if (contents !== undefined && offset >= contents.size) {
      if (kept === undefined || permissions !== PERMISSION.MAPPED) beyond.set(page, permissions);
      if (permissions !== PERMISSION.MAPPED) kernel.space.protect(page, PAGE, 0);
    } else if (kept !== undefined) {
      beyond.delete(page);
      kernel.space.protect(page, PAGE, kept & ~PERMISSION.MAPPED);
    }
  }
}

/** The size of a mapped file has changed. Pages between old and new end change sides; private pages are read from the file again. */
function resized(kernel: Kernel, contents: Contents, from: ByteCount, to: ByteCount): void {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  const touched = (offset: number, length: number) => offset < high && offset + length > low;
  for (const { from, to, node, view } of [...kernel.shared])
    if (node.contents === contents && touched(view.from, to - from)) settle(kernel, from, to - from);
  for (const part of kernel.backed.parts()) {
    if (part.file.contents !== contents || !touched(part.offset, part.length)) continue;
    for (let page = part.address; page < part.address + part.length; page += PAGE) {
      if (kernel.backed.at(page) !== part || !kernel.beyond.has(page)) continue;
      part.read(part.offset + page - part.address, kernel.memory.bytes.subarray(page, page + PAGE));
    }
    settle(kernel, part.address, part.length);
  }
}

/** Would this access be allowed if the file were longer? */
export function isBeyond({ beyond }: Kernel, address: Addr, access: 'load' | 'store' | 'fetch'): boolean {
  const wanted = { load: PERMISSION.READ, store: PERMISSION.WRITE, fetch: PERMISSION.EXECUTE }[access];
  return ((beyond.get(address - (address % PAGE)) ?? 0) & wanted) !== 0;
}
