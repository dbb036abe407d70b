/** Reasons why a piece of code or a file is not proved: as data, and in words. */
import { type Addr, hex, type Reg, regName } from '../../base/units.ts';
import type { AssumptionId } from '../../emit/assumptions.ts';

export type Reason =
  /** At this exit the optimized code's state is none of the original's. `to`: undefined if the exit is a computed jump. */
  | { readonly kind: 'exit'; readonly at: Addr; readonly to: Addr | undefined; readonly what: Mismatch }
  /** The optimized code cannot be followed to its exits. */
  | { readonly kind: 'way'; readonly what: Obstacle }
  /** A patch over the original's code is no jump into the optimized code. */
  | { readonly kind: 'patch'; readonly what: PatchFault }
  /** The proof rests on an assumption that is not accepted. */
  | { readonly kind: 'assumption'; readonly id: AssumptionId }
  /** Map, headers or bytes of the file are wrong, so nothing was proved. */
  | { readonly kind: 'file' }
  /** The prover itself has failed; `what`: the message of its error. */
  | { readonly kind: 'failed'; readonly what: string }
  /** The code is wrong: a state shows a difference, given in words. */
  | { readonly kind: 'refuted'; readonly reason: Reason; readonly difference: string };

/** How the end of an optimized path differs from the nearest state of the original. */
export type Mismatch =
  | { readonly kind: 'register'; readonly reg: Reg }
  | { readonly kind: 'memory' }
  | { readonly kind: 'access'; readonly access: 'load' | 'store'; readonly bytes: number }
  | { readonly kind: 'events' }
  | { readonly kind: 'flags' }
  /** `left-out`: the original needs them, and may find them missing. */
  | { readonly kind: 'extensions' | 'left-out'; readonly names: readonly string[] }
  /** Without assumption A11: the accesses differ in a way that others may see. */
  | { readonly kind: 'seen'; readonly what: 'count' | 'accesses' | 'pinned' | 'dependences' }
  /** The original does not reach the exit: at `at` an undecided branch, a jump elsewhere, no instruction, or an instruction that stops. */
  | { readonly kind: 'open' | 'elsewhere' | 'nothing'; readonly at: Addr }
  | { readonly kind: 'stops'; readonly at: Addr; readonly why: Stop }
  | { readonly kind: 'never' };

export type Obstacle =
  | { readonly kind: 'many' | 'endless' | 'effort' | 'further' }
  | { readonly kind: 'leads' | 'nothing'; readonly at: Addr }
  | { readonly kind: 'stops'; readonly why: Stop };

/** What neither side is followed across. */
export type Stop = 'load-reserved' | 'store-conditional' | 'syscall' | 'breakpoint' | 'loop';

/** Why a patch over code is not what it has to be. */
export type PatchFault =
  /** The place is not code; the original has no instruction there; the patch is not made of whole instructions. */
  | { readonly kind: 'no-code' | 'no-original' | 'no-instruction' }
  /** The patch leads to several places, or to one that is not in the optimized code. */
  | { readonly kind: 'several' | 'elsewhere' }
  /** The patch lies between this LR and its SC. */
  | { readonly kind: 'sequence'; readonly at: Addr }
  /** The original is entered in the middle of the patch, at this address. */
  | { readonly kind: 'entered'; readonly at: Addr }
  /** An instruction of the original reaches into the patch from before. */
  | { readonly kind: 'overlapped' };

/** A reason in words; an empty text where there is none. */
export function reasonText(reason: Reason | undefined): string {
  switch (reason?.kind) {
    case undefined:
      return '';
    case 'exit':
      return `the exit at ${hex(reason.at)} ${reason.to === undefined ? 'by a computed jump' : `to ${hex(reason.to)}`}: ${mismatchText(reason.what)}`;
    case 'way':
      return obstacleText(reason.what);
    case 'patch':
      return patchText(reason.what);
    case 'assumption':
      return `it rests on assumption ${reason.id}, which is not accepted`;
    case 'failed':
      return `internal error in its proof: ${reason.what} (please report this)`;
    case 'file':
      return 'the file as a whole is not what it says';
    case 'refuted':
      return `${reasonText(reason.reason)}; on some state ${reason.difference}`;
  }
}

const SEEN_TEXTS = {
  count: 'it has not as many accesses as the original',
  accesses: 'its accesses are not those of the original',
  pinned: 'the stack, global or thread pointer is another at an access or between two',
  dependences: 'an access does not depend on all loads that it depends on in the original',
} as const;

const STOP_TEXTS: Readonly<Record<Stop, string>> = {
  'load-reserved': 'a load with reservation',
  'store-conditional': 'a conditional store',
  syscall: 'a system call',
  breakpoint: 'a breakpoint',
  loop: 'a loop that does not end',
};

function mismatchText(what: Mismatch): string {
  switch (what.kind) {
    case 'register':
      return `${regName(what.reg)} differs`;
    case 'memory':
      return 'memory differs';
    case 'access':
      return `it has a ${what.access} of ${what.bytes} bytes that the original has not`;
    case 'events':
      return 'the order of events differs';
    case 'flags':
      return 'floating-point flags differ';
    case 'extensions':
      return `it needs ${what.names.join(', ')}, which the original does not on that way`;
    case 'left-out':
      return `it does without ${what.names.join(', ')}, which the original needs on that way and the machine may lack`;
    case 'seen':
      return SEEN_TEXTS[what.what];
    case 'open':
      return `the original decides at ${hex(what.at)} what is not decided in the optimized code`;
    case 'elsewhere':
      return `the original jumps elsewhere at ${hex(what.at)}`;
    case 'nothing':
      return `the original has no instruction at ${hex(what.at)}`;
    case 'stops':
      return `the original comes to ${STOP_TEXTS[what.why]} at ${hex(what.at)}`;
    case 'never':
      return 'the original does not come there';
  }
}

function obstacleText(what: Obstacle): string {
  switch (what.kind) {
    case 'many':
      return 'too many ways through it';
    case 'endless':
      return 'it does not end';
    case 'effort':
      return 'the paths of the file are longer than its code accounts for';
    case 'further':
      return 'it goes on where it has ended before';
    case 'leads':
      return `it leaves to ${hex(what.at)}, which stands for nothing`;
    case 'nothing':
      return `there is no instruction at ${hex(what.at)}`;
    case 'stops':
      return `optimized code has ${STOP_TEXTS[what.why]}`;
  }
}

function patchText(fault: PatchFault): string {
  switch (fault.kind) {
    case 'no-code':
      return 'it is not over code';
    case 'no-original':
      return 'there is no instruction in the original';
    case 'no-instruction':
      return 'it is no instruction';
    case 'several':
      return 'it leads to more than one place';
    case 'elsewhere':
      return 'it is no jump into the optimized code';
    case 'sequence':
      return `it lies between the LR at ${hex(fault.at)} and its SC`;
    case 'entered':
      return `the original is entered at ${hex(fault.at)}, in its middle`;
    case 'overlapped':
      return 'an instruction of the original reaches into it from before';
  }
}

/** The kinds of a reason, outermost first: `exit register`, `refuted exit memory`. */
export function reasonKind(reason: Reason): string {
  if (reason.kind === 'refuted') return `refuted ${reasonKind(reason.reason)}`;
  return reason.kind === 'exit' || reason.kind === 'way' ? `${reason.kind} ${reason.what.kind}` : reason.kind;
}
