import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildReport } from '../../src/report/build.ts';
import { renderHtml } from '../../src/report/html.ts';
import type { ReportModel } from '../../src/report/model.ts';
import { CACHE, needs, tool } from '../support/tools.ts';
import { exampleInput } from './example.ts';

const SCREENS = join(CACHE, 'screens');
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

/** The same report with a difference found. */
const different = (model: ReportModel): ReportModel => ({
  ...model,
  verdict: 'different',
  verify: {
    ...model.verify,
    inputs: model.verify.inputs.map((input, index) => (index === 1 ? { ...input, verdict: 'different' } : input)),
    differences: [
      {
        input: 'other.txt',
        what: 'register a0 at syscall 412 (write)',
        expected: '0x1',
        found: '0x2',
        pc: '0x1040c',
        symbol: 'mix_block+0x10',
        superblock: '0x10400',
      },
    ],
  },
});

describe.runIf(needs('the report in a browser', 'chromium'))('the page in a browser', { timeout: 60_000 }, () => {
  let browser: Browser;
  const fileOf = (name: string) => join(SCREENS, `${name}.html`);

  beforeAll(async () => {
    mkdirSync(SCREENS, { recursive: true });
    const model = buildReport(exampleInput());
    for (const [name, data] of Object.entries({ example: model, different: different(model) }))
      writeFileSync(fileOf(name), renderHtml(data));
    browser = await chromium.launch({
      executablePath: tool('chromium'),
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  }, 60_000);
  afterAll(() => browser?.close());

  interface View {
    readonly name: string;
    readonly file: string;
    readonly viewport: { readonly width: number; readonly height: number };
    readonly colorScheme: 'light' | 'dark';
    readonly script?: boolean;
    /** Takes a picture of all of the page too (slow). */
    readonly whole?: boolean;
  }

  /** Opens a view, collects what goes wrong, takes pictures. */
  async function open(view: View, check: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext({
      viewport: view.viewport,
      colorScheme: view.colorScheme,
      javaScriptEnabled: view.script ?? true,
    });
    const page = await context.newPage();
    const problems: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => requests.push(request.url()));
    const url = pathToFileURL(fileOf(view.file)).href;
    await page.goto(url);
    await page.screenshot({ path: join(SCREENS, `${view.name}-first.png`) });
    if (view.whole) await page.screenshot({ path: join(SCREENS, `${view.name}-whole.png`), fullPage: true });
    await check(page);
    expect(problems).toEqual([]);
    expect(requests.filter((request) => request !== url && !request.startsWith('data:'))).toEqual([]);
    await context.close();
  }

  /** The bottom of an element, below the top of the first screen. */
  const bottomOf = async (page: Page, selector: string): Promise<number> => {
    const box = await page.locator(selector).boundingBox();
    if (box === null || box.height === 0) throw new Error(`${selector} is not shown`);
    return box.y + box.height;
  };

  const views: readonly View[] = [
    { name: 'light', file: 'example', viewport: DESKTOP, colorScheme: 'light' },
    { name: 'dark', file: 'example', viewport: DESKTOP, colorScheme: 'dark', whole: true },
    { name: 'phone', file: 'example', viewport: PHONE, colorScheme: 'light', whole: true },
    { name: 'phone-dark', file: 'example', viewport: PHONE, colorScheme: 'dark' },
    { name: 'tablet', file: 'example', viewport: { width: 800, height: 1100 }, colorScheme: 'light' },
    { name: 'no-script', file: 'example', viewport: DESKTOP, colorScheme: 'light', script: false },
    { name: 'different', file: 'different', viewport: DESKTOP, colorScheme: 'light' },
    { name: 'different-phone', file: 'different', viewport: PHONE, colorScheme: 'dark' },
  ];
  it('sorts tables, filters and opens superblocks, lights up partners', () =>
    open({ name: 'used', file: 'example', viewport: DESKTOP, colorScheme: 'light' }, async (page) => {
      const names = () => page.locator('#functions tbody .name .mono:first-child').allTextContents();
      const byBefore = await names();
      await page.locator('#functions thead button', { hasText: 'Change' }).click();
      const byChange = await names();
      expect(byChange).not.toEqual(byBefore);
      expect([...byChange].sort()).toEqual([...byBefore].sort());
      expect(byChange[0]).toBe('main');

      const shown = () => page.locator('details.sb:not([hidden])').count();
      const all = await shown();
      await page.locator('.tools input').fill('HASH_BYTES');
      expect(await shown()).toBeLessThan(all);
      expect(await page.locator('details.sb:not([hidden]) .who').allTextContents()).toSatisfy((texts: string[]) =>
        texts.every((text) => text.startsWith('hash_bytes')),
      );
      await page.locator('.tools input').fill('');
      await page.locator('.tools button').click();
      expect(await page.locator('details.sb[open]').count()).toBe(all);

      await page.locator('details.sb tr[data-o]').first().hover();
      expect(await page.locator('tr.on').count()).toBe(2);
    }));

  it.each(views)(
    '$name: answers the three questions on the first screen, does not scroll sideways, asks for nothing',
    (view) =>
      open(view, async (page) => {
        for (const selector of ['#verdict', '#better', '#cost'])
          expect(await bottomOf(page, selector), selector).toBeLessThanOrEqual(view.viewport.height);
        expect(await page.locator('#verdict .big').textContent()).toBe(
          view.file === 'example' ? 'Equivalent' : 'Different',
        );
        if (view.script !== false) {
          const { scrollWidth, clientWidth } = await page.evaluate<{ scrollWidth: number; clientWidth: number }>(
            `({scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth})`,
          );
          expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
        }
      }),
  );
});
