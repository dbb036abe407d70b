/** Lines of runs: the stores of a memory by time (memory.ts), as trees and as terms. */
import type { Term, Terms } from '../../domain/term.ts';
import { baseOf, bitOf, bySize, idOf, isOf, type Line, type Run, type Stamped, sizeOf } from './pieces.ts';
import type { Runs } from './runs.ts';
import { firstOf, lastOf, noise, Treap } from './treap.ts';

export class Lines {
  readonly #terms: Terms;
  readonly #none: Term;
  readonly #runs: Runs;
  readonly #trees = new Treap<Stamped, Line>(
    // By place here too; the value decides only between repeated stores to one place that are all kept.
    ({ run: { item } }) => noise(item.offset, item.bytes, idOf(item.base)) + (noise(item.value.id) >>> 12) / 2 ** 20,
    (left, item, right) => this.#make(left, item, right),
  );
  /** Number of nodes made: a measure of the work done. */
  made = 0;

  /** @param none stands for a part that a tree has not */
  constructor(terms: Terms, none: Term, runs: Runs) {
    this.#terms = terms;
    this.#none = none;
    this.#runs = runs;
  }

  #make(left: Line | undefined, item: Stamped, right: Line | undefined): Line {
    this.made++;
    const none = this.#none;
    const term = this.#terms.apply('line', [left?.term ?? none, item.run.term, right?.term ?? none]);
    const bases = (left?.bases ?? 0) | bitOf(baseOf(item)) | (right?.bases ?? 0);
    return { left, item, right, size: sizeOf(left, right), term, bases, parts: undefined };
  }

  /** A line of one run. */
  single(stamp: number, run: Run): Line {
    return this.#trees.single({ stamp, run });
  }
  /** A line with a run of another base than its last one behind it. */
  with(line: Line | undefined, stamp: number, run: Run): Line {
    return this.#trees.join(line, this.single(stamp, run))!;
  }
  withoutLast(line: Line): Line | undefined {
    return this.#trees.dropLast(line);
  }
  /** A line with a run put between two parts, where the run has another base than its neighbours. */
  between(left: Line | undefined, { stamp, run }: Stamped, right: Line | undefined): Line {
    return this.#trees.join(left, this.#trees.join(this.single(stamp, run), right))!;
  }
  /** The parts of a line before a run, the run, and behind it. */
  around(line: Line | undefined, stamp: number): readonly [Line | undefined, Line | undefined, Line | undefined] {
    const [left, rest] = this.#trees.split(line, (each) => each.stamp < stamp);
    const [middle, right] = this.#trees.split(rest, (each) => each.stamp === stamp);
    return [left, middle, right];
  }

  /** Puts one part of a line behind another; the larger of two runs that meet keeps its stamp. */
  meet(left: Line | undefined, right: Line | undefined): Line | undefined {
    if (left === undefined || right === undefined) return left ?? right;
    const [a, b] = [lastOf(left), firstOf(right)];
    if (baseOf(a) !== baseOf(b)) return this.#trees.join(left, right);
    const run = this.#runs.both(a.run, b.run);
    const both = this.single(bySize(a, b)[1].stamp, run);
    return this.#trees.join(this.#trees.join(this.#trees.dropLast(left), both), this.#trees.dropFirst(right));
  }
  /** A line with a run behind it. */
  followed(line: Line | undefined, run: Run | undefined): Line | undefined {
    if (run === undefined) return line;
    const stamp = line === undefined ? 0 : lastOf(line).stamp + 1;
    return this.meet(line, this.single(stamp, run));
  }

  /** A line without the stores through a base, or only without their bytes below an address. Shared parts of lines are done once. */
  except(line: Line | undefined, base: Term | undefined, below = Number.POSITIVE_INFINITY): Line | undefined {
    if (line === undefined || (line.bases & bitOf(base)) === 0) return line;
    const key = `${idOf(base)},${below}`;
    line.parts ??= new Map();
    if (line.parts.has(key)) return line.parts.get(key);
    const { stamp, run } = line.item;
    const rest = run.item.base === base ? this.#runs.above(run, below) : run;
    const [left, right] = [this.except(line.left, base, below), this.except(line.right, base, below)];
    let made: Line | undefined;
    const whole = below === Number.POSITIVE_INFINITY;
    if (rest === run && left === line.left && right === line.right) made = line;
    else if (
      whole &&
      rest === run &&
      !isOf(left && lastOf(left), line.item) &&
      !isOf(right && firstOf(right), line.item)
    )
      // The item stays above these in the tree, where runs have only gone.
      made = this.#make(left, line.item, right);
    else made = this.meet(this.meet(left, rest && this.single(stamp, rest)), right);
    line.parts.set(key, made);
    return made;
  }
}
