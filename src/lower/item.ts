/**
 * What lowering makes: items, which are instructions whose pc-relative parts are still open, until placement knows the addresses.
 */
import type { Addr, Reg } from '../base/units.ts';
import type { Insn } from '../isa/row.ts';

export type Item =
  /** An instruction as it is. `pc`: the original instruction it stands for, if any. */
  | { readonly kind: 'insn'; readonly insn: Insn; readonly pc?: Addr }
  /** A conditional branch to a stub of the same superblock, or straight to where the stub leads if it has nothing to do. */
  | { readonly kind: 'branch'; readonly insn: Insn; readonly stub: number; readonly pc?: Addr }
  /** A branch that leaves when it is *not* taken: it skips over a jump to the stub. */
  | { readonly kind: 'escape'; readonly insn: Insn; readonly stub: number; readonly pc?: Addr }
  /** A call that links; out of reach it goes through the link register itself. */
  | { readonly kind: 'call'; readonly to: Addr; readonly link: Reg; readonly pc?: Addr }
  /** reg := an address in the image, exactly. */
  | { readonly kind: 'address'; readonly reg: Reg; readonly address: Addr; readonly pc?: Addr }
  /** reg := a return address: of the superblock that stands for the original one, where there is such a superblock. */
  | { readonly kind: 'link'; readonly reg: Reg; readonly address: Addr; readonly pc?: Addr }
  /** reg := where the indirect jump at pc leads that led to an address: to its superblock, if a table says so. */
  | { readonly kind: 'target'; readonly reg: Reg; readonly address: Addr; readonly pc: Addr }
  /** reg := an address near those that the `low` items with the same `base` want; near enough for their 12-bit offsets. */
  | { readonly kind: 'high'; readonly reg: Reg; readonly base: number; readonly address: Addr; readonly pc?: Addr }
  /** An instruction whose immediate is (address - what `base` put into its register). */
  | { readonly kind: 'low'; readonly insn: Insn; readonly base: number; readonly address: Addr; readonly pc?: Addr };

/** Code behind an exit: puts values where the snapshot wants them, then leaves. */
export interface Stub {
  readonly items: readonly Item[];
  /** The original address it leads to; undefined if its last item leaves by itself (an indirect jump). */
  readonly to: Addr | undefined;
  /** A register dead at `to`, for a jump out of jal's reach. */
  readonly scratch: Reg | undefined;
  readonly count: number;
}

export interface LoweredSuperblock {
  readonly head: Addr;
  readonly count: number;
  /** The hot line, without the transfer of a goto. */
  readonly line: readonly Item[];
  readonly stubs: readonly Stub[];
  readonly final: {
    readonly kind: 'goto' | 'call' | 'indirect';
    /** goto: where it goes. call: the original return point, which must come right behind. */
    readonly to: Addr | undefined;
    readonly count: number;
    /** A register dead at `to`, for a jump out of reach. */
    readonly scratch: Reg | undefined;
    /** goto whose last item is a branch, with nothing between: the two exits may change places. */
    readonly flippable: boolean;
  };
}
