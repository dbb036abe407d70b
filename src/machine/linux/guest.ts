/** Typed access to the guest's memory for syscalls. All accesses throw GuestFault on a bad pointer, which becomes EFAULT. */
import { type Addr, type ByteCount, PAGE } from '../../base/units.ts';
import { GuestFault, type Memory, PERMISSION } from '../memory.ts';
import { E, fail } from './errno.ts';

/** Linux moves at most this much in one call (MAX_RW_COUNT). */
export const MAX_TRANSFER: ByteCount = 0x7ffff000;
const MAX_VECTORS = 1024;
/** User addresses end here (Sv39). */
export const TOP: Addr = 2 ** 38;
const NO_BYTES = new Uint8Array(0);
/** Neither a pipe nor a socket has room for so many bytes at once. */
const MAX_MESSAGE: ByteCount = 2 ** 21;

/** A part of a buffer in several places (struct iovec). */
export interface Part {
  readonly address: Addr;
  readonly length: ByteCount;
}

/** A time as seconds and nanoseconds, which are never negative. */
export function split(time: bigint): [seconds: bigint, nanoseconds: bigint] {
  const nanoseconds = ((time % SECOND) + SECOND) % SECOND;
  return [(time - nanoseconds) / SECOND, nanoseconds];
}
const SECOND = 1_000_000_000n;

export class Guest {
  readonly #memory: Memory;
  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Checks that a range lies in user addresses (access_ok); other errors are found when the range is used. */
  inside(address: Addr, length: ByteCount): void {
    if (address + Math.min(length, MAX_TRANSFER) > TOP) throw new GuestFault('load', address);
  }

  /** Bytes to read from, live; an empty range need not be mapped. */
  input(address: Addr, length: ByteCount): Uint8Array {
    if (length === 0 && address < TOP) return NO_BYTES;
    return this.#memory.slice(address, Math.min(length, MAX_TRANSFER), 'load');
  }
  /** Bytes to write to, live. */
  output(address: Addr, length: ByteCount): Uint8Array {
    if (length === 0 && address < TOP) return NO_BYTES;
    return this.#memory.slice(address, Math.min(length, MAX_TRANSFER), 'store');
  }

  /** As `input` and `output`, but only the bytes before the first bad page; none if the first byte is bad. */
  inputBefore(address: Addr, length: ByteCount): Uint8Array {
    return this.#before(address, length, 'load');
  }
  outputBefore(address: Addr, length: ByteCount): Uint8Array {
    return this.#before(address, length, 'store');
  }

  u8(address: Addr): number {
    return this.#check(address, 1, 'load').getUint8(address);
  }
  u16(address: Addr): number {
    return this.#check(address, 2, 'load').getUint16(address, true);
  }
  i32(address: Addr): number {
    return this.#check(address, 4, 'load').getInt32(address, true);
  }
  u32(address: Addr): number {
    return this.#check(address, 4, 'load').getUint32(address, true);
  }
  u64(address: Addr): bigint {
    return this.#check(address, 8, 'load').getBigUint64(address, true);
  }
  i64(address: Addr): bigint {
    return this.#check(address, 8, 'load').getBigInt64(address, true);
  }
  /** A pointer or size: exact below 2^53, beyond it too large for any check. */
  word(address: Addr): number {
    return Number(this.u64(address));
  }
  setU8(address: Addr, value: number): void {
    this.#check(address, 1, 'store').setUint8(address, value);
  }
  setU16(address: Addr, value: number): void {
    this.#check(address, 2, 'store').setUint16(address, value, true);
  }
  setU32(address: Addr, value: number): void {
    this.#check(address, 4, 'store').setUint32(address, value, true);
  }
  setU64(address: Addr, value: bigint | number): void {
    this.#check(address, 8, 'store').setBigUint64(address, BigInt.asUintN(64, BigInt(value)), true);
  }

