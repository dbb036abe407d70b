/** The marks that the optimizer is measured against, each on its own. A mark whose figures were not measured in this run is not judged. */
import type { InputName } from './measure.ts';
import { CONTENDERS, type Kind, type Line, mean, ratio } from './tables.ts';

const MARKS = {
  programs: 10,
  mean: {
    train: { instructions: 0.91, takenBranches: 0.45, cycles: 0.8 },
    other: { instructions: 0.93, takenBranches: 0.5 },
  },
  worst: { train: 1, other: 1.01 },
  retargeted: 0.87,
  others: {
    'clang -O2': { instructions: 0.92, takenBranches: 0.48 },
    '-O3': { instructions: 0.92, takenBranches: 0.48 },
    '-O0': { instructions: 0.6 },
  },
  proved: 0.97,
  inside: 0.97,
  /** Bytes, or share of the file, whichever is larger. */
  growth: { bytes: 96 * 1024, share: 0.08 },
  /** Optimizing the largest program, in seconds of processor time and in megabytes. */
  largest: { program: 'sqlite', seconds: 10, megabytes: 1024 },
} as const;

const WORDS: Readonly<Record<Kind, string>> = {
  instructions: 'instructions',
  takenBranches: 'taken branches',
  cycles: 'modelled cycles',
};

export interface Judgement {
  readonly summary: readonly string[];
  /** One line for each mark, and for everything that went wrong. */
  readonly verdicts: readonly string[];
  readonly passed: boolean;
}

