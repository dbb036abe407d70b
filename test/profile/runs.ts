/** Counts what a random walk over a small program does, the obvious way: instruction by instruction, taking random turns. */

import { facts } from '../../src/domain/record.ts';
import type { Image } from '../../src/elf/image.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { targetOf } from '../../src/isa/row.ts';
import { collect } from '../../src/profile/collect.ts';
import type { Profile } from '../../src/profile/profile.ts';

export interface Walk {
  readonly profile: Profile;
  /** How often each instruction retired. */
  readonly retired: ReadonlyMap<number, number>;
}

/**
 * @param choose a number below its argument
 * @param returns where a computed jump may lead
 */
export function walk(
  image: Image,
  start: number,
  steps: number,
  choose: (below: number) => number,
  returns: readonly number[],
  bias = 0,
): Walk {
  const code = image.segments[0]!;
  const retired = new Map<number, number>();
  const transfers: { from: number; to: number; count: number }[] = [];
  let pc = start;
  let instructions = 0;
  for (; instructions < steps; instructions++) {
    const insn = decodeAt(code.bytes, pc - code.address);
    const control = insn && facts(insn).control;
    if (insn === undefined || control === 'trap') break;
    retired.set(pc, (retired.get(pc) ?? 0) + 1);
    let next = pc + insn.size;
    if (control === 'branch' && choose(2) === 1) next = targetOf(insn, pc)!;
    if (control === 'jump') next = targetOf(insn, pc)!;
    if (control === 'indirect') next = returns[choose(returns.length)]!;
    if (control !== 'none') transfers.push({ from: pc + bias, to: next + bias, count: 1 });
    pc = next;
  }
  const profile = collect({
    transfers,
    starts: [{ at: start + bias, count: 1 }],
    stops: [{ at: pc + bias, count: 1 }],
    images: [{ image, bias }],
    instructions,
  });
  return { profile, retired };
}
