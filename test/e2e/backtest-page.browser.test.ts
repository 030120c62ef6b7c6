/** The report of a backtest in a real browser: wide and on a phone, nothing cut off, no label on another one. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser } from 'playwright-core';
import { backtestRules, evaluateBacktest } from '../../core/backtest/index.ts';
import { renderBacktest, renderComparison } from '../../core/backtest/report/index.ts';
import { nasdaq, sp500 } from '../support/example-bars.ts';
import { backtestOf, newest, reportOf } from '../core/backtest/report-scene.ts';
import { barsOf, mixedScene, seriesOf } from '../core/backtest/scene.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? false : `no browser at ${CHROMIUM}`;
/** Where screenshots go, for whoever wants to look. */
const screenshots = process.env['RATCHET_TEST_SCREENSHOTS'];

const long = 'a-strategy-with-a-name-that-is-longer-than-any-legend-has-room-for';
const both = [sp500(), nasdaq()];

const pages: Record<string, () => string> = {
  'two indices': () => {
    const beside = ['rsi', 'bollinger', 'sma-cross', 'buy-and-hold'].map((kind, i) => ({
      name: i === 2 ? long : kind,
      result: backtestOf(kind, both),
    }));
    const result = backtestOf('macd', both, { allowShort: true, stops: { trailing: 0.05 } });
    const models = [{ version: `${long} v1`, from: 0, to: 1e12, trainedThrough: -1 }];
    return renderBacktest(
      reportOf(result, both, { strategyName: 'macd', beside, origin: { models } }),
    );
  },
  'daily and hourly together': () => {
    const series = mixedScene(3);
    const result = evaluateBacktest(series, backtestRules({ allowShort: true }), { paths: 50 });
    return renderBacktest(
      reportOf(
        result,
        series.map(({ bars }) => bars),
      ),
    );
  },
  'one day': () => {
    const bars = barsOf([[100, 100, 100, 100]]);
    const result = evaluateBacktest([seriesOf([[100, 100, 100, 100]], [1])], backtestRules());
    return renderBacktest(reportOf(result, [bars]));
  },
  comparison: () =>
    renderComparison('Side by side', [
      { name: long, result: backtestOf('macd', both) },
      { name: 'short', result: backtestOf('rsi', [newest(sp500(), 900)], { allowShort: true }) },
    ]),
};

/** Labels of a drawing that stick out of it, or that lie on one another. */
const BAD_LABELS = `[...document.querySelectorAll('svg')].flatMap((svg) => {
  const name = svg.getAttribute('aria-label');
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map((text) => ({
    said: text.textContent, box: text.getBoundingClientRect(),
  }));
  const cut = texts.filter(({ box }) =>
    box.left < frame.left - 1 || box.right > frame.right + 1 ||
    box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 &&
    a.top < b.bottom - 3 && b.top < a.bottom - 3;
  const over = texts.flatMap((a, i) =>
    texts.slice(i + 1).filter((b) => meet(a.box, b.box)).map((b) => a.said + ' on ' + b.said));
  return [...cut.map(({ said }) => name + ': ' + said + ' is cut'), ...over.map((o) => name + ': ' + o)];
})`;

describe('the report of a backtest in a browser', { skip }, () => {
  let browser: Browser;
  before(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  });
  after(() => browser?.close());

  it('sees labels that are cut or covered', async () => {
    const page = await browser.newPage();
    const label = (x: number, said: string): string => `<text x="${x}" y="20">${said}</text>`;
    const drawing = [label(10, 'one'), label(15, 'two'), label(95, 'three')].join('');
    await page.setContent(`<svg width="100" height="40" aria-label="bad">${drawing}</svg>`);
    assert.deepEqual(await page.evaluate(BAD_LABELS), ['bad: three is cut', 'bad: one on two']);
    await page.close();
  });

  for (const [name, make] of Object.entries(pages)) {
    it(`${name}: fits, no label is cut or covered, nothing is asked for`, async () => {
      const page = await browser.newPage();
      const trouble: string[] = [];
      page.on('request', (request) => trouble.push(request.url()));
      page.on('console', (message) => trouble.push(message.text()));
      page.on('pageerror', (error) => trouble.push(error.message));
      await page.setContent(make());
      for (const [kind, width] of [
        ['wide', 1280],
        ['phone', 390],
      ] as const) {
        await page.setViewportSize({ width, height: 844 });
        const wider = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
        assert.equal(wider, false, `${kind}: nothing is cut off at the right`);
        assert.deepEqual(await page.evaluate(BAD_LABELS), [], kind);
        if (screenshots !== undefined) {
          mkdirSync(screenshots, { recursive: true });
          const file = `backtest-${name.replaceAll(' ', '-')}-${kind}.png`;
          await page.screenshot({ path: join(screenshots, file), fullPage: true });
        }
      }
      assert.deepEqual(trouble, []);
      await page.close();
    });
  }
});
