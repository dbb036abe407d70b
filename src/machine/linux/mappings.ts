/** Syscalls on the address space: brk, mmap and related calls. Private mappings of files are copies made when mapped. */
import { alignUp } from '../../base/bits.ts';
import { type Addr, PAGE } from '../../base/units.ts';
import { PERMISSION } from '../memory.ts';
import type { MappedFile } from './backed.ts';
import { settle } from './beyond.ts';
import { E, fail } from './errno.ts';
import { TOP } from './guest.ts';
import type { Kernel } from './kernel.ts';
import { OpenDevice, RegularFile } from './nodefiles.ts';
import { checkSeals, SEAL } from './nodes.ts';
import type { SyscallRow } from './row.ts';
import { isShared, isSharedMemory, share, sharedAt, unshare } from './shared.ts';
import type { Steps } from './steps.ts';

const PROT = { READ: 1, WRITE: 2, EXEC: 4 } as const;
const MAP = {
  SHARED: 1,
  PRIVATE: 2,
  SHARED_VALIDATE: 3,
  TYPE: 15,
  FIXED: 0x10,
  ANONYMOUS: 0x20,
  FIXED_NOREPLACE: 0x100000,
} as const;
const MREMAP = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4 } as const;

/** Page permissions of PROT_ bits. A writable page is readable, too (RISC-V has no write-only pages). */
function permissionsOf(protection: number): number {
  if (protection & ~(PROT.READ | PROT.WRITE | PROT.EXEC)) fail(E.INVAL);
  return (
    (protection & (PROT.READ | PROT.WRITE) ? PERMISSION.READ : 0) |
    (protection & PROT.WRITE ? PERMISSION.WRITE : 0) |
    (protection & PROT.EXEC ? PERMISSION.EXECUTE : 0)
  );
}

function brk(kernel: Kernel, wanted: Addr): number {
  const { space } = kernel;
  if (wanted < kernel.heapStart || wanted > kernel.heapLimit) return kernel.brk;
  const [oldEnd, newEnd] = [alignUp(kernel.brk, PAGE), alignUp(wanted, PAGE)];
  if (newEnd > oldEnd) {
    if (!space.free(oldEnd, newEnd - oldEnd)) return kernel.brk;
    space.map(oldEnd, newEnd - oldEnd, PERMISSION.READ | PERMISSION.WRITE);
  } else if (newEnd < oldEnd) space.unmap(newEnd, oldEnd - newEnd);
  kernel.brk = wanted;
  return wanted;
}

const mappedFileOf = ({ path, node }: RegularFile): MappedFile => ({ path, ino: node.ino, contents: node.contents });

function placeFor(kernel: Kernel, hint: Addr, length: number, flags: number): Addr {
  const { space } = kernel;
  if (flags & (MAP.FIXED | MAP.FIXED_NOREPLACE)) {
    if (hint % PAGE !== 0) fail(E.INVAL);
    if (!space.contains(hint, length)) fail(hint < PAGE ? E.PERM : E.NOMEM);
    if (flags & MAP.FIXED_NOREPLACE && !space.free(hint, length)) fail(E.EXIST);
    return hint;
  }
  const at = alignUp(hint, PAGE);
  if (hint !== 0 && space.contains(at, length) && space.free(at, length)) return at;
  return space.findFree(length) ?? fail(E.NOMEM);
}

