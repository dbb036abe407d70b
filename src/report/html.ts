/** The report as one self-contained page, which opens from disk and loads no other file. */

import { modelSection } from './html-model.ts';
import { SCRIPT } from './html-script.ts';
import {
  assumptionsSection,
  functionsSection,
  passesSection,
  picturesSection,
  proofSection,
  reproduceSection,
  statisticsSection,
  verificationSection,
} from './html-sections.ts';
import { STYLE } from './html-style.ts';
import { summary } from './html-summary.ts';
import { superblocksSection } from './html-superblock.ts';
import { change, html, raw } from './html-text.ts';
import type { ReportModel } from './model.ts';
import { command } from './shell.ts';

const SECTIONS = [
  ['statistics', 'Executed'],
  ['model', 'Model'],
  ['functions', 'Functions'],
  ['superblocks', 'Superblocks'],
  ['cfg', 'Control flow'],
  ['passes', 'Passes'],
  ['assumptions', 'Assumptions'],
  ['proof', 'Proof'],
  ['verification', 'Verification'],
  ['reproduce', 'Reproduce'],
] as const;

/** The same model gives the same bytes. The page's content security policy forbids it to load anything. */
export function renderHtml(model: ReportModel): string {
  const { program, original, optimized } = model;
  const gist = `${model.verdict}, instructions ${change(original.instructions, optimized.instructions)}, taken branches ${change(original.takenBranches, optimized.takenBranches)}`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline';script-src 'unsafe-inline';img-src data:">
<meta name="color-scheme" content="light dark"><meta name="description" content="${program.name}: ${gist}">
<title>${program.name}: ${gist} – isoform</title><link rel="icon" href="data:,">
<style>${raw(STYLE)}</style></head><body>
<a class="skip" href="#statistics">Skip to the details</a>
<header><p class="kind">isoform comparison report</p><h1>${program.name}</h1>
<p class="run">${program.arguments.length > 0 ? html`run as <code>${command([program.name, ...program.arguments])}</code>` : 'run without arguments'}</p></header>
<main>${summary(model)}
<nav aria-label="Sections"><ul>${SECTIONS.filter(([id]) => (id !== 'proof' || model.proof) && (id !== 'model' || model.model)).map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
${statisticsSection(model)}
${modelSection(model)}
${functionsSection(model)}
${superblocksSection(model)}
${picturesSection(model)}
${passesSection(model)}
${assumptionsSection(model)}
${proofSection(model)}
${verificationSection(model)}
${reproduceSection(model)}</main>
<footer><p>Made by isoform, a profile-guided optimizer for finished RISC-V executables.</p></footer>
<script>${raw(SCRIPT)}</script></body></html>
`;
  return page.markup;
}
