/**
 * The guest's memory: one wasm linear memory. Guest address = linear offset, for addresses below `size`; behind it lies the host
 * area, which the guest can never reach (its pages have no permissions): harts, the permission table, engines' records.
 *
 * The linear memory is reserved whole at the start: pages nobody touches cost nothing, and it never grows, so views stay valid.
 */
import { alignDown, alignUp } from '../base/bits.ts';
import { overLimit } from '../base/errors.ts';
import type { Addr, ByteCount } from '../base/units.ts';

export const PAGE = 4096;
export const PAGE_BITS = 12;
/** Bits of a page's permission byte. MAPPED alone is PROT_NONE. */
export const PERMISSION = { READ: 1, WRITE: 2, EXECUTE: 4, MAPPED: 8 } as const;

/** Only `protect` changes them: there are those who watch. */
export interface Permissions {
  readonly length: number;
  readonly [page: number]: number;
}

/** Thrown by the accessors below and caught at the syscall layer (EFAULT) and in the basic engine (a fault). Never leaves them. */
export class GuestFault extends Error {
  readonly access: 'load' | 'store' | 'fetch';
  readonly address: number;
  constructor(access: 'load' | 'store' | 'fetch', address: number) {
    super(`${access} fault at 0x${address.toString(16)}`);
    this.access = access;
    this.address = address;
  }
}

/**
 * Default bytes for the host area. With the guest's default it stays below 2 GiB: what is more makes V8 collect garbage at once, which
 * costs a third of Node's start-up.
 */
const HOST_SIZE: ByteCount = 3 * 2 ** 28;

export class Memory {
  /** Guest addresses are 0 .. size-1. */
  readonly size: ByteCount;
  readonly linear: WebAssembly.Memory;
  /** All of the linear memory. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** One byte a page, PERMISSION bits; offset `permissionsAt` in the linear memory. Page 0 is never mapped. */
  readonly permissions: Permissions;
  readonly permissionsAt: number;
  readonly #table: Uint8Array;
  readonly #watchers: ((from: Addr, to: Addr) => void)[] = [];
  #hostNext: number;

  /**
   * @param size guest address space in bytes, a multiple of 64 KiB
   * @param hostSize bytes for the host area
   */
  constructor(size: ByteCount = 2 ** 30, hostSize: ByteCount = HOST_SIZE) {
    this.size = size;
    const pages = Math.ceil((size + hostSize) / 65536);
    try {
      this.linear = new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch {
      throw overLimit(`cannot reserve ${size} bytes of guest memory`, 'lower --memory');
    }
    this.bytes = new Uint8Array(this.linear.buffer);
    this.view = new DataView(this.linear.buffer);
    this.#hostNext = size;
    this.permissionsAt = this.allocateHost(size / PAGE);
    this.#table = new Uint8Array(this.linear.buffer, this.permissionsAt, size / PAGE);
    this.permissions = this.#table;
  }

  /** Takes zeroed bytes from the host area, 64-byte aligned. @returns the offset in the linear memory */
  allocateHost(bytes: ByteCount): number {
    const at = this.#hostNext;
    this.#hostNext = alignUp(at + bytes, 64);
    if (this.#hostNext > this.bytes.length)
      throw overLimit('the host area of the linear memory is full', 'the program has too much code for this engine');
    return at;
  }

  /** Where the next bytes of the host area will be taken. */
  get hostNext(): number {
    return this.#hostNext;
  }
  /** Takes all up to there. */
  reserveHost(to: number): void {
    this.allocateHost(to - this.#hostNext);
  }

  /** Sets the permissions of whole pages. Contents are not touched. */
  protect(address: Addr, length: ByteCount, permissions: number): void {
    const end = alignUp(address + length, PAGE);
    this.#table.fill(permissions, Math.floor(address / PAGE), end / PAGE);
    for (const watch of this.#watchers) watch(alignDown(address, PAGE), end);
  }
  /** Makes the permissions of all pages those of another memory of this size. */
  protectLike({ permissions }: Memory): void {
    for (let first = 0; first < permissions.length; ) {
      const wanted = permissions[first]!;
      let page = first;
      while (page < permissions.length && permissions[page] === wanted && this.permissions[page] !== wanted) page++;
      if (page > first) this.protect(first * PAGE, (page - first) * PAGE, wanted);
      first = Math.max(page, first + 1);
    }
  }
  /** Calls back with each range of pages whose permissions have been set. */
  watch(callback: (from: Addr, to: Addr) => void): void {
    this.#watchers.push(callback);
  }

  /** True if all of the range may be accessed so. */
  allows(address: Addr, length: ByteCount, permission: number): boolean {
    if (!(address >= 0 && address + length <= this.size)) return false;
    if (length === 0) return true;
    const last = Math.floor((address + length - 1) / PAGE);
    for (let page = Math.floor(address / PAGE); page <= last; page++)
      if ((this.permissions[page] & permission) === 0) return false;
    return true;
  }

  /** The bytes of a range, live. Throws GuestFault if they may not be accessed so. */
  slice(address: Addr, length: ByteCount, access: 'load' | 'store' | 'fetch'): Uint8Array {
    const permission = access === 'load' ? PERMISSION.READ : access === 'store' ? PERMISSION.WRITE : PERMISSION.EXECUTE;
    if (!this.allows(address, length, permission)) throw new GuestFault(access, address);
    return this.bytes.subarray(address, address + length);
  }
}
