/**
 * Private pages of files, the executable's own among them. The guest has a copy of its own, made when it was mapped; when it gives the
 * copy up (MADV_DONTNEED) the page holds what the file holds then. Every other private page is zeros again.
 */
import { alignDown, alignUp } from '../../base/bits.ts';
import type { Addr, ByteCount } from '../../base/units.ts';
import type { Image } from '../../elf/image.ts';
import { PAGE } from '../memory.ts';
import type { Backed, Kernel, MappedFile } from './kernel.ts';

/** The executable's segments, as far as its file holds them. */
export function backedBy(image: Image, bias: Addr, file: MappedFile): Backed[] {
  return image.segments
    .filter(({ bytes }) => bytes.length > 0)
    .map((segment) => {
      const address = alignDown(segment.address + bias, PAGE);
      const before = segment.address + bias - address;
      const length = alignUp(before + segment.bytes.length, PAGE);
      const read = (at: ByteCount, target: Uint8Array) => {
        target.fill(0).set(image.bytes.subarray(at, at + target.length));
      };
      return { address, length, file, offset: Math.max(0, segment.offset - before), read };
    });
}

/** What lies in a range of pages is no file's any more; what is left of a mapping before and behind it is. */
export function release(kernel: Kernel, address: Addr, length: ByteCount): void {
  const end = address + length;
  const { backed } = kernel;
  if (!backed.some((part) => part.address < end && part.address + part.length > address)) return;
  for (const part of backed.splice(0)) {
    const partEnd = part.address + part.length;
    if (part.address < Math.min(address, partEnd))
      backed.push({ ...part, length: Math.min(address, partEnd) - part.address });
    const from = Math.max(end, part.address);
    const offset = part.offset + from - part.address;
    if (from < partEnd) backed.push({ ...part, address: from, length: partEnd - from, offset });
  }
}

/** The file page that an address is in. */
const backedAt = (kernel: Kernel, address: Addr): Backed | undefined =>
  kernel.backed.find((part) => address >= part.address && address < part.address + part.length);

/** A private page holds again what it held when it was new. */
export function renew(kernel: Kernel, address: Addr): void {
  const part = backedAt(kernel, address);
  // The permissions stay, and with them what is known of the code there: it is looked at anew.
  kernel.space.clear(address);
  part?.read(part.offset + address - part.address, kernel.memory.bytes.subarray(address, address + PAGE));
}
