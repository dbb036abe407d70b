/** Targets: the extensions that an output may use beyond those that its input needs. */
import { badOption } from '../base/errors.ts';

/**
 * RISC-V profiles (RVA22U64, RVA23U64), oldest first, with the mandatory extensions that each adds to RV64GC and to the profiles before it,
 * as far as these have rows here.
 */
const TARGETS: readonly { readonly name: string; readonly adds: readonly string[] }[] = [
  { name: 'rva22u64', adds: ['Zba', 'Zbb', 'Zbs'] },
  { name: 'rva23u64', adds: ['Zicond'] },
];

/**
 * The extensions that a target has beyond RV64GC; none for no target.
 * @throws badOption
 */
export function extensionsOf(target: string | undefined): readonly string[] {
  if (target === undefined) return [];
  const at = TARGETS.findIndex(({ name }) => name === target);
  if (at < 0)
    throw badOption(`there is no target '${target}'`, `there are: ${TARGETS.map(({ name }) => name).join(', ')}`);
  return TARGETS.slice(0, at + 1).flatMap(({ adds }) => adds);
}

const enumerated = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** All targets in words: `Zba and Zbb for rva22u64, Zicond too for rva23u64`. */
export const TARGETS_TEXT: string = TARGETS.map(
  ({ name, adds }, at) => `${enumerated(adds)}${at === 0 ? '' : ' too'} for ${name}`,
).join(', ');
