/**
 * The extensions that every machine has that runs an image: the parts of RV64GC that the image's header asks for (the flags of its ABI), or
 * that instructions reached from its entry and its functions belong to. Other extensions do not follow from reached instructions: programs
 * may ask the machine for Zbb or the like and branch by the answer.
 */
import { derived } from '../base/derived.ts';
import type { Addr } from '../base/units.ts';
import { codeOf } from '../code/code.ts';
import { endingOf } from '../code/endings.ts';
import { namedExtensions } from '../elf/attributes.ts';
import { EF_RISCV } from '../elf/constants.ts';
import type { Image } from '../elf/image.ts';
import {
  EVERY_EXTENSION,
  type ExtensionSet,
  extensionNames,
  extensionSet,
  needsOf,
  RV64GC,
} from '../isa/extensions.ts';
import { targetOf } from '../isa/row.ts';

/** File offset of e_flags (RISC-V ELF psABI, "File Header"). The float ABI in it is 0 for none, 1 for single, 2 for double. */
const FLAGS_OFFSET = 48;

export const imageExtensions = derived(
  'extensions',
  (image: Image): ExtensionSet => RV64GC & (headerExtensions(image) | codeExtensions(image)),
);

/** The extensions beyond RV64GC that the image's attributes say it was built for. */
export const declaredExtensions = derived('declared extensions', (image: Image): ExtensionSet => {
  const named = new Set(namedExtensions(image));
  return extensionSet(extensionNames(EVERY_EXTENSION & ~RV64GC).filter((name) => named.has(name.toLowerCase())));
});

function headerExtensions(image: Image): ExtensionSet {
  const flags = image.bytes[FLAGS_OFFSET]!;
  const width = (flags & EF_RISCV.FLOAT_ABI) >> 1;
  return extensionSet([
    'I',
    ...((flags & EF_RISCV.RVC) === 0 ? [] : ['C']),
    ...(width < 1 ? [] : ['F', 'Zicsr']),
    ...(width < 2 ? [] : ['D']),
  ]);
}

/** Extensions of the instructions that direct transfers reach from the entry and from functions' symbols. */
function codeExtensions(image: Image): ExtensionSet {
  const code = codeOf(image);
  const seen = new Set<Addr>();
  const open = [image.entry, ...image.symbols.filter(({ kind }) => kind === 'function').map(({ address }) => address)];
  let set = 0n;
  for (let start = open.pop(); start !== undefined; start = open.pop())
    for (let at = start; !seen.has(at); ) {
      const insn = code.insnAt(at);
      if (insn === undefined) break;
      seen.add(at);
      set |= needsOf(insn);
      const target = targetOf(insn, at);
      if (target !== undefined) open.push(target);
      const ending = endingOf(insn);
      if (ending === 'jump' || ending === 'return' || ending === 'indirect' || ending === 'trap') break;
      at += insn.size;
    }
  // D includes F, and F includes its CSRs.
  if ((set & extensionSet(['D'])) !== 0n) set |= extensionSet(['F']);
  if ((set & extensionSet(['F'])) !== 0n) set |= extensionSet(['Zicsr']);
  return set;
}