function mmap(
  kernel: Kernel,
  hint: Addr,
  size: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): number | Steps {
  const type = flags & MAP.TYPE;
  if (offset % PAGE !== 0) fail(E.INVAL);
  const file = flags & MAP.ANONYMOUS ? undefined : kernel.descriptors.get(fd);
  if (size === 0) fail(E.INVAL);
  if (size > kernel.memory.size) fail(E.NOMEM);
  // MAP_SHARED_VALIDATE is for files only.
  if (type < MAP.SHARED || type > MAP.SHARED_VALIDATE || (type === MAP.SHARED_VALIDATE && !file)) fail(E.INVAL);
  // Unknown bits of the protection are ignored.
  const permissions = permissionsOf(protection & (PROT.READ | PROT.WRITE | PROT.EXEC));
  const length = alignUp(size, PAGE);
  if (flags & MAP.FIXED && hint % PAGE !== 0) fail(E.INVAL);
  if (offset < 0) fail(file ? E.OVERFLOW : E.INVAL);
  if (file && type !== MAP.PRIVATE && protection & PROT.WRITE && !file.writable) fail(E.ACCES);
  if (file && !file.readable) fail(E.ACCES);
  if (file && !(file instanceof RegularFile || (file instanceof OpenDevice && file.node.device === 'zero')))
    fail(E.NODEV);
  const shared = file instanceof RegularFile && type !== MAP.PRIVATE;
  if (shared && protection & PROT.WRITE) checkSeals(file.node, true, file.node.contents.size);
  const writable = shared && file.writable && ((file.node.seals ?? 0) & (SEAL.WRITE | SEAL.FUTURE_WRITE)) === 0;
  // A read-only mapping counts, too: another process may write to the file, or mprotect may add PROT_WRITE.
  if (type !== MAP.PRIVATE) kernel.others.add('shared mapping');
  const at = placeFor(kernel, hint, length, flags);
  kernel.space.map(at, length, permissions);
  if (file instanceof RegularFile) return mapFile(kernel, file, { at, length, offset, shared, writable });
  if (type !== MAP.PRIVATE) kernel.sharedMemory.add(at, at + length);
  if (file) settle(kernel, at, length);
  return at;
}

/** Gives pages that have just been mapped the bytes of a file. */
function* mapFile(
  kernel: Kernel,
  file: RegularFile,
  part: { at: Addr; length: number; offset: number; shared: boolean; writable: boolean },
): Steps {
  const { at, length, offset, shared, writable } = part;
  const { contents } = file.node;
  if (shared && contents.isShared(offset, length)) {
    kernel.space.unmap(at, length);
    kernel.report('the guest mapped a part of a file twice, shared, which is not supported: mmap fails with ENODEV');
    fail(E.NODEV);
  }
  yield* contents.load(offset, kernel.memory.bytes.subarray(at, at + length));
  if (shared) {
    share(kernel, file.node, { address: at, length, offset, writable, file: mappedFileOf(file) });
  } else {
    const read = (from: number, target: Uint8Array) => {
      target.fill(0, contents.read(from, target));
    };
    kernel.backed.push({ address: at, length, file: mappedFileOf(file), offset, read });
  }
  settle(kernel, at, length);
  return at;
}

function munmap(kernel: Kernel, address: Addr, size: number): number {
  if (address % PAGE !== 0 || size === 0) fail(E.INVAL);
  const length = alignUp(size, PAGE);
  if (address + length > TOP) fail(E.INVAL);
  const end = Math.min(address + length, kernel.memory.size);
  if (address < end) kernel.space.unmap(address, end - address);
  return 0;
}

function mprotect(kernel: Kernel, address: Addr, size: number, protection: number): number {
  const GROWS = 0x03000000;
  const SEMAPHORES = 8;
  const permissions = permissionsOf(protection & ~(GROWS | SEMAPHORES));
  if (address % PAGE !== 0) fail(E.INVAL);
  if (size === 0) return 0;
  const length = alignUp(size, PAGE);
  if (address + length >= 2 ** 64) fail(E.NOMEM);
  // Linux protects the pages before a hole, and then fails.
  const there = mappedLength(kernel, address, length);
  const readOnly = () => kernel.shared.over(address, address + there).some(({ view }) => !view.writable);
  if (protection & PROT.WRITE && readOnly()) fail(E.ACCES);
  if (there > 0) {
    kernel.space.protect(address, there, permissions);
    settle(kernel, address, there);
  }
  return there < length ? fail(E.NOMEM) : 0;
}

/** Bytes of a range up to the first page that is not mapped. */
function mappedLength({ space }: Kernel, address: Addr, length: number): number {
  if (space.contains(address, length) && space.mapped(address, length)) return length;
  let end = address;
  while (end < address + length && space.contains(end, PAGE) && space.mapped(end, PAGE)) end += PAGE;
  return end - address;
}

