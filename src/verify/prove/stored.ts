/** Reads bytes of memories given as terms (memory.ts), with the values of terms in one state. */
import type { Term } from '../../domain/term.ts';

const STORE = /^store([1-8])(?: from ([1-7]))?$/;

/**
 * The byte at an address in a memory that is given as a term: the stored value and the byte's index in it; undefined if nothing was stored
 * to the address since the start, or the last barrier.
 * @param meaning the value of a term
 */
export function storedByte(
  memory: Term,
  address: bigint,
  meaning: (term: Term) => bigint,
): { readonly value: Term; readonly at: number } | undefined {
  if (!isMade(memory)) return undefined;
  // Saved stores first, then the runs from the newest back.
  const open = memory.args.slice(1);
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    if (top.name === 'line') open.push(...top.args);
    if (top.name !== 'run') continue;
    const [left, piece, right] = top.args;
    const [, bytes, at = '0'] = STORE.exec(piece!.name!)!;
    // Addresses rise along a run, as far as they are within half of the address space.
    const distance = BigInt.asIntN(64, address - meaning(piece!.args[0]!));
    if (distance >= 0n && distance < BigInt(bytes!))
      return { value: piece!.args[1]!, at: Number(at) + Number(distance) };
    open.push(distance < 0n ? left! : right!);
  }
  return undefined;
}

/** The memory at the start, or behind the last barrier. */
export const originOf = (memory: Term): Term => (isMade(memory) ? memory.args[0]! : memory);

/** Something has been stored since the start. */
const isMade = ({ op, name }: Term): boolean => op === 'apply' && name === 'memory';
