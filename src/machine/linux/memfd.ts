/** Files in memory (memfd_create(2)) and their seals, which forbid changes for good (fcntl(2), "File Sealing"). */
import type { Addr, ByteCount } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { RegularFile } from './nodefiles.ts';
import { SEAL } from './nodes.ts';
import { O, type OpenFile } from './openfile.ts';
import type { SyscallRow } from './row.ts';

const MFD = { CLOEXEC: 1, ALLOW_SEALING: 2 } as const;
const ALL_SEALS = 31;
const LONGEST_NAME: ByteCount = 249;

function create(kernel: Kernel, name: Addr, flags: number): number {
  if (flags & ~(MFD.CLOEXEC | MFD.ALLOW_SEALING)) fail(E.INVAL);
  const text = kernel.guest.string(name);
  if (text.length > LONGEST_NAME) fail(E.INVAL);
  kernel.descriptors.free();
  const node = kernel.overlay.makeFile(0o777);
  node.seals = flags & MFD.ALLOW_SEALING ? 0 : SEAL.SEAL;
  const file = new RegularFile(node, () => `/memfd:${text} (deleted)`, O.RDWR, kernel.overlay);
  return kernel.descriptors.add(file, (flags & MFD.CLOEXEC) !== 0);
}

/** The seals of a file in memory; fails with EINVAL for other files. */
export function sealsOf(file: OpenFile): number {
  return (file instanceof RegularFile ? file.node.seals : undefined) ?? fail(E.INVAL);
}

export function addSeals(kernel: Kernel, file: OpenFile, seals: number): number {
  const old = sealsOf(file);
  if (!file.writable) fail(E.PERM);
  if (seals & ~ALL_SEALS) fail(E.INVAL);
  if (old & SEAL.SEAL) fail(E.PERM);
  const written = [...kernel.shared].some(({ node, view }) => node === file.node && view.writable);
  if (seals & SEAL.WRITE && (old & SEAL.WRITE) === 0 && written) fail(E.BUSY);
  (file as RegularFile).node.seals = old | seals;
  return 0;
}

export const MEMFD_ROWS: readonly SyscallRow[] = [
  { number: 279, name: 'memfd_create', arguments: ['path', 'flags'], run: create },
];
