/** Targets: the extensions that an output may use beyond those that its input needs. */
import { badOption } from '../base/errors.ts';

/** RISC-V profiles (RVA22U64, RVA23U64): their mandatory extensions beyond RV64GC, as far as these have rows here. */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  rva22u64: ['Zba', 'Zbb', 'Zbs'],
  rva23u64: ['Zba', 'Zbb', 'Zbs', 'Zicond'],
};

/**
 * The extensions that a target has beyond RV64GC; none for no target.
 * @throws badOption
 */
export function extensionsOf(target: string | undefined): readonly string[] {
  if (target === undefined) return [];
  const extensions = TARGETS[target];
  if (extensions === undefined)
    throw badOption(`there is no target '${target}'`, `there are: ${Object.keys(TARGETS).join(', ')}`);
  return extensions;
}