/** The permissions of a page, also of one beyond the end of its file. */
const permissionsAt = (kernel: Kernel, page: Addr): number =>
  kernel.beyond.get(page) ?? kernel.memory.permissions[page / PAGE]!;

/** Have all pages of a range the same permissions and the same kind, as the pages of one mapping have? */
function alike(kernel: Kernel, address: Addr, length: number): boolean {
  const kind = (page: Addr) => permissionsAt(kernel, page) | (isSharedMemory(kernel, page) ? 2 ** 8 : 0);
  const first = kind(address);
  for (let page = address + PAGE; page < address + length; page += PAGE) if (kind(page) !== first) return false;
  return true;
}

/** Gives pages whose contents have moved elsewhere their initial contents. */
function renewAll(kernel: Kernel, address: Addr, length: number, permissions: number): void {
  const parts = kernel.backed.moved(address, length, address);
  kernel.space.map(address, length, permissions);
  kernel.backed.push(...parts);
  for (let page = address; page < address + length; page += PAGE) renew(kernel, page);
}

function mremap(kernel: Kernel, old: Addr, oldSize: number, newSize: number, flags: number, wanted: Addr): number {
  const { space, memory } = kernel;
  if (old % PAGE !== 0 || newSize === 0 || flags & ~(MREMAP.MAYMOVE | MREMAP.FIXED | MREMAP.DONTUNMAP)) fail(E.INVAL);
  const [fixed, keeps] = [(flags & MREMAP.FIXED) !== 0, (flags & MREMAP.DONTUNMAP) !== 0];
  if ((fixed || keeps) && ((flags & MREMAP.MAYMOVE) === 0 || wanted % PAGE !== 0)) fail(E.INVAL);
  if (newSize > memory.size) fail(E.NOMEM);
  const [oldLength, newLength] = [alignUp(oldSize, PAGE), alignUp(newSize, PAGE)];
  if (keeps && oldLength !== newLength) fail(E.INVAL);
  // For a mapping that stays in place and does not grow, only the first page has to be mapped.
  const kept = newLength <= oldLength && !fixed && !keeps ? PAGE : oldLength;
  if (!space.contains(old, kept || PAGE) || !space.mapped(old, kept || PAGE)) fail(E.FAULT);
  if (oldSize === 0 || (keeps && isShared(kernel, old))) {
    if (isShared(kernel, old))
      kernel.report(
        'the guest wants a shared mapping in a second place, which is not supported: mremap fails with EINVAL',
      );
    fail(E.INVAL);
  }
  const permissions = permissionsAt(kernel, old);
  if (!fixed && !keeps && newLength === oldLength) return old;
  if ((newLength >= oldLength || fixed) && !alike(kernel, old, Math.min(oldLength, newLength))) fail(E.FAULT);
  // Shrinking in place is unmapping the rest, of whatever kind.
  if (newLength < oldLength && !fixed && !keeps) {
    space.unmap(old + newLength, oldLength - newLength);
    return old;
  }
  const file = sharedAt(kernel, old);
  const anonymous = isSharedMemory(kernel, old);
  if (file && (file.from !== old || file.to !== old + oldLength)) fail(E.INVAL);
  /** Shares the pages at their new place and length with the file again. */
  const shareAgain = (address: Addr): Addr => {
    if (anonymous) kernel.sharedMemory.add(address, address + newLength);
    if (!file) return address;
    unshare(kernel, address, newLength);
    const { from: offset, writable } = file.view;
    const { contents } = file.node;
    if (contents.isShared(offset, newLength)) fail(E.NODEV);
    for (const _ of contents.load(offset + oldLength, memory.bytes.subarray(address + oldLength, address + newLength)));
    share(kernel, file.node, { address, length: newLength, offset, writable, file: file.file });
    settle(kernel, address, newLength);
    return address;
  };
  if (!fixed && !keeps) {
    const more = newLength - oldLength;
    if (space.contains(old, newLength) && space.free(old + oldLength, more)) {
      space.map(old + oldLength, more, permissions);
      return shareAgain(old);
    }
    if ((flags & MREMAP.MAYMOVE) === 0) fail(E.NOMEM);
  }
  if (fixed && wanted < old + oldLength && old < wanted + newLength) fail(E.INVAL);
  if (fixed && !space.contains(wanted, newLength)) fail(E.NOMEM);
  const at = fixed ? wanted : (space.findFree(newLength) ?? fail(E.NOMEM));
  const moved = kernel.backed.moved(old, Math.min(oldLength, newLength), at);
  space.map(at, newLength, permissions);
  memory.bytes.copyWithin(at, old, old + Math.min(oldLength, newLength));
  if (keeps) renewAll(kernel, old, oldLength, permissions & ~PERMISSION.MAPPED);
  else space.unmap(old, oldLength);
  kernel.backed.push(...moved);
  if (moved.length > 0) settle(kernel, at, newLength);
  return shareAgain(at);
}

