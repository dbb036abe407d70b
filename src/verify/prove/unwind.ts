/**
 * Unwinding from optimized code: at each return address the frame description of the optimized file must say of the caller's registers
 * and of landing pads what the original's says at the original return address. Unwinders come by it in one of two ways, along the chain
 * of descriptions or through the search table of PT_GNU_EH_FRAME; both must lead there.
 */
import { type Addr, hex } from '../../base/units.ts';
import type { Image } from '../../elf/image.ts';
import {
  Cursor,
  coveringFde,
  type Fde,
  findFrames,
  handlingAt,
  Malformed,
  rowAt,
  tableAt,
} from '../../emit/unwind/index.ts';

const PT_GNU_EH_FRAME = 0x6474e550;

interface UnwindCheck {
  readonly checked: number;
  readonly problems: readonly string[];
}

/** @param returns return addresses of optimized code, and the original ones that they stand for */
export function checkUnwind(
  original: Image,
  optimized: Image,
  returns: readonly (readonly [Addr, Addr])[],
): UnwindCheck {
  const frames = findFrames(original);
  const covered = returns.flatMap(([at, link]) => {
    // Unwinders look up the return address less one: it is the call that matters.
    const was = frames && coveringFde(frames, link - 1);
    return was === undefined ? [] : [{ at, link, was }];
  });
  const { last } = frames ?? {};
  // Where the chain has no end to go on from there is only the search table, whose new descriptions are not looked at.
  if (covered.length === 0 || last === undefined) return { checked: 0, problems: [] };
  const added = addedFrames(optimized, last.address);
  if (added === undefined) return { checked: 0, problems: ['there are no frame descriptions of the optimized code'] };
  const search = searchTable(optimized);
  const problems: string[] = [];
  for (const { at, link, was } of covered) {
    const is = coveringFde(added, at - 1);
    const why =
      is === undefined
        ? 'it has none'
        : (differs(original, was, link, optimized, is, at) ?? search?.misses(is, at - 1));
    if (why !== undefined) problems.push(`the frame description at ${hex(at)} of ${hex(link)}: ${why}`);
  }
  return { checked: covered.length, problems };
}

/** The chain's last record leads on to the descriptions behind the optimized code. */
function addedFrames(optimized: Image, last: Addr) {
  try {
    const cursor = new Cursor(optimized, last);
    const next = last + 4 + cursor.u32();
    const segment = optimized.segments.find((s) => next >= s.address && next < s.address + s.bytes.length);
    return segment && tableAt(optimized, next, segment.address + segment.bytes.length);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function differs(original: Image, was: Fde, link: Addr, optimized: Image, is: Fde, at: Addr): string | undefined {
  try {
    if (rowText(original, was, link - 1) !== rowText(optimized, is, at - 1)) return 'it finds other registers';
    const [before, after] = [handlingText(original, was, link), handlingText(optimized, is, at)];
    return before === after ? undefined : 'exceptions are handled in another way';
  } catch (error) {
    if (error instanceof Malformed) return 'it cannot be read';
    throw error;
  }
}

function rowText(image: Image, fde: Fde, pc: Addr): string {
  const { cfa, rules, argumentSize } = rowAt(image, fde, pc);
  const { returnColumn, signalFrame } = fde.cie;
  return JSON.stringify([cfa, [...rules].sort(([a], [b]) => a - b), argumentSize, returnColumn, signalFrame]);
}

/** Where nothing is handled the personality has nothing to do. */
function handlingText(image: Image, fde: Fde, link: Addr): string {
  const handling = fde.lsda === undefined ? { kind: 'none' } : handlingAt(image, fde.lsda, fde.start, link);
  return JSON.stringify([handling, handling.kind === 'none' ? undefined : fde.cie.personality]);
}

/** The table that PT_GNU_EH_FRAME leads to: pairs of a first address and a description, sorted. Only the usual encoding is known. */
function searchTable(image: Image): { misses(fde: Fde, pc: Addr): string | undefined } | undefined {
  const header = image.programHeaders.find(({ type }) => type === PT_GNU_EH_FRAME);
  if (header === undefined) return undefined;
  const cursor = new Cursor(image, header.vaddr);
  const form = [cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8()];
  cursor.u32();
  const count = cursor.u32();
  const entries: { start: Addr; fde: Addr }[] = [];
  for (let i = 0; i < count; i++)
    entries.push({ start: header.vaddr + (cursor.u32() | 0), fde: header.vaddr + (cursor.u32() | 0) });
  const usual =
    form.join() === '1,27,3,59' && entries.every(({ start }, i) => i === 0 || start >= entries[i - 1]!.start);
  return {
    misses: (fde, pc) => {
      if (!usual) return 'the search table is not sorted';
      const found = entries.findLast(({ start }) => start <= pc);
      return found?.fde === fde.address ? undefined : 'the search table does not lead to it';
    },
  };
}
