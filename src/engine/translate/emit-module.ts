/** A wasm module of regions. Regions of one module call each other directly, and others through the table, where they may be replaced. */
import type { Addr } from '../../base/units.ts';
import { ModuleBuilder } from '../../base/wasm.ts';
import { Code } from '../../base/wasm-code.ts';
import { I32, I64 } from '../../base/wasm-opcodes.ts';
import type { Imports, Places } from '../core.ts';
import { importAll } from '../generate.ts';
import type { RegionCounts } from './counts.ts';
import { emitRegion } from './emit.ts';
import type { Flow } from './flow.ts';
import { ModuleHelpers } from './module-helpers.ts';
import { nameOf } from './regions.ts';
import { REGION_TYPE } from './support.ts';
import type { Link, Surroundings } from './surroundings.ts';

/** Services that regions need from outside their module. */
export type Outside = Pick<
  Surroundings,
  'slotFor' | 'recordFor' | 'counters' | 'ranges' | 'accessed' | 'returnsVary' | 'tableOf'
>;

export interface EmittedRegion {
  readonly flow: Flow;
  readonly counts: RegionCounts;
  /** Heads of the regions that this region calls directly. */
  readonly links: ReadonlySet<Addr>;
}

export function emitModule(
  flows: ReadonlyMap<Addr, Flow>,
  places: Places,
  imports: Imports,
  outside: Outside,
): { readonly bytes: Uint8Array; readonly regions: readonly EmittedRegion[] } {
  const module = new ModuleBuilder();
  module.importTable(1);
  const regionType = module.type(...REGION_TYPE);
  const count = module.importFunction('count', module.type([I64], []));
  const slotOf = module.importFunction('slotOf', module.type([I32], [I32]));
  const layout = importAll(module, places, imports);
  const locals = new ModuleHelpers(module, regionType, count);
  const functions = new Map<Addr, number>();
  for (const pc of flows.keys()) functions.set(pc, module.declare(regionType));
  const regions = [...flows].map(([pc, flow]): EmittedRegion => {
    const links = new Set<Addr>();
    const linkTo = (to: Addr): Link => {
      const known = functions.get(to);
      if (known === undefined) return { slot: outside.slotFor(to) };
      links.add(to);
      return { func: known };
    };
    const { code, counts } = emitRegion(flow, { ...outside, layout, regionType, count, slotOf, locals, linkTo });
    const func = functions.get(pc)!;
    module.define(func, code);
    module.export(nameOf(pc), func);
    for (const { pc: entry } of flow.entries.slice(1)) {
      const enter = module.declare(regionType);
      module.define(enter, new Code(3).i32(outside.recordFor(entry)).get(1).get(2).returnCall(func));
      module.export(nameOf(pc, entry), enter);
    }
    return { flow, counts, links };
  });
  return { bytes: module.bytes(), regions };
}
