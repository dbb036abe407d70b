/**
 * Shared mappings of files. Guest memory holds the bytes of the mapped part, and reads and writes of the file go to guest memory (see
 * Contents.attach), so that both always agree. A part of a file can be mapped only once: guest pages cannot be in two places.
 */
import type { Addr, ByteCount } from '../../base/units.ts';
import type { MappedFile } from './backed.ts';
import type { Kernel, SharedMapping } from './kernel.ts';
import type { FileNode } from './nodes.ts';

/** Shares pages that have just been mapped, and have its bytes, with a part of a file that no mapping shares. */
export function share(
  kernel: Kernel,
  node: FileNode,
  part: { address: Addr; length: ByteCount; offset: number; writable: boolean; file: MappedFile },
): void {
  const { address, length, offset, writable, file } = part;
  const bytes = kernel.memory.bytes.subarray(address, address + length);
  const view = { from: offset, to: offset + length, bytes, writable };
  node.contents.attach(view);
  node.opens++;
  if (writable) kernel.overlay.modified(node);
  kernel.shared.add({ from: address, to: address + length, file, node, view });
  kernel.memory.alias(address, length);
}

/** The shared mapping that an address is in. */
export const sharedAt = (kernel: Kernel, address: Addr): SharedMapping | undefined => kernel.shared.at(address);

/** Is an address in shared memory, of a file or not? */
export const isShared = (kernel: Kernel, address: Addr): boolean =>
  sharedAt(kernel, address) !== undefined || isSharedMemory(kernel, address);

export const isSharedMemory = ({ sharedMemory }: Kernel, address: Addr): boolean =>
  !sharedMemory.empty && sharedMemory.within(address, address + 1).next().value !== undefined;

/** Ends sharing in a range of pages; the parts of a mapping before and behind the range stay shared. */
export function unshare(kernel: Kernel, address: Addr, length: ByteCount): void {
  const end = address + length;
  for (const mapping of kernel.shared.over(address, end)) {
    kernel.shared.remove(mapping);
    const { node, view, file } = mapping;
    node.contents.detach(view);
    for (const [from, to] of [
      [mapping.from, Math.min(address, mapping.to)],
      [Math.max(end, mapping.from), mapping.to],
    ] as const)
      if (from < to)
        share(kernel, node, {
          address: from,
          length: to - from,
          offset: view.from + (from - mapping.from),
          writable: view.writable,
          file,
        });
    node.opens--;
    kernel.overlay.release(node);
  }
}
