/** The surroundings of a region, as its code needs them. */
import type { Addr } from '../../base/units.ts';
import type { Layout } from '../frame.ts';
import type { CountSource } from './counts.ts';
import type { ModuleHelpers } from './module-helpers.ts';
import type { Ranges } from './ranges.ts';

/** How code at an address is called: a region of the same module by function index, all other code by a slot of the table. */
export type Link =
  | { readonly func: number; readonly slot?: undefined }
  | { readonly slot: number; readonly func?: undefined };

/** Services that a region needs from its module and the translator. */
export interface Surroundings {
  readonly layout: Layout;
  readonly regionType: number;
  /** Imported helpers, by function index. */
  readonly count: number;
  readonly slotOf: number;
  /** Helpers of the module itself. */
  readonly locals: ModuleHelpers;
  linkTo(pc: Addr): Link;
  /** The slot for code at an address, translated or not. */
  slotFor(pc: Addr): number;
  recordFor(pc: Addr): number;
  readonly counters: CountSource;
  readonly ranges: Ranges;
  /** The address of the last interpreted access of a load or store; 0 if there is none. */
  accessed(record: number): Addr;
  /** Has control come from several instructions to the code behind a call? */
  returnsVary(link: Addr): boolean;
  /** Puts a table into the host area. @returns its address */
  tableOf(halves: Uint16Array): number;
}
