/** Random originals with frames that are given back and made again, and what optimizers, good and bad, may make of them. */
import { type Reg, SP } from '../../../src/base/units.ts';
import type { Random } from '../../support/random.ts';
import {
  CALLEE_SAVED,
  type Item,
  isAccess,
  isBranch,
  isEvent,
  isLoad,
  isStore,
  LOADS,
  reads,
  STORES,
  savesIn,
  widthOf,
  writes,
} from './code.ts';

const ARGUMENTS: readonly Reg[] = [10, 11, 12, 13, 14, 15];
const DATA: readonly Reg[] = [12, 13, 14, 15, 16, 17, 5, 6];
const FRESH: readonly Reg[] = [28, 29, 30, 31];
const OFFSETS = [0, 0, 0, 0, 0, 8, 4, -8, -4, 1, 2, 7, 16];
const loadOf = (bytes: number, random: Random): string =>
  random.choose(Object.keys(LOADS).filter((op) => LOADS[op]!.bytes === bytes));
const storeOf = (bytes: number): string => Object.keys(STORES).find((op) => STORES[op] === bytes)!;
const overlaps = (a: number, bytes: number, b: number, others: number) => a < b + others && b < a + bytes;

export function randomOriginal(random: Random): Item[] {
  const items: Item[] = [];
  const frames: { low: number; size: number; saved: { reg: Reg; slot: number }[] }[] = [];
  let depth = 0;
  let exits = 0;
  /** Bytes of the stack that were stored in a frame that is gone. */
  const left = new Set<number>();
  const stored = new Set<number>();
  const put = (item: Omit<Item, 'id'>) => items.push({ ...item, id: items.length + 1 });
  const pointers = Array.from({ length: 1 + random.below(3) }, () => random.choose(ARGUMENTS));
  const data = () => random.choose(random.oneIn(8) ? ARGUMENTS : DATA.filter((reg) => !pointers.includes(reg)));
  const source = (): Reg => random.choose([...ARGUMENTS, ...DATA, ...CALLEE_SAVED]);
  const pointer = (): Reg => {
    const changed = CALLEE_SAVED.filter((reg) => frames.some(({ saved }) => saved.some((save) => save.reg === reg)));
    if (changed.length > 0 && random.oneIn(5)) return random.choose(changed);
    return random.oneIn(8) ? random.choose(ARGUMENTS) : random.choose(pointers);
  };
  /** Where something goes by a pointer: often to where something has gone before, or a part of that. */
  const place = (width: number): { rs1: Reg; imm: number } => {
    const before = items.filter((item) => isAccess(item) && item.rs1 !== SP);
    if (before.length > 0 && (few ? !random.oneIn(4) : random.oneIn(2))) {
      const { rs1, imm, ...of } = random.choose(before.slice(-4));
      const room = Math.floor(Math.abs(widthOf({ ...of }) - width));
      const by = random.oneIn(2) ? room : random.below(room + 1);
      return { rs1: rs1!, imm: imm! + (widthOf({ ...of }) >= width ? by : -by) };
    }
    return { rs1: pointer(), imm: random.choose(OFFSETS) };
  };
  const bytes = () => random.choose([8, 8, 8, 4, 4, 2, 1]);
  const saved = () => frames.flatMap((frame) => frame.saved);
  // Half of them are few accesses, near each other, around one frame.
  const few = random.oneIn(2);
  if (few) pointers.length = random.oneIn(2) ? 1 : Math.min(pointers.length, 2);
  const target = few ? random.choose([5, 7, 9, 11]) : random.choose([8, 12, 18, 26]);
  const open = () => {
    const size = random.choose([16, 16, 16, 32, 48]);
    depth -= size;
    put({ op: 'addi', rd: SP, rs1: SP, imm: -size });
    const frame = { low: depth, size, saved: [] as { reg: Reg; slot: number }[] };
    frames.push(frame);
    for (let n = random.choose([0, 1, 1, 1, 2]); n > 0; n--) {
      const step = random.oneIn(6) ? 4 : 8;
      const slot = depth + step * random.below((size - 8) / step + 1);
      const reg = random.choose(CALLEE_SAVED);
      if (frame.saved.some((save) => save.reg === reg || overlaps(save.slot, 8, slot, 8))) continue;
      if (random.oneIn(4)) for (let k = random.below(2) + 1; k > 0; k--) body();
      put({ op: 'sd', rs1: SP, rs2: reg, imm: slot });
      for (let i = 0; i < 8; i++) {
        stored.add(slot + i);
        left.delete(slot + i);
      }
      frame.saved.push({ reg, slot });
      if (!random.oneIn(5)) change(reg);
    }
  };
  const change = (reg: Reg) => {
    if (random.oneIn(2))
      put({ op: 'addi', rd: reg, rs1: random.oneIn(2) ? 0 : random.choose(ARGUMENTS), imm: random.below(3) });
    else put({ op: 'ld', rd: reg, rs1: pointer(), imm: random.choose(OFFSETS) });
  };
  const close = () => {
    const frame = frames.pop()!;
    for (const { reg, slot } of frame.saved) put({ op: 'ld', rd: reg, rs1: SP, imm: slot });
    depth += frame.size;
    put({ op: 'addi', rd: SP, rs1: SP, imm: frame.size });
    for (const at of stored)
      if (at < depth) {
        stored.delete(at);
        left.add(at);
      }
  };
  /** A place in the frame at hand, at times beside it; and not in a slot where a register is kept. */
  const slotFor = (width: number): number | undefined => {
    for (let tries = 0; tries < 4; tries++) {
      const step = random.oneIn(4) ? 1 : width;
      const { low, size } = frames.at(-1) ?? { low: 0, size: 16 };
      const span = Math.floor((size - width) / step) + 1;
      const beside = random.oneIn(16) ? random.choose([-16, -8, 16]) : 0;
      const at = low + beside + step * random.below(span);
      if (!saved().some(({ slot }) => overlaps(at, width, slot, 8))) return at;
    }
    return undefined;
  };
  const body = () => {
    const kind = few && !random.oneIn(4) ? 32 + random.below(48) : random.below(100);
    const width = bytes();
    if (kind < 20) {
      const at = slotFor(width);
      if (at === undefined) return;
      put({ op: storeOf(width), rs1: SP, rs2: source(), imm: at });
      for (let i = at; i < at + width; i++) {
        left.delete(i);
        if (i >= depth) stored.add(i);
      }
    } else if (kind < 32) {
      const at = slotFor(width);
      if (at === undefined) return;
      for (let i = at; i < at + width; i++) if (left.has(i)) return;
      put({ op: loadOf(width, random), rd: data(), rs1: SP, imm: at });
    } else if (kind < 56) {
      put({ op: loadOf(width, random), rd: data(), ...place(width) });
    } else if (kind < 80) {
      put({ op: storeOf(width), rs2: source(), ...place(width) });
    } else if (kind < 86) {
      const op = random.choose(['addi', 'add', 'xor']);
      if (op === 'addi') put({ op, rd: data(), rs1: random.choose(ARGUMENTS), imm: random.choose([1, 8, -8, 4]) });
      else put({ op, rd: data(), rs1: source(), rs2: source() });
    } else if (kind < 92) {
      if (exits === 2) return;
      put({ op: random.choose(['beq', 'bne']), rs1: random.choose(DATA), rs2: 0, exit: 0x1f00 - 0x40 * exits, depth });
      exits++;
    } else if (kind < 93) put({ op: 'fence' });
    else if (kind < 95) put({ op: 'csrrs', rd: data() });
    else if (kind < 97) {
      // An address of the frame.
      const at = slotFor(8);
      if (at !== undefined) put({ op: 'addi', rd: random.choose(ARGUMENTS), rs1: SP, imm: at });
    } else {
      const last = frames.at(-1)?.saved.at(-1);
      if (last !== undefined) change(last.reg);
    }
  };
  if (few && !random.oneIn(3)) {
    open();
    close();
  }
  while (items.length < target) {
    if (random.oneIn(6) && frames.length < 2) open();
    else if (random.oneIn(6) && frames.length > 0) close();
    else body();
  }
  while (frames.length > 0 && !random.oneIn(5)) close();
  for (let n = random.below(4); n > 0; n--) body();
  // What has been stored is looked at, whole and in part.
  if (few && frames.length === 0)
    for (const width of random.choose([[8, 1], [1, 8], [8, 4], [4, 8], [8], []]))
      put({ op: loadOf(width, random), rd: data(), ...place(width) });
  return items;
}

