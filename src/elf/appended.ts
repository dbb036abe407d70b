/**
 * Data appended to an executable: an archive, a script, a program's own data. The program finds the data by the end of the file, by the
 * end of the section headers, or by an offset that was noted when the data was appended.
 */
import type { FileOffset } from '../base/units.ts';
import { ELF_HEADER_SIZE, PROGRAM_HEADER_SIZE, SECTION_HEADER_SIZE } from './constants.ts';
import { getU64, viewOf } from './fields.ts';
import type { Image } from './image.ts';
import { inFile } from './sections.ts';

/** The bytes behind everything that the file's own headers describe, as a view of the image's bytes; mostly empty. */
export function appended(image: Image): Uint8Array {
  const { bytes, programHeaders, programHeaderOffset, sections } = image;
  const known: FileOffset[] = [
    ELF_HEADER_SIZE,
    programHeaderOffset + programHeaders.length * PROGRAM_HEADER_SIZE,
    ...programHeaders.map(({ offset, fileSize }) => offset + fileSize),
    ...sections.filter(inFile).map(({ offset, size }) => offset + size),
  ];
  if (sections.length > 0) known.push(getU64(viewOf(bytes), 40) + sections.length * SECTION_HEADER_SIZE);
  return bytes.subarray(known.reduce((most, end) => Math.max(most, end), 0));
}
