/**
 * Checks of the optimized file as a whole. Outside: map, headers and bytes are as required, nothing of the original has changed but the
 * patches that the map lists (`map.ts`, `headers.ts`, `segment.ts`, `bytes.ts`). Inside: each patch leads to code that stands for the
 * patched place (`tables.ts`), return points stand for the original ones, unwinders find the same as before (`unwind.ts`).
 */
import { type Addr, type ByteCount, hex } from '../../base/units.ts';
import { codeOf } from '../../code/code.ts';
import { sequenceWithin } from '../../domain/reservations.ts';
import type { Image } from '../../elf/image.ts';
import type { AssumptionId } from '../../emit/assumptions.ts';
import type { AddressMap } from '../../emit/map.ts';
import { byteProblems, endProblems } from './bytes.ts';
import { enteredWithin } from './entered.ts';
import { headerProblems } from './headers.ts';
import { mapProblems } from './map.ts';
import { type PatchFault, reasonText } from './reasons.ts';
import { segmentProblems } from './segment.ts';
import type { Sides } from './sides.ts';
import { type EntryProof, proveEntry } from './superblock.ts';
import { changedEntry } from './tables.ts';
import { isText } from './text.ts';
import { checkUnwind, isUnwindLink } from './unwind.ts';

export interface FileCheck {
  readonly what: string;
  /** Number of places that were checked. */
  readonly checked: number;
  /** Faults, one line each. */
  readonly problems: readonly string[];
  /** Patches and return points that are not proved, by address. */
  readonly places: readonly Addr[];
  readonly assumptions: readonly AssumptionId[];
}

/** Optimized code and the addresses that it stands for, by the map. */
export interface Places {
  readonly returns: ReadonlyMap<Addr, Addr>;
  readonly code: { readonly start: Addr; readonly end: Addr };
  standsFor(address: Addr): Addr | undefined;
  inside(address: Addr): boolean;
}

export function placesOf(original: Image, map: AddressMap, code: { readonly start: Addr; readonly end: Addr }): Places {
  const starts = new Map(map.data.superblocks.map(({ start, head }) => [start, head]));
  /** Addresses within a patch, but for its first. */
  const patched = new Set<Addr>();
  for (const [address, size] of map.data.patches) for (let at = 1; at < size; at++) patched.add(address + at);
  const text = codeOf(original);
  const inside = (address: Addr) => address >= code.start && address < code.end;
  return {
    returns: new Map(map.data.returns.map(([optimized, link]) => [optimized, link])),
    code,
    inside,
    standsFor: (address) =>
      inside(address) ? starts.get(address) : text.isExecutable(address) && !patched.has(address) ? address : undefined,
  };
}

interface FileRequest {
  readonly original: Image;
  readonly optimized: Image;
  readonly map: AddressMap;
  readonly places: Places;
  readonly sides: Sides;
}

/** The checks before any proof: where one fails, the map says nothing of the file, and no proof is made. */
export function checkOutside(
  original: Image,
  optimized: Image,
  map: AddressMap,
  { start, end }: Places['code'],
): FileCheck[] {
  const { superblocks } = map.data;
  const bytes = byteProblems(original, optimized, map.data.patches);
  return [
    check('superblocks', superblocks.length, mapProblems(original, optimized, map.data, [start, end])),
    check('headers', original.programHeaders.length, [
      ...headerProblems(original, optimized),
      ...segmentProblems(original, optimized),
    ]),
    // A program that reads its own file or headers sees where the headers lie.
    check('bytes of the original', bytes.checked, [...bytes.problems, ...endProblems(original, optimized)], ['A5']),
  ];
}

export function checkInside(request: FileRequest): FileCheck[] {
  return [checkReturns(request), checkPatches(request), checkFrames(request)];
}

const check = (
  what: string,
  checked: number,
  problems: readonly string[],
  assumptions: Iterable<AssumptionId> = [],
  places: readonly Addr[] = [],
): FileCheck => ({
  what,
  checked,
  problems,
  places,
  assumptions: [...new Set(assumptions)].sort(),
});

