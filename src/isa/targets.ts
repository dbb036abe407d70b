/** Targets: the extensions that an output may use beyond those that its input needs. */
import { badOption } from '../base/errors.ts';
import { COMPRESSED, ROWS } from './table.ts';

/**
 * RISC-V profiles (RVA Profiles, chapters "RVA22U64" and "RVA23U64"), oldest first, with the extensions of instructions that are mandatory in
 * each beyond RV64GC and the profiles before it. Used are those that have rows here.
 */
const PROFILES: readonly { readonly name: string; readonly mandatory: string }[] = [
  { name: 'rva22u64', mandatory: 'Zihintpause Zba Zbb Zbs Zicbom Zicbop Zicboz Zfhmin' },
  { name: 'rva23u64', mandatory: 'V Zvfhmin Zvbb Zihintntl Zicond Zimop Zcmop Zcb Zfa Zawrs' },
];
const KNOWN = new Set([...ROWS, ...COMPRESSED].map(({ extension }) => extension));
const TARGETS = PROFILES.map(({ name, mandatory }) => ({
  name,
  adds: mandatory.split(' ').filter((extension) => KNOWN.has(extension)),
}));

/**
 * The extensions that a target has beyond RV64GC; none for no target.
 * @throws badOption
 */
export function extensionsOf(target: string | undefined): readonly string[] {
  if (target === undefined) return [];
  const at = TARGETS.findIndex(({ name }) => name === target);
  if (at < 0)
    throw badOption(`there is no target '${target}'`, `there are: ${PROFILES.map(({ name }) => name).join(', ')}`);
  return TARGETS.slice(0, at + 1).flatMap(({ adds }) => adds);
}

const enumerated = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** All targets in words: `Zba and Zbb for rva22u64, Zicond too for rva23u64`. */
export const TARGETS_TEXT: string = TARGETS.map(
  ({ name, adds }, at) => `${enumerated(adds)}${at === 0 ? '' : ' too'} for ${name}`,
).join(', ');
