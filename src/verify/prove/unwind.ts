/**
 * Unwinding from optimized code: at each return address the frame description of the optimized file must say of the caller's registers
 * and of landing pads what the original's says at the original return address. Unwinders find descriptions in one of two ways, along the
 * chain of descriptions or through the search table of PT_GNU_EH_FRAME; both must lead to the new descriptions, and still to all that
 * they led to before. New descriptions cover optimized code only, and no two of them the same address.
 */
import { type Addr, hex } from '../../base/units.ts';
import { PT } from '../../elf/constants.ts';
import type { Image } from '../../elf/image.ts';
import {
  type Code,
  Cursor,
  coveringFde,
  type Fde,
  type Frames,
  findFrames,
  handlingAt,
  hasSignalFrames,
  isAsWritten,
  Malformed,
  type Row,
  readFrames,
  readsLink,
  recordAt,
  rowAt,
  type Search,
  searchAt,
  searchHeader,
  tableAt,
  unreadableTables,
} from '../../elf/unwind/index.ts';

interface UnwindCheck {
  readonly checked: number;
  readonly problems: readonly string[];
}

/**
 * @param returns return addresses of optimized code, and the original ones that they stand for
 * @param code the range of optimized code
 */
export function checkUnwind(
  original: Image,
  optimized: Image,
  returns: readonly (readonly [Addr, Addr])[],
  code: { readonly start: Addr; readonly end: Addr },
): UnwindCheck {
  try {
    return check(original, optimized, returns, code);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { checked: returns.length, problems: [`the frame descriptions cannot be read: ${error.message}`] };
  }
}

/** Is this patch the link of the chain to the new descriptions: over the chain's last record, which the table's end follows? */
export function isUnwindLink(original: Image, optimized: Image, address: Addr, size: number): boolean {
  return size === 8 && readFrames(original)?.last?.address === address && linkedTo(optimized, address) !== undefined;
}

/** The address where the chain goes on behind its last record, now a common entry that no record refers to; undefined if it ends there. */
function linkedTo(optimized: Image, last: Addr): Addr | undefined {
  const cursor = new Cursor(optimized, last);
  const next = last + 4 + cursor.u32();
  const added = optimized.segments.at(-1)!;
  return cursor.u32() === 0 && next >= added.address && next < added.address + added.bytes.length ? next : undefined;
}

