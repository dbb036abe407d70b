/**
 * Compares decoding and printing with GNU objdump over all code of an ELF file, line by line. objdump's view is brought to isoform's
 * canonical text by a table written independently of src/isa/c.ts, so that a slip there shows here.
 */
import { decodeAt } from '../../src/isa/decode.ts';
import { print } from '../../src/isa/text.ts';
import { runAsync, tool } from './tools.ts';

export interface Difference {
  readonly address: number;
  readonly bits: string;
  /** What objdump says, normalised; undefined where it knows no instruction. */
  readonly theirs: string | undefined;
  readonly ours: string | undefined;
}

/** Differences as lines: a failing test shows what each form says. */
export const differenceLines = (differences: readonly Difference[]): string[] =>
  differences.map(
    ({ address, bits, theirs, ours }) =>
      `${address.toString(16)}: ${bits}: objdump ${theirs}, ours ${ours}${theirs === undefined ? ' (if objdump does not know its extension: test/support/peers.ts)' : ''}`,
  );

export interface Comparison {
  /** Instructions compared. */
  readonly compared: number;
  /** Of them, 16-bit ones. */
  readonly compressed: number;
  /** Lines that objdump shows as data or unknown: isoform must not know them either, or they are in `differences`. */
  readonly unknown: number;
  readonly differences: readonly Difference[];
}

/** How compressed forms are written in full; $1, $2 are their operands. */
const FULL: Record<string, string> = {
  'c.nop': 'addi zero,zero,0',
  'c.addi4spn': 'addi $1,$2,$3',
  'c.addi16sp': 'addi $1,$1,$2',
  'c.li': 'addi $1,zero,$2',
  'c.mv': 'add $1,zero,$2',
  'c.lui': 'lui $1,$2',
  'c.j': 'jal zero,$1',
  'c.jr': 'jalr zero,0($1)',
  'c.jalr': 'jalr ra,0($1)',
  'c.beqz': 'beq $1,zero,$2',
  'c.bnez': 'bne $1,zero,$2',
  'c.ebreak': 'ebreak',
};
for (const name of [
  'addi',
  'addiw',
  'andi',
  'slli',
  'srli',
  'srai',
  'add',
  'sub',
  'and',
  'or',
  'xor',
  'addw',
  'subw',
]) {
  FULL[`c.${name}`] = `${name} $1,$1,$2`;
}
// Amount 0 is a hint on RV64 (a shift by 64 on RV128).
for (const name of ['slli', 'srli', 'srai']) FULL[`c.${name}64`] = `${name} $1,$1,0x0`;
for (const name of ['lw', 'ld', 'fld', 'sw', 'sd', 'fsd']) {
  FULL[`c.${name}`] = `${name} $1,$2`;
  FULL[`c.${name}sp`] = `${name} $1,$2`;
}

const SPECIAL: Record<string, string> = { 'fence.tso': 'fence rw,rw,0x8', pause: 'fence w,0' };
const WITH_TARGET = /^(?:beq|bne|blt|bge|bltu|bgeu|jal|c\.j|c\.beqz|c\.bnez)$/;

/** objdump's mnemonic and operands as isoform prints them; undefined for data and unknown bits. */
export function normalise(name: string, operandText: string): string | undefined {
  if (name.startsWith('.') || name === 'c.unimp' || name === 'unimp') return undefined;
  if (SPECIAL[name]) return SPECIAL[name];
  const operands = operandText
    .replace(/\s*#.*$/, '')
    .replace(/\s*<.*$/, '')
    .trim()
    .split(',');
  if (WITH_TARGET.test(name)) operands.push(`0x${operands.pop()}`);
  const full = FULL[name];
  if (full) return full.replace(/\$(\d)/g, (_, i) => operands[i - 1] ?? '?');
  return operands[0] === '' ? name : `${name} ${operands.join(',')}`;
}

/** One line of the listing: address, the bits as a number in hex, mnemonic, operands. */
const LINE = /^\s*([0-9a-f]+):\s+([0-9a-f]{4}|[0-9a-f]{8})\s+(\S+)(?:\s+(.*))?$/;

/**
 * @param file any RISC-V ELF file; all its executable sections are compared
 * @param keep at most so many differences are kept
 * @throws if objdump fails; ask `needs(..., 'objdump')` first
 */
export async function compareWithObjdump(file: string, keep = 20): Promise<Comparison> {
  const listing = await runAsync(tool('objdump'), ['-d', '-z', '-M', 'no-aliases', file]);
  let compared = 0;
  let compressed = 0;
  let unknown = 0;
  const differences: Difference[] = [];
  for (const line of listing.stdout.toString('latin1').split('\n')) {
    const match = LINE.exec(line);
    if (!match) continue;
    const [, addressText = '', bits = '', name = '', operands = ''] = match;
    const address = Number.parseInt(addressText, 16);
    const word = Number.parseInt(bits, 16);
    const length = bits.length / 2;
    const bytes = Uint8Array.of(word, word >>> 8, word >>> 16, word >>> 24).subarray(0, length);
    const insn = decodeAt(bytes, 0);
    const ours = insn && insn.size === length ? print(insn, address) : undefined;
    const theirs = normalise(name, operands);
    if (theirs === undefined) unknown++;
    else {
      compared++;
      if (length === 2) compressed++;
    }
    if (ours !== theirs && differences.length < keep) differences.push({ address, bits, theirs, ours });
  }
  return { compared, compressed, unknown, differences };
}
