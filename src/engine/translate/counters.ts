/** Where translated code counts transfers: i64 cells in the host area, one for each (from, to), shared by all regions that have it. */
import type { Addr } from '../../base/units.ts';
import type { Memory } from '../../machine/memory.ts';
import type { Records } from '../records.ts';
import type { TransferCounts } from '../transfers.ts';
import { CELL } from './support.ts';

const CHUNK = 2 ** 16;

export class Counters {
  readonly #memory: Memory;
  readonly #records: Records;
  readonly #edges = new Map<Addr, Map<Addr, number>>();
  /** By address of the call. */
  readonly #returns = new Map<Addr, { readonly cell: number; readonly link: Addr }>();
  #free = 0;
  #end = 0;

  constructor(memory: Memory, records: Records) {
    this.#memory = memory;
    this.#records = records;
  }

  /** Takes zeroed, aligned bytes. */
  allocate(bytes: number): number {
    if (bytes > CHUNK / 8) return this.#memory.allocateHost(bytes);
    if (this.#free + bytes > this.#end) {
      this.#free = this.#memory.allocateHost(CHUNK);
      this.#end = this.#free + CHUNK;
    }
    const at = this.#free;
    this.#free += Math.ceil(bytes / 8) * 8;
    return at;
  }
  /** Address of the cell for a transfer. */
  edge(from: Addr, to: Addr): number {
    let targets = this.#edges.get(from);
    if (targets === undefined) this.#edges.set(from, (targets = new Map()));
    let cell = targets.get(to);
    if (cell === undefined) targets.set(to, (cell = this.allocate(8)));
    return cell;
  }
  /** Address of the return cell of a call: it expects one return to the link and counts it. */
  returnCell(from: Addr, link: Addr): number {
    let known = this.#returns.get(from);
    if (known === undefined) {
      known = { cell: this.allocate(CELL.SIZE), link };
      this.#memory.view.setInt32(known.cell + CELL.LINK, link, true);
      this.#returns.set(from, known);
    }
    return known.cell;
  }

  collect(counts: TransferCounts): void {
    const { view } = this.#memory;
    const read = (at: number) => Number(view.getBigInt64(at, true));
    for (const [from, targets] of this.#edges) for (const [to, cell] of targets) counts.add(from, to, read(cell));
    for (const { cell, link } of this.#returns.values())
      counts.add(this.#records.pcOf(view.getUint32(cell + CELL.NEXT + 4, true)), link, read(cell + CELL.COUNT));
  }
}