/** Checks that the code behind a call in optimized code stands for the code behind the original call. */
function checkReturns({ map, sides }: FileRequest): FileCheck {
  const problems: string[] = [];
  const places: Addr[] = [];
  const assumptions: AssumptionId[] = [];
  for (const [start, head] of map.data.returns) {
    const proof = proveEntry(sides, { head, start, first: false, progress: false });
    if (proof.verdict !== 'proved') {
      problems.push(`the return point ${hex(start)} of ${hex(head)}: ${reasonText(proof.reason)}`);
      places.push(start);
    }
    assumptions.push(...proof.assumptions);
  }
  return check('return points', map.data.returns.length, problems, assumptions, places);
}

/** Checks rows and landing pads at return points; every return address that is another number rests on A7 anyway. */
function checkFrames({ original, optimized, map, places }: FileRequest): FileCheck {
  const { checked, problems } = checkUnwind(original, optimized, map.data.returns, places.code);
  return check('frame descriptions', checked, problems);
}

function checkPatches(request: FileRequest): FileCheck {
  const { original, map } = request;
  const problems: string[] = [];
  const places: Addr[] = [];
  const assumptions: AssumptionId[] = [];
  const assumable = new Set<string>(map.data.assumptions);
  const { patches } = map.data;
  for (const [address, size] of patches) {
    const jump = isText(original, address, size) ? checkJump(request, address, size) : NO_CODE_FOUND;
    const found =
      jump.verdict === 'proved'
        ? jump
        : (checkTableEntry(request, address, size) ?? unwindLink(request, address, size));
    if (found === undefined) {
      problems.push(`the patch at ${hex(address)}: ${reasonText(jump.reason)}`);
      places.push(address);
    } else assumptions.push('A5', ...found.assumptions);
  }
  if (!original.relocatable || patches.length > 0)
    for (const id of new Set(assumptions))
      if (!assumable.has(id)) problems.push(`a patch rests on assumption ${id}, which the map does not name`);
  return check('patches', patches.length, problems, assumptions, places);
}

const unwindLink = ({ original, optimized }: FileRequest, address: Addr, size: ByteCount): Found | undefined =>
  isUnwindLink(original, optimized, address, size)
    ? { verdict: 'proved', reason: undefined, assumptions: [] }
    : undefined;

const NO_CODE_FOUND: Found = {
  verdict: 'unproved',
  reason: { kind: 'patch', what: { kind: 'no-code' } },
  assumptions: [],
};

type Found = Pick<EntryProof, 'verdict' | 'reason' | 'assumptions'>;

/** Checks a jump over an original instruction, to code that stands for the patched address. */
function checkJump({ original, optimized, sides, places }: FileRequest, address: Addr, size: ByteCount): Found {
  const no = (what: PatchFault): Found => ({ verdict: 'unproved', reason: { kind: 'patch', what }, assumptions: [] });
  const code = codeOf(optimized);
  const text = codeOf(original);
  if (text.insnAt(address) === undefined) return no({ kind: 'no-original' });
  // All bytes of the patch are run: none is left over that other code could enter.
  let end = address;
  while (end < address + size) end += code.insnAt(end)?.size ?? size + 1;
  if (end !== address + size) return no({ kind: 'no-instruction' });
  const within = (at: Addr) => at >= address && at < end;
  const proof = proveEntry(
    { ...sides, inside: (at) => within(at) },
    { head: address, start: address, first: true, progress: false },
  );
  if (proof.verdict !== 'proved') return proof;
  if (proof.ways !== 1) return no({ kind: 'several' });
  const leads = proof.leaves[0]!;
  if (leads.from + (code.insnAt(leads.from)?.size ?? 0) !== end || leads.at === undefined || !places.inside(leads.at))
    return no({ kind: 'elsewhere' });
  const sequence = sequenceWithin(text, address, size);
  if (sequence !== undefined) return no({ kind: 'sequence', at: sequence });
  const entered = enteredWithin(original, address, size);
  return entered === undefined ? { ...proof, assumptions: [...proof.assumptions, 'A2'] } : no(entered);
}

/** Checks a jump table's entry whose new target must stand for its old one. Undefined if the patch is no such entry. */
function checkTableEntry(
  { original, optimized, sides, places }: FileRequest,
  address: Addr,
  size: ByteCount,
): Found | undefined {
  const entry = changedEntry(original, optimized, address, size);
  if (entry === undefined || !places.inside(entry.start)) return undefined;
  if (codeOf(original).insnAt(entry.head) === undefined) return undefined;
  const proof = proveEntry(sides, { ...entry, first: false, progress: false });
  return proof.verdict === 'proved' ? { ...proof, assumptions: [...proof.assumptions, 'A4'] } : undefined;
}
