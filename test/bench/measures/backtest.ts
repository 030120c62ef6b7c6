import {
  backtestRules,
  evaluateFigures,
  type BacktestRules,
} from '../../../core/backtest/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { decide, strategySpecSchema } from '../../../core/strategies/index.ts';
import { type Measure, timedSide } from '../measure.ts';
import { hourlyBars, writeBars } from '../workload-bars.ts';

const ROWS = 100_000;
const [FAST, SLOW] = [10, 30];
const FEE_BPS = 10;
const STOP_LOSS = 0.05;
/** Of ours in a round: it is compiled while it runs, where vectorbt is before. */
const RUNS = 10;

/**
 * Indicators, signal, orders, fees, stops, trades and every figure of the catalogue, with and without costs and beside
 * buy-and-hold; without bootstrap and Monte Carlo, which the peers do not have, and without lists of the rows, which
 * theirs stay in arrays of numbers: seven lists are a quarter of the work (4.9 of 17.3 ms, garbage in it).
 */
function ours(): () => unknown {
  const bars = hourlyBars(ROWS);
  const calendar = calendarFor('24x7');
  const spec = strategySpecSchema.parse({ kind: 'sma-cross', fast: FAST, slow: SLOW });
  const rules: BacktestRules = backtestRules({
    costs: { feeBps: FEE_BPS, slippageBps: 0 },
    stops: { stopLoss: STOP_LOSS },
    rebalance: 'changed',
  });
  return () => {
    const { positions } = decide(spec, { bars, calendar });
    return evaluateFigures([{ bars, calendar, targets: positions }], rules, { resamples: 0 });
  };
}

function against(library: 'vectorbt' | 'backtesting', repeats: number) {
  return async ({ folder, peer }: Parameters<Measure['open']>[0]) => {
    writeBars(folder, hourlyBars(ROWS));
    const args = [folder, library, ...[FAST, SLOW, FEE_BPS / 1e4, STOP_LOSS, repeats].map(String)];
    return { ours: timedSide(ours(), RUNS), peers: [await peer('backtest.py', args)] };
  };
}

const shared = { unit: 'ms', better: 'lower' } as const;
const docs = `${ROWS} hourly bars, crossover of SMA ${FAST} and ${SLOW}, ${FEE_BPS} bp of fee, stop at ${100 * STOP_LOSS} %`;

export const backtest100k: Measure = {
  ...{ ...shared, name: 'backtest-100k', target: 0.3 },
  docs: `${docs}; complete metrics but intervals by bootstrap, which the peer has not, and no lists of rows; vectorbt with its stats, compiled.`,
  open: against('vectorbt', 3),
};

export const backtest100kByEvent: Measure = {
  ...{ ...shared, name: 'backtest-100k-by-event', target: 0.05 },
  docs: `${docs}; complete metrics but intervals by bootstrap, which the peer has not, and no lists of rows; backtesting.py with its stats.`,
  open: against('backtesting', 1),
};
