/**
 * Parts that translated code and the interpreter beneath it share: the type of a region, its results, and helper functions.
 *
 * A region is a function (record, budget, depth) -> (next, budget) in the table of regions; a slot whose code is not translated has
 * the interpreter. `record` is where to begin, nothing of it charged to the budget; for the interpreter, with INTERPRET or CHARGED.
 * `depth` is the number of bytes of the host's stack that may still be used. `next` is the address to go on at, with the record of the
 * indirect jump that went there in its upper half if that transfer is still to be counted; or STOPPED.
 */
import { ModuleBuilder } from '../../base/wasm.ts';
import { Code } from '../../base/wasm-code.ts';
import { I32, I64, type ValueType } from '../../base/wasm-opcodes.ts';
import { HART } from '../../machine/hart.ts';
import type { Imports, Places } from '../core.ts';
import { HOST_TYPES } from '../generate.ts';
import { emitJumpCount, emitJumpHash } from '../jump-code.ts';
import { RECORD, ROUTINE } from '../records.ts';

export const REGION_TYPE: readonly [ValueType[], ValueType[]] = [
  [I32, I32, I32],
  [I64, I32],
];
/** Locals of the parameters. */
export const [RECORD_LOCAL, BUDGET, DEPTH_LOCAL] = [0, 1, 2];
/** Flags beside a record, for the interpreter: execute this instruction even if a region begins there; its run is charged already. */
export const INTERPRET = 1;
export const CHARGED = 2;
/** As `next`: the host is needed. EXIT_KIND, EXIT_RECORD and EXIT_BUDGET say why. */
export const STOPPED = 1;
/** i32 in the hart's block: an EXIT. */
export const EXIT_KIND = HART.BUDGET;

/** Bytes of the host's stack. V8 gives a thread a little less than 1 MB, some of which is in use. */
export const DEPTH = {
  /** The depth that a stay in generated code starts with. */
  FULL: 640 * 1024,
  /** A region is not entered with less: its own frame, and a helper that calls the host. */
  REGION: 64 * 1024,
  /** The interpreter's own frame. */
  INTERPRETER: 2048,
} as const;

export interface Helpers {
  /** Counts the indirect transfer `next`. */
  readonly count: unknown;
  /** (record) -> slot of the region that begins there, or 0. */
  readonly slotOf: unknown;
  /** The imports of these names as functions of wasm: V8 compiles a wrapper for a host function again in each module that imports it. */
  readonly float: unknown;
  readonly counter: unknown;
}
/** A return cell: i64 expected `next`, i32 the link; behind them, for each other return, i64 `next` and i64 count; see returns.ts. */
export const CELL = { NEXT: 0, LINK: 8, OTHERS: [16, 32, 48], COUNT: 8, SIZE: 64 } as const;
/** The slot that always has the interpreter. */
export const INTERPRETER_SLOT = 0;

/**
 * @param table of regions
 * @param jumped host function for a transfer that is not in the table of jumps: puts the transfer there, counted once
 */
export function makeHelpers(
  places: Places,
  imports: Imports,
  table: WebAssembly.Table,
  plants: number,
  jumped: (next: bigint) => void,
): Helpers {
  const module = new ModuleBuilder();
  module.importTable(1);
  module.importMemory(imports.memory.buffer.byteLength / 65536);
  const host = module.importFunction('jumped', module.type([I64], []));
  const hosts = (['float', 'counter'] as const).map((name) => {
    const [parameters, results] = HOST_TYPES[name];
    const type = module.type(parameters, results);
    return { name, type, parameters, func: module.importFunction(name, type) };
  });
  const count = module.declare(module.type([I64], []));
  module.define(count, countCode(places.jumps, host));
  const slotOf = module.declare(module.type([I32], [I32]));
  module.define(slotOf, slotCode(places, plants));
  for (const { name, type, parameters, func } of hosts) {
    const code = new Code(parameters.length);
    for (const i of parameters.keys()) code.get(i);
    const made = module.declare(type);
    module.define(made, code.call(func));
    module.export(name, made);
  }
  module.export('count', count);
  module.export('slotOf', slotOf);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
    m: { ...imports, table, jumped },
  });
  return { count: exports.count, slotOf: exports.slotOf, float: exports.float, counter: exports.counter };
}

function countCode(jumps: number, host: number): Code {
  const code = new Code(1);
  const next = 0;
  const record = code.local(I32);
  const entry = code.local(I32);
  const found = code.local(I64);
  code.get(next).i64(32n).op('i64.shr_u', 'i32.wrap_i64').set(record);
  emitJumpHash(code, record, () => code.get(next).op('i32.wrap_i64'), entry);
  const unknown = code.block();
  emitJumpCount(code, jumps, { key: next, entry, found }, unknown);
  code.op('return');
  code.end();
  code.get(next).call(host);
  return code;
}

function slotCode({ memorySize }: Places, plants: number): Code {
  const code = new Code(1);
  code.get(0).access('i32.load16_u', RECORD.ROUTINE).i32(ROUTINE.REGION).op('i32.eq');
  code.if(I32);
  // Upper half of the plant; records lie behind the guest's memory.
  code
    .get(0)
    .i32(memorySize)
    .op('i32.sub')
    .i32(3)
    .op('i32.shr_u')
    .access('i32.load16_u', plants + 2);
  code.else();
  return code.i32(0).end();
}
