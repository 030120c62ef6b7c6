/** What is stored of a backtest: JSON without NaN or infinities, its rules and costs in it. */
import { z } from 'zod';
import { TIMEFRAMES } from '../bars/bars.ts';
import { backtestRulesSchema, tradingCostsSchema } from './rules.ts';
import { EXIT_REASONS } from './trade.ts';

export const BACKTEST_FORMAT = 'ratchet-backtest/1';

const time = z.number().describe('ms UTC.');
const figure = z.number().nullable();
const figures = z
  .record(z.string(), figure)
  .describe('By name of the catalogue of backtest metrics; null where not defined.');

const drawdown = z.strictObject({
  depth: z.number().describe('0 or negative.'),
  peak: time.nullable().describe('Row of the peak; null: the initial equity, before any row.'),
  trough: time,
  end: time.describe('Recovery, or the last row where it is open.'),
  bars: z.int(),
  open: z.boolean(),
});

export const tradeSchema = z.strictObject({
  instrument: z.string(),
  side: z.enum(['long', 'short']),
  entryTime: time.describe('Open time of the bar of the entry.'),
  exitTime: time.describe('Of the bar of the exit; of the last bar where it is open.'),
  entryPrice: z.number().describe('Mean, slippage and spread in it.'),
  exitPrice: z.number(),
  quantity: z.number().describe('Most units held.'),
  adds: z.int(),
  cuts: z.int(),
  grossPnl: z.number().describe('At the prices of the bars.'),
  costs: z.number(),
  netPnl: z.number(),
  netReturn: z.number().describe('netPnl over the value put in.'),
  barsHeld: z.int(),
  exitReason: z.enum(EXIT_REASONS).nullable(),
  open: z.boolean(),
});

const band = z.strictObject({
  p5: z.number(),
  p25: z.number(),
  p50: z.number(),
  p75: z.number(),
  p95: z.number(),
});

const monteCarloSchema = z.strictObject({
  paths: z.int(),
  block: z.int(),
  seed: z.int(),
  tooFewBlocks: z.boolean(),
  finalEquity: band,
  maxDrawdown: band,
  sharpeByBar: band.nullable(),
  lossShare: z.number(),
});

const sensitivityPoint = z.strictObject({
  costScale: z.number(),
  delayBars: z.int(),
  totalReturn: z.number(),
  annualReturn: figure,
  sharpe: figure,
  maxDrawdown: z.number(),
  trades: z.int(),
});

export const backtestResultSchema = z.strictObject({
  format: z.literal(BACKTEST_FORMAT),
  instruments: z.array(
    z.strictObject({
      instrument: z.string(),
      timeframe: z.enum(TIMEFRAMES),
      calendar: z.string(),
      bars: z.int(),
      from: time.describe('Open time of the first bar.'),
      to: time.describe('Of the last.'),
      costs: tradingCostsSchema.describe('A side, before costScale.'),
      hypothetical: z.boolean().describe('It cannot be traded itself.'),
      lateMs: z
        .number()
        .optional()
        .describe('Longest time from a fill until what was decided on is known; absent: none.'),
      waits: z
        .int()
        .optional()
        .describe('Most bars that a decision waits until it is known; absent: none.'),
    }),
  ),
  rules: backtestRulesSchema,
  rows: z.int(),
  barsPerYear: z.number(),
  daysPerYear: z.number(),
  riskFreePerYear: z.number(),
  tries: z.strictObject({ count: z.int().min(1), sharpeSd: z.number().optional() }),
  ruined: z.boolean(),
  hypothetical: z.boolean().describe('At least one instrument cannot be traded itself.'),
  finalEquity: z.number(),
  metrics: figures.describe('After costs.'),
  withoutCosts: figures.describe(
    'Of the same targets without any costs, alpha and beta against buy-and-hold without any.',
  ),
  buyAndHold: figures.describe('Of the same instruments with the same costs at entry.'),
  sharpeInterval: z
    .strictObject({ value: figure, low: figure, high: figure, tooFewBlocks: z.boolean() })
    .describe('95 %, of the daily Sharpe ratio, by circular block bootstrap.'),
  deepestDrawdown: drawdown.nullable(),
  longestDrawdown: drawdown.nullable(),
  curve: z
    .strictObject({
      time: z.array(time),
      equity: z.array(z.number()),
      drawdown: z.array(z.number()),
      exposure: z.array(z.number()),
      costs: z.array(z.number()).describe('Paid so far, quote currency.'),
      turnover: z.array(z.number()).describe('So far; 1 is all of equity bought and sold.'),
      buyAndHold: z.array(z.number()),
    })
    .describe('Columns of equal length, a row a close.'),
  months: z.array(z.strictObject({ month: z.string(), return: z.number() })),
  trades: z.array(tradeSchema),
  monteCarlo: monteCarloSchema.nullable(),
  sensitivity: z
    .strictObject({ costs: z.array(sensitivityPoint), delays: z.array(sensitivityPoint) })
    .nullable(),
  answers: z
    .strictObject({
      asked: z.int().describe('Sessions, over all instruments.'),
      failed: z.int().describe('Of those, without an answer.'),
      inSample: z.int().describe('Of those, about bars that the model had learnt from.'),
    })
    .exactOptional()
    .describe('Of the model, where the strategy asks one.'),
  notes: z.array(z.string()),
});

export type BacktestResult = z.infer<typeof backtestResultSchema>;
