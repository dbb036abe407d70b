/** Exact counts of control transfers, by site and target. */
import type { Addr, InsnCount } from '../base/units.ts';
import type { Transfer } from './engine.ts';

export class TransferCounts {
  readonly #counts = new Map<Addr, Map<Addr, InsnCount>>();

  add(from: Addr, to: Addr, count: InsnCount): void {
    if (count === 0) return;
    let targets = this.#counts.get(from);
    if (targets === undefined) {
      targets = new Map();
      this.#counts.set(from, targets);
    }
    targets.set(to, (targets.get(to) ?? 0) + count);
  }
  copy(): TransferCounts {
    const copy = new TransferCounts();
    for (const [from, targets] of this.#counts) for (const [to, count] of targets) copy.add(from, to, count);
    return copy;
  }
  /** Each (from, to) once, sorted by from, then to. */
  list(): Transfer[] {
    const all: Transfer[] = [];
    for (const [from, targets] of this.#counts) for (const [to, count] of targets) all.push({ from, to, count });
    return all.sort((a, b) => a.from - b.from || a.to - b.to);
  }
}