/** May two neighbours be exchanged, for the registers' sake? */
function independent(a: Item, b: Item): boolean {
  const [one, other] = [writes(a), writes(b)];
  // Where something goes by the stack pointer is known wherever it stands.
  const uses = (item: Item, reg: Reg | undefined) => reg !== undefined && reg !== SP && reads(item).includes(reg);
  return !uses(b, one) && !uses(a, other) && (one === undefined || one !== other || one === SP);
}

type Change = (items: Item[], random: Random, fresh: () => number) => boolean;
const indices = (items: readonly Item[], of: (item: Item, index: number) => boolean): number[] =>
  items.flatMap((item, i) => (of(item, i) ? [i] : []));
function pick(items: readonly Item[], random: Random, of: (item: Item, index: number) => boolean): number | undefined {
  const all = indices(items, of);
  return all.length === 0 ? undefined : random.choose(all);
}
const isSpStore = (item: Item) => isStore(item) && item.rs1 === SP;

/** Moves an item, as far as registers allow; stores go down past branches with a copy in their stubs. */
function move(items: Item[], from: number, by: number, random: Random): number {
  let at = from;
  const step = Math.sign(by);
  for (let n = Math.abs(by); n > 0; n--) {
    const other = items[at + step];
    if (other === undefined) break;
    const item = items[at]!;
    if (!independent(item, other)) break;
    if (isBranch(other)) {
      if (isStore(item) && step > 0) {
        const stub = random.oneIn(12)
          ? other.stub
          : random.oneIn(3)
            ? [...(other.stub ?? []), item]
            : [item, ...(other.stub ?? [])];
        items[at + step] = { ...other, ...(stub && { stub }) };
      } else if (!random.oneIn(10)) break;
    }
    if (isEvent(other) && isAccess(item) && other.op === 'fence' && !random.oneIn(6)) break;
    [items[at], items[at + step]] = [items[at + step]!, items[at]!];
    at += step;
  }
  return at;
}