/** @param failed what could not be measured */
export function judge(lines: readonly Line[], failed: readonly string[]): Judgement {
  const verdicts = failed.map((each) => `FAIL ${each}`);
  const say = (passed: boolean, text: string) => verdicts.push(`${passed ? 'PASS' : 'FAIL'} ${text}`);
  const atMost = (what: string, found: number, mark: number) =>
    say(found <= mark, `${what}: ${found.toFixed(4)}, at most ${mark}`);
  /** All programs must keep to a mark; those that do not are listed. */
  const all = (what: string, bad: readonly string[]) =>
    say(bad.length === 0, `${what}${bad.length === 0 ? '' : `: not ${bad.join(', ')}`}`);

  const made = lines.flatMap(({ program, isoform }) => (isoform ? [{ program, isoform }] : []));
  const on = (input: InputName) =>
    made.flatMap(({ program, isoform }) => {
      const each = isoform.inputs[input];
      return each ? [{ program, each }] : [];
    });
  if (made.length > 0) {
    say(made.length >= MARKS.programs, `programs: ${made.length}, at least ${MARKS.programs}`);
    for (const input of ['train', 'other'] as const)
      for (const [kind, mark] of entries(MARKS.mean[input]))
        atMost(`${input}: ${WORDS[kind]}, geometric mean`, mean(on(input).map(({ each }) => ratio(each, kind))), mark);
    for (const input of ['train', 'other'] as const) {
      const mark = MARKS.worst[input];
      for (const kind of ['instructions', 'takenBranches'] as const)
        all(
          `${input}: ${WORDS[kind]} of each program at most ${mark}`,
          on(input).flatMap(({ program, each }) => over(program, ratio(each, kind), mark)),
        );
    }
  }
  const retargeted = lines.flatMap(({ retargeted: each }) => each?.inputs.train ?? []);
  if (retargeted.length > 0)
    atMost(
      `rva22u64: instructions, geometric mean over ${retargeted.length}`,
      mean(retargeted.map((each) => ratio(each, 'instructions'))),
      MARKS.retargeted,
    );
  for (const [name, marks] of entries(MARKS.others)) {
    const found = lines.flatMap(({ others }) => others[name]?.inputs.train ?? []);
    if (found.length > 0)
      for (const [kind, mark] of entries(marks))
        atMost(
          `${name} inputs: ${WORDS[kind]}, geometric mean over ${found.length}`,
          mean(found.map((each) => ratio(each, kind))),
          mark,
        );
  }
  const bolted = lines.filter(({ bolt, isoform }) => bolt?.kind === 'made' && isoform);
  if (bolted.length > 0)
    all(
      `better than BOLT in instructions and taken branches on all ${bolted.length} that it works on`,
      bolted.flatMap((line) =>
        (['train', 'other'] as const).flatMap((input) =>
          (['instructions', 'takenBranches'] as const).flatMap((kind) => {
            const of = (name: string) => CONTENDERS[name]!(line, input, kind)!;
            const [own, theirs] = [of('isoform'), of('BOLT')];
            return own < theirs
              ? []
              : [`${line.program} (${input}, ${WORDS[kind]}: ${own.toFixed(3)}, BOLT ${theirs.toFixed(3)})`];
          }),
        ),
      ),
    );

  const everything = lines.flatMap(({ program, isoform, retargeted: target, others }) =>
    Object.entries({ isoform, rva22u64: target, ...others }).flatMap(([what, measured]) =>
      measured ? [{ name: what === 'isoform' ? program : `${program} ${what}`, measured }] : [],
    ),
  );
  const runs = everything.flatMap(({ name, measured }) =>
    Object.entries(measured.inputs).map(([input, each]) => ({ name: `${name} (${input})`, input, each })),
  );
  if (everything.length > 0) {
    all(
      `proved: at least ${100 * MARKS.proved} % of what runs in superblocks`,
      runs.flatMap(({ name, each }) => under(name, each.proved, MARKS.proved)),
    );
    all(
      `inside superblocks, trained: at least ${100 * MARKS.inside} % of what runs`,
      runs.flatMap(({ name, input, each }) => (input === 'train' ? under(name, each.inside, MARKS.inside) : [])),
    );
    all(
      'verify: equivalent',
      runs.flatMap(({ name, each }) => (each.verify === 'equivalent' ? [] : [`${name}: ${each.verify}`])),
    );
    all(
      'qemu: equal',
      runs.flatMap(({ name, each }) => (each.qemu === 'equal' ? [] : [`${name}: ${each.qemu}`])),
    );
    all(
      'readelf: silent',
      everything.flatMap(({ name, measured }) =>
        measured.readelf === 'silent' ? [] : [`${name}: ${measured.readelf}`],
      ),
    );
  }
  const { bytes, share } = MARKS.growth;
  if (made.length > 0)
    all(
      `growth: at most ${bytes} bytes or ${100 * share} %`,
      made.flatMap(({ program, isoform }) => {
        const most = Math.max(bytes, share * isoform.bytes);
        return isoform.bytesAdded <= most ? [] : [`${program} (${isoform.bytesAdded} of ${Math.floor(most)})`];
      }),
    );
  const largest = made.find(({ program }) => program === MARKS.largest.program)?.isoform;
  if (largest !== undefined) {
    const { program, seconds, megabytes } = MARKS.largest;
    say(
      largest.optimizeSeconds < seconds,
      `optimizing ${program}: ${largest.optimizeSeconds.toFixed(1)} s of processor time (proving: ${largest.proveSeconds.toFixed(1)} s on the clock), under ${seconds}`,
    );
    say(
      largest.megabytes < megabytes,
      `optimizing ${program}: ${Math.round(largest.megabytes)} MB, under ${megabytes}`,
    );
  }
  return { summary: notes(lines), verdicts, passed: verdicts.every((each) => each.startsWith('PASS')) };
}

/** What the tables have no room for. */
function notes(lines: readonly Line[]): string[] {
  const out = lines.flatMap(({ program, bolt }) =>
    bolt?.kind === 'fails' ? [`BOLT fails on ${program}: ${bolt.reason}`] : [],
  );
  const options = new Set(lines.flatMap(({ bolt }) => (bolt?.kind === 'made' ? [bolt.options] : [])));
  for (const { program, bolt } of lines)
    if (bolt?.kind === 'made')
      for (const [input, { output }] of Object.entries(bolt.inputs))
        if (output !== 'equal') out.push(`BOLT breaks ${program} (${input}): ${output}`);
  for (const each of options) out.push(`BOLT's options: ${each}`);
  for (const { program, isoform } of lines)
    for (const rejection of isoform?.rejected ?? []) out.push(`${program}: rejected ${rejection}`);
  return out;
}

const entries = <K extends string, V>(record: Readonly<Partial<Record<K, V>>>): [K, V][] =>
  Object.entries(record) as [K, V][];

const over = (name: string, found: number, mark: number): string[] =>
  found <= mark ? [] : [`${name} ${found.toFixed(4)}`];

const under = (name: string, found: number, mark: number): string[] =>
  found >= mark ? [] : [`${name} ${(100 * found).toFixed(2)} %`];
