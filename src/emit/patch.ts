/**
 * Patches: jumps written over original heads, so that original code enters the superblocks. A patch is made only where no code is seen
 * to enter the middle of its bytes (assumption A2): neither behind its first instruction, nor in that instruction's second half. No patch
 * is made within an LR..SC sequence.
 */
import type { Addr, Reg } from '../base/units.ts';
import { facts } from '../domain/record.ts';
import { sequenceWithin } from '../domain/reservations.ts';
import type { Patch } from '../elf/write.ts';
import { encodeBytes } from '../isa/encode.ts';
import { addPcInsn, jumpInsn, jumpRegisterInsn, reachesJump, splitDistance } from '../isa/idioms.ts';
import type { InsnSource } from '../isa/row.ts';
import type { Evidence } from './evidence.ts';

export interface PatchRequest {
  readonly head: Addr;
  /** The superblock's address. */
  readonly target: Addr;
  /** A register dead at the head, for targets out of a jump's reach. */
  readonly scratch: Reg | undefined;
}

export interface Patches {
  readonly patches: readonly Patch[];
  /** Heads that could not be patched. */
  readonly left: readonly Addr[];
}

/**
 * @param kept addresses of original instructions that optimized code itself leads to
 * @param narrow make only patches over single instructions
 */
export function makePatches(
  requests: readonly PatchRequest[],
  code: InsnSource,
  evidence: Evidence,
  kept: ReadonlySet<Addr>,
  narrow: boolean,
): Patches {
  const patches: Patch[] = [];
  const left: Addr[] = [];
  const heads = new Set(requests.map((request) => request.head));
  let covered = 0;
  for (const { head, target, scratch } of [...requests].sort((a, b) => a.head - b.head)) {
    const bytes = entryJump(head, target, scratch);
    const first = code.insnAt(head);
    if (bytes === undefined || first === undefined || head < covered) {
      left.push(head);
      continue;
    }
    const safe =
      (!narrow || first.size >= bytes.length) &&
      evidence.into(head, bytes.length) === undefined &&
      sequenceWithin(code, head, bytes.length) === undefined &&
      nothingEnters(head, bytes.length, code, (at) => kept.has(at) || heads.has(at));
    if (!safe) {
      left.push(head);
      continue;
    }
    patches.push({ address: head, bytes });
    covered = head + bytes.length;
  }
  return { patches, left };
}

function entryJump(head: Addr, target: Addr, scratch: Reg | undefined): Uint8Array | undefined {
  const distance = target - head;
  if (reachesJump(distance)) return encodeBytes(jumpInsn(distance), false);
  if (scratch === undefined) return undefined;
  const { high, low } = splitDistance(distance);
  const bytes = new Uint8Array(8);
  bytes.set(encodeBytes({ ...addPcInsn(scratch, high), size: 4 }, false));
  bytes.set(encodeBytes({ ...jumpRegisterInsn(scratch, low), size: 4 }, false), 4);
  return bytes;
}

/**
 * True if no kept address and no other head lies in the bytes behind the head, and the head runs on through all instructions that begin
 * in these bytes: an instruction behind an unconditional transfer is there because some other code enters it.
 */
function nothingEnters(head: Addr, size: number, code: InsnSource, entered: (at: Addr) => boolean): boolean {
  for (let at = head + 2; at < head + size; at += 2) if (entered(at)) return false;
  for (let at = head; at < head + size; ) {
    const insn = code.insnAt(at);
    if (insn === undefined) return false;
    at += insn.size;
    const { control } = facts(insn);
    if (at < head + size && (control === 'jump' || control === 'indirect' || control === 'trap')) return false;
  }
  return true;
}
