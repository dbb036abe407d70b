/** The cells in which translated code counts: i64 in the host area. See counts.ts for the meaning of a region's cells. */
import { alignUp } from '../../base/bits.ts';
import type { Addr, InsnCount } from '../../base/units.ts';
import type { Memory } from '../../machine/memory.ts';
import { RECORD, type Records } from '../records.ts';
import { TransferCounts } from '../transfers.ts';
import type { CountSource, EdgeCounts } from './counts.ts';
import { CELL } from './support.ts';

const CHUNK = 2 ** 16;

export class Counters implements CountSource {
  readonly counting: boolean;
  readonly #memory: Memory;
  readonly #records: Records;
  readonly #regions = new Set<EdgeCounts>();
  /** Counts of regions that have been dropped. */
  readonly #past = new TransferCounts();
  /** Return cells by address of the call, and their links by cell. */
  readonly #returns = new Map<Addr, number>();
  readonly #links = new Map<number, Addr>();
  #free = 0;
  #end = 0;

  constructor(memory: Memory, records: Records, counting: boolean) {
    this.#memory = memory;
    this.#records = records;
    this.counting = counting;
  }

  // Arrow functions, as their users take them out of the object.
  readonly seen = (record: number, taken: boolean): InsnCount =>
    this.#records.count(record, taken ? RECORD.TAKEN : RECORD.NOT_TAKEN);
  readonly read = (cell: number): InsnCount => Number(this.#memory.view.getBigInt64(cell, true));
  readonly allocate = (bytes: number): number => {
    if (bytes > CHUNK / 8) return this.#memory.allocateHost(bytes);
    if (this.#free + bytes > this.#end) {
      this.#free = this.#memory.allocateHost(CHUNK);
      this.#end = this.#free + CHUNK;
    }
    const at = this.#free;
    this.#free += alignUp(bytes, 8);
    return at;
  };
  /** The return cell of a call, which expects one return to the link. */
  readonly returnCell = (from: Addr, link: Addr): number => {
    let cell = this.#returns.get(from);
    if (cell === undefined) {
      cell = this.allocate(CELL.SIZE);
      this.#expect(from, link, cell);
    }
    return cell;
  };
  #expect(from: Addr, link: Addr, cell: number): void {
    this.#memory.view.setInt32(cell + CELL.LINK, link, true);
    this.#returns.set(from, cell);
    this.#links.set(cell, link);
  }
  readonly returnOf = (cell: number): { from: Addr; to: Addr } => ({
    from: this.#siteIn(cell + CELL.NEXT),
    to: this.#links.get(cell)!,
  });

  /** The address of the indirect jump in the `next` at an address. */
  #siteIn(next: number): Addr {
    return this.#records.pcOf(this.#memory.view.getUint32(next + 4, true));
  }

  /** Return cells, as numbers for another run: three a cell. */
  *numbers(): Generator<number> {
    for (const [from, cell] of this.#returns) yield* [from, this.#links.get(cell)!, cell];
  }
  restore(numbers: Uint32Array): void {
    for (let i = 0; i < numbers.length; i += 3) this.#expect(numbers[i]!, numbers[i + 1]!, numbers[i + 2]!);
  }

  /** A region counts from now on. */
  add(region: EdgeCounts): void {
    this.#regions.add(region);
  }
  /** A region does not count any more; its counts stay. */
  drop(region: EdgeCounts): void {
    if (this.#regions.delete(region)) region.collect(this.#past);
  }
  collect(counts: TransferCounts): void {
    counts.addAll(this.#past);
    for (const region of this.#regions) region.collect(counts);
    this.#collectCells(counts);
  }
  #collectCells(counts: TransferCounts): void {
    for (const [cell, link] of this.#links)
      for (const other of CELL.OTHERS) {
        const count = this.read(cell + other + CELL.COUNT);
        if (count > 0) counts.add(this.#siteIn(cell + other), link, count);
      }
  }
  /** Records are about to be freed: return cells begin anew. No region may be left. */
  reset(): void {
    this.#collectCells(this.#past);
    for (const [cell, link] of this.#links) {
      this.#memory.clear(cell, cell + CELL.SIZE);
      this.#memory.view.setInt32(cell + CELL.LINK, link, true);
    }
  }
}
