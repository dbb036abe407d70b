/**
 * The guest's mappings. The permission table is the only record of what is mapped: a mapping has no cost of its own, and
 * engines see every change at once. New pages read as zero.
 */
import { alignUp } from '../base/bits.ts';
import { type Addr, type ByteCount, PAGE } from '../base/units.ts';
import { FreePages } from './free.ts';
import { type Memory, PERMISSION } from './memory.ts';

export class AddressSpace {
  readonly memory: Memory;
  /** Called when code may have changed or gone, so that engines forget that code. */
  onCodeChange: (address: Addr, length: ByteCount) => void = () => {};
  /** Called when the guest flushes the instruction cache: code may have changed anywhere. */
  onFlush: () => void = () => {};
  /** Called before the mapping of whole pages goes away. */
  onRelease: (address: Addr, length: ByteCount) => void = () => {};
  readonly #free: FreePages;
  /** 1 for each page that may hold bytes other than zeros. */
  readonly #used: Uint8Array;

  /** @param top new mappings are placed below this address */
  constructor(memory: Memory, top: Addr) {
    this.memory = memory;
    this.#free = new FreePages(memory, top);
    this.#used = new Uint8Array(memory.size / PAGE);
  }

  /** Is every page of the range mapped (whatever its permissions)? */
  mapped(address: Addr, length: ByteCount): boolean {
    return this.memory.allows(address, length, PERMISSION.MAPPED);
  }
  /** Is no page of the range mapped? */
  free(address: Addr, length: ByteCount): boolean {
    const { permissions } = this.memory;
    for (let page = Math.floor(address / PAGE); page < Math.ceil((address + length) / PAGE); page++)
      if (permissions[page] !== 0) return false;
    return true;
  }
  /** Is the range within pages 1 up to the end? Page 0 always faults. */
  contains(address: Addr, length: ByteCount): boolean {
    return address >= PAGE && address + length <= this.memory.size;
  }

  /** Maps whole pages that read as zero, in place of earlier mappings. The range must be inside the address space. */
  map(address: Addr, length: ByteCount, permissions: number): void {
    const [first, last] = [address / PAGE, alignUp(address + length, PAGE) / PAGE];
    this.onRelease(address, (last - first) * PAGE);
    this.#codeGoes(first, last);
    for (let page = first; page < last; page++) {
      const from = page;
      while (page < last && this.#used[page] === 1) page++;
      this.memory.clear(from * PAGE, page * PAGE);
    }
    this.#used.fill(1, first, last);
    this.#set(first, last, permissions | PERMISSION.MAPPED);
  }
  /** Zeroes a mapped page, which keeps its permissions. */
  clear(address: Addr): void {
    const page = address / PAGE;
    this.#codeGoes(page, page + 1);
    this.memory.clear(address, address + PAGE);
  }
  unmap(address: Addr, length: ByteCount): void {
    const [first, last] = [address / PAGE, alignUp(address + length, PAGE) / PAGE];
    this.onRelease(address, (last - first) * PAGE);
    this.#codeGoes(first, last);
    this.#set(first, last, 0);
  }
  protect(address: Addr, length: ByteCount, permissions: number): void {
    const [first, last] = [address / PAGE, alignUp(address + length, PAGE) / PAGE];
    this.#codeGoes(first, last);
    this.#set(first, last, permissions | PERMISSION.MAPPED);
  }

  /** The highest free range of so many bytes (whole pages), or undefined: where Linux maps (arch_get_unmapped_area_topdown). */
  findFree(length: ByteCount): Addr | undefined {
    const page = this.#free.highest(alignUp(length, PAGE) / PAGE);
    return page === undefined ? undefined : page * PAGE;
  }

  #set(first: number, last: number, permissions: number): void {
    this.memory.protect(first * PAGE, (last - first) * PAGE, permissions);
  }
  #codeGoes(first: number, last: number): void {
    const { permissions } = this.memory;
    for (let page = first; page < last; page++)
      if (permissions[page]! & PERMISSION.EXECUTE) {
        this.onCodeChange(first * PAGE, (last - first) * PAGE);
        return;
      }
  }
}
