/**
 * The guest's memory: one wasm linear memory. Guest address = linear offset, for addresses below `size`; behind it lies the host
 * area, which the guest can never reach (its pages have no permissions): harts, the permission table, engines' records.
 *
 * The linear memory is reserved whole at the start: untouched pages cost nothing, and the memory never grows, so views stay valid.
 */

import { alignDown, alignUp } from '../base/bits.ts';
import { overLimit } from '../base/errors.ts';
import { type Addr, type ByteCount, PAGE } from '../base/units.ts';

export const PAGE_BITS = 12;
/** Bits of a page's permission byte. MAPPED alone is PROT_NONE. */
export const PERMISSION = { READ: 1, WRITE: 2, EXECUTE: 4, MAPPED: 8 } as const;

/** Permission bytes, read-only: only Memory changes them, because watchers have to hear of it. */
export interface Permissions {
  readonly length: number;
  readonly [page: number]: number;
}

/** Thrown by `slice` and by Guest; caught where a row is run (EFAULT) and in rt_sigreturn (SIGSEGV). */
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
 * Default size of the host area. With the guest's default size the sum stays below 2 GiB: a larger memory makes V8 collect garbage at
 * once, which costs a third of Node's start-up.
 */
const HOST_SIZE: ByteCount = 3 * 2 ** 28;

