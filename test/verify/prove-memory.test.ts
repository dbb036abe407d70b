/** Memories as terms, against bytes: what is said of them is true, and said alike of what is alike. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Term } from '../../src/domain/term.ts';
import { Knowledge } from '../../src/verify/prove/knowledge.ts';
import { ProofTerms } from '../../src/verify/prove/terms.ts';
import { Meaning } from '../support/meaning.ts';

type Bytes = 1 | 2 | 4 | 8;

interface Access {
  readonly base: number;
  readonly offset: number;
  readonly bytes: Bytes;
}
interface Store extends Access {
  readonly kind: 'store';
  readonly value: bigint;
}
type Step = Store | (Access & { readonly kind: 'load' }) | { readonly kind: 'fence' };

const BASES = ['sp', 'a0', 'a1'] as const;
const bytes = fc.constantFrom<Bytes>(1, 2, 4, 8);
const place = { base: fc.nat({ max: 2 }), offset: fc.integer({ min: -12, max: 12 }), bytes };
const value = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const store: fc.Arbitrary<Store> = fc.record({ kind: fc.constant('store' as const), ...place, value });
const load = fc.record({ kind: fc.constant('load' as const), ...place });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: store },
  { weight: 4, arbitrary: load },
  { weight: 1, arbitrary: fc.constant({ kind: 'fence' as const }) },
);
/** Where the bases are: near to one another, so that what may overlap does. */
const addresses = fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 20 })).map(([a, b]) => [1000, 990 + a, 990 + b]);

const runs = { numRuns: 400 };

/** What each step gives in bytes: what is loaded, and memory at the end. */
function inBytes(steps: readonly Step[], at: readonly number[]) {
  const memory = new Map<number, number>();
  const loaded: bigint[] = [];
  for (const each of steps) {
    if (each.kind === 'fence') continue;
    const from = at[each.base]! + each.offset;
    let bits = 0n;
    for (let i = 0; i < each.bytes; i++) {
      if (each.kind === 'store') memory.set(from + i, Number((each.value >> BigInt(8 * i)) & 0xffn));
      else bits |= BigInt(memory.get(from + i) ?? 0) << BigInt(8 * i);
    }
    if (each.kind === 'load') loaded.push(bits);
  }
  return { memory, loaded };
}

class Line {
  readonly terms: ProofTerms;
  memory: Term;
  readonly loaded: Term[] = [];
  constructor(terms = new ProofTerms(false, 'sp')) {
    this.terms = terms;
    this.memory = terms.memory;
  }
  address({ base, offset }: Access): Term {
    return this.terms.add(this.terms.input(BASES[base]!), this.terms.const(BigInt(offset)));
  }
  run(steps: readonly Step[]): this {
    const { terms } = this;
    for (const each of steps)
      if (each.kind === 'fence') this.memory = terms.barrier(this.memory, terms.input('order'));
      else if (each.kind === 'load') this.loaded.push(terms.load(this.memory, this.address(each), each.bytes));
      else this.memory = terms.store(this.memory, this.address(each), each.bytes, terms.const(each.value));
    return this;
  }
}

const meaningAt = ([sp, a0, a1]: readonly number[]) =>
  new Meaning({ sp: BigInt(sp!), a0: BigInt(a0!), a1: BigInt(a1!), order: 0n });

function expectBytes(line: Line, steps: readonly Step[], at: readonly number[]): void {
  const { memory, loaded } = inBytes(steps, at);
  const meaning = meaningAt(at);
  expect(line.loaded.map((term) => meaning.of(term))).toEqual(loaded);
  for (const which of [line.memory, line.terms.settled(line.memory)])
    for (const [address, byte] of memory) expect(meaning.byte(which, BigInt(address))).toBe(byte);
}