function check(
  original: Image,
  optimized: Image,
  returns: readonly (readonly [Addr, Addr])[],
  code: { readonly start: Addr; readonly end: Addr },
): UnwindCheck {
  const frames = findFrames(original);
  const header = searchHeader(optimized);
  const renewed = header !== searchHeader(original);
  const unreadable = unreadableTables(original);
  if (unreadable !== undefined || frames === 'unreadable')
    return { checked: returns.length, problems: [`${unreadable} of the original cannot be read`] };
  if (frames === undefined)
    return { checked: returns.length, problems: renewed ? ['there is a search table, and was none'] : [] };
  // Behind a signal's frame unwinders look up the return address itself.
  if (returns.length > 0 && hasSignalFrames(frames))
    return { checked: returns.length, problems: ['the original has frames of signals'] };
  const { last } = frames;
  const next = last && linkedTo(optimized, last.address);
  const search = renewed ? usualSearch(optimized, header!) : undefined;
  const found = search?.entries.map(({ start, at }) => ({ start, fde: recordAt(optimized, at) })) ?? [];
  const chain = next === undefined ? undefined : endedTable(optimized, next);
  // A chain without an end cannot go on: its new descriptions are found only through the search table.
  const added = chain?.fdes ?? found.map(({ fde }) => fde).filter((fde) => fde.address >= code.end);
  const isOurs = ({ start, end }: Fde) => start >= code.start && end <= code.end;
  const ours = added.filter(isOurs);
  const copies = added.filter((fde) => !isOurs(fde));
  // All parts of a new description are new as well: none is in bytes that the program may change.
  const onlyNew = { ...optimized, segments: optimized.segments.slice(-1) };
  const problems = [
    ...overlaps(ours),
    ...ours.flatMap((fde) => misplacedParts(fde, code.end)),
    ...ours.flatMap((fde) =>
      isAsWritten(onlyNew, fde) ? [] : [`the frame description at ${hex(fde.address)} is in an odd form`],
    ),
    ...copyProblems(original, optimized, next === undefined ? undefined : last, copies),
  ];
  if (search !== undefined)
    problems.push(
      ...searchProblems(original, frames, search, next === undefined, copies, ours),
      ...sizeProblems(optimized, search),
    );
  let needed = false;
  for (const [at, link] of returns) {
    // Unwinders look up the return address less one: the call matters.
    const was = coveringFde(frames, link - 1);
    const is = coveringFde({ fdes: ours }, at - 1);
    needed ||= was !== undefined;
    const why =
      was === undefined
        ? is && 'the original has none'
        : is === undefined
          ? 'it has none'
          : frameDiffers(original, was, link, onlyNew, is, at);
    if (why !== undefined) problems.push(`the frame description at ${hex(at)} of ${hex(link)}: ${why}`);
  }
  if (next !== undefined && last?.fde !== undefined && header !== undefined && !renewed)
    problems.push('the search table leads to a description that is none any more');
  if (needed && last !== undefined && next === undefined) problems.push('the chain of descriptions does not lead on');
  if (needed && header !== undefined && !renewed) problems.push('the search table does not lead to what is new');
  return { checked: returns.length, problems };
}

/** A chain of records that comes to an end. */
function endedTable(image: Image, start: Addr): Frames {
  const segment = image.segments.at(-1)!;
  const table = tableAt(image, start, segment.address + segment.bytes.length);
  if (table?.last === undefined) throw new Malformed('a chain without an end');
  return table;
}

function overlaps(fdes: readonly Fde[]): string[] {
  const problems: string[] = [];
  let end = 0;
  for (const fde of [...fdes].sort((a, b) => a.start - b.start)) {
    if (fde.start < end || fde.end <= fde.start) problems.push(`two frame descriptions lie over ${hex(fde.start)}`);
    end = fde.end;
  }
  return problems;
}

/** Problems of a new description with parts that are not behind the optimized code. */
const misplacedParts = ({ address, cie, lsda }: Fde, least: Addr): string[] =>
  Math.min(address, cie.address, lsda ?? least) < least
    ? [`the frame description at ${hex(address)} is not whole`]
    : [];

/** New descriptions of original code must be one copy of the record that has become the link, or none if it described nothing. */
function copyProblems(original: Image, optimized: Image, last: Frames['last'], copies: readonly Fde[]): string[] {
  const was = last?.fde?.start === 0 ? undefined : last?.fde;
  if (copies.length !== (was === undefined ? 0 : 1))
    return [`${copies.length} new frame descriptions are of original code`];
  const is = copies[0];
  if (was === undefined || is === undefined) return [];
  const facts = ({ start, end, lsda, cie }: Fde) => {
    const { codeAlign, dataAlign, returnColumn, personality, signalFrame } = cie;
    return JSON.stringify([start, end, lsda ?? null, codeAlign, dataAlign, returnColumn, personality, signalFrame]);
  };
  const same =
    facts(was) === facts(is) &&
    sameCode(original, was.instructions, optimized, is.instructions) &&
    sameCode(original, was.cie.instructions, optimized, is.cie.instructions);
  return same ? [] : [`the frame description of ${hex(was.start)} is not as it was`];
}

/** Are these the same instructions, perhaps with more DW_CFA_nop at their end? */
function sameCode(original: Image, was: Code, optimized: Image, is: Code): boolean {
  const [before, after] = [bytesOf(original, was), bytesOf(optimized, is)];
  return after.length >= before.length && after.every((byte, at) => byte === (before[at] ?? 0));
}

