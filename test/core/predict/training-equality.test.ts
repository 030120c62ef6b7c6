import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Bars, Timeframe } from '../../../core/bars/bars.ts';
import { mapColumns, takeBars } from '../../../core/bars/build.ts';
import { MISSING_POLICIES, type MissingPolicy } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { type FeatureDeclaration, featureSetOf } from '../../../core/features/index.ts';
import { ANCHOR_BARS } from '../../../core/indicators/index.ts';
import { type PreparePlan, prepareUnit } from '../../../core/features/prepare.ts';
import type { VerifiedPackage } from '../../../core/packages/verify.ts';
import { windowFromBars } from '../../../core/predict/index.ts';
import { seeded, walkBars } from '../../support/made-bars.ts';
import { HORIZONS, LOOKBACK } from '../../support/model-package.ts';
import { openMade, releaseAll } from '../../support/opened-package.ts';

after(releaseAll);
const { verified } = await openMade();
const WINDOWS = 150;

/** Sets of the catalogue in their units, and columns that a spec declares: lags, windows, other units. */
const DECLARATIONS: readonly FeatureDeclaration[] = [
  { set: 'technical-152' },
  { set: 'crypto-46', levels: 'relative' },
  { set: 'daily-22', levels: 'raw' },
  {
    columns: [
      { indicator: 'rsi', period: 14, lags: [0, 1, 5] },
      { indicator: 'ema', period: 50, overClose: true },
      { indicator: 'logReturn', rolling: { statistic: 'zScore', period: 30 } },
      { indicator: 'macd', rolling: { statistic: 'max', period: 10 }, lags: [2] },
    ],
  },
];

/** Bars of which 3 % are missing, in runs of up to four. */
function holed(timeframe: Timeframe): Bars {
  const bars = walkBars(3000, { seed: 5, timeframe, instrument: '^GSPC' });
  const random = seeded(11);
  const keep: number[] = [];
  for (let row = 0; row < 3000; row++) {
    if (row > 0 && random() < 0.012) row += Math.floor(random() * 4);
    else keep.push(row);
  }
  return takeBars(bars, keep);
}

function packageOf(
  declaration: FeatureDeclaration,
  bars: Pick<PreparePlan, 'timeframe' | 'missing' | 'calendar'>,
) {
  const { name, hash, names } = featureSetOf(declaration);
  const { timeframe, missing, calendar } = bars;
  const manifest = {
    ...verified.manifest,
    featureSet: name,
    featureHash: hash,
    ...('columns' in declaration && { featureColumns: declaration.columns }),
  };
  const preprocessing = {
    ...verified.preprocessing,
    ...{ calendar: calendar.name, timeframe, missing },
    featureSet: name,
    featureNames: names,
  };
  return { ...verified, manifest, preprocessing } as VerifiedPackage;
}

/** What a model would see if everything after `time` had come otherwise. */
const withOtherFuture = (bars: Bars, time: number): Bars =>
  mapColumns(bars, (column) => column.map((x, i) => (bars.openTime[i]! > time ? x * 3 + 1 : x)));

/** Every window of `recorded` as serving makes it, against the rows that training saw. */
function compareWindows(declaration: FeatureDeclaration, recorded: Bars, missing: MissingPolicy) {
  const { timeframe } = recorded;
  const calendar = calendarFor(timeframe === '1d' ? 'nyse' : '24x7');
  const set = featureSetOf(declaration);
  const plan: PreparePlan = {
    set,
    lookback: LOOKBACK,
    label: { kind: 'forwardLogReturn', horizons: HORIZONS },
    split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
    scaling: { features: 'minmax', labels: 'minmax' },
    ...{ timeframe, calendar, missing },
  };
  const pkg = packageOf(declaration, plan);
  const { prepared } = prepareUnit(plan, [recorded]);
  const width = set.names.length;
  const { train, valid, test: tested } = prepared.split;
  const ends = [...train, ...valid, ...tested].filter((end) => end > 1900);
  const step = Math.ceil(ends.length / WINDOWS);
  for (let i = 0; i < ends.length; i += step) {
    const end = ends[i]!;
    const time = prepared.openTime[end]!;
    const asOf = calendar.closeTime(time, timeframe);
    // One anchor more, as serving keeps them for series with holes.
    const needed = set.barsNeeded(time, LOOKBACK, calendar, timeframe) + ANCHOR_BARS;
    const at = recorded.openTime.indexOf(time);
    const served = takeBars(
      withOtherFuture(recorded, time),
      Array.from({ length: needed + 5 }, (_, k) => at - needed - 4 + k).concat(at + 1),
    );
    const window = windowFromBars(pkg, served, { asOf });
    const seen = prepared.features.subarray((end - LOOKBACK + 1) * width, (end + 1) * width);
    const differs = seen.findIndex((value, k) => !Object.is(value, window.values[k]));
    assert.equal(differs, -1, `row ${end}: ${set.names[differs % width]}`);
    assert.equal(window.asOf, time);
    assert.equal(window.lastClose, prepared.close[end]);
  }
}

for (const timeframe of ['1d', '1h'] as const) {
  const recorded = holed(timeframe);
  for (const declaration of DECLARATIONS) {
    const { name } = featureSetOf(declaration);
    for (const missing of MISSING_POLICIES) {
      test(`${name}, ${timeframe}, ${missing}: a window as of the past is the one that training saw, bit for bit`, () => {
        compareWindows(declaration, recorded, missing);
      });
    }
  }
}
