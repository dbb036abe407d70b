/** The report's section on the runs' cost on a model of a core; the text says that the cycles are modelled. */
import { change, count, type Html, html, tone } from './html-text.ts';
import type { ModelledReport, ReportModel } from './model.ts';

const WAITS: readonly (readonly [key: string, name: string])[] = [
  ['issue', 'Issuing two at a time'],
  ['pair', 'Issuing one alone: no pair to be had'],
  ['turn', 'Turning to a transfer\u2019s target'],
  ['integer', 'Waiting for an integer result'],
  ['load', 'Waiting for a load'],
  ['multiply', 'Waiting for a product'],
  ['divide', 'Waiting for a quotient'],
  ['float', 'Waiting for a floating-point result'],
  ['system', 'Waiting for a system register or an atomic access'],
];

export function modelSection({ model }: ReportModel): Html | undefined {
  if (model === undefined) return undefined;
  const { original, optimized } = model;
  const row = (name: string, of: (side: ModelledReport) => number, level = '') => {
    const [before, after] = [of(original), of(optimized)];
    return html`<tr role="row" class="${level}"><th scope="row" role="rowheader">${name}</th><td role="cell" class="number" data-l="Before">${count(before)}</td><td role="cell" class="number" data-l="After">${count(after)}</td>
<td role="cell" data-l="Change" class="number ${tone(before, after)}">${change(before, after)}</td></tr>`;
  };
  const waits = WAITS.filter(([key]) => [original, optimized].some((side) => (side.waits[key] ?? 0) > 0));
  return html`<section id="model" aria-labelledby="model-title"><h2 id="model-title">On a model of a core</h2>
<p>Estimated from the counts for an in-order core that issues two instructions at a time, after SiFive\u2019s U74. It is a model: caches always hit and
branches are always predicted, which no core does. A real one can differ in either direction.</p>
<div class="scroll" tabindex="0" role="region" aria-label="On a model of a core"><table class="data stack" role="table"><thead><tr><th scope="col">Cycles and code</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Change</th></tr></thead>
<tbody>${row('Cycles', ({ cycles }) => cycles, 'sum')}${waits.map(([key, name]) => row(name, (side) => side.waits[key] ?? 0, 'sub'))}
${row('64-byte lines executed from', ({ lines }) => lines)}${row('Lines of 99 % of the execution', ({ hotLines }) => hotLines, 'sub')}${row('Bytes of 99 % of the execution', ({ hotBytes }) => hotBytes, 'sub')}</tbody></table></div></section>`;
}
