/**
 * Fused multiply-add of the host. Wasm has it only in its relaxed form, which may or may not round in between ("Relaxed SIMD", a part of
 * WebAssembly 3.0); where the processor has such an instruction V8 uses it. So it is asked, once, whether it does here.
 */
import { setFlags, V8_VERSION } from '../base/v8.ts';
import { Code, F32, F64, ModuleBuilder } from '../base/wasm.ts';

let fused: boolean | undefined;

/** Are `fusedMadd` of both widths rounded once? To be asked before a module with them is compiled. */
export function hasFused(): boolean {
  fused ??= probe();
  return fused;
}

function probe(): boolean {
  // Before that V8 does not know them unless it is told to.
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
  // (1 + e)(1 + e) - (1 + 2e) is e * e, of which a product that is rounded has nothing.
  const [single, double] = [2 ** -23, 2 ** -52];
  return (
    f32(1 + single, 1 + single, -(1 + 2 * single)) === single ** 2 &&
    f64(1 + double, 1 + double, -(1 + 2 * double)) === double ** 2
  );
}
