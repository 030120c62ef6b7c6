/** Rules of a backtest: when orders fill, what they cost, what may be held, what stops a position. */
import { z } from 'zod';

export const FILL_PRICES = ['nextOpen', 'nextClose'] as const;
export type FillPrice = (typeof FILL_PRICES)[number];

const DELAY_BARS_MAX = 100;
const LEVERAGE_MAX = 20;
const BPS_MAX = 1_000;

const bps = z.number().min(0).max(BPS_MAX);
const share = z.number().gt(0).lt(1);

/** Costs of one side (entry or exit), basis points of the traded value. */
export const tradingCostsSchema = z.strictObject({
  feeBps: bps.describe('Fee on the traded value, each side.'),
  slippageBps: bps.describe('How much worse than the bar the fill is, each side.'),
  halfSpreadBps: bps.default(0).describe('Half the distance of bid and ask, each side.'),
});
export type TradingCosts = z.infer<typeof tradingCostsSchema>;

export const backtestRulesSchema = z.strictObject({
  initialEquity: z.number().positive().default(10_000).describe('Quote currency.'),
  fill: z
    .strictObject({
      at: z
        .enum(FILL_PRICES)
        .default('nextOpen')
        .describe('A decision at the close of bar t fills at the open or the close of bar t + 1.'),
      delayBars: z.int().min(0).max(DELAY_BARS_MAX).default(0).describe('Bars later than that.'),
      knownWithin: z
        .number()
        .min(0)
        .max(1)
        .default(0.05)
        .describe(
          'Share of a bar after its open (or close) by which a decision that fills there must be known; one that is known later fills a bar later. 0: never before it is known.',
        ),
    })
    .prefault({}),
  costs: tradingCostsSchema
    .optional()
    .describe('Absent: of the market (24x7: 5 bp + 2 bp slippage; exchange: 0 + 2 bp).'),
  costScale: z.number().min(0).max(10).default(1).describe('Times all costs; 0: without costs.'),
  borrowBpsPerYear: z.number().min(0).default(0).describe('Of the value of shorts.'),
  financingBpsPerYear: z.number().min(0).default(0).describe('Of negative cash.'),
  allowShort: z.boolean().default(false).describe('Else a negative target counts as 0.'),
  maxLeverage: z
    .number()
    .gt(0)
    .max(LEVERAGE_MAX)
    .default(1)
    .describe('No fill takes the sum of absolute positions above this multiple of equity.'),
  maxWeight: z
    .number()
    .gt(0)
    .max(LEVERAGE_MAX)
    .default(1)
    .describe('A larger target of one instrument is cut to this share of equity.'),
  noTradeBand: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('A change of weight up to this is not traded; going flat always is.'),
  minTradeValue: z
    .number()
    .min(0)
    .default(0)
    .describe('A smaller trade (quote currency) is left out; going flat never is.'),
  rebalance: z
    .enum(['restated', 'changed'])
    .default('restated')
    .describe('restated: each target given is traded to; changed: only one unlike the last.'),
  stops: z
    .strictObject({
      stopLoss: share.optional().describe('Fraction of the average cost of what is held.'),
      trailing: share.optional().describe('Fraction below the best price of the bars before.'),
      takeProfit: z
        .number()
        .gt(0)
        .optional()
        .describe('Fraction of the average cost of what is held.'),
      emergencyScore: z
        .number()
        .gt(0)
        .max(1)
        .nullable()
        .default(null)
        .describe(
          'A score of a bar at or above this (.8 is what live answers call an emergency) ends a long at the next open and keeps longs out until a bar below it. null: off.',
        ),
      reentry: z
        .enum(['changedTarget', 'changedSide'])
        .default('changedTarget')
        .describe('What ends the pause after a stop: any other target, or one of another sign.'),
    })
    .prefault({}),
});

/** Rules with their defaults filled in. */
export type BacktestRules = z.infer<typeof backtestRulesSchema>;
/** Rules as people write them. */
export type BacktestRulesInput = z.input<typeof backtestRulesSchema>;

/** Rules with defaults; throws zod's error on what is out of range or unknown. */
export const backtestRules = (given: BacktestRulesInput = {}): BacktestRules =>
  backtestRulesSchema.parse(given);
