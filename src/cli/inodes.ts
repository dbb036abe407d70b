/** Names, owners, modes, times and bytes of host inodes. */
import { fchownSync, fstatSync, ftruncateSync, linkSync, type Stats, writeSync } from 'node:fs';
import type { Bytes } from '../machine/process.ts';

/** Mode bits that a guest may set on the host. */
export const RIGHT_BITS = 0o777;
export const SPECIAL_BITS = 0o7000;
export const STICKY_BIT = 0o1000;
export const OWNER_RIGHTS = 0o700;

const PIECE_BYTES = 2 ** 20;

/** Writes bytes into an empty file; holes stay holes. */
export function copy(bytes: Bytes, fd: number): void {
  const piece = new Uint8Array(PIECE_BYTES);
  ftruncateSync(fd, bytes.size);
  for (const { from, to } of bytes.data())
    for (let at = from; at < to; ) {
      const got = bytes.read(at, piece.subarray(0, Math.min(PIECE_BYTES, to - at)));
      for (let done = 0; done < got; ) done += writeSync(fd, piece, done, got - done, at + done);
      at += got;
    }
}

/** Makes another name. False: the file system cannot. */
export function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch {
    return false;
  }
}

/** Does an inode belong to another user, and isoform's own user is not root? */
export const isForeign = ({ uid }: Pick<Stats, 'uid'>): boolean => {
  const own = process.geteuid?.() ?? uid;
  return own !== 0 && own !== uid;
};

/** Gives an open file the owner and group of another. False: that is not permitted. */
export function own(fd: number, { uid, gid }: Stats): boolean {
  const now = fstatSync(fd);
  try {
    if (now.uid !== uid || now.gid !== gid) fchownSync(fd, uid, gid);
    return true;
  } catch {
    return false;
  }
}

/** @param there milliseconds, where nothing was asked for */
export const hostTime = (time: bigint | 'now' | undefined, there: number): Date | number =>
  time === 'now' ? new Date() : nodeTime(time === undefined ? there : Number(time) / 1e6);

/** Milliseconds as Node takes them: seconds, or before 1970 a date. */
export const nodeTime = (milliseconds: number): Date | number =>
  milliseconds < 0 ? new Date(milliseconds) : milliseconds / 1000;
