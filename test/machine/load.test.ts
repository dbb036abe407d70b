import { describe, expect, test } from 'vitest';
import { PAGE } from '../../src/base/units.ts';
import { parseImage } from '../../src/elf/read.ts';
import { PERMISSION } from '../../src/machine/memory.ts';
import { createProcess, type Process, type ProcessOptions } from '../../src/machine/process.ts';
import { bareElf } from '../support/bare-elf.ts';

const image = (dataSize = 64, dataAt = 0x12000) =>
  parseImage(
    bareElf(
      [
        { address: 0x10000, bytes: Uint8Array.of(0x73, 0, 0, 0), execute: true },
        { address: dataAt, bytes: new Uint8Array(dataSize).fill(7), write: true },
      ],
      0x10000,
    ),
    'dir/guest',
  );
const make = (options: Partial<ProcessOptions> = {}) => createProcess({ image: image(), ...options });

/** What lies at sp when a process starts (psABI; System V gABI, "Process Initialization"). */
function initialStack(process: Process) {
  const { view, bytes } = process.memory;
  let at = Number(process.hart.get(2));
  const word = () => Number(view.getBigUint64((at += 8) - 8, true));
  const string = (address: number) => Buffer.from(bytes.subarray(address, bytes.indexOf(0, address))).toString();
  const strings = () => {
    const list: string[] = [];
    for (let address = word(); address !== 0; address = word()) list.push(string(address));
    return list;
  };
  const argc = word();
  const args = strings();
  const env = strings();
  const auxiliary = new Map<number, number>();
  for (let key = word(); key !== 0; key = word()) auxiliary.set(key, word());
  return { argc, args, env, auxiliary, string };
}

describe('the initial stack', () => {
  test('arguments, environment, auxiliary vector', () => {
    const process = make({ args: ['one', '', 'süß'], env: ['A=1', 'B='] });
    expect(process.hart.get(2) % 16n).toBe(0n);
    const { argc, args, env, auxiliary, string } = initialStack(process);
    expect([argc, args, env]).toEqual([4, ['dir/guest', 'one', '', 'süß'], ['A=1', 'B=']]);
    expect(auxiliary.get(9)).toBe(0x10000);
    expect(auxiliary.get(6)).toBe(4096);
    // The first segment does not begin at the file's start: the program headers are in no segment.
    expect(auxiliary.get(3)).toBe(0);
    expect([auxiliary.get(4), auxiliary.get(5)]).toEqual([56, 2]);
    expect(auxiliary.get(16)).toBe(0x112d);
    expect(string(auxiliary.get(31)!)).toBe('dir/guest');
  });

  test('is the same in every run, with the same name whatever the file', () => {
    const stackOf = (process: Process) => {
      const { address, size } = process.stack;
      return Buffer.from(process.memory.bytes.subarray(address + size - 4096, address + size)).toString('hex');
    };
    const options = { programName: 'guest', args: ['x'] };
    expect(stackOf(make(options))).toBe(stackOf(make(options)));
    expect(make(options).hart.get(2)).toBe(make({ ...options, image: image(8000) }).hart.get(2));
    expect(stackOf(make({ ...options, seed: 2n }))).not.toBe(stackOf(make(options)));
  });

  test('too many arguments', () => {
    expect(() => make({ args: ['x'.repeat(3 * 2 ** 20)] })).toThrow(/arguments and environment/);
  });
});

describe('the address space', () => {
  test('permissions follow the segments; page 0 and the gaps are not mapped', () => {
    const { permissions } = make().memory;
    const at = (address: number) => permissions[address / PAGE];
    const { READ, WRITE, EXECUTE, MAPPED } = PERMISSION;
    expect([at(0), at(0xf000), at(0x10000), at(0x11000), at(0x12000), at(0x13000)]).toEqual([
      0,
      0,
      MAPPED | READ | EXECUTE,
      0,
      MAPPED | READ | WRITE,
      0,
    ]);
  });

  test('the heap begins well behind the image, or where it is told to', () => {
    expect(make().heapStart).toBe(0x1100000);
    expect(make({ image: image(3 * 2 ** 20) }).heapStart).toBe(0x1400000);
    expect(make({ heapStart: 0x200000 }).heapStart).toBe(0x200000);
    expect(() => make({ heapStart: 0x12000 })).toThrow(/no room for its heap/);
  });

  test('what does not fit gives a clear error', () => {
    expect(() => make({ image: image(64, 2 ** 30 - 4096) })).toThrow(/beyond guest memory/);
    expect(() => make({ image: image(64, 0x7ff000), memorySize: 2 ** 24 })).toThrow(
      /no room for its heap|beyond guest memory/,
    );
    expect(() => make({ memorySize: 4096 })).toThrow(/guest memory of 4096 bytes/);
    const low = parseImage(bareElf([{ address: 0, bytes: Uint8Array.of(0x73, 0, 0, 0), execute: true }], 2), 'low');
    expect(() => make({ image: low })).toThrow(/page 0/);
  });
});