/** Visits the mapped pages of a range, and then fails with ENOMEM if a part of the range is not mapped. */
function pagesOf(kernel: Kernel, address: Addr, size: number, visit: (page: Addr) => void): number {
  if (address % PAGE !== 0) fail(E.INVAL);
  const length = alignUp(size, PAGE);
  if (address + length > TOP) fail(E.NOMEM);
  let whole = true;
  for (let at = address; at < address + length && at < kernel.memory.size; at += PAGE)
    if (kernel.space.mapped(at, PAGE)) visit(at);
    else whole = false;
  return whole && address + length <= kernel.memory.size ? 0 : fail(E.NOMEM);
}

/** Gives a private page its initial contents: its file's bytes as they are now, or zeros. */
function renew(kernel: Kernel, address: Addr): void {
  const part = kernel.backed.at(address);
  // No permission changes, so `clear` tells engines to forget code of the page.
  kernel.space.clear(address);
  part?.read(part.offset + address - part.address, kernel.memory.bytes.subarray(address, address + PAGE));
}

/** Values of advice for madvise (uapi/asm-generic/mman-common.h). */
const ADVICE = {
  DONTNEED: 4,
  FREE: 8,
  REMOVE: 9,
  WIPEONFORK: 18,
  POPULATE_READ: 22,
  POPULATE_WRITE: 23,
  LAST: 25,
} as const;

/** Gives a page of shared memory up: a page of a file becomes a hole. */
function remove(kernel: Kernel, page: Addr): void {
  if (isSharedMemory(kernel, page)) {
    kernel.space.clear(page);
    return;
  }
  const { node, view, from: address } = sharedAt(kernel, page) ?? fail(kernel.backed.at(page) ? E.ACCES : E.INVAL);
  if (!view.writable) fail(E.ACCES);
  checkSeals(node, true, node.contents.size);
  const from = view.from + page - address;
  node.contents.punch(from, from + PAGE);
  kernel.overlay.modified(node);
}

function advisePage(kernel: Kernel, page: Addr, advice: number): void {
  const may = (permission: number) => (permissionsAt(kernel, page) & permission) !== 0;
  switch (advice) {
    case ADVICE.DONTNEED:
      if (!isShared(kernel, page)) renew(kernel, page);
      break;
    // Both are for private anonymous memory. The kernel may give such pages up at any time (FREE), here never.
    case ADVICE.FREE:
    case ADVICE.WIPEONFORK:
      if (isShared(kernel, page) || kernel.backed.at(page)) fail(E.INVAL);
      break;
    case ADVICE.REMOVE:
      remove(kernel, page);
      break;
    case ADVICE.POPULATE_READ:
    case ADVICE.POPULATE_WRITE:
      if (!may(advice === ADVICE.POPULATE_READ ? PERMISSION.READ : PERMISSION.WRITE)) fail(E.INVAL);
      if (kernel.beyond.has(page)) fail(E.FAULT);
  }
}

