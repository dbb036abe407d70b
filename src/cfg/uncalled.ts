/** A pseudo-block for possible targets of jumps of which nothing is known. */
import type { Addr } from '../base/units.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';

/** Stands for the addresses that the pseudo-block lacks. */
const NO_ADDRESS: Addr = -1;

/**
 * The pseudo-block stands for all functions and labels that symbols name and that no known edge or call leads to: unknown jumps may lead
 * there. Compiled functions read the registers that the psABI says; functions of an interpreter written by hand read registers that the
 * interpreter reserves.
 */
export function uncalled({ image, blocks, functions, blockAt }: Cfg): CfgBlock {
  const reached = new Set<Addr>();
  for (const { flow, target } of blocks) {
    for (const to of flow) reached.add(to);
    if (target !== undefined) reached.add(target);
  }
  const named = [...functions.values()]
    .filter(({ entry, size, blocks: own }) => size !== undefined && own[0] === entry)
    .map(({ entry }) => entry);
  // Code written by hand often has labels without a type.
  const labels = image.symbols
    .filter(({ kind, name, address }) => kind === 'other' && !name.startsWith('$') && blockAt(address))
    .map(({ address }) => address);
  const flow = [...new Set([...named, ...labels])].filter((entry) => !reached.has(entry)).sort((a, b) => a - b);
  return {
    start: NO_ADDRESS,
    end: NO_ADDRESS,
    site: NO_ADDRESS,
    insns: 0,
    count: 0,
    ending: 'none',
    evidence: 'swept',
    target: undefined,
    returnPoint: undefined,
    leavesLink: false,
    flow,
    flowKnown: true,
    behindUnknown: undefined,
    function: NO_ADDRESS,
  };
}
