/**
 * Pieces of code as lists of items. An item that goes by the stack pointer says where from the stack pointer at the head, so that it means the
 * same wherever it stands; text and instructions are made from that.
 */
import { type Reg, regName, SP } from '../../../src/base/units.ts';

export interface Item {
  /** The same in an original and in what has been made of it. */
  readonly id: number;
  readonly op: string;
  readonly rd?: Reg;
  readonly rs1?: Reg;
  readonly rs2?: Reg;
  /** Of what goes by the stack pointer: from where that was at the head. */
  readonly imm?: number;
  /** Of a branch: where it leads, and where the stack pointer is then. */
  readonly exit?: number;
  readonly depth?: number;
  /** In optimized code: what is done on the way there. */
  readonly stub?: readonly Item[];
}

export const LOADS: Readonly<Record<string, { bytes: number; signed: boolean }>> = {
  lb: { bytes: 1, signed: true },
  lbu: { bytes: 1, signed: false },
  lh: { bytes: 2, signed: true },
  lhu: { bytes: 2, signed: false },
  lw: { bytes: 4, signed: true },
  lwu: { bytes: 4, signed: false },
  ld: { bytes: 8, signed: true },
};
export const STORES: Readonly<Record<string, number>> = { sb: 1, sh: 2, sw: 4, sd: 8 };

export const isLoad = ({ op }: Item): boolean => op in LOADS;
export const isStore = ({ op }: Item): boolean => op in STORES;
export const isAccess = (item: Item): boolean => isLoad(item) || isStore(item);
export const isBranch = ({ exit }: Item): boolean => exit !== undefined;
export const isEvent = ({ op }: Item): boolean => op === 'fence' || op === 'csrrs';
export const movesStack = ({ rd }: Item): boolean => rd === SP;
export const widthOf = ({ op }: Item): number => LOADS[op]?.bytes ?? STORES[op] ?? 0;
export const writes = ({ rd }: Item): Reg | undefined => (rd === 0 ? undefined : rd);
export const reads = ({ rs1, rs2 }: Item): Reg[] => [rs1, rs2].filter((reg) => reg !== undefined);

/** An instruction as it is run and printed. */
export interface Line {
  readonly op: string;
  readonly rd: Reg;
  readonly rs1: Reg;
  readonly rs2: Reg;
  readonly imm: number;
  readonly to: number;
}
export type Code = ReadonlyMap<number, Line>;

export const HEAD = 0x1000;
export const START = 0x9000;

const lineOf = ({ op, rd = 0, rs1 = 0, rs2 = 0, imm = 0 }: Partial<Item> & { op: string }, to = 0): Line => ({
  op,
  rd,
  rs1,
  rs2,
  imm,
  to,
});

/** An item where the stack pointer is so far from where it was. */
const placed = (item: Item, depth: number): Line =>
  lineOf(item.rs1 === SP && item.rd !== SP ? { ...item, imm: item.imm! - depth } : item);

/** The original: its instructions, and at which address each item stands. */
export function original(items: readonly Item[]): { code: Code; at: ReadonlyMap<number, number>; end: number } {
  const code = new Map<number, Line>();
  const at = new Map<number, number>();
  let [pc, depth] = [HEAD, 0];
  for (const item of items) {
    at.set(item.id, pc);
    code.set(pc, isBranch(item) ? lineOf(item, item.exit) : placed(item, depth));
    if (movesStack(item)) depth += item.imm!;
    pc += 4;
  }
  return { code, at, end: pc };
}

/**
 * Optimized code.
 * @param folded the stack pointer moves only where it is left
 */
