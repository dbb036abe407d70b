import { describe, expect, it } from 'vitest';
import { align } from '../../src/report/align.ts';
import { buildReport } from '../../src/report/build.ts';
import { renderHtml } from '../../src/report/html.ts';
import { THEMES } from '../../src/report/html-style.ts';
import { change, count, html, percent, perMille, short } from '../../src/report/html-text.ts';
import { layout, type Point } from '../../src/report/layout.ts';
import type { OptimizedLine, PathBlock } from '../../src/report/model.ts';
import { exampleInput, HOSTILE } from './example.ts';

describe('text', () => {
  it('writes numbers for people', () => {
    expect([0, 999, 1000, 1234567, -1234].map(count)).toEqual(['0', '999', '1,000', '1,234,567', '\u22121,234']);
    expect([9999, 12_345, 123_456_789].map(short)).toEqual(['9,999', '12.3\u202fk', '123\u202fM']);
    expect([change(100, 97), change(100, 163), change(7, 7), change(0, 3), change(3, 0), change(1e6, 999_999)]).toEqual(
      ['\u22123.00\u202f%', '+63.0\u202f%', '0', 'new', 'gone', '\u2212<0.01\u202f%'],
    );
    expect([percent(0), percent(0.0999), percent(1), perMille(1, 8), perMille(0, 0)]).toEqual([
      '0.00\u202f%',
      '9.99\u202f%',
      '100.0\u202f%',
      '125.0\u202f‰',
      '0.0\u202f‰',
    ]);
  });

  it('escapes all that is put in, and shows what cannot be seen', () => {
    expect(html`<b title="${`"'`}">${'<i>&'}${['<', 1]}${undefined}${html`<i>`}</b>`.markup).toBe(
      '<b title="&quot;&#39;">&lt;i&gt;&amp;&lt;1<i></b>',
    );
    expect(html`${'a\u0000b\u202ec\ud800d'}`.markup).toBe('a\ufffdb\ufffdc\ufffdd');
  });
});

describe('the page', () => {
  const input = exampleInput();
  const model = buildReport({
    ...input,
    arguments: [HOSTILE],
    inputs: [HOSTILE],
    commands: [HOSTILE],
    passes: [{ name: HOSTILE, description: HOSTILE, rewrites: 1, removed: 1, taken: 1, cycles: 1 }],
    assumptions: [{ id: 'A1', name: HOSTILE, text: HOSTILE, used: true, checked: false }],
    proof: {
      ways: 1,
      open: new Map([[0x10000, HOSTILE]]),
      file: [{ what: HOSTILE, checked: 1, problems: [HOSTILE] }],
    },
    verify: {
      inputs: [
        { name: HOSTILE, arguments: [HOSTILE], training: true, verdict: 'different', syscalls: 1, end: HOSTILE },
      ],
      differences: [{ input: HOSTILE, what: HOSTILE, expected: HOSTILE, found: HOSTILE, pc: '0x1', symbol: HOSTILE }],
    },
  });
  const page = renderHtml(model);

  it('lets no text of the program become markup', () => {
    expect(page).not.toContain('<img');
    expect(page).not.toContain('"document.title');
    expect(page.match(/<\/script>/g)).toHaveLength(1);
    expect(page).toContain(
      '&lt;/script&gt;&lt;img src=x onerror=&quot;document.title=&#39;broken&#39;&quot;&gt;&amp;amp;',
    );
  });

  it('tells passes that are not known from none at all', () => {
    expect(renderHtml(buildReport({ ...input, passes: [] }))).toContain('No pass was enabled.');
    const unknown = renderHtml(buildReport({ ...input, passes: undefined }));
    expect(unknown).not.toContain('No pass was enabled.');
    expect(unknown).toContain('<p>Not known: ');
  });

  it('says first what share is proved, and never more than is', () => {
    const proved = buildReport({ ...input, proof: { ways: 9, open: new Map(), file: [] } });
    const { superblocks, share } = proved.proof!;
    expect([share, superblocks]).toEqual([1, input.superblocks.length]);
    expect(renderHtml(proved)).toMatch(
      new RegExp(`Proved</b> for all inputs</a>: all ${superblocks} superblocks, 100`),
    );
    const some = buildReport(input);
    const open = new Set(some.proof!.open.map(({ head }) => head));
    const weigh = (list: typeof some.superblocks) => list.reduce((sum, { weight }) => sum + weight, 0);
    const rest = weigh(some.superblocks.filter(({ head }) => !open.has(head)));
    expect(some.proof!.share).toBeCloseTo(rest / weigh(some.superblocks), 12);
    expect(renderHtml(some)).toMatch(/Proved<\/b> for all inputs<\/a>: <span class="caution">\d\d\.\d+/);
    const none = renderHtml(buildReport({ ...input, proof: undefined }));
    expect(none).not.toContain('id="proof"');
    expect(none).not.toContain('#proof');
  });

  it('is one file that names nothing outside of it, and the same every time', () => {
    expect(page).not.toMatch(/https?:|@import|url\((?!#)/);
    expect(renderHtml(JSON.parse(JSON.stringify(model)))).toBe(page);
    expect(page.length).toBeLessThan(1_000_000);
  });

  it('has unique identifiers, and every link within it leads somewhere', () => {
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const links = [...page.matchAll(/(?:href="|url\()#([^")]+)/g), ...page.matchAll(/aria-labelledby="([^"]+)"/g)];
    for (const name of links.flatMap(([, names]) => names!.split(' '))) expect(ids).toContain(name);
  });

  it('stays small when there is very much code, and says what it leaves out', () => {
    const first = model.superblocks[0]!;
    const long = { ...first, optimized: Array.from({ length: 400 }, () => first.optimized!).flat() };
    const superblocks = Array.from({ length: 500 }, (_, index) => ({
      ...long,
      head: `0x${(index * 16).toString(16)}`,
    }));
    const large = renderHtml({ ...model, superblocks });
    expect(large.length).toBeLessThan(1_250_000);
    expect(large).toMatch(/superblocks that hold .* of execution are not listed here/);
  });

  it('copes with a run in which nothing was optimized', () => {
    const nothing = renderHtml({
      ...model,
      superblocks: [],
      passes: [],
      assumptions: [],
      functions: [],
      coverage: { inside: 0, curve: [] },
      cfg: { original: { nodes: [], edges: [], share: 0 }, optimized: { nodes: [], edges: [], share: 0 } },
    });
    const shown = nothing.slice(0, nothing.indexOf('<script>'));
    expect(shown).not.toMatch(/NaN|Infinity|undefined/);
    expect(shown).toContain('No block was executed.');
  });
});

describe('side by side', () => {
  const line = (address: number, originalAddress?: number): OptimizedLine => ({
    address: `0x${address}`,
    text: '',
    count: 1,
    part: 'line',
    ...(originalAddress === undefined ? {} : { originalAddress: `0x${originalAddress}` }),
  });
  const block = (...addresses: number[]): PathBlock => ({
    address: `0x${addresses[0]}`,
    symbol: '',
    count: 1,
    lines: addresses.map((address) => ({ address: `0x${address}`, text: '', count: 1, fate: 'kept' })),
  });
  const pictureOf = (path: PathBlock[], lines: OptimizedLine[]) =>
    align(path, lines).map(({ left, right }) => [
      left === undefined ? '' : 'line' in left ? left.line.address : 'block',
      right?.address ?? '',
    ]);

  it('sets partners in one row, keeps both orders, loses nothing', () => {
    expect(
      pictureOf([block(1, 2, 3), block(4, 5)], [line(91, 1), line(92, 4), line(93, 3), line(94), line(95, 5)]),
    ).toEqual([
      ['block', ''],
      ['0x1', '0x91'],
      ['0x2', '0x92'],
      ['0x3', '0x93'],
      ['block', '0x94'],
      ['0x4', ''],
      ['0x5', '0x95'],
    ]);
  });

  it('pairs the turns of an unrolled loop in order', () => {
    expect(pictureOf([block(1), block(1)], [line(91, 1), line(92, 1)])).toEqual([
      ['block', ''],
      ['0x1', '0x91'],
      ['block', ''],
      ['0x1', '0x92'],
    ]);
  });
});

describe('the layout of a graph', () => {
  const node = (id: string) => ({ id, width: 100, height: 30 });
  const edge = (from: string, to: string, weight = 1) => ({ from, to, weight });

  it('sets a diamond in three layers and a loop edge upwards', () => {
    const { nodes, edges } = layout(
      ['a', 'b', 'c', 'd'].map(node),
      [edge('a', 'b', 9), edge('a', 'c'), edge('b', 'd', 9), edge('c', 'd'), edge('d', 'a', 9), edge('a', 'a')],
      500,
    );
    expect(nodes).toHaveLength(4);
    const [a, b, c, d] = nodes as [Point, Point, Point, Point];
    expect(b.y).toBe(c.y);
    expect([a.y < b.y, b.y < d.y]).toEqual([true, true]);
    expect(Math.abs(b.x - c.x)).toBeGreaterThanOrEqual(100);
    expect(edges[0]?.[0]?.y).toBe(a.y + 15);
    expect(edges[4]?.[0]?.y).toBeGreaterThan(edges[4]!.at(-1)!.y);
    expect(edges[5]).toEqual([]);
  });

  it('never lets two nodes overlap, whatever the graph', () => {
    let seed = 12345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let round = 0; round < 60; round++) {
      const nodes = Array.from({ length: 1 + random(40) }, (_, index) => node(`n${index}`));
      const edges = Array.from({ length: random(70) }, () =>
        edge(`n${random(nodes.length)}`, `n${random(nodes.length)}`, 1 + random(1000)),
      );
      const placed = layout(nodes, edges, 600);
      for (const [index, one] of placed.nodes.entries()) {
        expect(one.x >= 49.9 && one.y >= 15 && one.x <= placed.width - 49.9 && one.y <= placed.height - 15).toBe(true);
        for (const other of placed.nodes.slice(index + 1))
          expect(Math.abs(one.x - other.x) >= 99.8 || Math.abs(one.y - other.y) >= 30).toBe(true);
      }
    }
  });
});

describe('colours', () => {
  const luminance = (colour: string): number => {
    const part = (at: number) => {
      const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
  };
  const contrast = (a: string, b: string): number => {
    const [one, other] = [luminance(a), luminance(b)];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  };

  it.each(Object.entries(THEMES))('%s: text can be read on everything it stands on', (_, theme) => {
    expect(contrast('#ffffff', '#000000')).toBeCloseTo(21, 5);
    const grounds = [theme.page, theme.surface, theme.sunken];
    for (const text of [theme.ink, theme.quiet, theme.accent, theme.better, theme.worse, theme.caution])
      for (const ground of grounds) expect(contrast(text, ground), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    for (const ground of [theme['better-wash'], theme['worse-wash']])
      for (const text of [theme.ink, theme.accent]) expect(contrast(text, ground)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(theme.better, theme['better-wash'])).toBeGreaterThanOrEqual(4.5);
    expect(contrast(theme.worse, theme['worse-wash'])).toBeGreaterThanOrEqual(4.5);
    for (const heat of ['h0', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'] as const)
      expect(contrast(theme.node, theme[heat]), heat).toBeGreaterThanOrEqual(4.5);
    // Graphics: 3 (WCAG 2.1, 1.4.11).
    for (const line of [theme.fall, theme.taken, theme.after])
      expect(contrast(line, theme.surface), line).toBeGreaterThanOrEqual(3);
  });
});
