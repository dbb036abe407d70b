/** Syscalls that wait until one of several files is ready: poll and select. */
import { alignUp } from '../../base/bits.ts';
import type { Addr } from '../../base/units.ts';
import { Blocked, E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { O, POLL } from './openfile.ts';
import type { SyscallRow } from './row.ts';
import { waitAndTellLeft, withMask } from './wait.ts';

function poll(kernel: Kernel, fds: Addr, count: number, timeout: Addr, mask: Addr, maskSize: number): number {
  const { guest } = kernel;
  if (count > kernel.descriptors.limit) fail(E.INVAL);
  const limit = timeout === 0 ? undefined : guest.timespec(timeout);
  const look = (): number => {
    let ready = 0;
    for (let index = 0; index < count; index++) {
      const at = fds + 8 * index;
      const fd = guest.i32(at);
      let events = 0;
      if (fd >= 0) {
        const file = kernel.descriptors.find(fd);
        const known = file && (file.flags & O.PATH) === 0;
        events = known ? file.poll() & (guest.u16(at + 4) | POLL.ERR | POLL.HUP) : POLL.NVAL;
      }
      guest.setU16(at + 6, events);
      if (events !== 0) ready++;
    }
    return ready;
  };
  const blocked = new Blocked('a poll of descriptors that never become ready', () => kernel.looks.once(look) > 0);
  return withMask(kernel, mask, maskSize, () =>
    waitAndTellLeft(kernel, timeout, limit, blocked, () => kernel.looks.once(look)),
  );
}

function select(
  kernel: Kernel,
  asked: number,
  readSet: Addr,
  writeSet: Addr,
  exceptSet: Addr,
  timeout: Addr,
  mask: Addr,
): number {
  const { guest } = kernel;
  if (asked < 0) fail(E.INVAL);
  const count = Math.min(asked, kernel.descriptors.size);
  const limit = timeout === 0 ? undefined : guest.timespec(timeout);
  const sets = [readSet, writeSet, exceptSet];
  const wanted = [POLL.IN | POLL.HUP | POLL.ERR, POLL.OUT | POLL.ERR, 0];
  const bytes = alignUp(count, 64) / 8;
  const results = sets.map(() => new Uint8Array(bytes));
  const look = (): number => {
    let ready = 0;
    for (const [which, set] of sets.entries()) {
      if (set === 0) continue;
      for (let fd = 0; fd < count; fd++) {
        if ((guest.u8(set + (fd >> 3)) & (1 << (fd & 7))) === 0) continue;
        if (kernel.descriptors.get(fd).poll() & wanted[which]!) {
          results[which]![fd >> 3]! |= 1 << (fd & 7);
          ready++;
        }
      }
    }
    return ready;
  };
  // The sixth argument points to the mask's address and its size.
  const [set, size] = mask === 0 ? [0, 0] : [guest.word(mask), guest.word(mask + 8)];
  const blocked = new Blocked('a select of descriptors that never become ready', () => kernel.looks.once(look) > 0);
  const ready = withMask(kernel, set, size, () =>
    waitAndTellLeft(kernel, timeout, limit, blocked, () => kernel.looks.once(look)),
  );
  for (const [which, set] of sets.entries()) if (set !== 0) guest.output(set, bytes).set(results[which]!);
  return ready;
}

export const POLL_ROWS: readonly SyscallRow[] = [
  {
    number: 72,
    name: 'pselect6',
    arguments: ['int', 'address', 'address', 'address', 'address', 'address'],
    run: select,
  },
  {
    number: 73,
    name: 'ppoll',
    arguments: ['address', 'size', 'address', 'address', 'size'],
    // Without a mask its size is ignored: glibc's pause leaves the old register contents there.
    unused: (_, __, ___, mask) => (mask === 0 ? [4] : []),
    run: poll,
  },
];
