/** Options of sockets (socket(7)) that can be set. SO_SNDBUF and the time-outs have an effect; the others are only read back. */
import type { Addr } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Guest } from './guest.ts';
import { BUFFER, type SocketEnd } from './socket.ts';

/** An option of one word, or of two. */
interface Option {
  readonly initial: readonly [number, number?];
  /** The words to keep for the given words; fails if these are refused. */
  readonly set: (first: number, second: number) => readonly number[];
}

const INT_MAX = 2 ** 31 - 1;
const flag: Option = { initial: [0], set: (value) => [value ? 1 : 0] };
/** A flag that stays 0. */
const off = (code: number): Option => ({ initial: [0], set: (value) => (value ? fail(code) : [0]) });
/** Linux doubles a size, for its own bookkeeping, and takes a negative one for the largest (net/core/sock.c). */
const size = (least: number): Option => ({
  initial: [BUFFER],
  set: (value) => [Math.max(2 * Math.min(value >>> 0, BUFFER), least)],
});

const SNDBUF = 7;
const LINGER = 13;
const TIMEOUTS: Readonly<Record<number, 'receive' | 'send'>> = { 20: 'receive', 21: 'send' };
const OPTIONS: Readonly<Record<number, Option>> = {
  /** SO_DEBUG. */
  1: off(E.ACCES),
  /** SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST. */
  2: flag,
  5: flag,
  6: flag,
  [SNDBUF]: size(4608),
  /** SO_RCVBUF. */
  8: size(2304),
  /** SO_KEEPALIVE, SO_OOBINLINE. */
  9: flag,
  10: flag,
  /** SO_PRIORITY: more than 6 is for root. */
  12: { initial: [0], set: (value) => (value < 0 || value > 6 ? fail(E.PERM) : [value]) },
  [LINGER]: { initial: [0, 0], set: (on, seconds) => [on ? 1 : 0, seconds] },
  /** SO_REUSEPORT. */
  15: off(E.OPNOTSUPP),
  /** SO_PASSCRED. */
  16: flag,
  /** SO_RCVLOWAT, SO_SNDLOWAT. */
  18: { initial: [1], set: (value) => [value < 0 ? INT_MAX : value || 1] },
  19: { initial: [1], set: () => fail(E.NOPROTOOPT) },
  /** SO_TIMESTAMP, SO_TIMESTAMPNS. */
  29: flag,
  35: flag,
};

/** The words of an option, of 32 bits each. Fails with ENOPROTOOPT. */
export function optionWords(socket: SocketEnd, option: number): readonly number[] {
  const limit = TIMEOUTS[option];
  if (limit) {
    const time = socket.limits[limit];
    const parts = [time / 1_000_000_000n, (time % 1_000_000_000n) / 1000n];
    return [...new Uint32Array(BigUint64Array.from(parts).buffer)];
  }
  return socket.options.get(option) ?? (OPTIONS[option]?.initial as readonly number[]) ?? fail(E.NOPROTOOPT);
}

export function setOption(guest: Guest, socket: SocketEnd, option: number, at: Addr, length: number): void {
  if (length < 4) fail(E.INVAL);
  const value = guest.i32(at);
  const limit = TIMEOUTS[option];
  if (limit) {
    if (length < 16) fail(E.INVAL);
    const [seconds, microseconds] = [guest.i64(at), guest.i64(at + 8)];
    if (microseconds < 0n || microseconds >= 1_000_000n) fail(E.DOM);
    socket.limits[limit] = seconds < 0n ? 0n : seconds * 1_000_000_000n + microseconds * 1000n;
    return;
  }
  const known = OPTIONS[option] ?? fail(E.NOPROTOOPT);
  if (option === LINGER && length < 8) fail(E.INVAL);
  const words = known.set(value, option === LINGER ? guest.i32(at + 4) : 0);
  socket.options.set(option, words);
  if (option === SNDBUF) socket.room = words[0]!;
}
