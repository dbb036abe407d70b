/**
 * Gives every item an address and bytes, in three phases: items become atoms (collect.ts), atoms get sizes and addresses (relax.ts), and
 * then their bytes (encode.ts).
 */

import { internal } from '../base/errors.ts';
import type { Addr } from '../base/units.ts';
import type { ExtensionSet } from '../isa/extensions.ts';
import type { LoweredSuperblock } from '../lower/item.ts';
import type { Part } from './atom.ts';
import { type CodeAddresses, collect, type Outline } from './collect.ts';
import { type EncodedParts, encodeParts, type PlacedInsn } from './encode.ts';
import type { Group } from './place.ts';
import { relax } from './relax.ts';

interface Range {
  readonly start: Addr;
  readonly end: Addr;
}

export interface PlacedSuperblock {
  readonly lowered: LoweredSuperblock;
  readonly start: Addr;
  /** First address behind the line. */
  readonly end: Addr;
  /** The range of each stub; undefined where no branch needs the stub (the branch leads straight to the target). */
  readonly stubs: readonly (Range | undefined)[];
  /** Jumps to stubs that are out of a branch's reach. */
  readonly hops: readonly Range[];
  /** The optimized return address of its final call, if it ends in one. */
  readonly returnAddress: Addr | undefined;
  /** By rising address. */
  readonly insns: readonly PlacedInsn[];
}

export interface Layout {
  readonly bytes: Uint8Array;
  readonly superblocks: readonly PlacedSuperblock[];
  /** Heads whose superblocks' addresses optimized code makes as return addresses of inlined calls. Rising. */
  readonly links: readonly Addr[];
}

/** Inputs of layout besides the pieces and their order. */
interface Surroundings extends CodeAddresses {
  /** Extensions of the machines that the code is for. */
  readonly machine: ExtensionSet | undefined;
}

/**
 * @param at address of the first byte
 * @param aliases heads of empty superblocks, each with the head that transfers to it lead to
 * @throws OutOfReach
 */
export function layOut(
  groups: readonly Group[],
  at: Addr,
  aliases: ReadonlyMap<Addr, Addr> = new Map(),
  places: Partial<Surroundings> = {},
): Layout {
  const { parts, outlines, links } = collect(groups, aliases, places);
  const end = relax(parts, at, places.machine);
  const { bytes, insns } = encodeParts(parts, { start: at, end }, places.machine);
  return {
    bytes,
    links: [...links].sort((a, b) => a - b),
    superblocks: outlines.map((outline) => placedSuperblock(outline, insns)),
  };
}

function placedSuperblock({ lowered, line, stubs, hops }: Outline, insns: EncodedParts['insns']): PlacedSuperblock {
  const neededHops = [...hops.values()].filter(isNeeded);
  const parts = [line, ...stubs.filter(isNeeded), ...neededHops].sort((a, b) => a.start - b.start);
  return {
    lowered,
    ...rangeOf(line),
    stubs: stubs.map((part) => (part.needed ? rangeOf(part) : undefined)),
    hops: neededHops.map(rangeOf),
    returnAddress: lowered.final.kind === 'call' ? behindCall(line) : undefined,
    insns: parts.flatMap((part) => insns.get(part)!),
  };
}

const isNeeded = ({ needed }: Part): boolean => needed;
const rangeOf = ({ start, end }: Part): Range => ({ start, end });

/** The address behind a line's final call: the line's last instruction, but for a jump to a return point placed elsewhere. */
function behindCall({ atoms }: Part): Addr {
  const call = atoms.findLast(({ kind }) => kind !== 'jump');
  if (call === undefined) throw internal('a superblock that calls has no call');
  return call.at + call.size;
}