function madvise(kernel: Kernel, address: Addr, size: number, advice: number): number {
  if (advice < 0 || advice > ADVICE.LAST || (advice > 4 && advice < ADVICE.FREE)) fail(E.INVAL);
  if (address % PAGE !== 0 || address + alignUp(size, PAGE) > TOP) fail(E.INVAL);
  return pagesOf(kernel, address, size, (page) => advisePage(kernel, page, advice));
}

const MS = { ASYNC: 1, INVALIDATE: 2, SYNC: 4 } as const;

function msync(kernel: Kernel, address: Addr, size: number, flags: number): number {
  if (flags & ~(MS.ASYNC | MS.INVALIDATE | MS.SYNC) || (flags & MS.ASYNC && flags & MS.SYNC)) fail(E.INVAL);
  if (address % PAGE !== 0) fail(E.INVAL);
  // Rounded up to whole pages, such a size wraps around to 0.
  if (size > 2 ** 64 - PAGE) return 0;
  return pagesOf(kernel, address, size, () => {});
}

/** Every mapped page is resident. */
function mincore(kernel: Kernel, address: Addr, size: number, vector: Addr): number {
  if (address % PAGE !== 0) fail(E.INVAL);
  if (address + size > TOP) fail(E.NOMEM);
  const pages = Math.ceil(size / PAGE);
  const residency = kernel.guest.output(vector, pages);
  pagesOf(kernel, address, size, () => {});
  residency.fill(1);
  return 0;
}

const lock = (kernel: Kernel, address: Addr, size: number): number =>
  pagesOf(kernel, address - (address % PAGE), size === 0 ? 0 : size + (address % PAGE), () => {});

const lockRow = (number: number, name: string): SyscallRow => ({
  number,
  name,
  arguments: ['address', 'size'],
  run: lock,
});

const ROWS: readonly SyscallRow[] = [
  { number: 214, name: 'brk', arguments: ['address'], run: brk },
  { number: 215, name: 'munmap', arguments: ['address', 'size'], run: munmap },
  {
    number: 216,
    name: 'mremap',
    arguments: ['address', 'size', 'size', 'flags', 'address'],
    unused: (_, __, ___, flags) => (flags & (MREMAP.FIXED | MREMAP.DONTUNMAP) ? [] : [4]),
    run: mremap,
  },
  { number: 222, name: 'mmap', arguments: ['address', 'size', 'flags', 'flags', 'fd', 'offset'], run: mmap },
  { number: 226, name: 'mprotect', arguments: ['address', 'size', 'flags'], run: mprotect },
  { number: 227, name: 'msync', arguments: ['address', 'size', 'flags'], run: msync },
  lockRow(228, 'mlock'),
  lockRow(229, 'munlock'),
  {
    number: 284,
    name: 'mlock2',
    arguments: ['address', 'size', 'flags'],
    run: (k, address, size, flags) => (flags & ~1 ? fail(E.INVAL) : lock(k, address, size)),
  },
  {
    number: 230,
    name: 'mlockall',
    arguments: ['flags'],
    run: (_, flags) => {
      const [CURRENT, FUTURE, ON_FAULT] = [1, 2, 4];
      return flags & ~(CURRENT | FUTURE | ON_FAULT) || (flags & (CURRENT | FUTURE)) === 0 ? fail(E.INVAL) : 0;
    },
  },
  { number: 231, name: 'munlockall', arguments: [], run: () => 0 },
  { number: 232, name: 'mincore', arguments: ['address', 'size', 'address'], run: mincore },
  { number: 233, name: 'madvise', arguments: ['address', 'size', 'int'], run: madvise },
  {
    number: 259,
    name: 'riscv_flush_icache',
    arguments: ['address', 'address', 'flags'],
    // The whole cache is flushed, as in Linux (arch/riscv/kernel/sys_riscv.c): the range is advice.
    run: (k) => {
      k.space.onFlush();
      return 0;
    },
  },
];

/** Each of these calls may touch all of the memory. */
export const MAPPING_ROWS: readonly SyscallRow[] = ROWS.map((row) => ({ ...row, slow: true }));