const elide: Change = (items, random, fresh) => {
  const saves = new Set(savesIn(items));
  const from = pick(items, random, ({ id }) => saves.has(id));
  if (from === undefined) return false;
  const { rs2: reg, imm: slot } = items[from]!;
  const to = items.findIndex(
    (item, i) => i > from && item.op === 'ld' && item.rs1 === SP && item.imm === slot && item.rd === reg,
  );
  const until = to === -1 ? items.length : to;
  const other = FRESH[fresh() % FRESH.length]!;
  const save = items[from]!;
  let changed = false;
  const named = (r: Reg | undefined) => (changed && r === reg ? other : r);
  for (let i = from + 1; i < until; i++) {
    const item = items[i]!;
    const now: Item = {
      ...item,
      ...(item.rs1 !== undefined && { rs1: named(item.rs1)! }),
      ...(item.rs2 !== undefined && { rs2: named(item.rs2)! }),
    };
    if (writes(item) === reg) {
      changed = true;
      items[i] = { ...now, rd: other };
    } else items[i] = now;
    if (isBranch(item)) {
      const late: Item[] = random.oneIn(15) ? [] : [save];
      if (changed) late.push({ id: 1000 + fresh(), op: 'addi', rd: reg!, rs1: other, imm: 0 });
      items[i] = {
        ...items[i]!,
        stub: random.oneIn(3) ? [...late, ...(item.stub ?? [])] : [...(item.stub ?? []), ...late],
      };
    }
  }
  if (to === -1) {
    // The frame stays: all of it is done at the end.
    items.splice(from, 1);
    if (!random.oneIn(15)) items.push(save);
    if (changed) items.push({ id: 1000 + fresh(), op: 'addi', rd: reg!, rs1: other, imm: 0 });
    return true;
  }
  items.splice(to, 1);
  if (random.oneIn(3)) {
    // The save goes elsewhere, with what it was to save.
    const [it] = items.splice(from, 1);
    items.splice(from + random.below(items.length - from + 1), 0, it!);
  } else items.splice(from, 1);
  return true;
};

const moveAccess: Change = (items, random) => {
  const from = pick(items, random, (item) => isAccess(item));
  if (from === undefined) return false;
  const by = (1 + random.below(random.oneIn(3) ? 12 : 4)) * (random.oneIn(2) ? 1 : -1);
  return move(items, from, by, random) !== from;
};

const dropStore: Change = (items, random) => {
  const at = pick(items, random, (item) => (random.oneIn(4) ? isStore(item) : isSpStore(item)));
  if (at === undefined) return false;
  items.splice(at, 1);
  return true;
};

