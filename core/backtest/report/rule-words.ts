/** The rules of a backtest in words, and what two sets of rules differ in. */
import type { BacktestRules, TradingCosts } from '../rules.ts';
import type { BacktestResult } from '../result.ts';
import { listText, money, percent } from './words.ts';

const bps = (value: number): string => `${Number(value.toPrecision(6))} bp`;

export const costText = ({ feeBps, slippageBps, halfSpreadBps }: TradingCosts): string =>
  `${bps(feeBps)} fee, ${bps(slippageBps)} slippage, ${bps(halfSpreadBps)} half spread`;

/** Costs a side, with the instruments that have them. */
export function costTexts({ instruments }: BacktestResult): readonly string[] {
  const by = new Map<string, string[]>();
  for (const { instrument, costs } of instruments) {
    const text = costText(costs);
    by.set(text, [...(by.get(text) ?? []), instrument]);
  }
  return by.size === 1
    ? [...by.keys()]
    : [...by].map(([text, names]) => `${listText(names, 6)}: ${text}`);
}

/** Each rule with what it says, in a fixed order. */
export function ruleEntries(rules: BacktestRules): readonly (readonly [string, string])[] {
  const { fill, stops } = rules;
  const share = (value: number | undefined): string =>
    value === undefined ? 'none' : percent(value);
  const delay = fill.delayBars === 0 ? '' : `, ${fill.delayBars} bars later`;
  return [
    ['Initial equity', money(rules.initialEquity)],
    ['Fills', `at the ${fill.at === 'nextOpen' ? 'open' : 'close'} of the next bar${delay}`],
    [
      'Fills before a bar is known',
      fill.knownWithin === 0 ? 'none' : `up to ${percent(fill.knownWithin)} of a bar`,
    ],
    ['Costs times', String(rules.costScale)],
    ['Borrowing of shorts', `${bps(rules.borrowBpsPerYear)} a year`],
    ['Financing of negative cash', `${bps(rules.financingBpsPerYear)} a year`],
    ['Shorts', rules.allowShort ? 'allowed' : 'not allowed'],
    ['Most leverage', `${rules.maxLeverage} times equity`],
    ['Most weight of an instrument', percent(rules.maxWeight)],
    ['Changes left out', `up to ${percent(rules.noTradeBand)} of equity`],
    ['Trades left out', rules.minTradeValue > 0 ? `below ${money(rules.minTradeValue)}` : 'none'],
    [
      'Rebalancing',
      rules.rebalance === 'restated' ? 'to every target given' : 'to changed targets only',
    ],
    ['Stop-loss', share(stops.stopLoss)],
    ['Trailing stop', share(stops.trailing)],
    ['Take profit', share(stops.takeProfit)],
    [
      'Emergency exit of longs',
      stops.emergencyScore === null ? 'none' : `at a score of ${stops.emergencyScore}`,
    ],
    [
      'After a stop',
      stops.reentry === 'changedTarget'
        ? 'waits for another target'
        : 'waits for a target of another sign',
    ],
  ];
}

/** Everything two results can differ in that is no result, by name. */
export function termEntries(result: BacktestResult): readonly (readonly [string, string])[] {
  return [
    [
      'Instruments',
      listText(
        result.instruments.map(({ instrument }) => instrument),
        8,
      ),
    ],
    ['Timeframes', [...new Set(result.instruments.map(({ timeframe }) => timeframe))].join(', ')],
    ['Costs a side', costTexts(result).join('; ')],
    ...ruleEntries(result.rules),
    ['Risk-free', `${percent(result.riskFreePerYear)} a year`],
    ['Tries', String(result.tries.count)],
  ];
}
