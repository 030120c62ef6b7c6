/** Columns of a macro series from the join to a served window: bit for bit, and refused when they are too old. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { joinSeries, sliceBars, type Bars, type SeriesPoint } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { featureSetOf } from '../../core/features/index.ts';
import { prepareUnit } from '../../core/features/prepare.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { windowFromBars } from '../../core/predict/index.ts';
import { sp500 } from '../support/example-bars.ts';
import { fitContext } from '../support/fit-context.ts';
import { seeded } from '../support/made-bars.ts';
import { openPackagingFixture, type PackagingFixture } from '../support/packaging-fixture.ts';
import { testSpec } from '../support/registry-facts.ts';

const calendar = calendarFor('nyse');
const DAY_MS = 86_400_000;
let fixture: PackagingFixture;
before(async () => {
  fixture = await openPackagingFixture();
});
after(() => fixture.close());

/** A monthly value, published on the 12th of the month after at 12:30 UTC and revised a month later. */
function monthly(from: number, to: number): SeriesPoint[] {
  const random = seeded(5);
  const points: SeriesPoint[] = [];
  const first = new Date(from).getUTCFullYear();
  for (let year = first; year <= new Date(to).getUTCFullYear(); year++) {
    for (let month = 0; month < 12; month++) {
      const value = random();
      const known = (later: number): number => Date.UTC(year, month + later, 12, 12, 30);
      const time = Date.UTC(year, month, 1);
      points.push({ time, knownAt: known(1), value });
      points.push({ time, knownAt: known(2) - 1, value: value + 0.1 });
    }
  }
  return points;
}

function withSeries(bars: Bars, points: readonly SeriesPoint[]): Bars {
  const merged = { bars, deliveredBy: [] };
  const columns = [{ name: 'cpi', quantity: 'cpi', join: 'last' as const }];
  const series = [{ name: 'macro', columns, points: { cpi: points } }];
  return joinSeries(merged, series, calendar).bars;
}

test('a window of stored bars has the bits of training, and a source that fell silent is named', async () => {
  const plain = sp500();
  const points = monthly(plain.openTime[0]!, plain.openTime.at(-1)!);
  const bars = withSeries(plain, points);
  const spec = testSpec({
    data: {
      instruments: ['^GSPC'],
      sources: [{ dataset: 'sp500-daily' }, { dataset: 'macro', role: 'exogenous' }],
    },
    features: [
      { indicator: 'rsi', period: 14 },
      { indicator: 'exogenous', column: 'macro.cpi', period: 45 },
    ],
    confidence: { method: 'none' },
  });
  const { prepared } = prepareUnit(
    {
      set: featureSetOf(spec.features),
      lookback: 20,
      label: { kind: 'forwardLogReturn', horizons: [7, 14, 30] },
      split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'standard', labels: 'standard' },
      timeframe: '1d',
      calendar,
      missing: 'ffill',
    },
    [bars],
  );
  const job = { family: 'ridge', params: {}, seed: 1, prepared, multiplyByClose: false };
  const bundle = await runFitJob(job, fitContext(prepared));
  const packaged = await fixture.run(await fixture.inputOf(bundle, prepared, spec));
  const verified = await fixture.load(packaged);
  const asOf = calendar.closeTime(Date.parse('2008-10-15'), '1d');

  // Serving reads a part of the history and joins the series to that.
  const end = plain.openTime.indexOf(Date.parse('2008-10-15')) + 1;
  const part = sliceBars(plain, end - 900, end);
  const window = windowFromBars(verified, withSeries(part, points), { asOf });
  const at = prepared.openTime.indexOf(window.asOf);
  const seen = prepared.features.slice((at - 19) * 2, (at + 1) * 2);
  assert.deepEqual(window.values, seen);

  // The vendor fell silent in June: 45 bars later nothing is recent enough.
  const silent = points.filter(({ knownAt }) => knownAt < asOf - 120 * DAY_MS);
  assert.throws(() => windowFromBars(verified, withSeries(part, silent), { asOf }), {
    code: 'predict.stale-source',
    message: /macro\.cpi has no value that is recent enough/,
  });
});
