/** What a region's code needs from those around it. */
import type { Addr } from '../../base/units.ts';
import type { Layout } from '../routine.ts';
import type { CountSource } from './counts.ts';
import type { ModuleHelpers } from './module-helpers.ts';
import type { Ranges } from './ranges.ts';

/** Where code at an address is called: a region of this module or one before it, by function index; or a slot of the table. */
export type Link =
  | { readonly func: number; readonly slot?: undefined }
  | { readonly slot: number; readonly func?: undefined };

/** What a region needs from those around it. */
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
  /** The address that a load or store has gone to last; 0 if it has not been interpreted. */
  accessed(record: number): Addr;
  /** Has control come from several instructions to what is behind a call? */
  returnsVary(link: Addr): boolean;
  /** Puts a table into the host area. @returns its address */
  tableOf(halves: Uint16Array): number;
}