const ZEROS = new Uint8Array(PAGE);

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
  /** The permissions that generated code checks: those above, but without WRITE for guarded pages. */
  readonly checked: Permissions;
  readonly checkedAt: number;
  readonly #table: Uint8Array;
  readonly #checked: Uint8Array;
  /** By guarded page: the callback for the next write to the page. */
  readonly #guards = new Map<number, (page: Addr) => void>();
  readonly #aliased = new Set<number>();
  readonly #watchers: ((from: Addr, to: Addr) => void)[] = [];
  #hostNext: number;
  /** Start of the bytes that are taken from the end of the host area. */
  #hostEnd: number;

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
    this.#hostEnd = this.bytes.length;
    this.permissionsAt = this.allocateHost(size / PAGE);
    this.#table = new Uint8Array(this.linear.buffer, this.permissionsAt, size / PAGE);
    this.permissions = this.#table;
    this.checkedAt = this.allocateHost(size / PAGE);
    this.#checked = new Uint8Array(this.linear.buffer, this.checkedAt, size / PAGE);
    this.checked = this.#checked;
  }

  /** Takes zeroed bytes from the host area, 64-byte aligned. @returns the offset in the linear memory */
  allocateHost(bytes: ByteCount): number {
    const at = this.#hostNext;
    this.#hostNext = alignUp(at + bytes, 64);
    this.#checkHost();
    return at;
  }
  /** Takes such bytes from the end of the host area; `freeEnd` gives all of them back at once. */
  allocateAtEnd(bytes: ByteCount): number {
    this.#hostEnd = alignDown(this.#hostEnd - bytes, 64);
    this.#checkHost();
    return this.#hostEnd;
  }
  #checkHost(): void {
    if (this.#hostNext > this.#hostEnd)
      throw overLimit('the host area of the linear memory is full', 'the program has too much code for this engine');
  }
  /** Zeroes and gives back all bytes that were taken from the end. */
  freeEnd(): void {
    this.clear(this.#hostEnd, this.bytes.length);
    this.#hostEnd = this.bytes.length;
  }
  /** Takes all bytes from an offset to the end. */
  reserveEnd(from: number): void {
    this.#hostEnd = from;
    this.#checkHost();
  }
  /** Free bytes of the host area. */
  get hostFree(): ByteCount {
    return this.#hostEnd - this.#hostNext;
  }
  /** Bytes that are taken from the end of the host area. */
  get hostAtEnd(): ByteCount {
    return this.bytes.length - this.#hostEnd;
  }

  /** Zeroes bytes of the linear memory. Bytes that are zero already are not written: untouched pages take no memory. */
  clear(from: number, to: number): void {
    for (let at = from; at < to; at += ZEROS.length) {
      const end = Math.min(at + ZEROS.length, to);
      const order = Buffer.compare(
        this.bytes.subarray(at, end),
        end - at === ZEROS.length ? ZEROS : ZEROS.subarray(0, end - at),
      );
      if (order !== 0) this.bytes.fill(0, at, end);
    }
  }

  /** Offset of the next bytes that `allocateHost` takes. */
  get hostNext(): number {
    return this.#hostNext;
  }
  /** Takes all bytes of the host area up to an offset. */
  reserveHost(to: number): void {
    this.allocateHost(to - this.#hostNext);
  }

  /** Sets the permissions of whole pages. Contents are not touched. */
  protect(address: Addr, length: ByteCount, permissions: number): void {
    const end = alignUp(address + length, PAGE);
    const [first, last] = [Math.floor(address / PAGE), end / PAGE];
    this.#table.fill(permissions, first, last);
    this.#checked.fill(permissions, first, last);
    if (this.#guards.size > 0)
      for (const page of this.#guards.keys()) if (page >= first && page < last) this.#guards.delete(page);
    this.#changed(first * PAGE, end);
  }
  #changed(from: Addr, to: Addr): void {
    for (const watch of this.#watchers) watch(from, to);
  }

  /**
   * Calls back once, before the next write to a writable page; until then generated code may not write to the page. Setting the page's
   * permissions ends the guard. All other writers call `allows`, `slice` or `touch` before they write.
   */
  guard(address: Addr, callback: (page: Addr) => void): void {
    const page = Math.floor(address / PAGE);
    this.#guards.set(page, callback);
    this.#checked[page]! &= ~PERMISSION.WRITE;
    this.#changed(page * PAGE, (page + 1) * PAGE);
  }
  /** Announces a write to a range. @returns was any of its pages guarded? */
  touch(address: Addr, length: ByteCount): boolean {
    if (this.#guards.size === 0) return false;
    let found = false;
    const last = Math.floor((address + length - 1) / PAGE);
    for (let page = Math.floor(address / PAGE); page <= last; page++) {
      const callback = this.#guards.get(page);
      if (callback === undefined) continue;
      found = true;
      this.#guards.delete(page);
      this.#checked[page] = this.#table[page]!;
      callback(page * PAGE);
      this.#changed(page * PAGE, (page + 1) * PAGE);
    }
    return found;
  }
  /** Marks pages shared with a writer that does not announce its writes. */
  alias(address: Addr, length: ByteCount): void {
    for (let page = Math.floor(address / PAGE); page < (address + length) / PAGE; page++) this.#aliased.add(page);
  }
  aliased(address: Addr): boolean {
    return this.#aliased.has(Math.floor(address / PAGE));
  }

  /** Copies the permissions of all pages from another memory of this size. */
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

  /** Does every page of the range have a permission? Asking for WRITE announces a write (see `touch`). */
  allows(address: Addr, length: ByteCount, permission: number): boolean {
    if (!(address >= 0 && address + length <= this.size)) return false;
    if (length === 0) return true;
    const last = Math.floor((address + length - 1) / PAGE);
    for (let page = Math.floor(address / PAGE); page <= last; page++)
      if ((this.permissions[page]! & permission) === 0) return false;
    // Callers that ask for WRITE are about to write, in most cases.
    if (permission === PERMISSION.WRITE) this.touch(address, length);
    return true;
  }

  /** The bytes of a range, live. Throws GuestFault if the range does not allow the access. */
  slice(address: Addr, length: ByteCount, access: 'load' | 'store' | 'fetch'): Uint8Array {
    const permission = access === 'load' ? PERMISSION.READ : access === 'store' ? PERMISSION.WRITE : PERMISSION.EXECUTE;
    if (!this.allows(address, length, permission)) throw new GuestFault(access, address);
    return this.bytes.subarray(address, address + length);
  }
}
