/**
 * The page's style sheet, with two themes by the reader's preference. Every text colour has a contrast of at least 4.5 to its
 * background (WCAG 2.1, 1.4.3), which test/report/html.test.ts computes from the tables here.
 */

/** Colours by name, for the light and the dark theme. */
export const THEMES = {
  light: {
    page: '#faf9f6',
    surface: '#ffffff',
    sunken: '#f1efea',
    ink: '#1c2024',
    quiet: '#565d66',
    rule: '#dedbd4',
    accent: '#0b6474',
    before: '#9aa0a6',
    after: '#17788a',
    better: '#17683a',
    worse: '#b3261e',
    caution: '#7a5200',
    'better-wash': '#e6f3ea',
    'worse-wash': '#fbeae8',
    h0: '#f4f2ee',
    h1: '#fbeed8',
    h2: '#fbe2bb',
    h3: '#f9d49c',
    h4: '#f6c47d',
    h5: '#f2b25f',
    h6: '#ec9f45',
    node: '#1c2024',
    fall: '#8b9198',
    taken: '#17788a',
  },
  dark: {
    page: '#14171a',
    surface: '#1b1f23',
    sunken: '#22272c',
    ink: '#e9e7e2',
    quiet: '#a6adb6',
    rule: '#343a41',
    accent: '#7cc9d6',
    before: '#69717a',
    after: '#3fa7b8',
    better: '#7fd3a0',
    worse: '#ff9b91',
    caution: '#e5bd6a',
    'better-wash': '#1a2f23',
    'worse-wash': '#3a2220',
    h0: '#262b30',
    h1: '#3a3023',
    h2: '#4c3820',
    h3: '#5e401c',
    h4: '#6f4817',
    h5: '#7e4f12',
    h6: '#8c550d',
    node: '#f3f1ec',
    fall: '#858d96',
    taken: '#3fa7b8',
  },
} as const;

const variables = (theme: Record<string, string>): string =>
  Object.entries(theme)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

