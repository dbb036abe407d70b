/** The sections below the first screen, except the superblocks. */
import { graphPicture } from './html-cfg.ts';
import { change, count, type Html, html, percent, perMille, plural, tone } from './html-text.ts';
import type { ReportModel, Statistics } from './model.ts';
import { command } from './shell.ts';

const heading = (id: string, title: string): Html => html`<h2 id="${id}-title">${title}</h2>`;
const section = (id: string, title: string, ...content: (Html | undefined)[]): Html =>
  html`<section id="${id}" aria-labelledby="${id}-title">${heading(id, title)}${content}</section>`;
const scroll = (label: string, content: Html): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">${content}</div>`;

const ROWS: readonly (readonly [key: keyof Statistics, name: string, level: 'sum' | 'sub' | ''])[] = [
  ['instructions', 'Instructions', 'sum'],
  ['takenBranches', 'Taken branches', 'sum'],
  ['branchesTaken', 'Conditional branches taken', 'sub'],
  ['jumps', 'Jumps', 'sub'],
  ['calls', 'Calls', 'sub'],
  ['indirectCalls', 'Indirect calls', 'sub'],
  ['returns', 'Returns', 'sub'],
  ['indirectJumps', 'Indirect jumps', 'sub'],
  ['branchesNotTaken', 'Conditional branches not taken', ''],
  ['loads', 'Loads', ''],
  ['stores', 'Stores', ''],
  ['syscalls', 'Syscalls', ''],
];

export function statisticsSection(model: ReportModel): Html {
  const before = model.original.statistics;
  const after = model.optimized.statistics;
  const cell = (label: string, part: number, whole: number) =>
    html`<td role="cell" class="number" data-l="${label}">${count(part)} <small>${perMille(part, whole)}</small></td>`;
  return section(
    'statistics',
    'What was executed',
    html`<p>Exact counts of one run of each file on the training input, and how many in a thousand of that run's instructions.
Taken branches are all transfers that do not fall through. Counts are not cycles: fewer is better, by how much depends on the processor.</p>`,
    scroll(
      'What was executed',
      html`<table class="data stack" role="table"><thead><tr><th scope="col">Event</th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Change</th></tr></thead>
<tbody>${ROWS.map(
        ([
          key,
          name,
          level,
        ]) => html`<tr role="row" class="${level}"><th scope="row" role="rowheader">${name}</th>${cell('Before', before[key], before.instructions)}${cell('After', after[key], after.instructions)}
<td role="cell" data-l="Change" class="number ${key === 'branchesNotTaken' ? '' : tone(before[key], after[key])}">${change(before[key], after[key])}</td></tr>`,
      )}</tbody></table>`,
    ),
  );
}

export function functionsSection(model: ReportModel): Html {
  const most = Math.max(1, ...model.functions.flatMap(({ before, after }) => [before, after]));
  const bar = (value: number) => html`<i style="width:${((value / most) * 100).toFixed(2)}%"></i>`;
  const total = model.original.instructions;
  return section(
    'functions',
    'Hot functions',
    html`<p>Instructions executed in each function. An optimized instruction counts for the function its original is in, wherever it is now.</p>`,
    scroll(
      'Hot functions',
      html`<table class="data sortable stack" role="table"><thead><tr><th scope="col">Function</th><th scope="col" class="spark"><span class="out">Bars</span></th><th scope="col">Before</th><th scope="col">After</th><th scope="col">Change</th></tr></thead>
<tbody>${model.functions.map(
        ({
          name,
          address,
          before,
          after,
        }) => html`<tr role="row"><td role="cell" class="name"><span class="mono">${name}</span> <span class="quiet mono">${address}</span></td><td role="cell" class="spark pair">${bar(before)}${bar(after)}</td>
<td role="cell" class="number" data-l="Before" data-v="${before}">${count(before)} <small>${percent(total === 0 ? 0 : before / total)}</small></td><td role="cell" class="number" data-l="After" data-v="${after}">${count(after)}</td>
<td role="cell" class="number ${tone(before, after)}" data-l="Change" data-v="${before === 0 ? 0 : after / before - 1}">${change(before, after)}</td></tr>`,
      )}</tbody></table>`,
    ),
  );
}

/** Pixels of the widest picture that can still be read at half the page's width. */
const SIDE_BY_SIDE_WIDTH = 760;

