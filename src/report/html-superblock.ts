/** Hot superblocks: original path and optimized code side by side. */
import { align, type LeftRow, type Row } from './align.ts';
import { change, count, type Html, html, percent, plural, tone } from './html-text.ts';
import type { OptimizedLine, ReportModel, SuperblockReport } from './model.ts';

/** Characters of markup that the code of all superblocks together may take on the page; the first superblock is always shown. */
const CODE_CHARACTERS = 700_000;
/** At most so many superblocks are listed without their code. */
const LISTED_SUPERBLOCKS = 200;

export function superblocksSection(model: ReportModel): Html {
  const total = model.optimized.instructions;
  const detailed: Html[] = [];
  let left = CODE_CHARACTERS;
  const heaviest = model.superblocks[0]?.weight ?? 0;
  for (const [index, superblock] of model.superblocks.entries()) {
    if (superblock.original === undefined || superblock.optimized === undefined) break;
    const part = details(superblock, index, total, heaviest);
    left -= part.markup.length;
    if (left < 0 && index > 0) break;
    detailed.push(part);
  }
  const rest = model.superblocks.slice(detailed.length);
  return html`<section id="superblocks" aria-labelledby="superblocks-title"><h2 id="superblocks-title">Hot superblocks</h2>
<p>A superblock is the optimized form of a path through the original code: one entry, many exits. The hottest first; each shows the
original path beside what replaced it. Which original an instruction stands for is found from the code; where code was rewritten it is a guess.</p>
${curve(model)}
<p class="legend"><span><b>–</b> removed</span><span><b>↓</b> sunk into an exit stub</span><span><b>~</b> changed</span><span><b>+</b> new</span><span>Counts: how often each instruction was executed; a path's blocks are counted wherever they were executed</span></p>
<div id="superblock-list"><p class="list-head" aria-hidden="true"><span>Rank</span><span>Head</span><span>Share of execution</span><span>Instructions</span><span>Verdict</span></p>${detailed}</div>
${rest.length === 0 ? undefined : restTable(rest, detailed.length, total)}</section>`;
}

function curve(model: ReportModel): Html {
  const { curve: points, superblocks50, superblocks90, superblocks99 } = model.coverage;
  const needed = (name: string, value: number | undefined) =>
    html`<div><dt>${name} of execution</dt><dd>${value === undefined ? 'not reached' : plural(value, 'superblock')}</dd></div>`;
  const most = points.at(-1)?.superblocks ?? 1;
  const line = [{ superblocks: 0, share: 0 }, ...points]
    .map((point) => `${((point.superblocks / most) * 240).toFixed(1)} ${(84 - point.share * 80).toFixed(1)}`)
    .join(' L');
  return html`<div class="curve"><svg viewBox="0 0 240 88" preserveAspectRatio="none" role="img" aria-label="Share of execution that the hottest superblocks hold">
<path class="grid" d="M0 4H240M0 44H240M0 84H240"/><path class="area" d="M${line} L240 84 L0 84z"/><path class="line" d="M${line}" vector-effect="non-scaling-stroke"/></svg>
<dl>${needed('50 %', superblocks50)}${needed('90 %', superblocks90)}${needed('99 %', superblocks99)}</dl></div>`;
}

