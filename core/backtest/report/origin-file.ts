/** Where a backtest comes from as a file that people and programs read: times in ISO 8601 (UTC), indented. */
import { z } from 'zod';
import type { BacktestOrigin } from './input.ts';

/** Backtests of before wrote ms UTC. */
const time = z.union([z.number(), z.iso.datetime().transform((text) => Date.parse(text))]);

const originSchema = z.looseObject({
  models: z
    .array(
      z.looseObject({ version: z.string(), from: time, to: time, trainedThrough: time.optional() }),
    )
    .optional(),
});

const iso = (ms: number): string => new Date(ms).toISOString();

export function originText(origin: BacktestOrigin): string {
  const models = origin.models?.map((one) => ({
    ...one,
    from: iso(one.from),
    to: iso(one.to),
    ...(one.trainedThrough !== undefined && { trainedThrough: iso(one.trainedThrough) }),
  }));
  return `${JSON.stringify({ ...origin, ...(models && { models }) }, undefined, 2)}\n`;
}

/** What `originText` wrote, or a backtest of before: throws ZodError where its times are none. */
export const originOf = (text: string): BacktestOrigin =>
  originSchema.parse(JSON.parse(text)) as BacktestOrigin;
