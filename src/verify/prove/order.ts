/**
 * The order of accesses, and the values of the pinned registers in between, as others see them: a signal handler, another hart, another
 * process (where assumption A11 is not made).
 */
import { regName } from '../../base/units.ts';
import type { Term } from '../../domain/term.ts';
import { listed } from './list.ts';
import type { Mismatch } from './reasons.ts';
import { accessKey, PINNED, type State } from './state.ts';
import type { ProofTerms } from './terms.ts';

/**
 * Where others may look: do both sides make the same accesses in the same order? Each optimized access also has to depend on all loads that
 * it depends on in the original, since the memory model orders it behind these loads.
 */
export function orderProblem(terms: ProofTerms, was: State, is: State): Mismatch | undefined {
  const wrong = (what: (Mismatch & { kind: 'seen' })['what']): Mismatch => ({ kind: 'seen', what });
  if (was.accessCount !== is.accessCount) return wrong('count');
  let [a, b] = [was.accesses, is.accesses];
  for (; a !== b && a !== undefined && b !== undefined; a = a.rest, b = b.rest) {
    const [one, other] = [a.item, b.item];
    if (accessKey(one) !== accessKey(other) || one.value !== other.value) return wrong('accesses');
    if (one.seen!.pinned.some((value, index) => value !== other.seen!.pinned[index])) return wrong('pinned');
    const lacks = (part: 'address' | 'data' | 'control') => (one.seen![part] & ~other.seen![part]) !== 0n;
    if (lacks('address') || lacks('data') || (one.kind === 'store' && lacks('control'))) return wrong('dependences');
  }
  return pinnedAlike(terms, was, is) ? undefined : wrong('pinned');
}

/** The values that the pinned registers hold for a while: from `behind` so many accesses on. */
interface Held {
  readonly values: readonly Term[];
  /** Which of the values are the upper part of an address only. */
  readonly parts: readonly boolean[];
  readonly behind: number;
}

/** All values of the pinned registers, in order of time. */
function heldIn(terms: ProofTerms, pinned: State['pinned']): Held[] {
  const held: Held[] = [
    { values: PINNED.map((reg) => terms.input(regName(reg))), parts: PINNED.map(() => false), behind: 0 },
  ];
  for (const { reg, value, behind, part } of listed(pinned).reverse()) {
    const { values, parts } = held.at(-1)!;
    const at = PINNED.indexOf(reg);
    held.push({ values: values.with(at, value), parts: parts.with(at, part), behind });
  }
  return held;
}

/** The values that are in force at some time behind so many accesses and before the next. */
const heldBehind = (held: readonly Held[], accesses: number): readonly Held[] =>
  held.filter(({ behind }, i) => behind <= accesses && (held[i + 1]?.behind ?? Number.POSITIVE_INFINITY) >= accesses);

/**
 * Does a signal handler, wherever it comes, find values in the pinned registers that it could find between the same two accesses of the
 * original, all together and in the same order? The upper part of an address depends on the code's place: any upper part equals any other.
 */
function pinnedAlike(terms: ProofTerms, was: State, is: State): boolean {
  if (was.pinned === is.pinned) return true;
  const [original, optimized] = [heldIn(terms, was.pinned), heldIn(terms, is.pinned)];
  const alike = (a: Held, b: Held) =>
    a.values.every((value, at) => value === b.values[at] || (a.parts[at] === true && b.parts[at] === true));
  return [...new Set([...original, ...optimized].map(({ behind }) => behind))].every((accesses) => {
    const there = heldBehind(original, accesses);
    let at = 0;
    return heldBehind(optimized, accesses).every((one) => {
      while (at < there.length && !alike(there[at]!, one)) at++;
      return at < there.length;
    });
  });
}

/** Are stack, global and thread pointer set to the same values, between the same accesses? */
export function samePinned(was: State, is: State): boolean {
  let [a, b] = [was.pinned, is.pinned];
  for (; a !== b && a !== undefined && b !== undefined; a = a.rest, b = b.rest)
    if (a.item.reg !== b.item.reg || a.item.value !== b.item.value || a.item.behind !== b.item.behind) return false;
  return a === b;
}