describe('what is said of memory', () => {
  test('is what its bytes are', () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), addresses, (steps, at) =>
        expectBytes(new Line().run(steps), steps, at),
      ),
      runs,
    ));

  test('is what its bytes are where what is overwritten is kept', () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), addresses, fc.bigInt({ min: 0n, max: 7n }), (steps, at, some) => {
        const line = new Line();
        line.terms.keep((_, __, { value: kept }) => ((kept ?? 0n) & some) === 0n);
        expectBytes(line.run(steps), steps, at);
      }),
      runs,
    ));

  test('is the same of stores that cannot overlap in whatever order, and without those that are overwritten', () =>
    fc.assert(
      fc.property(
        fc.array(store, { maxLength: 30 }),
        fc.array(fc.nat({ max: 29 }), { maxLength: 60 }),
        (stores, swaps) => {
          const apart = (a: Store, b: Store) =>
            a.base === b.base && (a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset);
          const other = stores.slice();
          for (const at of swaps) {
            const [a, b] = [other[at], other[at + 1]];
            if (a !== undefined && b !== undefined && apart(a, b)) other.splice(at, 2, b, a);
          }
          const needed = other.filter(
            (a, index) =>
              !other
                .slice(index + 1)
                .some((b) => b.base === a.base && b.offset <= a.offset && b.offset + b.bytes >= a.offset + a.bytes),
          );
          const line = new Line().run(stores);
          const again = new Line(line.terms).run(needed);
          expect(again.memory).toBe(line.memory);
          // And so is what depends on it.
          for (const base of [0, 1, 2])
            for (const width of [1, 8] as const) {
              const load = { kind: 'load', base, offset: 3, bytes: width } as const;
              expect(again.run([load]).loaded.at(-1)).toBe(line.run([load]).loaded.at(-1));
            }
        },
      ),
      runs,
    ));

  test('is another thing wherever bytes may be different', () => {
    let [same, other] = [0, 0];
    fc.assert(
      fc.property(
        fc.array(store, { minLength: 2, maxLength: 6 }),
        fc.nat({ max: 5 }),
        fc.boolean(),
        fc.array(addresses, { minLength: 6, maxLength: 6 }),
        (one, at, goes, places) => {
          const [a, b] = [one[at], one[at + 1]];
          const two = one.slice();
          if (goes || b === undefined) two.splice(at, 1);
          else two.splice(at, 2, b, a!);
          const line = new Line().run(one);
          if (new Line(line.terms).run(two).memory !== line.memory) {
            other++;
            return;
          }
          same++;
          for (const each of places) expect(inBytes(two, each).memory).toEqual(inBytes(one, each).memory);
        },
      ),
      { numRuns: 2000 },
    );
    // Both happen often.
    expect(Math.min(same, other)).toBeGreaterThan(300);
  });

  test('does not depend on what cannot be loaded', () =>
    fc.assert(
      fc.property(fc.array(store, { maxLength: 20 }), load, (stores, read) => {
        const misses = ({ base, offset, bytes: width }: Store) =>
          base === read.base && (offset + width <= read.offset || read.offset + read.bytes <= offset);
        const line = new Line().run(stores).run([read]);
        const less = new Line(line.terms).run(stores.filter((each) => !misses(each))).run([read]);
        expect(less.loaded).toEqual(line.loaded);
      }),
      runs,
    ));
});

describe('by assumption', () => {
  test('what is below a stack pointer is left out, and nothing else', () =>
    fc.assert(
      fc.property(fc.array(store, { maxLength: 20 }), fc.integer({ min: -12, max: 20 }), (stores, top) => {
        const line = new Line().run(stores);
        const { terms } = line;
        const below = ({ base, offset, bytes: width }: Store) => base === 0 && offset + width <= top;
        const stack = terms.add(terms.input('sp'), terms.const(BigInt(top)));
        const above = new Line(terms).run(stores.filter((each) => !below(each)));
        expect(terms.above(terms.settled(line.memory), stack)).toBe(terms.above(terms.settled(above.memory), stack));
        // With the stack far from all else, the rest is as it was.
        const at = [1000, 5000, 5010];
        const meaning = meaningAt(at);
        for (const [address, byte] of inBytes(stores, at).memory)
          if (address >= 1000 + top)
            expect(meaning.byte(terms.above(terms.settled(line.memory), stack)!, BigInt(address))).toBe(byte);
      }),
      runs,
    ));

  test('what is saved is what is loaded, and what others load does not depend on it', () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 0, max: 5 }), (steps, kind) => {
        const line = new Line();
        const { terms } = line;
        const knowledge = new Knowledge();
        terms.knowledge = knowledge;
        // A slot that nothing else in the frame overlaps.
        const slot = terms.add(terms.input('sp'), terms.const(40n));
        const saved = terms.input('s0');
        for (const each of steps)
          knowledge.noteApart(
            { offset: 40, bytes: 8 },
            {
              address: each.kind === 'fence' ? terms.input('order') : line.address(each),
              bytes: each.kind === 'fence' ? 8 : each.bytes,
            },
          );
        line.memory = terms.store(line.memory, slot, 8, saved);
        line.run(steps);
        expect(terms.load(line.memory, slot, 8)).toBe(saved);
        const without = new Line(terms).run(steps);
        expect(terms.usedSaved).toBe(steps.some((each) => each.kind === 'fence' || each.base !== 0));
        if (!steps.some((each) => each.kind === 'fence')) expect(without.loaded).toEqual(line.loaded);
        // Not any more once something in the frame has been stored over a part of it.
        line.run([{ kind: 'store', base: 0, offset: 40 + kind, bytes: 1, value: 1n }]);
        expect(terms.load(line.memory, slot, 8)).not.toBe(saved);
      }),
      runs,
    ));
});

test('thousands of stores to two places, all of them kept, are no deep tree', () => {
  const { terms } = new Line();
  terms.keep(() => true);
  const [a, b] = [terms.input('a0'), terms.input('a1')];
  let memory = terms.memory;
  for (let round = 0; round < 4000; round++) {
    memory = terms.store(memory, a, 8, terms.const(BigInt(2 * round)));
    memory = terms.store(memory, b, 8, terms.const(BigInt(2 * round + 1)));
  }
  expect(terms.work).toBeLessThan(4000 * 2 * 150);
  expect(terms.load(terms.settled(memory), b, 8)).toBe(terms.const(7999n));
});
