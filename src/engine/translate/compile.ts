/** Compiling modules of regions, and V8's machine code for them. */
import { setFlags, setWaitingFlags } from '../../base/v8.ts';

export interface CompiledModule {
  /** As wasm. */
  readonly bytes: Uint8Array;
  /** Tables in the host area that the module's code reads. */
  readonly tables: readonly Table[];
  readonly exports: WebAssembly.Instance['exports'];
  /** V8's machine code for the bytes; undefined where V8 does not give it. */
  native(): ArrayBuffer | undefined;
}
export interface Table {
  readonly at: number;
  readonly halves: Uint16Array;
}

/**
 * Flags of V8 that are off for regions: V8 does not compile them twice, nor only when they are first called (a long loop stays in the code
 * it was entered in), nor check the stack at each entry and each loop: DEPTH is counted, far from the stack's end. Peeling and unrolling of
 * loops cannot be switched off: V8 aborts if one of its threads is compiling then.
 */
const COMPILER_FLAGS = ['liftoff', 'wasm-lazy-compilation', 'wasm-stack-checks'] as const;

function compiling<T>(work: () => T): T {
  setWaitingFlags();
  setFlags(...COMPILER_FLAGS.map((flag) => `no-${flag}`), 'allow-natives-syntax');
  try {
    return work();
  } finally {
    setFlags(...COMPILER_FLAGS, 'no-allow-natives-syntax');
  }
}

/**
 * V8 can give its machine code of a module and take it back: to embedders through its C++ interface, to JavaScript only by two functions
 * for V8's own tests (src/runtime/runtime-test-wasm.cc), which Node 20 to 24 have. V8 takes only code that the same V8 has made, with the
 * same flags, on the same kind of processor. To be called while `compiling` only: V8 parses these functions only then.
 */
interface Natives {
  serialize(module: WebAssembly.Module): ArrayBuffer;
  deserialize(native: ArrayBuffer, bytes: Uint8Array): WebAssembly.Module | undefined;
}
let natives: Natives | undefined | null = null;
function findNatives(): Natives | undefined {
  if (natives !== null) return natives;
  try {
    natives = {
      serialize: new Function('module', 'return %SerializeWasmModule(module)') as Natives['serialize'],
      deserialize: new Function('n', 'b', 'return %DeserializeWasmModule(n, b)') as Natives['deserialize'],
    };
  } catch {
    natives = undefined;
  }
  return natives;
}

/** @param native result of `native()` for the same bytes in another run; V8 compiles anew if it does not take this code */
export function compileModule(
  bytes: Uint8Array,
  imports: Readonly<Record<string, unknown>>,
  tables: readonly Table[],
  native?: ArrayBuffer,
): CompiledModule {
  let taken = false;
  const module = compiling(() => {
    const kept = native && findNatives()?.deserialize(native, bytes);
    taken = kept !== undefined;
    return kept ?? new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  });
  const { exports } = new WebAssembly.Instance(module, { m: imports });
  return {
    bytes,
    tables,
    exports,
    native: () => (taken ? native : compiling(() => findNatives()?.serialize(module))),
  };
}
