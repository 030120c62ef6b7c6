import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openEpisode } from '../../../../core/backtest/episode.ts';
import { samplesOf, type Prepared } from '../../../../core/features/prepared.ts';
import type { EpisodeBars } from '../../../../core/models/market.ts';
import type { FitSummary } from '../../../../core/models/model.ts';
import { implementation } from '../../../../core/models/policy-gradient.impl.ts';
import { policyGradientParams } from '../../../../core/models/policy-gradient.ts';
import { piecesOf } from '../../../../core/models/policy/pieces.ts';
import { fitContext } from '../../../support/fit-context.ts';
import { withMarket } from '../../../support/planted-market.ts';
import { plantedPrepared } from '../../../support/planted-prepared.ts';

const planted = withMarket(
  plantedPrepared({ rows: 500, features: 2, lookback: 1, horizons: [1], labelKind: 'threeClass' }),
);

/** The bars of each episode by their rows, and how many decisions each has. */
function episodesOf(prepared: Prepared, rows: readonly number[], decisionsMax = 1000) {
  const seen: EpisodeBars[] = [];
  const pieces = piecesOf(samplesOf(prepared, Int32Array.from(rows)), {
    scaler: prepared.scalers.features,
    rules: policyGradientParams.parse({}).market,
    decisionsMax,
    openEpisode: (bars, rules) => {
      seen.push(bars);
      return openEpisode(bars, rules);
    },
  });
  return pieces.map(({ decisions }, i) => {
    const bars = [...seen[i]!.openTime].map((time) => prepared.openTime.indexOf(time));
    return { instrument: seen[i]!.instrument, decisions, bars };
  });
}

describe('episodes', () => {
  test('are runs of samples at consecutive bars, each with the bar after its last', () => {
    assert.deepEqual(episodesOf(planted, [20, 21, 22, 30, 31]), [
      { instrument: 'PLANTED', decisions: 3, bars: [20, 21, 22, 23] },
      { instrument: 'PLANTED', decisions: 2, bars: [30, 31, 32] },
    ]);
  });

  test('pass over a bar that was not recorded, and end with the data', () => {
    const open = planted.open!.slice();
    open[22] = NaN;
    const holed = { ...planted, open };
    assert.deepEqual(
      episodesOf(holed, [21, 23, 498, 499]).map(({ bars }) => bars),
      [
        [21, 23, 24],
        [498, 499],
      ],
    );
    assert.throws(() => episodesOf(planted, [499]), { code: 'training.no-samples' });
  });

  test('long ones are cut into equal parts that decide at every bar once', () => {
    const rows = Array.from({ length: 100 }, (_, i) => 50 + i);
    const cut = episodesOf(planted, rows, 30);
    assert.deepEqual(
      cut.map(({ decisions }) => decisions),
      [25, 25, 25, 25],
    );
    assert.deepEqual(
      cut.flatMap(({ bars }) => bars.slice(0, -1)),
      rows,
    );
  });

  test('never cross from one instrument of a pool to the next', () => {
    const instruments = [
      { id: 'A', from: 0, to: 250 },
      { id: 'B', from: 250, to: 500 },
    ];
    const found = episodesOf({ ...planted, instruments }, [247, 248, 249, 250, 251]);
    assert.deepEqual(found, [
      { instrument: 'A', decisions: 2, bars: [247, 248, 249] },
      { instrument: 'B', decisions: 2, bars: [250, 251, 252] },
    ]);
  });

  test('data without a market, which other families are content with, are refused', () => {
    const { open: _open, ...rest } = planted;
    assert.throws(() => episodesOf(rest, [20, 21]), { code: 'training.no-market' });
  });
});

describe('what an agent looks at', () => {
  const params = policyGradientParams.parse({ rollouts: 2, epochs: 6, episodeBars: 100 });
  const { train, valid } = planted.split;

  async function fitted(prepared: Prepared): Promise<FitSummary> {
    const [rows, others] = [samplesOf(prepared, train), samplesOf(prepared, valid)];
    return (await implementation.fit(params, rows, others, fitContext(prepared))).summary;
  }

  /** Other prices and features from a row on. */
  function changedFrom(row: number): Prepared {
    const other = (column: Float64Array, from: number): Float64Array =>
      column.map((value, at) => (at < from ? value : value * (1.1 + 0.05 * Math.sin(at))));
    return {
      ...planted,
      open: other(planted.open!, row),
      close: other(planted.close, row),
      features: other(planted.features, row * planted.featureNames.length),
    };
  }

  const losses = ({ history }: FitSummary): readonly number[] => history.map(({ loss }) => loss);

  test('nothing after the bar in which the last validation decision fills', async () => {
    const end = valid.at(-1)! + 1;
    const before = await fitted(planted);
    const after = await fitted(changedFrom(end + 1));
    assert.equal(after.weightsDigest, before.weightsDigest);
    assert.deepEqual(after.history, before.history);
    assert.notDeepEqual((await fitted(changedFrom(end))).history, before.history);
  });

  test('while it trains, nothing after the bar in which the last training decision fills', async () => {
    const end = train.at(-1)! + 1;
    assert.ok(end < valid[0]!, 'a bar inside the purged gap');
    const before = losses(await fitted(planted));
    assert.deepEqual(losses(await fitted(changedFrom(end + 1))), before);
    assert.notDeepEqual(losses(await fitted(changedFrom(end))), before);
  });
});
