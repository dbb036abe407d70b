/**
 * Language-specific data (LSDA): which landing pad a call site has, and which exceptions the pad catches. The format is GCC's
 * (gcc/except.cc, output_function_exception_table; read by libstdc++-v3/libsupc++/eh_personality.cc) and shared by C++, C's
 * cleanup attribute, Rust and others.
 *
 * A call moved out of its function gets an LSDA of its own with one call-site record: the landing pad at its original address, the
 * chain of actions copied, the types named by the actions copied with pointers of their own.
 */
import { alignUp } from '../../base/bits.ts';
import type { Addr } from '../../base/units.ts';
import type { Image } from '../image.ts';
import { Cursor, Malformed, PE, type Pointer, RELATIVE, sizeOfEncoding, Writer } from './bytes.ts';

/** What happens when an exception passes a call. */
export type Handling =
  /** The table has no record for the call: the personality calls std::terminate. */
  | { readonly kind: 'forbidden' }
  /** A record without a landing pad: the exception just goes on. */
  | { readonly kind: 'none' }
  /** The function has no LSDA: the personality, if there is one, is told so. */
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'pad';
      /** The base of landing pads, and this landing pad's distance from the base (never 0, which means none). */
      readonly base: Addr;
      readonly pad: number;
      /** Undefined for a mere cleanup. */
      readonly actions: Actions | undefined;
    };
/**
 * The exceptions that a landing pad catches. Filters keep their numbers, and so do types and lists of types, because the landing
 * pad's code compares the number of the filter that matched.
 */
interface Actions {
  /** First to last: n > 0 is the catch of type n, 0 a cleanup, -n the list at byte n-1 of `lists`. */
  readonly filters: readonly number[];
  /** Types 1, 2, ... in order: those that the filters lead to. Undefined: any other type, and the null that catches everything. */
  readonly types: readonly (Pointer | undefined)[];
  /** Lists of type numbers, each ended by 0: the types that may pass. */
  readonly lists: readonly number[];
}

/** Every landing pad that the LSDA of a function names. Throws Malformed. */
export function padsOf(image: Image, lsda: Addr, functionStart: Addr): Addr[] {
  const c = new Cursor(image, lsda);
  const { base, siteEncoding, actions } = header(c, functionStart);
  const pads: Addr[] = [];
  while (c.address < actions) {
    const { pad } = siteAt(c, siteEncoding);
    if (pad !== 0) pads.push(base + pad);
  }
  return pads;
}

/** The LSDA's header: the base of landing pads, the address of the types, the end of the call sites, where the actions begin. */
function header(c: Cursor, functionStart: Addr) {
  const baseEncoding = c.u8();
  const start = baseEncoding === PE.OMIT ? undefined : c.pointer(baseEncoding);
  if (start?.indirect) throw new Malformed('an indirect pointer to code');
  const base = baseEncoding === PE.OMIT ? functionStart : (start?.address ?? 0);
  const typeEncoding = c.u8();
  // Unwinders compute the base of types, whether there are types or not.
  if (typeEncoding !== PE.OMIT && ![0, PE.PCREL].includes(typeEncoding & 0x70)) throw new Malformed('a base of types');
  const typeBase = typeEncoding === PE.OMIT ? undefined : (({ distance, at }) => at + distance)(distanceAt(c));
  const siteEncoding = c.u8();
  // Fields of call sites must be plain offsets, of any storage format: with another base unwinders would read them differently.
  if ((siteEncoding & 0xf0) !== 0) throw new Malformed('call sites that are no offsets');
  const tableSize = c.uleb();
  return { base, typeEncoding, typeBase, siteEncoding, actions: c.address + tableSize };
}

/** A record of the call-site table: a range, from the function's start on, its landing pad, and its actions. */
function siteAt(c: Cursor, encoding: number) {
  const [start, size, pad] = [c.stored(encoding), c.stored(encoding), c.stored(encoding)];
  if (start < 0 || size < 0 || pad < 0) throw new Malformed('a call site before its function');
  return { start, size, pad, action: c.uleb() };
}

/** The handling that a function's LSDA gives to the call that returns to `returnAddress`. Throws Malformed. */
export function handlingAt(image: Image, lsda: Addr, functionStart: Addr, returnAddress: Addr): Handling {
  const c = new Cursor(image, lsda);
  const { base, typeEncoding, typeBase, siteEncoding, actions } = header(c, functionStart);
  const offset = returnAddress - 1 - functionStart;
  while (c.address < actions) {
    const { start, size, pad, action } = siteAt(c, siteEncoding);
    if (offset < start) break;
    if (offset >= start + size) continue;
    if (pad === 0) return { kind: 'none' };
    if (action === 0) return { kind: 'pad', base, pad, actions: undefined };
    return { kind: 'pad', base, pad, actions: chain(image, actions + action - 1, typeEncoding, typeBase) };
  }
  return { kind: 'forbidden' };
}

