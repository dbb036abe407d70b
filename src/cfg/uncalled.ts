/** A block for what no block is: where jumps may lead that nothing is known of. */
import type { Addr } from '../base/units.ts';
import type { CfgBlock } from './block.ts';
import type { Cfg } from './build.ts';

/** No address. */
const NOWHERE: Addr = -1;

/**
 * Stands for all functions and labels that symbols name and nobody is seen to call or to run on into: where jumps that are not known may lead. Compiled ones read
 * what the psABI says; those of an interpreter written by hand read what it keeps in registers.
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
  // Code written by hand often has labels only.
  const labels = image.symbols
    .filter(({ kind, name, address }) => kind === 'other' && !name.startsWith('$') && blockAt(address))
    .map(({ address }) => address);
  const flow = [...new Set([...named, ...labels])].filter((entry) => !reached.has(entry)).sort((a, b) => a - b);
  return {
    start: NOWHERE,
    end: NOWHERE,
    site: NOWHERE,
    insns: 0,
    count: 0,
    ending: 'none',
    evidence: 'swept',
    target: undefined,
    returnPoint: undefined,
    leavesLink: false,
    flow,
    flowKnown: true,
    function: NOWHERE,
  };
}
