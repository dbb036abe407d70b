/**
 * Language-specific data (LSDA): which landing pad a call site has, and what it catches. The format is GCC's
 * (gcc/except.cc, output_function_exception_table; read by libstdc++-v3/libsupc++/eh_personality.cc) and shared by C++, C's
 * cleanup attribute, Rust and others.
 *
 * A call moved out of its function gets an LSDA of its own with one call-site record: the landing pad where it was, at its
 * original address, the chain of actions copied, the types it names copied with pointers of their own.
 */
import type { Addr } from '../../base/units.ts';
import type { Image } from '../../elf/image.ts';
import { Cursor, Malformed, PE, type Pointer, RELATIVE, sizeOfEncoding, Writer } from './bytes.ts';

/** What happens when an exception passes a call. */
export type Handling =
  /** The table has no record for the call: the personality calls std::terminate. */
  | { readonly kind: 'forbidden' }
  /** A record without a landing pad: the exception just goes on. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'pad';
      /** What landing pads are relative to, and how far from it this one is (never 0, which means none). */
      readonly base: Addr;
      readonly pad: number;
      /** The filters of the chain of actions, first to last; undefined: a cleanup only. */
      readonly actions: readonly Action[] | undefined;
    };
/** A catch of a type (null: of everything), a list of types that may pass, or a cleanup. */
type Action =
  | { readonly kind: 'catch'; readonly type: Pointer | undefined }
  | { readonly kind: 'allow'; readonly types: readonly (Pointer | undefined)[] }
  | { readonly kind: 'cleanup' };

/** What the LSDA of a function says for the call that returns to `returnAddress`. Throws Malformed. */
export function handlingAt(image: Image, lsda: Addr, functionStart: Addr, returnAddress: Addr): Handling {
  const c = new Cursor(image, lsda);
  const baseEncoding = c.u8();
  const base = baseEncoding === PE.OMIT ? functionStart : (c.pointer(baseEncoding)?.address ?? 0);
  const typeEncoding = c.u8();
  const typeBase = typeEncoding === PE.OMIT ? undefined : (({ distance, at }) => at + distance)(distanceAt(c));
  const siteEncoding = c.u8();
  const tableSize = c.uleb();
  const actions = c.address + tableSize;
  const offset = returnAddress - 1 - functionStart;
  while (c.address < actions) {
    const start = c.stored(siteEncoding);
    const size = c.stored(siteEncoding);
    const pad = c.stored(siteEncoding);
    const action = c.uleb();
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

function chain(image: Image, first: Addr, encoding: number, typeBase: Addr | undefined): Action[] {
  const type = (index: number): Pointer | undefined => {
    if (typeBase === undefined) throw new Malformed('a type without a type table');
    return new Cursor(image, typeBase - index * sizeOfEncoding(encoding)).pointer(encoding);
  };
  const list: Action[] = [];
  const seen = new Set<Addr>();
  for (let at = first; ; ) {
    if (seen.has(at)) throw new Malformed('a chain of actions without an end');
    seen.add(at);
    const c = new Cursor(image, at);
    const filter = c.sleb();
    const next = c.address;
    const distance = c.sleb();
    if (filter > 0) list.push({ kind: 'catch', type: type(filter) });
    else if (filter === 0) list.push({ kind: 'cleanup' });
    else {
      if (typeBase === undefined) throw new Malformed('a list of types without a type table');
      const types: (Pointer | undefined)[] = [];
      const specification = new Cursor(image, typeBase - filter - 1);
      for (let index = specification.uleb(); index !== 0; index = specification.uleb()) types.push(type(index));
      list.push({ kind: 'allow', types });
    }
    if (distance === 0) return list;
    at = next + distance;
  }
}

/** Longer than any range of code: the one record holds for all that the frame description covers. */
const WHOLE_RANGE = 0x7fffffff;

/** Appends an LSDA, 4-byte aligned. @returns its address */
export function writeLsda(out: Writer, handling: Exclude<Handling, { kind: 'none' }>): Addr {
  out.align(4);
  const at = out.address;
  if (handling.kind === 'forbidden') {
    out.put(PE.OMIT, PE.OMIT, PE.ULEB).uleb(0);
    return at;
  }
  const types: (Pointer | undefined)[] = [];
  const indexOf = (type: Pointer | undefined): number => {
    const known = types.findIndex((t) => t?.address === type?.address && t?.indirect === type?.indirect);
    return known < 0 ? types.push(type) : known + 1;
  };
  const records = new Writer(0);
  const lists = new Writer(0);
  const actions = handling.actions ?? [];
  for (const [index, action] of actions.entries()) {
    if (action.kind === 'catch') records.sleb(indexOf(action.type));
    else if (action.kind === 'cleanup') records.sleb(0);
    else {
      records.sleb(-(lists.address + 1));
      for (const type of action.types) lists.uleb(indexOf(type));
      lists.uleb(0);
    }
    // The distance to the next record counts from this field, which is one byte.
    records.sleb(index === actions.length - 1 ? 0 : 1);
  }
  // One encoding holds for the whole type table.
  const indirect = types.some((t) => t?.indirect);
  if (types.some((t) => t && t.indirect !== indirect)) throw new Malformed('types of two encodings');
  const sites = new Writer(0).uleb(0).uleb(WHOLE_RANGE).uleb(handling.pad);
  sites.uleb(handling.actions ? 1 : 0);
  out.put(RELATIVE).relative(handling.base);
  if (types.length === 0 && lists.address === 0) out.put(PE.OMIT);
  else {
    out.put(RELATIVE | (indirect ? PE.INDIRECT : 0));
    const rest = 1 + new Writer(0).uleb(sites.address).address + sites.address + records.address;
    const fieldAt = out.address;
    // The type table is aligned: how much padding that takes depends on the size of this very number.
    let size = 1;
    let distance: number;
    for (;;) {
      const tableAt = Math.ceil((fieldAt + size + rest) / 4) * 4;
      distance = tableAt + 4 * types.length - (fieldAt + size);
      const needed = new Writer(0).uleb(distance).address;
      if (needed <= size) break;
      size = needed;
    }
    out.uleb(distance);
  }
  out.put(PE.ULEB).uleb(sites.address).append(sites.bytes).append(records.bytes);
  if (types.length > 0 || lists.address > 0) {
    out.align(4);
    for (const type of [...types].reverse()) out.relative(type?.address);
    out.append(lists.bytes);
  }
  return at;
}
