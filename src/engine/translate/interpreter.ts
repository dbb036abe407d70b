/**
 * The interpreter beneath translated code: dispatch as a function like a region, so that interpreter and regions can call each other. The
 * interpreter runs until control comes back to the link that it began with (then it returns as a region would), or until it needs the host.
 */
import { ModuleBuilder } from '../../base/wasm.ts';
import { Code, type Label } from '../../base/wasm-code.ts';
import { I32, I64 } from '../../base/wasm-opcodes.ts';
import { LocalPool } from '../../domain/wasm.ts';
import { HART, slotOf } from '../../machine/hart.ts';
import { EXIT_BUDGET, EXIT_RECORD, type Imports, type Places } from '../core.ts';
import { EXIT, emitCharge, emitEnterRun, type Frame, type Layout, pushDelta, pushRecord } from '../frame.ts';
import { emitSpecial, importAll } from '../generate.ts';
import { RECORD, ROUTINE } from '../records.ts';
import { emitRoutine } from '../routine.ts';
import type { Routines } from '../routines.ts';
import {
  BUDGET,
  CHARGED,
  DEPTH,
  DEPTH_LOCAL,
  EXIT_KIND,
  INTERPRET,
  RECORD_LOCAL,
  REGION_TYPE,
  STOPPED,
} from './support.ts';

const RA = 1;
/** No address: the outermost interpreter does not return. */
const NO_LINK = -1n;
/** Lower half of a plant (Records.plant): the routine of the instruction beneath it. */
const PLANT_ROUTINE = 0xffff;
/** One count of COUNTED, in the upper half of a plant. */
const PLANT_COUNT = 0x10000;

/** @param regions false for a hart that has no translated code */
export function buildInterpreter(
  routines: Routines,
  places: Places,
  imports: Imports,
  plants: number,
  regions: boolean,
): ModuleBuilder {
  const module = new ModuleBuilder();
  // The table comes before the functions.
  module.importTable(1);
  const regionType = module.type(...REGION_TYPE);
  const countJump = module.importFunction('count', module.type([I64], []));
  const layout = importAll(module, places, imports);
  const interpret = module.declare(regionType);
  module.define(interpret, new Interpreter({ routines, layout, plants, regions, regionType, countJump }).emit());
  module.export('interpret', interpret);

  const run = module.declare(module.type([I32, I32, I32], [I32]));
  const code = new Code(3);
  code.get(0).get(2).op('i32.or').i32(CHARGED).op('i32.or').get(1).i32(DEPTH.FULL).call(interpret).op('drop', 'drop');
  code.i32(places.hart).access('i32.load', EXIT_KIND);
  module.define(run, code);
  module.export('run', run);
  return module;
}

/** What the interpreter is made for. */
interface Setting {
  readonly routines: Routines;
  readonly layout: Layout;
  /** Offset of the table of plants. */
  readonly plants: number;
  /** Are there regions to enter? */
  readonly regions: boolean;
  readonly regionType: number;
  /** The imported function that counts an indirect transfer. */
  readonly countJump: number;
}

/** Emits the function: `block $leave { routine := ...; loop $dispatch { br_table } }`. */
class Interpreter {
  readonly #setting: Setting;
  readonly #code = new Code(3);
  /** Locals: the address at which control returns to the caller, and the routine to dispatch to. */
  readonly #link = this.#code.local(I64);
  readonly #routine = this.#code.local(I32);
  /** The `next` of a region, the plant of the record at hand, the reason to leave, and the flags that came with the first record. */
  readonly #next = this.#code.local(I64);
  readonly #plant = this.#code.local(I32);
  readonly #exit = this.#code.local(I32);
  readonly #flags = this.#code.local(I32);
  readonly #frame: Frame;
  /** Labels of the two blocks, from when they are opened. */
  #leave!: Label;
  #dispatch!: Label;

