/**
 * Is a patch made over code? By assumption A5 patched bytes are not read as data. The decidable part of it: the place is in an executable
 * section (without sections: the analysis finds code there that other code leads to), and no instruction is seen to load or store there.
 */
import type { Addr, ByteCount } from '../../base/units.ts';
import { isAccessed } from '../../cfg/accesses.ts';
import { imageCfg } from '../../cfg/build.ts';
import type { Image } from '../../elf/image.ts';

const SHF_EXECINSTR = 4;

export function isText(original: Image, address: Addr, size: ByteCount): boolean {
  const end = address + size;
  const sections = original.sections.filter(({ flags }) => (flags & SHF_EXECINSTR) !== 0);
  const code =
    sections.length > 0
      ? sections.some((s) => address >= s.address && end <= s.address + s.size)
      : isFound(original, address);
  return code && !isAccessed(original, address, end);
}

function isFound(original: Image, address: Addr): boolean {
  const block = imageCfg(original).blockOver(address);
  return block !== undefined && block.evidence !== 'swept' && block.evidence !== 'guess';
}
