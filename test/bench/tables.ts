/** The tables that bench/code prints. */
import type { Bolted } from './bolt.ts';
import { type Count, INPUTS, type InputName, type Measured } from './measure.ts';
import { REBUILDS, type Rebuild, type Rebuilt } from './rebuilds.ts';
import type { timeForms } from './times.ts';

/** How else an input may be built. */
export type Other = 'clang -O2' | '-O3' | '-O0';

export interface Line {
  readonly program: string;
  readonly original: Readonly<Record<InputName, Count>>;
  readonly isoform: Measured | undefined;
  readonly retargeted: Measured | undefined;
  readonly bolt: Bolted | undefined;
  readonly rebuilds: Readonly<Record<Rebuild, Rebuilt | undefined>>;
  readonly others: Readonly<Record<Other, Measured | undefined>>;
  readonly times: ReturnType<typeof timeForms> | undefined;
}

export type Kind = keyof Count;

/** How much of the original's count is left, by kind. */
export const ratio = (
  { original, optimized }: { readonly original: Count; readonly optimized: Count },
  kind: Kind,
): number => optimized[kind] / original[kind];

export const mean = (ratios: readonly number[]): number =>
  Math.exp(ratios.reduce((sum, each) => sum + Math.log(each), 0) / ratios.length);

/** isoform's form, and what users would have instead, by name: what is left of the counts of `gcc -O2`, where it was measured. */
export const CONTENDERS: Readonly<Record<string, (line: Line, input: InputName, kind: Kind) => number | undefined>> = {
  isoform: ({ isoform }, input, kind) => pair(isoform?.inputs[input], kind),
  rva22u64: ({ retargeted }, input, kind) => pair(retargeted?.inputs[input], kind),
  BOLT: ({ bolt }, input, kind) => (bolt?.kind === 'made' ? pair(bolt.inputs[input], kind) : undefined),
  ...Object.fromEntries(
    Object.keys(REBUILDS).map((name) => [
      name,
      ({ rebuilds, original }: Line, input: InputName, kind: Kind) => {
        const made = rebuilds[name as Rebuild];
        return made && made.inputs[input][kind] / original[input][kind];
      },
    ]),
  ),
};

const pair = (on: { readonly original: Count; readonly optimized: Count } | undefined, kind: Kind) =>
  on && ratio(on, kind);

export function tables(lines: readonly Line[]): string {
  return [forms(lines), contenders(lines), others(lines), times(lines)].filter((text) => text !== '').join('\n\n');
}

const MEASURED_HEAD = [
  ...['insns', 'taken', 'cycles', 'inside', 'proved', 'rejected', 'superblocks', 'bytes', 'verify', 'qemu', 'readelf'],
  ...['seconds', 'MB'],
];

function measuredCells(made: Measured, input: InputName): string[] {
  const on = made.inputs[input];
  if (on === undefined) return [];
  const first = input === 'train';
  return [
    ratio(on, 'instructions').toFixed(4),
    ratio(on, 'takenBranches').toFixed(3),
    ratio(on, 'cycles').toFixed(3),
    percent(on.inside),
    percent(on.proved),
    first ? String(made.rejected.length) : '',
    first ? String(made.superblocks) : '',
    first ? signed(made.bytesAdded) : '',
    on.verify === 'equivalent' ? 'equivalent' : 'DIFFERENT',
    on.qemu === 'equal' ? 'equal' : 'DIFFERENT',
    ...(first
      ? [
          made.readelf === 'silent' ? 'silent' : 'COMPLAINS',
          made.optimizeSeconds.toFixed(1),
          Math.round(made.megabytes).toString(),
        ]
      : []),
  ];
}

function forms(lines: readonly Line[]): string {
  const rows = lines.flatMap(({ program, original, isoform }) =>
    isoform === undefined
      ? []
      : INPUTS.map((input) => [
          input === 'train' ? program : '',
          input,
          millions(original[input].instructions),
          millions(original[input].takenBranches),
          millions(original[input].cycles),
          ...measuredCells(isoform, input),
        ]),
  );
  const head = ['program', 'input', 'insns', 'taken', 'cycles', ...MEASURED_HEAD];
  return align([['', '', 'gcc -O2 (M)', '', '', 'isoform'], head], rows);
}

