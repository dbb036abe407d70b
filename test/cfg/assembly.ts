/** Small programs for tests: instructions in the text of isa/text.ts with `name:` lines as labels and `@name` for their addresses. */
import type { ElfSymbol, Image } from '../../src/elf/image.ts';
import { parseImage } from '../../src/elf/read.ts';
import { encodeBytes } from '../../src/isa/encode.ts';
import { parse } from '../../src/isa/text.ts';
import { bareElf } from '../support/bare-elf.ts';

export const BASE = 0x10000;

export interface Assembled {
  readonly image: Image;
  readonly at: (label: string) => number;
}

/**
 * Every instruction is 4 bytes long; `.half N` puts two bytes. A label that begins with a capital also is a function symbol, which reaches to the
 * next such label.
 */
export function assemble(text: string): Assembled {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  const labels = new Map<string, number>();
  let pc = BASE;
  for (const line of lines)
    if (line.endsWith(':')) labels.set(line.slice(0, -1), pc);
    else pc += line.startsWith('.half') ? 2 : 4;
  const end = pc;
  const bytes = new Uint8Array(end - BASE);
  pc = BASE;
  for (const line of lines) {
    if (line.endsWith(':')) continue;
    if (line.startsWith('.half')) {
      const half = Number(line.split(/\s+/)[1]);
      bytes.set([half & 255, half >> 8], pc - BASE);
      pc += 2;
      continue;
    }
    const resolved = line.replace(/@(\w+)/g, (_, name: string) => `0x${labels.get(name)!.toString(16)}`);
    bytes.set(encodeBytes(parse(resolved, pc), false), pc - BASE);
    pc += 4;
  }
  const entries = [...labels].filter(([name]) => /^[A-Z]/.test(name));
  const symbols = entries.map(
    ([name, address], i): ElfSymbol => ({
      name,
      address,
      size: (entries[i + 1]?.[1] ?? end) - address,
      kind: 'function',
      global: true,
      section: 0,
    }),
  );
  const image = parseImage(bareElf([{ address: BASE, bytes, execute: true }], BASE), 'test');
  return { image: { ...image, symbols }, at: (label) => labels.get(label)! };
}
