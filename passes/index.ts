/**
 * The order of the passes, as data, with the reason for each constraint. The constraints are asserted when this module is loaded.
 */
import { badOption, internal } from '../src/base/errors.ts';
import type { Pass } from '../src/superblock/pass.ts';
import { addresses } from './addresses.ts';
import { extensions } from './extensions.ts';
import { invert } from './invert.ts';
import { jumps } from './jumps.ts';
import { offsets } from './offsets.ts';
import { propagate } from './propagate.ts';
import { rehome } from './rehome.ts';
import { retarget } from './retarget.ts';
import { reuse } from './reuse.ts';
import { schedule } from './schedule.ts';
import { sink } from './sink.ts';
import { stores } from './stores.ts';

export const PASSES: readonly Pass[] = [
  jumps,
  invert,
  propagate,
  extensions,
  reuse,
  retarget,
  addresses,
  offsets,
  stores,
  sink,
  rehome,
  schedule,
];

/** `first` must run before `second`. */
const CONSTRAINTS: readonly { first: Pass; second: Pass; because: string }[] = [
  { first: jumps, second: propagate, because: 'what is gone need not be looked at' },
  { first: propagate, second: extensions, because: 'a copy hides how wide its source is used' },
  { first: extensions, second: reuse, because: 'what reads through an extension may be what is known already' },
  { first: reuse, second: offsets, because: 'an address that another op has made is no sum of its own' },
  { first: reuse, second: addresses, because: 'an address that is known already needs no offset' },
  { first: retarget, second: addresses, because: 'an instruction that computes a whole address is gone with it' },
  { first: addresses, second: offsets, because: 'a sum may be one that others are found to be near to' },
  { first: addresses, second: sink, because: 'what was computed only for an address is dead only then' },
  { first: offsets, second: sink, because: 'what was computed only for what reads a sum may be dead then' },
  { first: reuse, second: sink, because: 'what nobody needs once it has been found elsewhere is dead only then' },
  { first: sink, second: rehome, because: 'what has sunk no longer needs a home in the line' },
  { first: retarget, second: offsets, because: 'an instruction that adds in its own way takes the whole address' },
  { first: reuse, second: retarget, because: 'what is known already needs no instruction' },
  { first: retarget, second: sink, because: 'what an instruction takes in may be all that only side exits need' },
  { first: reuse, second: stores, because: 'what a load needs that could have been known stays' },
  { first: offsets, second: stores, because: 'a store to a frame moves with the stack pointer of the head' },
  { first: stores, second: sink, because: 'what was computed only to be stored is dead only then' },
  { first: rehome, second: schedule, because: 'where a value is kept says what it may move past' },
  { first: extensions, second: sink, because: 'an extension read through by all its users is dead only then' },
];

export const IDENTITY_PASSES: readonly Pass[] = PASSES.filter(({ transfersOnly }) => transfersOnly);

/** Passes that no constraint names, each with the reason why its place does not matter. */
const ANYWHERE: readonly { pass: Pass; because: string }[] = [
  { pass: invert, because: 'which way a branch falls through changes no value' },
];
for (const pass of PASSES)
  if (
    ![...CONSTRAINTS.flatMap(({ first, second }) => [first, second]), ...ANYWHERE.map((free) => free.pass)].includes(
      pass,
    )
  )
    throw internal(`pass ${pass.name} has no constraint: say why its place does not matter`);
for (const { first, second, because } of CONSTRAINTS) {
  for (const pass of [first, second])
    if (!PASSES.includes(pass)) throw internal(`pass ${pass.name} has a constraint, but is not in PASSES`);
  if (PASSES.indexOf(first) >= PASSES.indexOf(second))
    throw internal(`pass ${first.name} must run before ${second.name}: ${because}`);
}

/**
 * The passes that a command asks for, in the order of PASSES.
 * @param list passes, taken as they are; or names separated by commas (all of them as `-name`: every pass but these), `none` or `all`
 */
export function choosePasses(list: string | readonly Pass[] | undefined): readonly Pass[] {
  if (typeof list === 'object') return list;
  if (list === undefined || list === 'all') return PASSES;
  if (list === 'none') return [];
  const names = list.split(',');
  const known = PASSES.map((pass) => pass.name).join(', ');
  for (const name of names)
    if (!PASSES.some((pass) => pass.name === name.replace(/^-/, '')))
      throw badOption(`there is no pass '${name.replace(/^-/, '')}'`, `there are: ${known}`);
  const leaves = (name: string) => name.startsWith('-');
  if (!names.some(leaves)) return PASSES.filter((pass) => names.includes(pass.name));
  if (!names.every(leaves))
    throw badOption(`the passes '${list}' name some to make and some to leave out`, 'give one kind only');
  return PASSES.filter((pass) => !names.includes(`-${pass.name}`));
}