/** Instructions / taken branches / modelled cycles of everything that was measured, on both inputs. */
function contenders(lines: readonly Line[]): string {
  const names = Object.keys(CONTENDERS).filter((name) =>
    lines.some((line) => CONTENDERS[name]!(line, 'train', 'instructions') !== undefined),
  );
  const cell = (numbers: readonly (number | undefined)[]) =>
    numbers[0] === undefined ? '-' : numbers.map((number) => number!.toFixed(3)).join(' / ');
  const kinds: readonly Kind[] = ['instructions', 'takenBranches', 'cycles'];
  const different = (line: Line, name: string) =>
    (line.rebuilds as Readonly<Record<string, Rebuilt | undefined>>)[name]?.same === false ? ' *' : '';
  const rows = INPUTS.flatMap((input) => [
    ...lines.map((line) => [
      line.program,
      input,
      ...names.map((name) => {
        const cells = cell(kinds.map((kind) => CONTENDERS[name]!(line, input, kind)));
        return cells + (cells === '-' ? '' : different(line, name));
      }),
    ]),
    [
      'mean',
      input,
      ...names.map((name) =>
        cell(
          kinds.map((kind) => {
            const all = lines.flatMap((line) => CONTENDERS[name]!(line, input, kind) ?? []);
            return all.length === 0 ? undefined : mean(all);
          }),
        ),
      ),
    ],
  ]);
  const title = ['', '', 'instructions / taken branches / modelled cycles, relative to gcc -O2 (* other output)'];
  return names.length === 0 ? '' : align([title, ['program', 'input', ...names]], rows);
}

/** isoform on programs that were built otherwise. */
function others(lines: readonly Line[]): string {
  const rows = lines.flatMap((line) => [
    ...(line.retargeted ? [[line.program, 'rva22u64', ...measuredCells(line.retargeted, 'train')]] : []),
    ...Object.entries(line.others).flatMap(([name, made]) =>
      made === undefined ? [] : [[line.program, name, ...measuredCells(made, 'train')]],
    ),
  ]);
  return align(
    [
      ['', '', 'isoform, training input'],
      ['program', 'input or target', ...MEASURED_HEAD],
    ],
    rows,
  );
}

function times(lines: readonly Line[]): string {
  const names = [...new Set(lines.flatMap(({ times: measured }) => Object.keys(measured?.ratios ?? {})))];
  const timed = lines.flatMap(({ program, times: measured }) => (measured ? [{ program, measured }] : []));
  const rows = timed.map(({ program, measured }) => [
    program,
    measured.seconds.toFixed(2),
    ...names.map((name) => measured.ratios[name]?.toFixed(3) ?? '-'),
  ]);
  if (timed.length === 0) return '';
  const means = names.map((name) => mean(timed.flatMap(({ measured }) => measured.ratios[name] ?? [])).toFixed(3));
  return align(
    [
      ['', 'processor time under qemu-riscv64'],
      ['program', 'seconds', ...names],
    ],
    [...rows, ['mean', '', ...means]],
  );
}

const millions = (count: number): string => (count / 1e6).toFixed(1);
const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;
const signed = (bytes: number): string => `${bytes < 0 ? '' : '+'}${bytes}`;

/** Two rows of heads: the first names groups of columns and makes no column wider. A column of numbers stands right. */
function align(heads: readonly [readonly string[], readonly string[]], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const columns = heads[1].map((title, i) => {
    const cells = rows.map((row) => row[i] ?? '');
    return {
      width: Math.max(title.length, ...cells.map(({ length }) => length)),
      right: cells.some((cell) => /^[-+\d]/.test(cell)) && !/\//.test(cells.join()),
    };
  });
  return [...heads, ...rows]
    .map((row, at) => {
      let text = '';
      let start = 0;
      for (const [i, cell] of row.entries()) {
        const { width, right } = columns[i] ?? { width: 0, right: false };
        text = `${text.padEnd(start)}${right && at > 0 ? cell.padStart(width) : cell}`;
        start += width + 2;
      }
      return text.trimEnd();
    })
    .join('\n');
}
