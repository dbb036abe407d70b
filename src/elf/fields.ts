/** Numbers and names in ELF structures: little-endian, 64-bit fields as numbers. */

export const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
export const setU64 = (view: DataView, at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
/** Writes consecutive 64-bit fields. */
export function setFields(view: DataView, at: number, values: readonly number[]): void {
  for (const [index, value] of values.entries()) setU64(view, at + 8 * index, value);
}
export const getU64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));
export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
