/** What advice a backtest took: stored between the asking and the simulation, so that a repeat reads the same. */
import { z } from 'zod';
import { AskedSizer, GivenSizer } from './asked.ts';
import { exchangeRecordSchema } from './record.ts';
import type { Sizer } from './sizer.ts';

const FORMAT = 'ratchet-backtest-advice/1';

const endpointsSchema = z.strictObject({
  by: z.literal('endpoints'),
  names: z.strictObject({ advisor: z.string(), checker: z.string() }),
  tolerancePoints: z.number(),
  /** By the text of the question. */
  answers: z.record(z.string(), z.array(exchangeRecordSchema)),
});
const historySchema = z.strictObject({
  by: z.literal('history'),
  /** By instrument: open time of the bar (ms UTC) and the size that was advised in time. */
  given: z.record(z.string(), z.array(z.tuple([z.number(), z.number()]))),
  late: z.int(),
});

export const backtestAdviceSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** By strategy; those by the rule are not among them. */
  strategies: z.record(z.string(), z.discriminatedUnion('by', [endpointsSchema, historySchema])),
});
export type BacktestAdvice = z.infer<typeof backtestAdviceSchema>;
export type StrategyAdvice = BacktestAdvice['strategies'][string];

export const backtestAdvice = (strategies: BacktestAdvice['strategies']): BacktestAdvice => ({
  format: FORMAT,
  strategies,
});

/** Who says the sizes of a strategy, by instrument. */
export function sizerOf(advice: StrategyAdvice): (instrument: string) => Sizer {
  if (advice.by === 'history') {
    return (instrument) => new GivenSizer(new Map(advice.given[instrument]));
  }
  const sizer = new AskedSizer(new Map(Object.entries(advice.answers)), advice.tolerancePoints);
  return () => sizer;
}
