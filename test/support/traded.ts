import { openEpisode } from '../../core/backtest/episode.ts';
import { samplesOf, type Prepared } from '../../core/features/prepared.ts';
import { modelFamilyOrThrow } from '../../core/models/index.ts';
import { meanPositions } from '../../core/models/policy/policy.ts';
import { fitContext } from './fit-context.ts';

/** What following the positions of a family through the test part brings, after costs. */
export interface Traded {
  /** Of daily changes, a year of 365; 0 where nothing moved. */
  readonly sharpe: number;
  /** Log change of equity. */
  readonly growth: number;
  /** Mean absolute change of the target a bar. */
  readonly turnover: number;
}

export interface Follow {
  readonly family: string;
  readonly params?: object;
  readonly seed?: number;
  /** The position of the most probable class, or the mean position of all of them. */
  readonly by: 'likeliest' | 'mean';
}

/** Positions by test row of a fit. */
export async function positionsOf(
  prepared: Prepared,
  { family, params = {}, seed = 1, by }: Follow,
): Promise<Float64Array> {
  const { train, valid, test } = prepared.split;
  const descriptor = modelFamilyOrThrow(family);
  const { implementation } = await descriptor.load();
  const model = await implementation.fit(
    descriptor.params.parse(params),
    samplesOf(prepared, train),
    samplesOf(prepared, valid),
    fitContext(prepared, { seed }),
  );
  const samples = samplesOf(prepared, test);
  const p = await model.predict(samples);
  model.dispose();
  const { positions } = samples.market!;
  if (by === 'mean') return meanPositions(p, positions);
  return Float64Array.from(test, (_row, i) => {
    const own = p.subarray(i * positions.length, (i + 1) * positions.length);
    return positions[own.indexOf(Math.max(...own))]!;
  });
}

/** Follows target positions through the consecutive bars of the test part of one instrument. */
export function trade(prepared: Prepared, targets: Float64Array, feeBps: number): Traded {
  const { test } = prepared.split;
  const column = (values: Float64Array): Float64Array =>
    Float64Array.from(test, (row) => values[row]!);
  const play = openEpisode(
    {
      ...{ instrument: 'TRADED', timeframe: prepared.timeframe, calendar: prepared.calendar },
      openTime: column(prepared.openTime),
      open: column(prepared.open!),
      close: column(prepared.close),
    },
    {
      fill: 'nextOpen',
      costs: { feeBps, slippageBps: 0 },
      borrowBpsPerYear: 0,
      allowShort: true,
    },
  );
  const changes = play(targets);
  const growth = changes.reduce((sum, change) => sum + change, 0);
  const mean = growth / changes.length;
  const squares = changes.reduce((sum, change) => sum + (change - mean) ** 2, 0);
  const sd = Math.sqrt(squares / (changes.length - 1));
  const moved = targets.reduce((sum, x, i) => sum + Math.abs(x - (targets[i - 1] ?? 0)), 0);
  return {
    sharpe: sd > 0 ? (mean / sd) * Math.sqrt(365) : 0,
    growth,
    turnover: moved / targets.length,
  };
}