  constructor(setting: Setting) {
    this.#setting = setting;
    const code = this.#code;
    this.#frame = {
      code,
      pool: new LocalPool(code),
      record: RECORD_LOCAL,
      budget: BUDGET,
      next: () => {
        code.get(RECORD_LOCAL).access('i32.load16_u', RECORD.ROUTINE).set(this.#routine);
        code.br(this.#dispatch);
      },
      leave: (why) => void code.i32(why).set(this.#exit).br(this.#leave),
      // The record of a load or store has no count in this field.
      note: (address) => void code.get(RECORD_LOCAL).get(address).access('i64.store', RECORD.ACCESSED),
      jump: (goal) =>
        this.#goTo(goal, EXIT.JUMP, () => {
          code.get(RECORD_LOCAL).op('i64.extend_i32_u').i64(32n).op('i64.shl').get(goal).op('i64.or');
          code.call(this.#setting.countJump);
        }),
    };
  }

  emit(): Code {
    const code = this.#code;
    const { hart } = this.#setting.layout;
    code.i64(NO_LINK).set(this.#link);
    code.get(DEPTH_LOCAL).i32(DEPTH.FULL).op('i32.ne');
    code.if();
    code.i32(hart).access('i64.load', slotOf(RA)).set(this.#link).end();
    this.#leave = code.block();
    this.#begin();
    this.#dispatch = code.loop();
    this.#routines();
    code.op('unreachable').end();
    code.op('unreachable').end();
    code.i32(hart).get(RECORD_LOCAL).access('i32.store', EXIT_RECORD);
    code.i32(hart).get(BUDGET).access('i32.store', EXIT_BUDGET);
    code.i32(hart).get(this.#exit).access('i32.store', EXIT_KIND);
    return code.i64(BigInt(STOPPED)).get(BUDGET);
  }

  /** Takes the flags off the first record, charges its run unless it is charged already, and finds the routine to begin with. */
  #begin(): void {
    const code = this.#code;
    code
      .get(RECORD_LOCAL)
      .i32(INTERPRET | CHARGED)
      .op('i32.and')
      .set(this.#flags);
    code.get(RECORD_LOCAL).get(this.#flags).op('i32.sub').set(RECORD_LOCAL);
    code.get(this.#flags).i32(CHARGED).op('i32.and', 'i32.eqz');
    code.if();
    emitCharge(this.#frame);
    code.end();
    code.get(RECORD_LOCAL).access('i32.load16_u', RECORD.ROUTINE).set(this.#routine);
    code.get(this.#flags).i32(INTERPRET).op('i32.and');
    code.if();
    code.get(this.#routine).i32(ROUTINE.COUNTED).op('i32.eq');
    code.get(this.#routine).i32(ROUTINE.REGION).op('i32.eq', 'i32.or');
    code.if();
    this.#pushPlant();
    this.#setRoutineOfPlant();
    code.end();
    code.end();
  }

  /** The br_table over all routines, and the routines. */
  #routines(): void {
    const code = this.#code;
    const { routines, layout } = this.#setting;
    const labels: Label[] = [];
    for (let i = 0; i < routines.end; i++) labels.push(code.block());
    labels.reverse();
    code.get(this.#routine).brTable(labels, labels[0]!);
    for (let i = 0; i < routines.end; i++) {
      code.end();
      if (i === ROUTINE.COUNTED || i === ROUTINE.REGION) this.#planted(i);
      else if (i < ROUTINE.FIRST) emitSpecial(this.#frame, i);
      else emitRoutine(this.#frame, layout, routines.variants[i - ROUTINE.FIRST]!);
    }
  }

  #planted(routine: typeof ROUTINE.COUNTED | typeof ROUTINE.REGION): void {
    if (!this.#setting.regions) {
      this.#pushPlant();
      this.#setRoutineOfPlant();
      this.#code.br(this.#dispatch);
    } else if (routine === ROUTINE.COUNTED) this.#countDown();
    else this.#enterRegion();
  }
  #pushPlant(): Code {
    return this.#pushPlantOffset().access('i32.load', this.#setting.plants);
  }
  /** Pushes the offset of the record's plant in the table of plants. */
  #pushPlantOffset(): Code {
    const { memorySize } = this.#setting.layout;
    return this.#code.get(RECORD_LOCAL).i32(memorySize).op('i32.sub').i32(3).op('i32.shr_u');
  }
  /** Sets the routine to dispatch to: the one beneath the plant on the stack. */
  #setRoutineOfPlant(): void {
    this.#code.i32(PLANT_ROUTINE).op('i32.and').set(this.#routine);
  }
  #countDown(): void {
    const code = this.#code;
    this.#pushPlant().tee(this.#plant).i32(PLANT_COUNT).op('i32.lt_u');
    code.if();
    this.#frame.leave(EXIT.HOT);
    code.end();
    this.#pushPlantOffset();
    code.get(this.#plant).i32(PLANT_COUNT).op('i32.sub').access('i32.store', this.#setting.plants);
    code.get(this.#plant);
    this.#setRoutineOfPlant();
    code.br(this.#dispatch);
  }
  #enterRegion(): void {
    const code = this.#code;
    const { regionType, countJump } = this.#setting;
    const next = this.#next;
    code
      .get(DEPTH_LOCAL)
      .i32(DEPTH.REGION + DEPTH.INTERPRETER)
      .op('i32.lt_s');
    code.if();
    // Too little of the host's stack is left: back to the host, which enters again with the whole stack.
    this.#frame.leave(EXIT.BUDGET);
    code.end();
    // The region charges the run anew.
    code.get(RECORD_LOCAL);
    code.get(BUDGET).get(RECORD_LOCAL).access('i32.load', RECORD.RUN).op('i32.add');
    code.get(DEPTH_LOCAL).i32(DEPTH.INTERPRETER).op('i32.sub');
    this.#pushPlant().i32(16).op('i32.shr_u').callIndirect(regionType).set(BUDGET).tee(next);
    code.i64(BigInt(STOPPED)).op('i64.eq');
    code.if();
    code.get(next).get(BUDGET).op('return').end();
    code.get(next).i64(32n).op('i64.shr_u').i64(0n).op('i64.ne');
    code.if();
    code.get(next).call(countJump).get(next).i64(0xffff_ffffn).op('i64.and').set(next).end();
    this.#goTo(next, EXIT.FAR);
  }

  /**
   * Goes on at the address in the i64 local, if it has a record; leaves otherwise.
   * @param count emits the counting of the transfer if it is still to be counted
   */
  #goTo(goal: number, exit: number, count?: () => void): void {
    const code = this.#code;
    const { hart, deltas, memorySize } = this.#setting.layout;
    const gone = code.block();
    code.get(goal).i64(BigInt(memorySize)).op('i64.ge_u').brIf(gone);
    pushDelta(code, deltas, goal).op('i32.eqz').brIf(gone);
    count?.();
    code.get(goal).get(this.#link).op('i64.eq');
    code.if();
    code.get(goal).get(BUDGET).op('return').end();
    pushRecord(code, deltas, goal).set(RECORD_LOCAL);
    emitEnterRun(this.#frame);
    code.end();
    code.i32(hart).get(goal).access('i64.store', HART.STOP_ADDRESS);
    this.#frame.leave(exit);
  }
}
