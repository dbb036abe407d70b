/** One superblock as text: as it was formed, and after each pass. */
import { badOption } from '../base/errors.ts';
import { type Addr, hex } from '../base/units.ts';
import type { Image } from '../elf/image.ts';
import type { ImageProfile } from '../profile/profile.ts';
import type { Superblock } from '../superblock/form.ts';
import { runPasses } from '../superblock/pass.ts';
import { superblockText } from '../superblock/text.ts';
import { weightOf } from '../superblock/weight.ts';
import { prepare } from './prepare.ts';
import { assumable, type OptimizeOptions, settingOf } from './setting.ts';

type Options = Pick<OptimizeOptions, 'passes' | 'without' | 'target' | 'maxGrowth' | 'select'>;

/**
 * @param where an address (`0x10432`) or a symbol: a superblock's head, else an instruction on a path (of several superblocks, the one
 * entered most often is found)
 * @throws bad-option if `where` is neither, or no superblock is there
 */
function findSuperblock(image: Image, profile: ImageProfile, options: Options, where: string): Superblock {
  const address = addressOf(image, where);
  const { superblocks } = prepare(image, profile, assumable(profile, options.without), options);
  const found =
    superblocks.find(({ head }) => head === address) ??
    superblocks
      .filter(({ path, ops }) => path.includes(address) || ops.some(({ pc }) => pc === address))
      .sort((a, b) => b.count - a.count || a.head - b.head)[0];
  if (found !== undefined) return found;
  const hottest = [...superblocks].sort((a, b) => weightOf(b) - weightOf(a)).slice(0, 3);
  throw badOption(
    `no superblock at ${where}`,
    hottest.length === 0 ? 'there is none at all' : `the hottest: ${hottest.map(({ head }) => hex(head)).join(', ')}`,
  );
}

function addressOf(image: Image, where: string): Addr {
  const symbol = image.symbols.find(({ name, kind }) => name === where && kind === 'function');
  if (symbol !== undefined) return symbol.address;
  if (!/^(0x)?[0-9a-f]+$/i.test(where))
    throw badOption(`no function ${where} in ${image.file}`, 'give a symbol or a hexadecimal address');
  return Number.parseInt(where.replace(/^0x/i, ''), 16);
}

/** A superblock after the passes, as text that parses back. */
export function dumpSuperblock(image: Image, profile: ImageProfile, options: Options, where: string): string {
  const superblock = findSuperblock(image, profile, options, where);
  const { passes, passOptions } = settingOf(image, profile, options);
  return superblockText(runPasses(superblock, passes, passOptions));
}

export interface Explanation {
  /** To be given to `optimize`. */
  readonly observe: NonNullable<OptimizeOptions['observe']>;
  /** The texts of the passes observed so far. */
  text(): string;
}

/**
 * A superblock as it was formed, with the reason why its trace ends, and after each pass that changed it, with the change in executed
 * instructions, by the profile.
 */
export function explainSuperblock(image: Image, profile: ImageProfile, options: Options, where: string): Explanation {
  const superblock = findSuperblock(image, profile, options, where);
  const texts = [
    `# as it was formed: ${weightText(weightOf(superblock))}\n# its trace ends because ${superblock.ended}\n${superblockText(superblock)}`,
  ];
  const passed = new Set<string>();
  return {
    observe(pass, before, after) {
      // A superblock that does not fit runs through some passes again, for its identity form.
      if (before.head !== superblock.head || passed.has(pass.name)) return;
      passed.add(pass.name);
      if (before === after) return;
      const delta = weightOf(after) - weightOf(before);
      const share = weightOf(before) === 0 ? '' : ` (${((100 * delta) / weightOf(before)).toFixed(2)} %)`;
      texts.push(
        `# after ${pass.name}: ${delta > 0 ? '+' : ''}${Math.round(delta)} instructions${share}, ${weightText(weightOf(after))}\n${superblockText(after)}`,
      );
    },
    text: () => texts.join('\n'),
  };
}

const weightText = (weight: number): string => `${Math.round(weight)} instructions executed in it`;
