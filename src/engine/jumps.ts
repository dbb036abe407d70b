/**
 * The table of executed indirect jumps, in the host area: generated code counts the pairs in the table, the host inserts new pairs. Open
 * addressing with linear probing; emptied into a map before it is more than half full, so that probing always ends at a free entry.
 */
import type { Addr, InsnCount } from '../base/units.ts';
import type { Memory } from '../machine/memory.ts';
import { JUMPS, jumpHash } from './jump-code.ts';
import type { Records } from './records.ts';
import { TransferCounts } from './transfers.ts';

const ENTRIES = 2 ** JUMPS.BITS;

export class JumpTable {
  /** Offset of the table in the linear memory. */
  readonly at: number;
  readonly #records: Records;
  /** Two numbers an entry: key, count. */
  readonly #entries: BigUint64Array;
  /** Entries in use. */
  readonly #used: number[] = [];
  readonly #counts = new TransferCounts();

  constructor(memory: Memory, records: Records) {
    this.at = memory.allocateHost(ENTRIES * JUMPS.ENTRY);
    this.#records = records;
    this.#entries = new BigUint64Array(memory.linear.buffer, this.at, ENTRIES * 2);
  }

  /** Inserts a new pair of site and target with a count of 1. */
  insert(site: number, target: Addr): void {
    if (this.#used.length >= ENTRIES / 2) this.drain();
    let index = jumpHash(site, target);
    while (this.#entries[index * 2] !== 0n) index = (index + 1) % ENTRIES;
    this.#entries[index * 2] = (BigInt(site) << 32n) | BigInt(target);
    this.#entries[index * 2 + 1] = 1n;
    this.#used.push(index);
  }

  /** How often a pair has been counted since the table was last emptied. */
  seen(site: number, target: Addr): InsnCount {
    const key = (BigInt(site) << 32n) | BigInt(target);
    let index = jumpHash(site, target);
    for (let there = this.#entries[index * 2]; there !== 0n; there = this.#entries[index * 2]) {
      if (there === key) return Number(this.#entries[index * 2 + 1]);
      index = (index + 1) % ENTRIES;
    }
    return 0;
  }

  /** Adds all counts so far. */
  collect(counts: TransferCounts): void {
    this.drain();
    counts.addAll(this.#counts);
  }

  /** Takes all counts out of the table. */
  drain(): void {
    for (const index of this.#used) {
      const key = this.#entries[index * 2]!;
      const site = Number(key >> 32n);
      this.#counts.add(this.#records.pcOf(site), Number(key & 0xffffffffn), Number(this.#entries[index * 2 + 1]));
      this.#entries[index * 2] = 0n;
    }
    this.#used.length = 0;
  }
}
