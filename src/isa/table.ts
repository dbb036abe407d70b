/** All rows and all compressed encodings. A new extension is one file and one line here. */
import { internal } from '../base/errors.ts';
import { A } from './a.ts';
import { type Alias, makeAlias } from './alias.ts';
import { C } from './c.ts';
import { D } from './d.ts';
import { F } from './f.ts';
import { M } from './m.ts';
import type { Row } from './row.ts';
import { RV64I } from './rv64i.ts';
import { ZBA } from './zba.ts';
import { ZBB } from './zbb.ts';
import { ZBS } from './zbs.ts';
import { ZICOND } from './zicond.ts';
import { ZICSR } from './zicsr.ts';
import { ZIFENCEI } from './zifencei.ts';

export const ROWS: readonly Row[] = [
  ...RV64I,
  ...ZIFENCEI,
  ...ZICSR,
  ...M,
  ...A,
  ...F,
  ...D,
  ...ZBA,
  ...ZBB,
  ...ZBS,
  ...ZICOND,
];

const BY_NAME = new Map(ROWS.map((row) => [row.name, row]));

/** The row with this name, or undefined. */
export const findRow = (name: string): Row | undefined => BY_NAME.get(name);

/** @throws internal() if there is no such row */
export function rowNamed(name: string): Row {
  const row = BY_NAME.get(name);
  if (!row) throw internal(`no instruction is named ${name}`);
  return row;
}

/** Compressed instructions, in order of preference. */
export const COMPRESSED: readonly Alias[] = [...C].map((rule) => makeAlias(rule, rowNamed(rule.row)));

const OPCODE_BITS = 0x7f;

/**
 * Two rows that match one word would make decoding depend on their order.
 * @throws internal() naming the pair
 */
function checkUnambiguous(rows: readonly Row[]): void {
  /** Rows checked so far, by the seven bits of the opcode, which every row fixes. */
  const before = new Map<number, Row[]>();
  for (const a of rows) {
    if ((a.match & ~a.mask) >>> 0 !== 0) throw internal(`${a.name}: match has bits outside its mask`);
    if ((a.mask & OPCODE_BITS) !== OPCODE_BITS) throw internal(`${a.name}: does not fix its opcode`);
    const others = before.get(a.match & OPCODE_BITS);
    if (others === undefined) before.set(a.match & OPCODE_BITS, [a]);
    else {
      for (const b of others)
        if (((a.match ^ b.match) & a.mask & b.mask) === 0)
          throw internal(`${a.name} and ${b.name} match the same word`);
      others.push(a);
    }
  }
}
checkUnambiguous(ROWS);
if (BY_NAME.size !== ROWS.length) throw internal('two rows have one name');