export function optimized(items: readonly Item[], folded: boolean, end: number): Code {
  const code = new Map<number, Line>();
  let [pc, depth, now] = [START, 0, 0];
  const put = (line: Line) => {
    code.set(pc, line);
    pc += 4;
  };
  const move = (by: number) => {
    if (by !== 0) put(lineOf({ op: 'addi', rd: SP, rs1: SP, imm: by }));
  };
  const stubs: { at: number; item: Item; now: number }[] = [];
  for (const item of items) {
    if (movesStack(item)) {
      depth += item.imm!;
      if (folded) continue;
      now = depth;
    }
    if (isBranch(item)) stubs.push({ at: pc, item, now });
    put(isBranch(item) ? lineOf(item, item.exit) : placed(item, now));
  }
  move(depth - now);
  put(lineOf({ op: 'jal' }, end));
  for (const { at, item, now: there } of stubs) {
    const work = item.stub ?? [];
    code.set(at, { ...code.get(at)!, to: pc });
    for (const each of work) put(placed(each, there));
    move(item.depth! - there);
    put(lineOf({ op: 'jal' }, item.exit));
  }
  return code;
}

const R = regName;
export function textOf(line: Line): string {
  const { op, rd, rs1, rs2, imm, to } = line;
  if (op in LOADS) return `${op} ${R(rd)},${imm}(${R(rs1)})`;
  if (op in STORES) return `${op} ${R(rs2)},${imm}(${R(rs1)})`;
  switch (op) {
    case 'jal':
      return `jal zero,0x${to.toString(16)}`;
    case 'beq':
    case 'bne':
      return `${op} ${R(rs1)},${R(rs2)},0x${to.toString(16)}`;
    case 'fence':
      return 'fence rw,rw';
    case 'csrrs':
      return `csrrs ${R(rd)},frm,zero`;
    case 'add':
    case 'xor':
      return `${op} ${R(rd)},${R(rs1)},${R(rs2)}`;
    default:
      return `${op} ${R(rd)},${R(rs1)},${imm}`;
  }
}
export const programText = (code: Code): string => [...code.values()].map(textOf).join('\n');

/**
 * Which items save a register: it still holds what it held when its frame was made, is loaded from the same place before that is given back, and
 * not changed any more then; nothing else of the frame, or of one within it, goes there by the stack pointer.
 */
export function savesIn(items: readonly Item[]): number[] {
  interface Frame {
    readonly changed: Set<Reg>;
    readonly saves: { id: number; reg: Reg; slot: number; restored: boolean; bad: boolean }[];
    readonly low: number;
  }
  const none = (low: number): Frame => ({ changed: new Set(), saves: [], low });
  const frames: Frame[] = [none(0)];
  const found: number[] = [];
  let depth = 0;
  const close = (frame: Frame, open: boolean) => {
    for (const { id, reg, restored, bad } of frame.saves)
      if (!bad && (open || (restored && !frame.changed.has(reg)))) found.push(id);
  };
  for (const item of items) {
    const frame = frames.at(-1)!;
    const { op, rd, rs1, rs2, imm = 0 } = item;
    if (movesStack(item)) {
      depth += imm;
      if (imm < 0) frames.push(none(depth));
      else if (frames.length > 1) {
        frames.pop();
        close(frame, false);
        for (const reg of frame.changed) frames.at(-1)!.changed.add(reg);
      }
      continue;
    }
    let restores = false;
    if (rs1 === SP && isAccess(item)) {
      const own = frame.saves.find(({ slot, reg, bad }) => op === 'ld' && !bad && slot === imm && reg === rd);
      if (own !== undefined) {
        own.restored = true;
        restores = true;
      } else
        for (const save of frames.flatMap(({ saves }) => saves))
          if (imm < save.slot + 8 && save.slot < imm + widthOf(item)) save.bad = true;
      const inside = frames.length > 1 && imm >= depth;
      if (op === 'sd' && inside && CALLEE_SAVED.includes(rs2!) && !frame.changed.has(rs2!))
        if (!frame.saves.some(({ reg, slot }) => reg === rs2 || (imm < slot + 8 && slot < imm + 8)))
          frame.saves.push({ id: item.id, reg: rs2!, slot: imm, restored: false, bad: false });
    }
    const to = writes(item);
    if (to !== undefined) {
      if (restores) frame.changed.delete(to);
      else frame.changed.add(to);
    }
  }
  for (const frame of frames.slice(1)) close(frame, true);
  return found;
}
export const CALLEE_SAVED: readonly Reg[] = [8, 9, 18, 19];