  /** A string of bytes up to its NUL, one character a byte. */
  string(address: Addr, limit: ByteCount = PAGE): string {
    const { bytes, size } = this.#memory;
    // Page by page: the page behind the NUL may be unmapped.
    let text = '';
    for (let at = address; text.length <= limit; ) {
      if (!this.#memory.allows(at, 1, PERMISSION.READ)) throw new GuestFault('load', at);
      const end = Math.min(at - (at % PAGE) + PAGE, size);
      const part = Buffer.from(bytes.buffer, at, end - at);
      const nul = part.indexOf(0);
      text += part.toString('latin1', 0, nul < 0 ? part.length : nul);
      if (nul >= 0) break;
      at = end;
    }
    return text.length > limit ? fail(E.NAMETOOLONG) : text;
  }

  /** struct iovec[count]. Fails with EINVAL as Linux does. @param tooMany the error for too many of them */
  vectors(address: Addr, count: number, tooMany: number = E.INVAL): Part[] {
    if (count < 0 || count > MAX_VECTORS) fail(tooMany);
    const vectors = Array.from({ length: count }, (_, i) => ({
      address: this.word(address + 16 * i),
      length: this.word(address + 16 * i + 8),
    }));
    // Part by part, also where a part is empty (import_iovec).
    for (const { address, length } of vectors) {
      if (length >= 2 ** 63) fail(E.INVAL);
      this.inside(address, length);
    }
    return vectors;
  }

  /** Size of the message in some parts; bytes beyond MAX_MESSAGE are left out. */
  room(parts: readonly Part[]): ByteCount {
    return Math.min(
      parts.reduce((sum, { length }) => sum + length, 0),
      MAX_MESSAGE,
    );
  }
  /** The bytes of all parts, one behind the other. */
  gather(parts: readonly Part[]): Uint8Array {
    const bytes = new Uint8Array(this.room(parts));
    let done = 0;
    for (const { address, length } of parts) {
      const piece = this.input(address, Math.min(length, bytes.length - done));
      bytes.set(piece, done);
      done += piece.length;
    }
    return bytes;
  }
  /** The bytes of all parts up to the first byte that cannot be read, and the total length of the parts. */
  gatherReadable(parts: readonly Part[]): { readonly bytes: Uint8Array; readonly total: ByteCount } {
    const bytes = new Uint8Array(this.room(parts));
    let done = 0;
    for (const { address, length } of parts) {
      const wanted = Math.min(length, bytes.length - done);
      const piece = this.inputBefore(address, wanted);
      bytes.set(piece, done);
      done += piece.length;
      if (piece.length < wanted) break;
    }
    const total = parts.reduce((sum, { length }) => sum + length, 0);
    return { bytes: bytes.subarray(0, done), total: Math.min(total, MAX_TRANSFER) };
  }
  /** Spreads bytes over parts, in order. */
  spread(parts: readonly Part[], bytes: Uint8Array): void {
    let done = 0;
    for (const { address, length } of parts) {
      const piece = bytes.subarray(done, done + length);
      this.output(address, piece.length).set(piece);
      done += piece.length;
    }
  }

  /** struct timespec, in nanoseconds; fails with EINVAL if the value is not normalised. */
  timespec(address: Addr): bigint {
    const seconds = this.i64(address);
    const nanoseconds = this.i64(address + 8);
    if (seconds < 0n || nanoseconds < 0n || nanoseconds >= 1_000_000_000n) fail(E.INVAL);
    return seconds * 1_000_000_000n + nanoseconds;
  }
  setTimespec(address: Addr, nanoseconds: bigint): void {
    const [seconds, rest] = split(nanoseconds);
    this.setU64(address, seconds);
    this.setU64(address + 8, rest);
  }
  setTimeval(address: Addr, nanoseconds: bigint): void {
    const [seconds, rest] = split(nanoseconds);
    this.setU64(address, seconds);
    this.setU64(address + 8, rest / 1000n);
  }

  #before(address: Addr, length: ByteCount, access: 'load' | 'store'): Uint8Array {
    // Linux checks the whole range against the end of user addresses first (access_ok).
    this.inside(address, length);
    const wanted = Math.min(length, MAX_TRANSFER);
    if (wanted === 0) return NO_BYTES;
    const permission = access === 'load' ? PERMISSION.READ : PERMISSION.WRITE;
    const { permissions, bytes } = this.#memory;
    if (this.#memory.allows(address, wanted, permission)) return bytes.subarray(address, address + wanted);
    let end = address - (address % PAGE);
    while (end < address + wanted && ((permissions[end / PAGE] ?? 0) & permission) !== 0) end += PAGE;
    return end <= address ? NO_BYTES : this.#memory.slice(address, Math.min(end - address, wanted), access);
  }
  #check(address: Addr, length: ByteCount, access: 'load' | 'store'): DataView {
    const permission = access === 'load' ? PERMISSION.READ : PERMISSION.WRITE;
    if (!this.#memory.allows(address, length, permission)) throw new GuestFault(access, address);
    return this.#memory.view;
  }
}
