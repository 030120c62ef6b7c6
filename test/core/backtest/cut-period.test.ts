/** Periods of backtests that reach beyond the bars. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backtestText,
  cutPeriodWarnings,
  renderBacktest,
} from '../../../core/backtest/report/index.ts';
import { sliceBars, type Bars } from '../../../core/bars/index.ts';
import { sp500 } from '../../support/example-bars.ts';
import { backtestOf, reportOf } from './report-scene.ts';
import { daily } from './scene.ts';

/** To 2018-12-31, a Monday. */
const all = sp500();
const rows = all.openTime.length;
const short = { ...sliceBars(all, 0, rows - 5), instrument: '^IXIC' };
const young = { ...sliceBars(all, rows - 600, rows), instrument: 'YOUNG' };
const other = { ...all, instrument: 'OTHER' };
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const warned = (from: string, to: string | undefined, ...bars: readonly Bars[]) =>
  cutPeriodWarnings(
    { from, to },
    bars.map((one) => ({ bars: one, calendar: daily })),
  );

test('a period within the bars is told nowhere, nor one that ends with them or on a holiday behind', () => {
  for (const to of ['2018-06-29', '2018-12-31', '2019-01-01', undefined]) {
    assert.deepEqual(warned('2015-01-01', to, all, other), [], to);
  }
  assert.deepEqual(warned('2018-12-22', '2018-12-23', all), [], 'none at all is told elsewhere');
});

test('what has bars of a longer period is said once for those of which it is the same', () => {
  assert.deepEqual(warned('2015-01-01', '2020-12-31', all, other), [
    'The period asked for is 2015-01-01 to 2020-12-31; of ^GSPC and OTHER there are bars from 2015-01-02 to 2018-12-31 only, and the figures know no others.',
  ]);
  const [first, second, third, ...more] = warned('2015-01-01', '9999-12-31', all, short, young);
  assert.deepEqual(more, []);
  assert.match(first!, /\^GSPC .* 2015-01-02 to 2018-12-31 only/);
  assert.match(second!, /\^IXIC .* 2015-01-02 to 2018-12-21 only/);
  const born = day(young.openTime[0]!);
  assert.match(third!, new RegExp(`YOUNG .* ${born} to 2018-12-31 only`));
  const [late, ...none] = warned('2015-01-01', undefined, all, young);
  assert.deepEqual(none, []);
  assert.match(late!, /from 2015-01-01 on; of YOUNG there/);
});

test('a report says it first, on its page and in a terminal', () => {
  const bars = sliceBars(all, rows - 600, rows);
  const warnings = warned('2017-01-03', '2020-12-31', bars);
  const input = reportOf(backtestOf('sma-cross', [bars]), [bars], { origin: { warnings } });
  assert.ok(backtestText(input).some((line) => line === `- ${warnings[0]}`));
  const page = renderBacktest(input);
  assert.ok(page.indexOf('Read this first') < page.indexOf(warnings[0]!.slice(0, 40)));
});