export const STYLE = `
:root{color-scheme:light dark;${variables(THEMES.light)};
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
@media (prefers-color-scheme:dark){:root{${variables(THEMES.dark)}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:3.5rem}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 var(--sans);font-variant-numeric:tabular-nums}
main,header,footer{max-width:76rem;margin:0 auto;padding:0 1.5rem}
h1,h2,h3,p,dl,dd,figure,ul,ol{margin:0;padding:0}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
code,.mono{font-family:var(--mono);font-size:.87em}
small{font-size:.82em}
.quiet{color:var(--quiet)}
.better{color:var(--better)}.worse{color:var(--worse)}.caution{color:var(--caution)}
.out{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip:not(:focus){position:absolute;left:-100vw}

header{padding-top:1.6rem;padding-bottom:1.1rem}
header .kind{color:var(--quiet);font-size:.85rem;letter-spacing:.02em}
h1{font-size:1.65rem;line-height:1.25;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
header .run{color:var(--quiet);overflow-wrap:anywhere;max-height:3em;overflow:hidden}

.answers{display:grid;grid-template-columns:1fr 1.35fr 1fr;gap:1rem}
.answer{background:var(--surface);border:1px solid var(--rule);border-radius:10px;padding:1.05rem 1.2rem 1.15rem;min-width:0}
.answer h2{font-size:.9rem;font-weight:500;color:var(--quiet);margin-bottom:.35rem}
.answer.equivalent{background:var(--better-wash);border-color:color-mix(in srgb,var(--better) 30%,transparent)}
.answer.different{background:var(--worse-wash);border-color:color-mix(in srgb,var(--worse) 35%,transparent)}
.answer.equivalent h2,.answer.different h2{color:var(--ink)}
.big{font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;display:flex;align-items:center;gap:.5rem}
.big svg{flex:none;width:1.65rem;height:1.65rem}
.answer ul{list-style:none;margin-top:.6rem}
.answer li{margin-top:.25rem;line-height:1.4}
.measure+.measure{margin-top:.95rem}
.measure .top{display:flex;justify-content:space-between;align-items:baseline;gap:1rem}
.measure .top b{font-size:1.45rem;line-height:1.15;font-weight:650;letter-spacing:-.015em;white-space:nowrap}
.bars{display:grid;grid-template-columns:auto 1fr auto;gap:.15rem .6rem;align-items:center;font-size:.82rem;color:var(--quiet);margin-top:.3rem}
.bars i{display:block;height:.6rem;border-radius:3px;background:var(--before);min-width:2px}
.bars i.after{background:var(--after)}
.bars .figure{text-align:right}
.note{margin-top:.9rem;font-size:.87rem;color:var(--quiet)}

nav{position:sticky;top:0;z-index:2;background:var(--page);margin:1.4rem -1.5rem 0;padding:0 1.5rem;border-bottom:1px solid var(--rule);overflow-x:auto}
nav ul{display:flex;gap:1.5rem;list-style:none}
nav a{display:block;padding:.65rem 0;text-decoration:none;white-space:nowrap;font-size:.9rem}
nav a:hover{text-decoration:underline;text-underline-offset:.3em}

main>section{margin-top:2.8rem}
main>section>h2{font-size:1.2rem;font-weight:650;letter-spacing:-.005em}
main>section>h2+p{color:var(--quiet);max-width:46rem;margin:.25rem 0 1rem}
h3{font-size:.95rem;font-weight:600}
.scroll{overflow-x:auto;border:1px solid var(--rule);border-radius:8px;background:var(--surface)}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--quiet);font-size:.85rem;padding:.6rem .9rem 0}
.data th,.data td{padding:.42rem .9rem;text-align:right;vertical-align:baseline;border-top:1px solid var(--rule)}
.data thead th{border-top:0;font-size:.82rem;font-weight:500;color:var(--quiet);white-space:nowrap;background:var(--sunken)}
.data th:first-child,.data td:first-child,.data .text{text-align:left}
.data tbody th{font-weight:500}
.data tbody tr.sub th{font-weight:400;padding-left:1.9rem}
.data tbody tr.sum th,.data tbody tr.sum td{font-weight:600}
.data td small{display:inline-block;min-width:4.6rem;color:var(--quiet);font-weight:400}
.data td.number{white-space:nowrap}
.data td.name{overflow-wrap:anywhere}
.data .spark{width:22%;min-width:5rem}
.pair i{display:block;height:.38rem;border-radius:2px;background:var(--before);min-width:1px}
.pair i+i{background:var(--after);margin-top:2px}
th button{all:unset;cursor:pointer;padding:.1rem 0}
th button:focus-visible{outline:2px solid var(--accent)}
th[aria-sort] button{color:var(--ink)}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}

.chip{display:inline-block;font-size:.78rem;line-height:1.5;padding:0 .5rem;border-radius:99px;border:1px solid var(--rule);color:var(--quiet);white-space:nowrap}
.chip.proved,.chip.equivalent{color:var(--better);border-color:currentcolor}
.chip.rejected,.chip.different{color:var(--worse);border-color:currentcolor}
.chip.open{color:var(--caution);border-color:currentcolor}

.tools{display:flex;flex-wrap:wrap;gap:.6rem;margin:0 0 .8rem}
.tools input,.tools button{font:inherit;font-size:.9rem;color:inherit;background:var(--surface);border:1px solid var(--rule);border-radius:6px;padding:.3rem .7rem}
.tools input{flex:1 1 14rem;max-width:24rem;min-width:0}
.tools button{cursor:pointer}
.curve{display:flex;gap:1.6rem;align-items:center;margin:0 0 1.2rem}
.curve svg{flex:none;width:15rem;height:5.5rem;max-width:40%}
.curve .line{fill:none;stroke:var(--after);stroke-width:2}
.curve .area{fill:var(--after);opacity:.12}
.curve .grid{stroke:var(--rule);stroke-width:1}
.curve dl{display:flex;flex-wrap:wrap;gap:.2rem 1.8rem}
.curve dt{font-size:.82rem;color:var(--quiet)}
.curve dd{font-size:1.15rem;font-weight:600}

.sb{background:var(--surface);border:1px solid var(--rule);border-radius:8px;margin-top:.5rem}
.sb>summary{display:grid;grid-template-columns:2.2rem minmax(0,1fr) 9rem 8.5rem 5.5rem;gap:.9rem;align-items:center;padding:.5rem .9rem;cursor:pointer;list-style:none}
.sb>summary::-webkit-details-marker{display:none}
.sb>summary .rank{color:var(--quiet)}
.sb>summary .rank::before{content:"";display:inline-block;width:.4em;height:.4em;border:solid currentcolor;border-width:0 1.5px 1.5px 0;transform:rotate(-45deg);margin-right:.5em;vertical-align:.12em}
.sb[open]>summary .rank::before{transform:rotate(45deg);vertical-align:.2em}
.sb>summary:hover{background:var(--sunken)}
.sb[open]>summary{border-bottom:1px solid var(--rule)}
.sb .who{font-family:var(--mono);font-size:.87rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.sb .share{display:grid;grid-template-columns:1fr 4.2rem;gap:.5rem;align-items:center;text-align:right}
.sb .share i{display:block;height:.45rem;border-radius:2px;background:var(--after);min-width:2px}
.sb .delta,.sb .mark{text-align:right;white-space:nowrap}
.sb .body{padding:.9rem}
.facts{display:flex;flex-wrap:wrap;gap:.3rem 1.8rem;margin-bottom:.9rem}
.facts dt{font-size:.8rem;color:var(--quiet)}
.facts dd{font-weight:500}
.side{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1rem;margin-top:.3rem}
.side h4{margin:0 0 .3rem;font-size:.85rem;font-weight:600}
.code{overflow-x:auto;border:1px solid var(--rule);border-radius:6px;background:var(--page)}
.code table{font:12.5px/1.55 var(--mono);white-space:pre}
.code tr{height:1.55em}
.code td,.code th{padding:0 .6em;text-align:left;font-weight:400}
.code td:first-child{text-align:right;color:var(--ink);width:1%}
.code td:nth-child(2){color:var(--quiet);width:1%}
.code td.again{color:var(--quiet)}
.code td.mark,.code td:nth-child(3){width:1ch;padding:0;text-align:center}
.code th{color:var(--quiet);font-family:var(--sans);font-size:.93em;background:var(--sunken)}
.code tr.removed td:last-child{color:var(--quiet);text-decoration:line-through}
.code tr.removed td:nth-child(3){color:var(--worse)}
.code tr.sunk td:nth-child(3),.code tr.changed td:nth-child(3){color:var(--caution)}
.code tr.new td:nth-child(3){color:var(--better)}
.code tr.on{background:color-mix(in srgb,var(--accent) 18%,transparent)}
.code .from{color:var(--quiet);font-size:.92em}
.data.small th,.data.small td{padding:.2rem .7rem;font-size:.87rem}
.list-head{display:grid;grid-template-columns:2.2rem minmax(0,1fr) 9rem 8.5rem 5.5rem;gap:.9rem;padding:0 calc(.9rem + 1px);font-size:.82rem;color:var(--quiet)}
.list-head :nth-child(n+3){text-align:right}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.3rem;font-size:.85rem;color:var(--quiet);margin:.2rem 0 .8rem}
.legend b{font-family:var(--mono);font-weight:600}
.legend svg{vertical-align:middle}

.pictures{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1rem;align-items:start}
.pictures.wide{grid-template-columns:minmax(0,1fr)}
.pictures figure{background:var(--surface);border:1px solid var(--rule);border-radius:8px;padding:.9rem;min-width:0}
.pictures figcaption{font-size:.9rem;margin-bottom:.6rem}
.pictures .frame{overflow-x:auto}
.cfg{display:block;margin:0 auto;max-width:100%;min-width:calc(var(--w)*.7);height:auto}
.cfg text{font:11.5px var(--mono);text-anchor:middle;fill:var(--node)}
.cfg text.n{font-size:10.5px}
.cfg rect{stroke:color-mix(in srgb,var(--node) 28%,transparent);stroke-width:1}
.cfg rect.bare{stroke:var(--node);stroke-dasharray:3 3}
.edge{fill:none;stroke-linecap:butt}
.edge.fall{stroke:var(--fall)}.edge.taken{stroke:var(--taken);stroke-dasharray:7 3}
.tip.fall{fill:var(--fall)}.tip.taken{fill:var(--taken)}
${[0, 1, 2, 3, 4, 5, 6].map((step) => `.h${step}{fill:var(--h${step})}`).join('')}

.cards{list-style:none;display:grid;gap:.5rem}
.cards li{min-width:0;background:var(--surface);border:1px solid var(--rule);border-radius:8px;padding:.7rem .9rem}
.cards .head{display:flex;flex-wrap:wrap;gap:.3rem .7rem;align-items:center}
.cards .head>:not(.chip),.cards p{min-width:0;overflow-wrap:anywhere}
.cards p{color:var(--quiet);margin-top:.15rem;max-width:60rem}
pre{margin:0;padding:.8rem 1rem;background:var(--surface);border:1px solid var(--rule);border-radius:8px;overflow-x:auto;font:13px/1.6 var(--mono)}
.hashes{display:grid;grid-template-columns:auto minmax(0,1fr);gap:.2rem 1rem;margin-top:.9rem;font-size:.87rem}
.hashes dt{color:var(--quiet)}
.hashes dd{overflow-wrap:anywhere}
footer{margin-top:3rem;padding-top:1rem;padding-bottom:2.5rem;color:var(--quiet);font-size:.87rem}

@media (max-width:60rem){
.answers{grid-template-columns:1fr 1fr}.answer:nth-child(2){grid-row:1/3;grid-column:2}
.side,.pictures{grid-template-columns:minmax(0,1fr)}
.code tr.gap{display:none}}
@media (max-width:44rem){
body{font-size:14px}
main,header,footer{padding-left:1rem;padding-right:1rem}
header{padding-top:.9rem;padding-bottom:.7rem}
h1{font-size:1.3rem}
header .run{max-height:1.5em;white-space:nowrap;text-overflow:ellipsis}
.answers{grid-template-columns:minmax(0,1fr);gap:.6rem}
.answer:nth-child(2){grid-row:auto;grid-column:auto}
.answer{padding:.7rem .9rem .8rem}
.answer h2{margin-bottom:.1rem}
.answer ul{margin-top:.3rem}
.answer li{margin-top:.1rem}
.big{font-size:1.4rem}.big svg{width:1.35rem;height:1.35rem}
.measure .top b{font-size:1.2rem}
.measure+.measure{margin-top:.6rem}
.bars{margin-top:.15rem;gap:.05rem .6rem}
.note{margin-top:.5rem}
nav{margin:1rem -1rem 0;padding:0 1rem}
main>section{margin-top:2.2rem}
.data th,.data td{padding:.4rem .55rem}
.data td small{display:block;min-width:0}
.data tbody tr.sub th{padding-left:1.1rem}
.data .spark{display:none}
.list-head{display:none}
.stack thead{display:none}
.stack tr{display:grid;grid-template-columns:minmax(0,1.25fr) minmax(0,1.25fr) minmax(0,1fr);border-top:1px solid var(--rule)}
.stack tr:first-child{border-top:0}
.data.stack td,.data.stack th{border:0;padding-top:.1rem}
.data.stack tr>:first-child{grid-column:1/-1;padding:.5rem .55rem .1rem}
.stack td:last-child{padding-bottom:.5rem}

.data.stack td,.data.stack .text{text-align:left}
.stack td[data-l]::before{content:attr(data-l);display:block;font-size:.78rem;color:var(--quiet)}
.sb>summary{grid-template-columns:2rem minmax(0,1fr) 5rem;gap:.1rem .6rem}
.sb>summary .who{grid-column:2/4}
.sb>summary .share{grid-column:1/3}
.sb>summary .mark{display:none}
.sb .body{padding:.7rem}
.curve{flex-direction:column;align-items:flex-start;gap:.6rem}
.curve svg{max-width:100%}
.pictures figure{padding:.7rem}}
@media print{
:root{${variables(THEMES.light)}}
nav,.tools,.skip{display:none}
body{font-size:11px;background:#fff}

.answer,.cards li,tr{break-inside:avoid}
.scroll,.frame,.code{overflow:visible}
.cfg{max-width:100%;height:auto}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
