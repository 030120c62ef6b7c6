/** How often it was right, by trade and by row. Trades still open are counted apart. */
import { defineBacktestMetric } from './metric.ts';

export const trades = defineBacktestMetric({
  name: 'trades',
  title: 'Trades',
  docs: 'Ended trades: from flat or a change of sign to flat; adds and cuts belong to one.',
  direction: 'none',
  format: 'count',
  source: 'definition',
  value: ({ endedPnls }) => endedPnls.length,
});

export const openTrades = defineBacktestMetric({
  name: 'openTrades',
  title: 'Open trades',
  docs: 'Trades that had not ended; valued in equity, counted in no figure of trades.',
  direction: 'none',
  format: 'count',
  source: 'definition',
  value: ({ run, endedPnls }) => run.trades.length - endedPnls.length,
});

export const winRate = defineBacktestMetric({
  name: 'winRate',
  title: 'Win rate',
  docs: 'Share of ended trades that won after costs; one that won nothing is no win. Null without trades.',
  direction: 'higher',
  format: 'percent',
  source: 'definition',
  value: ({ endedPnls }) => endedPnls.filter((pnl) => pnl > 0).length / endedPnls.length,
});

export const barHitRate = defineBacktestMetric({
  name: 'barHitRate',
  title: 'Share of rising rows',
  docs: 'Rows with a positive return / rows with any return but 0. Null where none has one.',
  direction: 'higher',
  format: 'percent',
  source: 'definition; quantstats calls it win_rate',
  value: ({ moments }) => moments.above / moments.moved,
});

export const profitFactor = defineBacktestMetric({
  name: 'profitFactor',
  title: 'Profit factor',
  docs: 'What winning trades won / what losing trades lost, after costs. Null without a losing trade.',
  direction: 'higher',
  format: 'number',
  source: 'definition',
  value: ({ endedPnls }) => {
    let won = 0;
    let lost = 0;
    for (const pnl of endedPnls) {
      if (pnl > 0) won += pnl;
      else lost -= pnl;
    }
    return lost > 0 ? won / lost : NaN;
  },
});
