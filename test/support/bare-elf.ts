/** The smallest static RV64 executable: program headers and bytes, no sections. For programs that tests make themselves. */

export interface BareSegment {
  /** A multiple of 4096. */
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly write?: boolean;
  readonly execute?: boolean;
}

const PAGE = 4096;
const HEADER = 64;
const PROGRAM_HEADER = 56;

/** @returns the bytes of an ET_EXEC file */
export function bareElf(segments: readonly BareSegment[], entry: number): Uint8Array {
  const placed: { segment: BareSegment; offset: number }[] = [];
  let end = PAGE;
  for (const segment of segments) {
    placed.push({ segment, offset: end });
    end = Math.ceil((end + segment.bytes.length) / PAGE) * PAGE;
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  const u16 = (at: number, value: number) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  // e_ident: class 64, little-endian, version 1.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  u16(16, 2); // ET_EXEC
  u16(18, 243); // EM_RISCV
  u32(20, 1);
  u64(24, entry);
  u64(32, HEADER);
  u32(48, 5); // EF_RISCV_RVC | EF_RISCV_FLOAT_ABI_DOUBLE
  u16(52, HEADER);
  u16(54, PROGRAM_HEADER);
  u16(56, segments.length);
  u16(58, 64); // size of a section header, of which there are none
  for (const [i, { segment, offset }] of placed.entries()) {
    const at = HEADER + i * PROGRAM_HEADER;
    u32(at, 1); // PT_LOAD
    u32(at + 4, 4 | (segment.write ? 2 : 0) | (segment.execute ? 1 : 0));
    u64(at + 8, offset);
    u64(at + 16, segment.address);
    u64(at + 24, segment.address);
    u64(at + 32, segment.bytes.length);
    u64(at + 40, segment.bytes.length);
    u64(at + 48, PAGE);
    file.set(segment.bytes, offset);
  }
  return file;
}
