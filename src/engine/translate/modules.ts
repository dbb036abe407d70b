/** Modules of regions: V8's part. */
import { setFlags, setWaitingFlags } from '../../base/v8.ts';

export interface CompiledModule {
  /** As wasm. */
  readonly bytes: Uint8Array;
  /** Addresses of tables in the host area that its code reads, and what is in them. */
  readonly tables: readonly Table[];
  readonly exports: WebAssembly.Instance['exports'];
  /** What V8 has made of the bytes; undefined where it cannot be had. */
  native(): ArrayBuffer | undefined;
}
export interface Table {
  readonly at: number;
  readonly halves: Uint16Array;
}

/**
 * What V8 is not to do to regions: compile them twice, or when they are first called (a long loop stays in the code it was entered in);
 * look how much of the stack is left at each entry and each loop: DEPTH is counted, far from the stack's end. Peeling and unrolling of
 * loops cannot be switched off while a thread of V8's may be compiling: it aborts.
 */
const COMPILING = ['liftoff', 'wasm-lazy-compilation', 'wasm-stack-checks'] as const;

function compiling<T>(work: () => T): T {
  setWaitingFlags();
  setFlags(...COMPILING.map((flag) => `no-${flag}`), 'allow-natives-syntax');
  try {
    return work();
  } finally {
    setFlags(...COMPILING, 'no-allow-natives-syntax');
  }
}

/**
 * V8 can give its machine code of a module and take it back; embedders do that through its C++ interface, from JavaScript it is to be had
 * by two functions for V8's own tests (src/runtime/runtime-test-wasm.cc), which Node 20 to 24 have. V8 takes only what the same V8 has
 * made, with the same flags, on the same kind of processor. To be called while `compiling` only: V8 may parse the functions then.
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

/** @param native what `native()` gave for the same bytes in another run; V8 compiles anew if it does not take it */
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
