/**
 * The interpreter beneath translated code: dispatch as a function like a region, so that interpreter and regions can call each other. The
 * interpreter runs until control comes back to the link that it began with (then it returns as a region would), or until it needs the host.
 */
import { Code, I32, I64, type Label, ModuleBuilder } from '../../base/wasm.ts';
import { LocalPool } from '../../domain/wasm.ts';
import { HART, slotOf } from '../../machine/hart.ts';
import { emitSpecial, importAll } from '../generate.ts';
import { EXIT_BUDGET, EXIT_RECORD, type Imports, type Places } from '../record-engine.ts';
import { RECORD, ROUTINE } from '../records.ts';
import { EXIT, emitRoutine, type Frame, type Layout } from '../routine.ts';
import type { Routines } from '../routines.ts';
import { CHARGED, DEPTH, EXIT_KIND, INTERPRET, pushDelta, REGION_TYPE, STOPPED } from './support.ts';

const RA = 1;
/** No address: the outermost interpreter does not return. */
const NO_LINK = -1n;

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
  const count = module.importFunction('count', module.type([I64], []));
  const layout = importAll(module, places, imports);
  const interpret = module.declare(regionType);
  module.define(interpret, interpreterCode(routines, layout, regionType, count, plants, regions));
  module.export('interpret', interpret);

  const run = module.declare(module.type([I32, I32, I32], [I32]));
  const code = new Code(3);
  code.get(0).get(2).op('i32.or').i32(CHARGED).op('i32.or').get(1).i32(DEPTH.FULL).call(interpret).op('drop', 'drop');
  code.i32(places.hart).access('i32.load', EXIT_KIND);
  module.define(run, code);
  module.export('run', run);
  return module;
}

