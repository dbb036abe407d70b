/** Where control has gone in the program: the functions that it has called, and the targets of its indirect jumps. */
import type { Addr } from '../../base/units.ts';
import { keysWithin } from './insns.ts';

/** Targets of an indirect jump that are remembered: a jump with so many targets goes to none of them often. */
const MOST_TARGETS = 2048;

export class Destinations {
  readonly #functions = new Set<Addr>();
  readonly #targets = new Map<Addr, Addr[]>();
  /** Number of indirect jumps that have gone to an address; too large where code was forgotten meanwhile. Only for a guess. */
  readonly #sites = new Map<Addr, number>();

  get functions(): Iterable<Addr> {
    return this.#functions;
  }
  addFunction(pc: Addr): void {
    this.#functions.add(pc);
  }
  isFunction(pc: Addr): boolean {
    return this.#functions.has(pc);
  }

  /** Notes that the indirect jump at `site` has gone to a target. */
  addTarget(site: Addr, target: Addr): void {
    const targets = this.#targets.get(site);
    if (targets !== undefined && (targets.length >= MOST_TARGETS || targets.includes(target))) return;
    if (targets === undefined) this.#targets.set(site, [target]);
    else targets.push(target);
    this.#sites.set(target, (this.#sites.get(target) ?? 0) + 1);
  }
  /** Targets that an indirect jump has gone to, the first first. */
  targetsOf(site: Addr): readonly Addr[] {
    return this.#targets.get(site) ?? [];
  }
  /** Has control come from several indirect jumps to an address? */
  hasSeveralSites(target: Addr): boolean {
    return (this.#sites.get(target) ?? 0) > 1;
  }

  /** All indirect jumps with their targets, as numbers for another run: two a pair. */
  pairs(): Addr[] {
    return [...this.#targets].flatMap(([site, list]) => list.flatMap((target) => [site, target]));
  }
  restore(functions: Uint32Array, pairs: Uint32Array): void {
    for (const pc of functions) this.addFunction(pc);
    for (let i = 0; i < pairs.length; i += 2) this.addTarget(pairs[i]!, pairs[i + 1]!);
  }

  /** The code in the range may become other code. */
  forget(from: Addr, to: Addr): void {
    for (const site of keysWithin(this.#targets, from, to)) this.#targets.delete(site);
  }
}