export function picturesSection(model: ReportModel): Html {
  const { original, optimized } = model.cfg;
  const hottest = Math.max(1, ...[...original.nodes, ...optimized.nodes].map((node) => node.count * node.instructions));
  const pictures = {
    'cfg-before': graphPicture(original, 'cfg-before', 'Before: the hot control-flow graph', hottest),
    'cfg-after': graphPicture(optimized, 'cfg-after', 'After: the hot control-flow graph', hottest),
  };
  // The pictures are side by side unless one of them would be too small to read.
  const wide = Math.max(...Object.values(pictures).map(({ width }) => width)) > SIDE_BY_SIDE_WIDTH;
  const figure = (graph: typeof original, id: keyof typeof pictures, title: string) => {
    const part = (falling: boolean) =>
      graph.edges
        .filter(({ kind }) => (kind === 'fall' || kind === 'syscall') === falling)
        .reduce((sum, edge) => sum + edge.count, 0);
    const all = part(true) + part(false);
    return html`<figure><figcaption><b>${title}</b> <span class="quiet">${plural(graph.nodes.length, 'block')} at the hottest edges, ${percent(graph.share)} of execution; ${percent(all === 0 ? 0 : part(true) / all)} of the flow shown falls through</span></figcaption>
<div class="frame" tabindex="0" role="region" aria-label="${title}: picture">${pictures[id].picture}</div></figure>`;
  };
  return section(
    'cfg',
    'The hot control-flow graph',
    html`<p>Each box is a block, with how often it was executed and its length in instructions.</p>`,
    html`<p class="legend"><span><svg width="34" height="8" aria-hidden="true"><path class="edge fall" d="M0 4H34" stroke-width="3"/></svg> falls through</span>
<span><svg width="34" height="8" aria-hidden="true"><path class="edge taken" d="M0 4H34" stroke-width="3"/></svg> taken: a branch, jump, call or return</span>
<span>Wider line: more often</span><span><svg width="77" height="12" aria-hidden="true">${[0, 1, 2, 3, 4, 5, 6].map((step) => html`<rect class="h${step}" x="${step * 11}" width="11" height="12"/>`)}</svg> more instructions executed</span><span>Dashed box: not in a superblock</span></p>`,
    html`<div class="pictures${wide ? ' wide' : ''}">${figure(original, 'cfg-before', 'Before')}${figure(optimized, 'cfg-after', 'After')}</div>`,
  );
}

export function passesSection(model: ReportModel): Html {
  const { passes } = model;
  return section(
    'passes',
    'What each pass did',
    html`<p>In the order they ran. What it took away is counted by the profile, along the superblocks; a number below 0 was added. Cycles are those of the model.</p>`,
    passes === undefined
      ? html`<p>Not known: this report does not come from the run that made the optimized file, and default options do not give the same file again.</p>`
      : passes.length === 0
        ? html`<p>No pass was enabled.</p>`
        : scroll(
            'What each pass did',
            html`<table class="data sortable stack" role="table"><thead><tr><th scope="col">Pass</th><th scope="col">Rewrites</th><th scope="col">Instructions</th><th scope="col">Of all</th><th scope="col">Taken branches</th><th scope="col">Cycles</th></tr></thead>
<tbody>${passes.map(
              ({
                name,
                description,
                rewrites,
                removed,
                taken,
                cycles,
              }) => html`<tr role="row"><td role="cell"><b>${name}</b><br><span class="quiet">${description}</span></td><td role="cell" data-l="Rewrites" data-v="${rewrites}">${count(rewrites)}</td>
<td role="cell" class="number" data-l="Instructions" data-v="${removed}">${count(removed)}</td><td role="cell" class="number" data-l="Of all" data-v="${removed}">${percent(model.original.instructions === 0 ? 0 : removed / model.original.instructions)}</td>
<td role="cell" class="number" data-l="Taken branches" data-v="${taken}">${count(taken)}</td><td role="cell" class="number" data-l="Cycles" data-v="${cycles}">${count(cycles)}</td></tr>`,
            )}</tbody></table>`,
          ),
  );
}

export const assumptionsSection = (model: ReportModel): Html =>
  section(
    'assumptions',
    'Assumptions',
    html`<p>What the optimized file relies on beyond what was shown for it. Each can be switched off.</p>`,
    model.assumptions.length === 0
      ? html`<p>None.</p>`
      : html`<ul class="cards">${[...model.assumptions]
          .sort((a, b) => Number(b.used) - Number(a.used))
          .map(
            ({
              id,
              name,
              text,
              used,
              checked,
              proofs = 0,
            }) => html`<li><div class="head"><b>${id}</b> <span>${name}</span>
<span class="chip ${used ? (checked ? 'equivalent' : 'open') : ''}">${used ? (checked ? 'in use, checked' : 'in use, not checked') : 'not in use'}</span>${proofs > 0 ? html` <span class="quiet">${plural(proofs, 'proof')} rest${proofs === 1 ? 's' : ''} on it</span>` : undefined}</div><p>${text}</p></li>`,
          )}</ul>`,
  );

