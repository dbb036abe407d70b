/** Linux error numbers (asm-generic/errno-base.h, errno.h), and the exceptions that end a syscall early. */

export const E = {
  PERM: 1,
  NOENT: 2,
  SRCH: 3,
  INTR: 4,
  IO: 5,
  NXIO: 6,
  TOOBIG: 7,
  NOEXEC: 8,
  BADF: 9,
  CHILD: 10,
  AGAIN: 11,
  NOMEM: 12,
  ACCES: 13,
  FAULT: 14,
  BUSY: 16,
  EXIST: 17,
  XDEV: 18,
  NODEV: 19,
  NOTDIR: 20,
  ISDIR: 21,
  INVAL: 22,
  MFILE: 24,
  NOTTY: 25,
  TXTBSY: 26,
  FBIG: 27,
  NOSPC: 28,
  SPIPE: 29,
  ROFS: 30,
  MLINK: 31,
  PIPE: 32,
  DOM: 33,
  RANGE: 34,
  DEADLK: 35,
  NAMETOOLONG: 36,
  NOLCK: 37,
  NOSYS: 38,
  NOTEMPTY: 39,
  LOOP: 40,
  NODATA: 61,
  OVERFLOW: 75,
  NOTSOCK: 88,
  DESTADDRREQ: 89,
  MSGSIZE: 90,
  NOPROTOOPT: 92,
  PROTONOSUPPORT: 93,
  SOCKTNOSUPPORT: 94,
  OPNOTSUPP: 95,
  AFNOSUPPORT: 97,
  CONNRESET: 104,
  ISCONN: 106,
  NOTCONN: 107,
  TIMEDOUT: 110,
  CONNREFUSED: 111,
} as const;

const NAMES = new Map<number, string>(Object.entries(E).map(([name, code]) => [code, `E${name}`]));
NAMES.set(E.TOOBIG, 'E2BIG');

/** `ENOENT` for 2. */
export const errnoName = (code: number): string => NAMES.get(code) ?? `errno ${code}`;

/** Makes a syscall give -code. No Error: a stack trace is costly, and guests fail often (searching paths). Caught where a row is run. */
export class Errno {
  readonly code: number;
  /** A broken pipe that raises no SIGPIPE. */
  readonly quiet: boolean;
  /** A signal that the error raises. */
  readonly signal: number | undefined;
  constructor(code: number, quiet = false, signal?: number) {
    this.code = code;
    this.quiet = quiet;
    this.signal = signal;
  }
}

export const fail = (code: number): never => {
  throw new Errno(code);
};

/** Thrown by a syscall that has to wait and is then made again. Caught where a row is run. */
export class Blocked {
  /** The awaited event: `a read from an empty pipe`. */
  readonly what: string;
  /** Has the event come? Default: never, as only the waiting guest itself could cause it. */
  readonly ready: () => boolean;
  /** Limit of the wait in nanoseconds, after which the call fails with EAGAIN; undefined: no limit. */
  readonly time: bigint | undefined;
  /** Bytes that the call has moved before the wait. If there are any, the end of the wait ends the call, with this result. */
  readonly done: number;
  constructor(what: string, ready: () => boolean = () => false, time?: bigint, done = 0) {
    this.what = what;
    this.ready = ready;
    this.time = time;
    this.done = done;
  }
  /** The same wait of a call that has moved so many bytes more. */
  after(done: number): Blocked {
    return new Blocked(this.what, this.ready, this.time, this.done + done);
  }
}

/** Thrown by a wait that nothing in this machine can ever end. Caught where a row is run. */
export class Deadlock {
  /** The awaited event. */
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** The host cannot give or take bytes now: try again later. Thrown by sources and sinks; caught where bytes are moved (steps.ts). */
export class NotYet {
  /** Bytes that the host has taken nevertheless. */
  readonly done: number;
  constructor(done = 0) {
    this.done = done;
  }
}