function distanceAt(c: Cursor): { distance: number; at: Addr } {
  const distance = c.uleb();
  return { distance, at: c.address };
}

function chain(image: Image, first: Addr, encoding: number, typeBase: Addr | undefined): Actions {
  const filters: number[] = [];
  const used = new Set<number>();
  let listsEnd = 0;
  const seen = new Set<Addr>();
  for (let at = first, more = true; more; ) {
    if (seen.has(at)) throw new Malformed('a chain of actions without an end');
    seen.add(at);
    const c = new Cursor(image, at);
    const filter = c.sleb();
    filters.push(filter);
    if (filter !== 0 && typeBase === undefined) throw new Malformed('a filter without a type table');
    if (filter > 0) used.add(filter);
    if (filter < 0 && typeBase !== undefined) {
      const list = new Cursor(image, typeBase - filter - 1);
      for (let index = list.uleb(); index !== 0; index = list.uleb()) used.add(index);
      listsEnd = Math.max(listsEnd, list.address - typeBase);
    }
    const next = c.address;
    const distance = c.sleb();
    at = next + distance;
    more = distance !== 0;
  }
  const types: (Pointer | undefined)[] = [];
  for (const index of [...used].sort((a, b) => a - b)) {
    if (index > 0xffff) throw new Malformed('a type number is too large');
    while (types.length < index) types.push(undefined);
    types[index - 1] = new Cursor(image, typeBase! - index * sizeOfEncoding(encoding)).pointer(encoding);
  }
  return { filters, types, lists: listsEnd === 0 ? [] : [...new Cursor(image, typeBase!).take(listsEnd)] };
}

/** Longer than any range of code: the one record holds for the whole range of the frame description. */
const WHOLE_RANGE = 0x7fffffff;

/** Appends an LSDA, 4-byte aligned. @returns its address */
export function writeLsda(out: Writer, handling: Exclude<Handling, { kind: 'absent' }>): Addr {
  out.align(4);
  const at = out.address;
  if (handling.kind === 'forbidden') {
    out.put(PE.OMIT, PE.OMIT, PE.ULEB).uleb(0);
    return at;
  }
  if (handling.kind === 'none') {
    const site = new Writer(0).uleb(0).uleb(WHOLE_RANGE).uleb(0).uleb(0);
    out.put(PE.OMIT, PE.OMIT, PE.ULEB).uleb(site.address).append(site.bytes);
    return at;
  }
  const { filters, types, lists } = handling.actions ?? { filters: [], types: [], lists: [] };
  const records = new Writer(0);
  // The distance to the next record counts from the distance's own field, which is one byte.
  for (const [index, filter] of filters.entries()) records.sleb(filter).sleb(index === filters.length - 1 ? 0 : 1);
  // One encoding holds for the whole type table.
  const indirect = types.some((t) => t?.indirect);
  if (types.some((t) => t && t.indirect !== indirect)) throw new Malformed('types of two encodings');
  const sites = new Writer(0).uleb(0).uleb(WHOLE_RANGE).uleb(handling.pad);
  sites.uleb(handling.actions ? 1 : 0);
  out.put(RELATIVE).relative(handling.base);
  if (types.length === 0 && lists.length === 0) out.put(PE.OMIT);
  else {
    out.put(RELATIVE | (indirect ? PE.INDIRECT : 0));
    const rest = 1 + new Writer(0).uleb(sites.address).address + sites.address + records.address;
    const fieldAt = out.address;
    // The type table is aligned: the amount of padding depends on the size of this very number.
    let size = 1;
    let distance: number;
    for (;;) {
      const tableAt = alignUp(fieldAt + size + rest, 4);
      distance = tableAt + 4 * types.length - (fieldAt + size);
      const needed = new Writer(0).uleb(distance).address;
      if (needed <= size) break;
      size = needed;
    }
    out.uleb(distance);
  }
  out.put(PE.ULEB).uleb(sites.address).append(sites.bytes).append(records.bytes);
  if (types.length > 0 || lists.length > 0) {
    out.align(4);
    for (const type of [...types].reverse()) out.relative(type?.address);
    out.append(lists);
  }
  return at;
}
