/** prctl: attributes of the process that are kept and told, and change nothing else. */
import type { Addr } from '../../base/units.ts';
import { E, fail } from './errno.ts';
import type { Kernel } from './kernel.ts';
import { SIGNAL_COUNT } from './signals.ts';

/** uapi/linux/prctl.h. */
const PR = {
  SET_PDEATHSIG: 1,
  GET_PDEATHSIG: 2,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  GET_KEEPCAPS: 7,
  SET_KEEPCAPS: 8,
  GET_TIMING: 13,
  SET_TIMING: 14,
  SET_NAME: 15,
  GET_NAME: 16,
  GET_SECCOMP: 21,
  CAPBSET_READ: 23,
  CAPBSET_DROP: 24,
  GET_SECUREBITS: 27,
  SET_SECUREBITS: 28,
  SET_TIMERSLACK: 29,
  GET_TIMERSLACK: 30,
  SET_CHILD_SUBREAPER: 36,
  GET_CHILD_SUBREAPER: 37,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
  SET_THP_DISABLE: 41,
  GET_THP_DISABLE: 42,
} as const;
const LAST_CAPABILITY = 40;
/** Nanoseconds. */
const TIMER_SLACK = 50_000;

type Option = (kernel: Kernel, argument: Addr, more: readonly number[]) => number;

const switched = (value: number): number => (value > 1 ? fail(E.INVAL) : value);
const put = (kernel: Kernel, at: Addr, value: number): number => {
  kernel.guest.setU32(at, value);
  return 0;
};
const noMore = (more: readonly number[]): void => {
  if (more.some((value) => value !== 0)) fail(E.INVAL);
};

const OPTIONS: Readonly<Record<number, Option>> = {
  [PR.SET_PDEATHSIG]: ({ traits }, signal) => {
    traits.deathSignal = signal > SIGNAL_COUNT ? fail(E.INVAL) : signal;
    return 0;
  },
  [PR.GET_PDEATHSIG]: (kernel, at) => put(kernel, at, kernel.traits.deathSignal),
  [PR.GET_DUMPABLE]: ({ traits }) => traits.dumpable,
  [PR.SET_DUMPABLE]: ({ traits }, value) => {
    traits.dumpable = switched(value);
    return 0;
  },
  [PR.GET_KEEPCAPS]: ({ traits }) => traits.keepCapabilities,
  [PR.SET_KEEPCAPS]: ({ traits }, value) => {
    traits.keepCapabilities = switched(value);
    return 0;
  },
  // PR_TIMING_STATISTICAL is the only one.
  [PR.GET_TIMING]: () => 0,
  [PR.SET_TIMING]: (_, timing) => (timing === 0 ? 0 : fail(E.INVAL)),
  [PR.SET_NAME]: (kernel, at) => {
    kernel.traits.name = Buffer.from(nameAt(kernel, at), 'latin1');
    return 0;
  },
  [PR.GET_NAME]: ({ guest, traits }, at) => {
    guest.output(at, 16).fill(0).set(traits.name);
    return 0;
  },
  [PR.GET_SECCOMP]: () => 0,
  [PR.CAPBSET_READ]: (_, capability) => (capability <= LAST_CAPABILITY ? 1 : fail(E.INVAL)),
  [PR.CAPBSET_DROP]: () => fail(E.PERM),
  // SECURE_KEEP_CAPS is bit 4.
  [PR.GET_SECUREBITS]: ({ traits }) => traits.keepCapabilities << 4,
  [PR.SET_SECUREBITS]: () => fail(E.PERM),
  [PR.SET_TIMERSLACK]: ({ traits }, value) => {
    traits.timerSlack = value === 0 || value >= 2 ** 63 ? TIMER_SLACK : value;
    return 0;
  },
  [PR.GET_TIMERSLACK]: ({ traits }) => traits.timerSlack ?? TIMER_SLACK,
  [PR.SET_CHILD_SUBREAPER]: ({ traits }, value) => {
    traits.subreaper = value === 0 ? 0 : 1;
    return 0;
  },
  [PR.GET_CHILD_SUBREAPER]: (kernel, at) => put(kernel, at, kernel.traits.subreaper),
  [PR.SET_NO_NEW_PRIVS]: ({ traits }, value, more) => {
    if (value !== 1) fail(E.INVAL);
    noMore(more);
    traits.noNewPrivileges = 1;
    return 0;
  },
  [PR.GET_NO_NEW_PRIVS]: ({ traits }, value, more) => {
    noMore([value, ...more]);
    return traits.noNewPrivileges;
  },
  [PR.SET_THP_DISABLE]: ({ traits }, value, more) => {
    noMore(more);
    traits.noHugePages = value === 0 ? 0 : 1;
    return 0;
  },
  [PR.GET_THP_DISABLE]: ({ traits }, value, more) => {
    noMore([value, ...more]);
    return traits.noHugePages;
  },
};

export const processControl = (kernel: Kernel, option: number, argument: Addr, ...more: readonly number[]): number =>
  OPTIONS[option]?.(kernel, argument, more) ?? fail(E.INVAL);

/** A thread's name: up to 15 bytes, or up to a NUL. */
function nameAt({ guest }: Kernel, address: Addr): string {
  let name = '';
  for (let at = address; name.length < 15; at++) {
    const byte = guest.u8(at);
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}