function details(superblock: SuperblockReport, index: number, total: number, most: number): Html {
  const { original = [], optimized = [], instructions } = superblock;
  const line = optimized.filter(({ part }) => part === 'line');
  const stubs = optimized.filter(({ part }) => part === 'stub');
  const rows = align(original, line);
  const fact = (name: string, value: string | Html) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<details class="sb" id="sb-${superblock.head}"${html`${index === 0 ? html` open` : undefined}`}><summary>
<span class="rank">${index + 1}</span><span class="who" title="${superblock.symbol}">${superblock.symbol} <span class="quiet">${superblock.head}</span></span>
${shareOf(superblock, total, most)}
<span class="delta ${tone(instructions.before, instructions.after)}">${change(instructions.before, instructions.after)} <span class="out">instructions</span></span>
<span class="mark">${chip(superblock.verdict)}</span></summary><div class="body">
<dl class="facts">${fact('Entered', `${count(superblock.count)} times`)}
${fact('Executed', html`${count(instructions.before)} before, ${count(instructions.after)} after`)}
${fact('Code', `path of ${instructions.original} became ${instructions.line}${instructions.stubs > 0 ? ` and ${instructions.stubs} in stubs` : ''}`)}
${fact('Added', `${count(superblock.bytes)} bytes`)}
${fact('Verdict', superblock.reason === undefined ? superblock.verdict : `${superblock.verdict}: ${superblock.reason}`)}</dl>
<div class="side"><div><h4>Original path</h4>${code('Original path', rows.map(leftRow()))}</div>
<div><h4>Optimized</h4>${code('Optimized', [...rows.map(rightRow()), ...stubRows(stubs)])}</div></div>
${exits(superblock)}</div></details>`;
}

const chip = (verdict: string): Html => html`<span class="chip ${verdict}">${verdict}</span>`;

/** A superblock's share of execution; its bar is relative to the hottest superblock's weight (`most`). */
const shareOf = (superblock: SuperblockReport, total: number, most: number): Html => {
  const part = total === 0 ? 0 : superblock.weight / total;
  return html`<span class="share"><i style="width:${((superblock.weight / Math.max(1, most)) * 100).toFixed(2)}%"></i><span>${percent(part)}</span></span>`;
};

const code = (label: string, rows: readonly Html[]): Html =>
  html`<div class="code" tabindex="0" role="region" aria-label="${label}"><table><tbody>${rows}</tbody></table></div>`;

const GAP_ROW = html`<tr class="gap"><td colspan="4">`;
const MARKS = { kept: '', changed: '~', sunk: '↓', removed: '–', new: '+' } as const;

/** Makes cells of counts; a count that repeats the one above is set in the quiet colour. */
const counter = () => {
  let last = -1;
  return (value: number): Html => {
    const again = value === last;
    last = value;
    return again ? html`<td class="again">${count(value)}` : html`<td>${count(value)}`;
  };
};

const bare = (address: string): string => address.slice(2);

function leftRow() {
  const cell = counter();
  return ({ left }: Row): Html => (left === undefined ? GAP_ROW : leftCells(left, cell));
}
function leftCells(left: LeftRow, cell: (value: number) => Html): Html {
  if ('block' in left) return html`<tr><th colspan="4" scope="rowgroup">${left.block.symbol}`;
  const { address, text, count: executed, fate } = left.line;
  return html`<tr${fate === 'kept' ? undefined : html` class="${fate}"`} data-o="${bare(address)}">${cell(executed)}<td>${bare(address)}<td>${MARKS[fate]}${
    fate === 'kept' || fate === 'changed' ? undefined : html`<span class="out">${fate}</span>`
  }<td>${text}`;
}

function rightRow() {
  const cell = counter();
  return ({ left, right }: Row): Html => {
    if (right === undefined) return GAP_ROW;
    const facing = left !== undefined && 'line' in left && left.line.address === right.originalAddress;
    return rightCells(right, cell, facing, facing && left.line.fate === 'changed');
  };
}

function rightCells(line: OptimizedLine, cell: (value: number) => Html, facing: boolean, changed: boolean): Html {
  const { address, text, count: executed, originalAddress } = line;
  const kind = originalAddress === undefined ? 'new' : changed ? 'changed' : line.part === 'stub' ? 'sunk' : undefined;
  return html`<tr${kind && html` class="${kind}"`}${originalAddress && html` data-o="${bare(originalAddress)}"`}>${cell(executed)}<td>${bare(address)}<td>${kind && MARKS[kind]}<td>${text}${
    originalAddress === undefined || facing
      ? undefined
      : html`<span class="from">  from ${bare(originalAddress)}</span>`
  }`;
}

function stubRows(stubs: readonly OptimizedLine[]): Html[] {
  if (stubs.length === 0) return [];
  const cell = counter();
  return [
    html`<tr><th colspan="4" scope="rowgroup">Exit stubs, apart from the line`,
    ...stubs.map((line) => rightCells(line, cell, false, false)),
  ];
}

function exits(superblock: SuperblockReport): Html | undefined {
  if (superblock.exits.length === 0) return undefined;
  const all = superblock.exits.reduce((sum, exit) => sum + exit.count, 0);
  return html`<div class="scroll" style="margin-top:1rem" tabindex="0" role="region" aria-label="Exits"><table class="data small"><caption>Exits</caption>
<thead><tr><th scope="col">Exit</th><th scope="col" class="text">At</th><th scope="col" class="text">To original</th><th scope="col">Taken</th><th scope="col">Share</th></tr></thead>
<tbody>${superblock.exits.map(
    (exit) =>
      html`<tr><th scope="row">${exit.kind}</th><td class="text mono">${exit.site}</td><td class="text mono">${exit.target ?? 'computed'}</td><td>${count(exit.count)}</td><td>${percent(all === 0 ? 0 : exit.count / all)}</td></tr>`,
  )}</tbody></table></div>`;
}

function restTable(rest: readonly SuperblockReport[], first: number, total: number): Html {
  const listed = rest.slice(0, LISTED_SUPERBLOCKS);
  const hidden = rest.slice(LISTED_SUPERBLOCKS);
  const row = (superblock: SuperblockReport, index: number) => {
    const { before, after } = superblock.instructions;
    return html`<tr><td data-v="${first + index + 1}">${first + index + 1}</td><td class="text name mono">${superblock.symbol} <span class="quiet">${superblock.head}</span></td>
<td class="number" data-v="${superblock.weight}">${percent(total === 0 ? 0 : superblock.weight / total)}</td><td class="number" data-v="${superblock.count}">${count(superblock.count)}</td>
<td class="number ${tone(before, after)}" data-v="${after - before}">${change(before, after)}</td><td data-v="${superblock.bytes}">${count(superblock.bytes)}</td><td class="text">${chip(superblock.verdict)}</td></tr>`;
  };
  return html`<details style="margin-top:1rem"><summary>${plural(rest.length, 'more superblock')}, each below ${percent(total === 0 ? 0 : rest[0]!.weight / total + 0.00005)} of execution</summary>
<div class="scroll" style="margin-top:.6rem" tabindex="0" role="region" aria-label="More superblocks"><table class="data sortable"><thead><tr><th scope="col">Rank</th><th scope="col" class="text">Head</th><th scope="col">Execution</th><th scope="col">Entered</th><th scope="col">Instructions</th><th scope="col">Bytes</th><th scope="col" class="text">Verdict</th></tr></thead>
<tbody>${listed.map(row)}</tbody></table></div>${
    hidden.length === 0
      ? undefined
      : html`<p class="quiet">${plural(hidden.length, 'superblock')} that hold ${percent(hidden.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, total))} of execution are not listed here; the JSON report has them all.</p>`
  }</details>`;
}
