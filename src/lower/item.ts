/**
 * Lowering makes items: instructions whose pc-relative parts stay open until layout knows the addresses.
 */
import type { Addr, Reg } from '../base/units.ts';
import type { Insn } from '../isa/row.ts';

export type Item =
  /** An instruction as it is. `pc`: the original instruction that the item stands for, if any. */
  | { readonly kind: 'insn'; readonly insn: Insn; readonly pc?: Addr }
  /** A conditional branch to a stub of the same superblock, or straight to the stub's target if the stub has no items. */
  | { readonly kind: 'branch'; readonly insn: Insn; readonly stub: number; readonly pc?: Addr }
  /** A branch that leaves when *not* taken: the branch skips over a jump to the stub. */
  | { readonly kind: 'escape'; readonly insn: Insn; readonly stub: number; readonly pc?: Addr }
  /** A call that links; a call out of jal's reach goes through the link register itself. */
  | { readonly kind: 'call'; readonly to: Addr; readonly link: Reg; readonly pc?: Addr }
  /** reg := an address in the image, exactly. */
  | { readonly kind: 'address'; readonly reg: Reg; readonly address: Addr; readonly pc?: Addr }
  /** reg := a return address: the address of the superblock at the original return point, where there is such a superblock. */
  | { readonly kind: 'link'; readonly reg: Reg; readonly address: Addr; readonly pc?: Addr }
  /** reg := the target of the indirect jump at pc, originally `address`: that head's superblock, if a retargeted table has it. */
  | { readonly kind: 'target'; readonly reg: Reg; readonly address: Addr; readonly pc: Addr }
  /** reg := an address so near to the addresses of the `low` items with the same `base` that their 12-bit offsets reach. */
  | { readonly kind: 'high'; readonly reg: Reg; readonly base: number; readonly address: Addr; readonly pc?: Addr }
  /** An instruction whose immediate is `address` minus the number that the `high` item of `base` put into its register. */
  | { readonly kind: 'low'; readonly insn: Insn; readonly base: number; readonly address: Addr; readonly pc?: Addr };

/** Code behind an exit: puts values into the registers where the snapshot wants them, then leaves. */
export interface Stub {
  readonly items: readonly Item[];
  /** The original address that the stub leads to; undefined if its last item leaves by itself (an indirect jump). */
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
    /** goto: the target. call: the original return point. */
    readonly to: Addr | undefined;
    readonly count: number;
    /** A register dead at `to`, for a jump out of reach. */
    readonly scratch: Reg | undefined;
    /** A goto right behind a branch: the two exits may change places. */
    readonly flippable: boolean;
  };
}