const bytesOf = (image: Image, { start, end }: Code): Uint8Array =>
  end === start ? new Uint8Array(0) : new Cursor(image, start).take(end - start);

/** How another description differs for a call, in words. @param link the original's return address, @param at the other's */
export function frameDiffers(
  original: Image,
  was: Fde,
  link: Addr,
  optimized: Image,
  is: Fde,
  at: Addr,
): string | undefined {
  try {
    const row = rowAt(original, was, link - 1);
    if (rowText(was, row) !== rowText(is, rowAt(optimized, is, at - 1))) return 'it finds other registers';
    if (readsLink(row, was.cie.returnColumn)) return 'it reads the return address';
    const [before, after] = [handlingOf(original, was, link), handlingOf(optimized, is, at)];
    if (JSON.stringify(before) !== JSON.stringify(after)) return 'exceptions are handled in another way';
    const [needed, made] = [was.cie.personality, is.cie.personality];
    return JSON.stringify(needed) === JSON.stringify(made) ? undefined : 'it has another personality';
  } catch (error) {
    if (error instanceof Malformed) return 'it cannot be read';
    throw error;
  }
}

function rowText({ cie: { returnColumn, signalFrame } }: Fde, { cfa, rules, argumentSize }: Row): string {
  return JSON.stringify([cfa, [...rules].sort(([a], [b]) => a - b), argumentSize, returnColumn, signalFrame]);
}

const handlingOf = (image: Image, fde: Fde, link: Addr) =>
  fde.lsda === undefined ? ({ kind: 'absent' } as const) : handlingAt(image, fde.lsda, fde.start, link);

function usualSearch(image: Image, header: Addr): Search {
  const search = searchAt(image, header);
  if (search === undefined) throw new Malformed('a search table of another kind');
  return search;
}

/** Bytes of a search table before its entries, and of an entry. */
const [SEARCH_HEADER_SIZE, SEARCH_ENTRY_SIZE] = [12, 8];

/** Some unwinders read as much of the search table as its program header says. */
function sizeProblems({ programHeaders }: Image, { entries }: Search): string[] {
  const size = SEARCH_HEADER_SIZE + entries.length * SEARCH_ENTRY_SIZE;
  const header = programHeaders.find(({ type }) => type === PT.GNU_EH_FRAME);
  return header?.memSize === size && header.fileSize === size
    ? []
    : ['the search table has another size than its header says'];
}

/** Checks that the search table leads to all old and new descriptions and nothing else, and is sorted for the binary search. */
function searchProblems(
  original: Image,
  frames: Frames,
  { chain, entries }: Search,
  unlinked: boolean,
  copies: readonly Fde[],
  ours: readonly Fde[],
): string[] {
  const problems: string[] = [];
  const key = (start: Addr, fde: Addr) => `${start},${fde}`;
  const has = new Set(entries.map(({ start, at }) => key(start, at)));
  const gone = unlinked ? undefined : frames.last?.address;
  const stay = frames.fdes.filter((fde) => fde.address !== gone);
  const wanted = new Set([...stay, ...copies, ...ours].map((fde) => key(fde.start, fde.address)));
  if (entries.some(({ start }, i) => i > 0 && start < entries[i - 1]!.start))
    problems.push('the search table is not sorted');
  if (entries.length !== wanted.size || [...wanted].some((each) => !has.has(each)))
    problems.push('the search table does not lead to all that it led to and all that is new, and to nothing else');
  const before = searchAt(original, searchHeader(original)!);
  if (before === undefined) return problems;
  if (chain !== before.chain) problems.push('the search table says that the descriptions begin elsewhere');
  const known = new Map(frames.fdes.map((fde) => [fde.address, fde.start]));
  if (before.entries.some(({ start, at }) => known.get(at) !== start))
    problems.push('the search table has lost what it led to');
  return problems;
}