describe('syscalls without an engine', () => {
  /** One syscall as the hart would make it. @returns a0 */
  function call(process: Process, number: number, ...args: (number | bigint)[]): bigint {
    process.hart.set(17, BigInt(number));
    for (const [index, value] of args.entries()) process.hart.set(10 + index, BigInt.asUintN(64, BigInt(value)));
    expect(process.syscall()).toBe('continue');
    return BigInt.asIntN(64, process.hart.get(10));
  }

  test('an unknown one is ENOSYS, and told once', () => {
    const told: string[] = [];
    const process = make({ report: (message) => told.push(message) });
    expect([call(process, 4000), call(process, 4000), call(process, 4001)]).toEqual([-38n, -38n, -38n]);
    expect(told.length).toBe(2);
    expect(call(process, 220, 17)).toBe(-38n);
    expect(told[2]).toMatch(/clone/);
  });

  test('a bad pointer is EFAULT, whatever it looks like', () => {
    const process = make();
    for (const pointer of [0, 1, 0x11000, 2 ** 30 - 1, 2 ** 40, 2n ** 63n, -1, -8]) {
      expect([pointer, call(process, 64, 1, pointer, 8)]).toEqual([pointer, -14n]);
      expect([pointer, call(process, 160, pointer)]).toEqual([pointer, -14n]);
      expect([pointer, call(process, 56, -100, pointer, 0, 0)]).toEqual([pointer, -14n]);
    }
    expect(call(process, 64, 1, 0x10000, 2n ** 63n)).toBe(-14n);
  });

  test('every row survives arguments that make no sense', async () => {
    const { SYSCALLS } = await import('../../src/machine/linux/table.ts');
    const nonsense = [
      0n,
      1n,
      -1n,
      0x12000n,
      0x12008n,
      2n ** 31n,
      2n ** 63n - 1n,
      2n ** 62n,
      0x10000n,
      4096n,
      12345678901n,
    ];
    const process = make({ sink: () => {}, report: () => {} });
    let turn = 0;
    for (const { number, name } of SYSCALLS.values()) {
      for (let round = 0; round < 60; round++) {
        process.hart.set(17, BigInt(number));
        for (let index = 0; index < 6; index++)
          process.hart.set(
            10 + index,
            BigInt.asUintN(64, nonsense[(turn = (turn * 31 + 17) % 10007) % nonsense.length]!),
          );
        expect(() => process.syscall(), name).not.toThrow();
        process.kernel.ending = undefined;
      }
    }
  });

  test('--strace: a line a call', () => {
    const lines: string[] = [];
    const process = make({ strace: (line) => lines.push(line) });
    process.memory.bytes.set(Buffer.from('a "b"\n\0'), 0x12000);
    call(process, 64, 1, 0x12000, 6);
    call(process, 56, -100, 0x12000, 0x80000, 0);
    call(process, 222, 0, 4096, 3, 0x22, -1, 0);
    call(process, 4000);
    process.hart.set(17, 94n);
    process.hart.set(10, 7n);
    expect(process.syscall()).toEqual({ kind: 'status', status: 7 });
    expect(lines).toEqual([
      'write(1, "a \\"b\\"\\n", 6) = 6',
      'openat(AT_FDCWD, "a \\"b\\"\\n", 0x80000, 00) = -1 ENOENT',
      expect.stringMatching(/^mmap\(NULL, 4096, 0x3, 0x22, -1, 0\) = 0x[0-9a-f]+$/),
      'syscall_4000(...) = -1 ENOSYS',
      'exit_group(7) = ?',
    ]);
  });

  test('a pending syscall can be looked at before it runs', () => {
    const process = make();
    process.hart.set(17, 64n);
    process.hart.set(10, 1n);
    process.hart.set(11, 0x12000n);
    process.hart.set(12, 3n);
    expect(process.pendingSyscall()).toEqual({ number: 64, name: 'write', args: [1n, 0x12000n, 3n] });
  });
});