function interpreterCode(
  routines: Routines,
  layout: Layout,
  regionType: number,
  countJump: number,
  plants: number,
  regions: boolean,
): Code {
  const { hart, deltas, memorySize } = layout;
  const code = new Code(3);
  const [record, budget, depth] = [0, 1, 2];
  const link = code.local(I64);
  const routine = code.local(I32);
  const next = code.local(I64);
  const plant = code.local(I32);
  const exit = code.local(I32);

  const pushPlant = () =>
    code.get(record).i32(memorySize).op('i32.sub').i32(3).op('i32.shr_u').access('i32.load', plants);

  code.i64(NO_LINK).set(link);
  code.get(depth).i32(DEPTH.FULL).op('i32.ne');
  code.if();
  code.i32(hart).access('i64.load', slotOf(RA)).set(link).end();

  // block $leave { routine := ...; loop $dispatch { br_table } }
  const leave = code.block();
  const frame: Frame = {
    code,
    pool: new LocalPool(code),
    record,
    budget,
    next: () => void code.get(record).access('i32.load16_u', RECORD.ROUTINE).set(routine).br(dispatch),
    leave: (why) => void code.i32(why).set(exit).br(leave),
    // The record of a load or store has no count in this field.
    note: (address) => void code.get(record).get(address).access('i64.store', RECORD.ACCESSED),
    jump: (goal) => {
      const gone = code.block();
      code.get(goal).i64(BigInt(memorySize)).op('i64.ge_u').brIf(gone);
      pushDelta(deltas, () => code.get(goal).op('i32.wrap_i64'))
        .op('i32.eqz')
        .brIf(gone);
      code.get(record).op('i64.extend_i32_u').i64(32n).op('i64.shl').get(goal).op('i64.or').call(countJump);
      arrive(goal);
      code.end();
      code.i32(hart).get(goal).access('i64.store', HART.STOP_ADDRESS);
      frame.leave(EXIT.JUMP);
    },
  };
  /** Goes on at the address in the local, which has a record. */
  const arrive = (goal: number) => {
    code.get(goal).get(link).op('i64.eq');
    code.if();
    code.get(goal).get(budget).op('return').end();
    code.get(goal).op('i32.wrap_i64').i32(4).op('i32.shl');
    pushDelta(deltas, () => code.get(goal).op('i32.wrap_i64'))
      .op('i32.add')
      .set(record);
    charge();
    frame.next();
  };
  const charge = () => {
    code.get(budget).get(record).access('i32.load', RECORD.RUN).op('i32.sub').tee(budget).i32(0).op('i32.lt_s');
    code.if();
    frame.leave(EXIT.BUDGET);
    code.end();
  };

  const flags = code.local(I32);
  code
    .get(record)
    .i32(INTERPRET | CHARGED)
    .op('i32.and')
    .set(flags);
  code.get(record).get(flags).op('i32.sub').set(record);
  code.get(flags).i32(CHARGED).op('i32.and', 'i32.eqz');
  code.if();
  charge();
  code.end();
  code.get(record).access('i32.load16_u', RECORD.ROUTINE).set(routine);
  code.get(flags).i32(INTERPRET).op('i32.and');
  code.if();
  code.get(routine).i32(ROUTINE.COUNTED).op('i32.eq').get(routine).i32(ROUTINE.REGION).op('i32.eq', 'i32.or');
  code.if();
  pushPlant().i32(0xffff).op('i32.and').set(routine).end();
  code.end();
  const dispatch = code.loop();
  const labels: Label[] = [];
  for (let i = 0; i < routines.end; i++) labels.push(code.block());
  labels.reverse();
  code.get(routine).brTable(labels, labels[0]!);
  for (let i = 0; i < routines.end; i++) {
    code.end();
    if (!regions && (i === ROUTINE.COUNTED || i === ROUTINE.REGION)) {
      pushPlant().i32(0xffff).op('i32.and').set(routine).br(dispatch);
    } else if (i === ROUTINE.COUNTED) {
      pushPlant().tee(plant).i32(0x10000).op('i32.lt_u');
      code.if();
      frame.leave(EXIT.HOT);
      code.end();
      code.get(record).i32(memorySize).op('i32.sub').i32(3).op('i32.shr_u');
      code.get(plant).i32(0x10000).op('i32.sub').access('i32.store', plants);
      code.get(plant).i32(0xffff).op('i32.and').set(routine).br(dispatch);
    } else if (i === ROUTINE.REGION) enterRegion();
    else if (i < ROUTINE.FIRST) emitSpecial(frame, i);
    else emitRoutine(frame, layout, routines.variants[i - ROUTINE.FIRST]!);
  }
  code.op('unreachable').end();
  code.op('unreachable').end();
  code.i32(hart).get(record).access('i32.store', EXIT_RECORD);
  code.i32(hart).get(budget).access('i32.store', EXIT_BUDGET);
  code.i32(hart).get(exit).access('i32.store', EXIT_KIND);
  return code.i64(BigInt(STOPPED)).get(budget);

  function enterRegion(): void {
    const pushCharged = () => code.get(budget).get(record).access('i32.load', RECORD.RUN).op('i32.add');
    code
      .get(depth)
      .i32(DEPTH.REGION + DEPTH.INTERPRETER)
      .op('i32.lt_s');
    code.if();
    // Too little of the host's stack is left: back to the host, which enters again with the whole stack.
    frame.leave(EXIT.BUDGET);
    code.end();
    code.get(record);
    pushCharged();
    code.get(depth).i32(DEPTH.INTERPRETER).op('i32.sub');
    pushPlant().i32(16).op('i32.shr_u').callIndirect(regionType).set(budget).tee(next);
    code.i64(BigInt(STOPPED)).op('i64.eq');
    code.if();
    code.get(next).get(budget).op('return').end();
    code.get(next).i64(32n).op('i64.shr_u').i64(0n).op('i64.ne');
    code.if();
    code.get(next).call(countJump).get(next).i64(0xffff_ffffn).op('i64.and').set(next).end();
    const gone = code.block();
    code.get(next).i64(BigInt(memorySize)).op('i64.ge_u').brIf(gone);
    pushDelta(deltas, () => code.get(next).op('i32.wrap_i64'))
      .op('i32.eqz')
      .brIf(gone);
    arrive(next);
    code.end();
    code.i32(hart).get(next).access('i64.store', HART.STOP_ADDRESS);
    frame.leave(EXIT.FAR);
  }
}
