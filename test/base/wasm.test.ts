import { expect, test } from 'vitest';
import { ModuleBuilder } from '../../src/base/wasm.ts';
import { Code } from '../../src/base/wasm-code.ts';
import { I32 } from '../../src/base/wasm-opcodes.ts';

test('names of any length', () => {
  const names = [1, 127, 128, 300, 20_000].map((length) => 'x'.repeat(length));
  const module = new ModuleBuilder();
  for (const name of names) {
    const func = module.declare(module.type([], [I32]));
    module.define(func, new Code(0).i32(names.indexOf(name)));
    module.export(name, func);
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes() as Uint8Array<ArrayBuffer>), {});
  expect(Object.keys(exports)).toEqual(names);
  expect((exports[names[3]!] as () => number)()).toBe(3);
});
