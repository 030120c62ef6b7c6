/** The pages of a running product in a real browser: the API's documentation and a version's report. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { REPORT_SECTIONS } from '../../core/evaluation/report/render.ts';
import { routeTable } from '../../api/route-table.ts';
import { MODEL, quickSpec } from '../support/mistake.ts';
import { productMissing, startProduct, type Product } from '../support/product.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? productMissing : `no browser at ${CHROMIUM}`;
/** Where screenshots go, for whoever wants to look. */
const screenshots = process.env['RATCHET_TEST_SCREENSHOTS'];

interface Visit {
  readonly page: Page;
  /** What a page must not do. */
  readonly foreign: string[];
  readonly errors: string[];
}

describe('pages in a browser', { skip }, () => {
  let product: Product;
  let browser: Browser;
  let context: BrowserContext;
  before(async () => {
    product = await startProduct(['postgres', 'temporal', 's3', 'workers', 'api']);
    const ended = await product.run(quickSpec);
    assert.equal(ended.status, 'completed', ended.message);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    context = await browser.newContext({ viewport: { width: 1280, height: 1600 } });
  });
  after(async () => {
    await browser?.close();
    await product.end();
  });

  /** A page that reaches nothing but its own host; what it tries beyond that is written down. */
  async function visit(): Promise<Visit> {
    const page = await context.newPage();
    const foreign: string[] = [];
    const errors: string[] = [];
    const { host } = new URL(product.url);
    await page.route('**/*', (route) => {
      const url = new URL(route.request().url());
      if (url.protocol === 'data:' || url.protocol === 'blob:' || url.host === host) {
        return route.continue();
      }
      foreign.push(url.href);
      return route.abort();
    });
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('pageerror', (error) => errors.push(error.message));
    return { page, foreign, errors };
  }

  async function shoot(page: Page, name: string): Promise<void> {
    if (screenshots === undefined) return;
    mkdirSync(screenshots, { recursive: true });
    await page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  it('lists every operation in /docs and asks one with a key', async () => {
    const { page, foreign, errors } = await visit();
    await page.goto(`${product.url}/docs`);
    await page.waitForSelector('.opblock');
    const blocks = await page.$$eval('.opblock', (all) =>
      all.map((one) => [
        one.querySelector('.opblock-summary-method')?.textContent ?? '',
        one.querySelector('.opblock-summary-path')?.textContent ?? '',
      ]),
    );
    // Swagger UI puts zero-width spaces where a path may break.
    const listed = blocks.map((words) => words.join(' ').replaceAll('\u200b', ''));
    assert.deepEqual([...listed].sort(), Object.keys(routeTable).sort());
    await shoot(page, 'docs');

    await page.click('.authorize');
    await page.fill('.modal-ux input', product.key);
    await page.click('.modal-ux button.authorize');
    await page.click('.modal-ux button.btn-done');
    const block = page.locator('.opblock', {
      has: page.locator('[data-path="/api/v1/datasets"]'),
      hasText: 'GET',
    });
    await block.locator('.opblock-summary-control').click();
    await block.locator('.try-out__btn').click();
    await block.locator('button.execute').click();
    const answered = block.locator('.live-responses-table');
    await answered.locator('.response-col_status').first().waitFor();
    assert.match((await answered.textContent()) ?? '', /200[^]*"name": "sp500-daily"/);
    await shoot(page, 'docs-asked');
    assert.deepEqual(foreign, []);
    assert.deepEqual(errors, []);
    await page.close();
  });

  it('shows every fixed section of the report of a version', async () => {
    const report = `/api/v1/ml-models/${MODEL}/versions/1/report`;
    const { status, body } = await product.request('GET', report);
    assert.equal(status, 200);
    const { page, foreign, errors } = await visit();
    await page.setContent(String(body['text']));
    const sections = await page.$$eval('section', (all) =>
      all.map((one) => ({
        id: one.id,
        title: one.querySelector('h2')?.textContent ?? '',
        length: one.textContent?.length ?? 0,
      })),
    );
    assert.deepEqual(
      sections.map(({ id, title }) => [id, title]),
      REPORT_SECTIONS.map(([id, title]) => [id, title]),
    );
    for (const { id, title, length } of sections) {
      assert.ok(length > title.length, `the section ${id} says something`);
    }
    assert.equal(await page.title(), `Evaluation of ${MODEL}`);
    assert.ok((await page.locator('figure svg').count()) > 0, 'charts are drawn');
    const wide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
    assert.equal(wide, false, 'nothing is cut off at the right');
    await shoot(page, 'report');
    await page.setViewportSize({ width: 390, height: 844 });
    const cut = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
    assert.equal(cut, false, 'nor on a phone');
    await shoot(page, 'report-phone');
    assert.deepEqual(foreign, []);
    assert.deepEqual(errors, []);
    await page.close();
  });
});
