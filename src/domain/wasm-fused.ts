/**
 * Fused multiply-add of the host. Wasm has only a relaxed form, which may or may not round the product ("Relaxed SIMD", a part of
 * WebAssembly 3.0); V8 uses the processor's fused instruction if there is one. So a probe tests once whether the form is fused here.
 */
import { setFlags, V8_VERSION } from '../base/v8.ts';
import { ModuleBuilder } from '../base/wasm.ts';
import { Code } from '../base/wasm-code.ts';
import { F32, F64 } from '../base/wasm-opcodes.ts';

let fused: boolean | undefined;

/** Does `fusedMadd` round once in both widths? To be called before a module with `fusedMadd` is compiled. */
export function hasFused(): boolean {
  fused ??= probe();
  return fused;
}

function probe(): boolean {
  // V8 before version 12 may know these instructions only with this flag.
  if (V8_VERSION < 12) setFlags('experimental-wasm-relaxed-simd');
  const module = new ModuleBuilder();
  for (const [name, type] of [
    ['f32', F32],
    ['f64', F64],
  ] as const) {
    const func = module.declare(module.type([type, type, type], [type]));
    const code = new Code(3);
    const operand = (i: number) => void code.get(i);
    code.fusedMadd(name, [() => operand(0), () => operand(1), () => operand(2)]);
    module.define(func, code);
    module.export(name, func);
  }
  const bytes = module.bytes();
  if (!WebAssembly.validate(bytes)) return false;
  const { f32, f64 } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  // (1 + e)(1 + e) - (1 + 2e) is e * e, which rounding the product would lose.
  const [single, double] = [2 ** -23, 2 ** -52];
  return (
    f32(1 + single, 1 + single, -(1 + 2 * single)) === single ** 2 &&
    f64(1 + double, 1 + double, -(1 + 2 * double)) === double ** 2
  );
}