const dropLoad: Change = (items, random) => {
  const at = pick(items, random, isLoad);
  if (at === undefined) return false;
  items.splice(at, 1);
  return true;
};

/** Leaves out a store whose bytes are stored again later through the same register. */
const dropOverwritten: Change = (items, random) => {
  const at = pick(
    items,
    random,
    (item, i) =>
      isStore(item) &&
      items.some(
        (later, j) =>
          j > i &&
          isStore(later) &&
          later.rs1 === item.rs1 &&
          overlaps(later.imm!, widthOf(later), item.imm!, widthOf(item)),
      ),
  );
  if (at === undefined) return false;
  items.splice(at, 1);
  return true;
};

/** A load takes what a register holds that was stored there or loaded from there before. */
const forward: Change = (items, random, fresh) => {
  const choices: [number, Reg, number][] = [];
  items.forEach((load, i) => {
    if (!isLoad(load)) return;
    for (let j = i - 1; j >= 0; j--) {
      const item = items[j]!;
      if (isAccess(item) && item.rs1 === load.rs1) {
        const value = isStore(item) ? item.rs2! : item.rd!;
        const at = load.imm! - item.imm!;
        const kept =
          !items.slice(j + 1, i).some((each) => writes(each) === value) && (isStore(item) || item.rd !== item.rs1);
        if (at >= 0 && at + widthOf(load) <= widthOf(item) && kept) choices.push([i, value, at]);
      }
      if (writes(item) === load.rs1 && load.rs1 !== SP) break;
    }
  });
  if (choices.length === 0) return false;
  const [at, value, byte] = random.choose(choices);
  const load = items[at]!;
  const { bytes, signed } = LOADS[load.op]!;
  const made: Item[] = [];
  if (bytes === 8) made.push({ id: load.id, op: 'addi', rd: load.rd!, rs1: value, imm: 0 });
  else {
    made.push({ id: load.id, op: 'slli', rd: load.rd!, rs1: value, imm: 64 - 8 * (byte + bytes) });
    made.push({ id: 1000 + fresh(), op: signed ? 'srai' : 'srli', rd: load.rd!, rs1: load.rd!, imm: 64 - 8 * bytes });
  }
  items.splice(at, 1, ...made);
  return true;
};

/** A store once more, elsewhere. */
const again: Change = (items, random) => {
  const from = pick(items, random, (item) => (random.oneIn(4) ? isStore(item) : isSpStore(item)));
  if (from === undefined) return false;
  items.splice(random.below(items.length + 1), 0, items[from]!);
  return true;
};

/** A store by the stack pointer to anywhere, with what its register holds there. */
const elsewhere: Change = (items, random) => {
  const from = pick(items, random, isSpStore);
  if (from === undefined) return false;
  const [item] = items.splice(from, 1);
  items.splice(random.below(items.length + 1), 0, item!);
  return true;
};

const tweak: Change = (items, random) => {
  const at = pick(items, random, isAccess);
  if (at === undefined) return false;
  const item = items[at]!;
  switch (random.below(3)) {
    case 0: {
      const width = random.choose([1, 2, 4, 8]);
      items[at] = { ...item, op: isLoad(item) ? loadOf(width, random) : storeOf(width) };
      break;
    }
    case 1:
      items[at] = { ...item, imm: item.imm! + random.choose([-8, -4, -1, 1, 4, 8]) };
      break;
    default:
      if (isStore(item)) items[at] = { ...item, rs2: random.choose([...ARGUMENTS, ...CALLEE_SAVED]) };
      else items[at] = { ...item, rs1: item.rs1 === SP ? SP : random.choose(ARGUMENTS) };
  }
  return true;
};

const CHANGES: readonly Change[] = [
  moveAccess,
  moveAccess,
  moveAccess,
  moveAccess,
  moveAccess,
  dropStore,
  dropLoad,
  dropOverwritten,
  dropOverwritten,
  forward,
  forward,
  again,
  elsewhere,
  elsewhere,
  tweak,
];

export function randomOptimized(original: readonly Item[], random: Random): Item[] {
  const items = [...original];
  let made = 0;
  const fresh = () => made++;
  let changes = 1 + random.below(4);
  while (!random.oneIn(3) && elide(items, random, fresh)) changes--;
  for (let tries = 0; changes > 0 && tries < 20; tries++) if (random.choose(CHANGES)(items, random, fresh)) changes--;
  return items;
}