export function proofSection({ proof }: ReportModel): Html | undefined {
  if (proof === undefined) return undefined;
  const { superblocks, proved, ways, open, file } = proof;
  return section(
    'proof',
    'Proof',
    html`<p>For all inputs, under the assumptions above: ${count(proved)} of ${plural(superblocks, 'superblock')} do what the original does, on each of
${plural(ways, 'way')} through them. The proof is made from the two files alone; <code>isoform prove</code> makes it again.</p>`,
    scroll(
      'What was checked of the file',
      html`<table class="data stack" role="table"><thead><tr><th scope="col" class="text">Of the file as a whole</th><th scope="col">Checked</th><th scope="col" class="text">Verdict</th></tr></thead>
<tbody>${file.map(
        ({ what, checked, problems }) =>
          html`<tr role="row"><td role="cell" class="name">${what}${problems.map((problem) => html`<br><span class="quiet">${problem}</span>`)}</td><td role="cell" data-l="Checked">${count(checked)}</td><td role="cell" class="text" data-l="Verdict"><span class="chip ${problems.length === 0 ? 'proved' : 'rejected'}">${problems.length === 0 ? 'proved' : 'not proved'}</span></td></tr>`,
      )}</tbody></table>`,
    ),
    open.length === 0
      ? undefined
      : html`<h3 style="margin-top:1.2rem">Not proved</h3><ul class="cards" style="margin-top:.5rem">${open.map(
          ({ head, symbol, reason }) =>
            html`<li><div class="head"><b>${symbol}</b> <span class="quiet">${head}</span></div><p>${reason}</p></li>`,
        )}</ul>`,
  );
}

export function verificationSection(model: ReportModel): Html {
  const { inputs, differences, syscalls } = model.verify;
  return section(
    'verification',
    'Verification',
    html`<p>Both files ran in step. At each of ${plural(syscalls, 'syscall')}, arguments, results, registers and memory were compared; at
the end exit status, output and files.</p>`,
    scroll(
      'Verified inputs',
      html`<table class="data stack" role="table"><thead><tr><th scope="col">Input</th><th scope="col">Syscalls</th><th scope="col" class="text">Ended with</th><th scope="col" class="text">Verdict</th></tr></thead>
<tbody>${inputs.map(
        (input) =>
          html`<tr role="row"><td role="cell" class="name">${input.name}${input.training ? html` <span class="quiet">training</span>` : undefined}${
            input.arguments.length > 0 ? html`<br><code class="quiet">${command(input.arguments)}</code>` : undefined
          }</td><td role="cell" data-l="Syscalls">${count(input.syscalls)}</td><td role="cell" class="text" data-l="Ended with">${input.end}</td><td role="cell" class="text" data-l="Verdict"><span class="chip ${input.verdict}">${input.verdict}</span></td></tr>`,
      )}</tbody></table>`,
    ),
    differences.length === 0
      ? undefined
      : html`<h3 style="margin-top:1.2rem">Differences</h3><ul class="cards" style="margin-top:.5rem">${differences.map(
          (
            difference,
          ) => html`<li><div class="head"><b>${difference.what}</b> <span class="quiet">on ${difference.input}${difference.pc && ` at ${difference.pc}`}${difference.symbol && ` in ${difference.symbol}`}${difference.superblock && `, superblock ${difference.superblock}`}</span></div>
<p>Expected <code>${difference.expected}</code>, found <code>${difference.found}</code>${difference.assumptions && `. It is proved, so of ${difference.assumptions.join(', ')} one does not hold for this program`}${difference.cause && `. No code is blamed: ${difference.cause}`}</p></li>`,
        )}</ul>`,
  );
}

export const reproduceSection = (model: ReportModel): Html =>
  section(
    'reproduce',
    'Make this report again',
    html`<p>Runs are deterministic: the same files and inputs give the same bytes, counts and report.</p>`,
    html`<pre tabindex="0" aria-label="Commands"><code>${model.commands.join('\n')}</code></pre>`,
    html`<dl class="hashes"><dt>Original</dt><dd>${model.original.file} <code>sha256 ${model.original.hash}</code></dd><dt>Optimized</dt><dd>${model.optimized.file} <code>sha256 ${model.optimized.hash}</code></dd>${
      model.program.inputs.length > 0 ? html`<dt>Inputs</dt><dd>${model.program.inputs.join(', ')}</dd>` : undefined
    }</dl>`,
  );
