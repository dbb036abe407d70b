import { expect, test } from 'vitest';
import { withExtensions } from '../../src/elf/attributes.ts';

/** The section as binutils write it: stack alignment (4, a number), architecture (5, a string), privileged version (8). */
function section(arch: string): Uint8Array {
  const attributes = [4, 16, 5, ...new TextEncoder().encode(`${arch}\0`), 8, 1];
  const u32 = (value: number) => [value & 255, (value >> 8) & 255, 0, 0];
  const file = [1, ...u32(5 + attributes.length), ...attributes];
  return Uint8Array.from([0x41, ...u32(4 + 6 + file.length), ...new TextEncoder().encode('riscv\0'), ...file]);
}

test('extensions go where the naming conventions put them', () => {
  const all = ['Zba', 'Zbb', 'Zbs', 'Zicond'];
  expect(withExtensions(section('rv64i2p1_m2p0_c2p0_zicsr2p0_zifencei2p0_zmmul1p0'), all)).toEqual(
    section('rv64i2p1_m2p0_c2p0_zicond1p0_zicsr2p0_zifencei2p0_zmmul1p0_zba1p0_zbb1p0_zbs1p0'),
  );
  expect(withExtensions(section('rv64i2p1_zbb1p0_svinval1p0_xfoo1p0'), all)).toEqual(
    section('rv64i2p1_zicond1p0_zba1p0_zbb1p0_zbs1p0_svinval1p0_xfoo1p0'),
  );
});

test('what says no architecture, or what is damaged, stays as it is', () => {
  const good = section('rv64i2p1');
  expect(withExtensions(good, [])).toBe(good);
  for (const bad of [
    new Uint8Array(0),
    good.subarray(0, 9),
    good.subarray(0, 22),
    Uint8Array.from(good, (byte, i) => (i === 0 ? 0x42 : byte)),
    Uint8Array.from(good, (byte, i) => (i === 6 ? 0x42 : byte)),
    // No architecture: its tag is another one.
    Uint8Array.from(good, (byte, i) => (i === 18 ? 7 : byte)),
  ])
    expect(withExtensions(bad, ['Zba'])).toBe(bad);
});
