/** Counts what a random walk over a small program does, the obvious way: instruction by instruction, taking random turns. */

import type { RunAddr } from '../../src/base/units.ts';
import { facts } from '../../src/domain/record.ts';
import type { Image } from '../../src/elf/image.ts';
import { decodeAt } from '../../src/isa/decode.ts';
import { targetOf } from '../../src/isa/row.ts';
import { collect } from '../../src/profile/collect.ts';
import type { Profile } from '../../src/profile/profile.ts';
import { linksOf } from '../support/places.ts';

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
  const links = linksOf(image, bias);
  const place = links.places[0]!;
  const transfers: { from: RunAddr; to: RunAddr; count: number }[] = [];
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
    if (control !== 'none') transfers.push({ from: place.toRun(pc), to: place.toRun(next), count: 1 });
    pc = next;
  }
  const profile = collect({
    transfers,
    starts: [{ at: place.toRun(start), count: 1 }],
    stops: [{ at: place.toRun(pc), count: 1 }],
    links,
    instructions,
  });
  return { profile, retired };
}
