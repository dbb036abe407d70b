/** The first screen: the verdict, the improvements in numbers, and the cost in bytes and assumptions. */
import { change, count, type Html, html, percent, plural, signed, tone } from './html-text.ts';
import type { ReportModel } from './model.ts';

export const summary = (model: ReportModel): Html =>
  html`<div class="answers">${equivalent(model)}${better(model)}${cost(model)}</div>`;

const CHECK_MARK = html`<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="11" fill="currentColor"/><path d="M6.8 12.4 10.4 16l6.9-7.6" fill="none" stroke="var(--better-wash)" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
const CROSS_MARK = html`<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="11" fill="currentColor"/><path d="M7.6 7.6l8.8 8.8M16.4 7.6l-8.8 8.8" fill="none" stroke="var(--worse-wash)" stroke-width="2.4" stroke-linecap="round"/></svg>`;

function equivalent(model: ReportModel): Html {
  const { inputs, differences, syscalls } = model.verify;
  const same = model.verdict === 'equivalent';
  const agreeing = inputs.filter(({ verdict }) => verdict === 'equivalent').length;
  const first = differences[0];
  const where = first && [first.symbol && `in ${first.symbol}`, first.pc && `at ${first.pc}`].filter(Boolean).join(' ');
  return html`<section class="answer ${model.verdict}" id="verdict" aria-labelledby="q1"><h2 id="q1">Is it equivalent?</h2>
<p class="big ${same ? 'better' : 'worse'}">${same ? CHECK_MARK : CROSS_MARK}${same ? 'Equivalent' : 'Different'}</p>
<ul>${
    first &&
    html`<li><b>${first.what}</b> ${where}: expected <code>${first.expected}</code>, found <code>${first.found}</code>. <a href="#verification">Details</a></li>`
  }
${proved(model)}<li>${same ? 'Same' : 'The same'} output, exit status and files on ${agreeing} of ${plural(inputs.length, 'input')}</li>
<li>Run in step: state compared at ${plural(syscalls, 'syscall')}, ${plural(differences.length, 'difference')}</li>
<li>${verdicts(model)}</li></ul></section>`;
}

/** A share rounded down, so that an incomplete one never reads as 100 %. */
const floored = (share: number): string => percent(Math.floor(share * 10_000) / 10_000);

/** The result of the proof, which holds for all inputs. */
function proved({ proof }: ReportModel): Html | undefined {
  if (proof === undefined) return undefined;
  const { proved, superblocks, share, file } = proof;
  const whole = proved === superblocks && file.every(({ problems }) => problems.length === 0);
  return html`<li><a href="#proof"><b>Proved</b> for all inputs</a>: ${
    whole
      ? `all ${plural(superblocks, 'superblock')}, ${percent(1)} of what runs in them`
      : html`<span class="caution">${floored(share)} of what runs in superblocks, ${count(proved)} of ${count(superblocks)}</span>`
  }</li>`;
}

/** `Superblocks: 12 proved, 3 tested, 1 rejected and kept in original form`. */
function verdicts(model: ReportModel): string {
  const of = (verdict: string) => model.superblocks.filter((superblock) => superblock.verdict === verdict).length;
  const parts = [
    of('proved') > 0 && `${count(of('proved'))} proved`,
    of('tested') > 0 && `${count(of('tested'))} tested`,
    of('rejected') > 0 && `${count(of('rejected'))} rejected and kept in original form`,
  ].filter(Boolean);
  return parts.length === 0 ? 'No superblocks' : `Superblocks: ${parts.join(', ')}`;
}

function better(model: ReportModel): Html {
  const { original, optimized, coverage } = model;
  return html`<section class="answer" id="better" aria-labelledby="q2"><h2 id="q2">What got better?</h2>
${measure('Instructions executed', original.instructions, optimized.instructions)}
${measure('Taken branches', original.takenBranches, optimized.takenBranches)}
<p class="note">${percent(coverage.inside)} of execution is inside superblocks. All counts are exact.</p></section>`;
}

function measure(name: string, before: number, after: number): Html {
  const most = Math.max(before, after, 1);
  const bar = (value: number) => `width:${((value / most) * 100).toFixed(2)}%`;
  return html`<div class="measure"><p class="top"><span>${name}</span> <b class="${tone(before, after)}">${change(before, after)}</b></p>
<div class="bars"><span>before</span><span><i style="${bar(before)}"></i></span><span class="figure">${count(before)}</span>
<span>after</span><span><i class="after" style="${bar(after)}"></i></span><span class="figure">${count(after)}</span></div></div>`;
}

function cost(model: ReportModel): Html {
  const used = model.assumptions.filter((assumption) => assumption.used);
  const open = used.filter((assumption) => !assumption.checked).length;
  return html`<section class="answer" id="cost" aria-labelledby="q3"><h2 id="q3">What did it cost?</h2>
<p class="big">${signed(model.bytesAdded)} bytes</p>
<ul><li>${change(model.original.bytes, model.optimized.bytes)} of the file: ${count(model.original.bytes)} before, ${count(model.optimized.bytes)} after</li>
<li>${plural(model.superblocks.length, 'superblock')} added; the original code stays in place</li>
<li><a href="#assumptions">${plural(used.length, 'assumption')}</a> in use${
    used.length === 0
      ? ''
      : open === 0
        ? ', none contradicted by the rerun'
        : html`, <span class="caution">${count(open)} not checked</span>`
  }</li></ul></section>`;
}
