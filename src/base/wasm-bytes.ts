/** Numbers, names and sequences in the binary format of WebAssembly. */

/** Appends an unsigned LEB128 number (0 .. 2^32-1). */
export function putUnsigned(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** Appends a signed LEB128 number of up to 32 bits. */
export function putSigned32(out: number[], value: number): void {
  let rest = value | 0;
  while (rest < -64 || rest > 63) {
    out.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  out.push(rest & 0x7f);
}

/** Appends a signed LEB128 number of up to 64 bits. */
export function putSigned64(out: number[], value: bigint): void {
  let rest = BigInt.asIntN(64, value);
  // Nearly all values are small, and numbers are far faster than bigints.
  if (rest >= -0x8000_0000n && rest <= 0x7fff_ffffn) {
    putSigned32(out, Number(rest));
    return;
  }
  while (rest < -64n || rest > 63n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest & 0x7fn));
}

/** An unsigned LEB128 number by itself. */
export function unsignedBytes(value: number): number[] {
  const bytes: number[] = [];
  putUnsigned(bytes, value);
  return bytes;
}

/** A name: its length in bytes, then the text in UTF-8. */
export function nameBytes(text: string): number[] {
  const bytes = [...new TextEncoder().encode(text)];
  return [...unsignedBytes(bytes.length), ...bytes];
}
