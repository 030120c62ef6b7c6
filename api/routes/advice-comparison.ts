import { createRoute, z } from '@hono/zod-openapi';
import { compareHistory, backtestRules, type BacktestFigures } from '../../core/backtest/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { givenAdvice } from '../../registry/advice.ts';
import { requireModel } from '../auth.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { instrumentId, jsonAnswer, modelName } from '../schemas.ts';
import { secured, type App } from '../secure.ts';
import { templateBars } from '../signal-bars.ts';

/** Newest bars that are compared over: a request has to end soon, and figures of older advice mix other times in. */
const BARS_MAX = 10_000;

const FIGURES = ['totalReturn', 'annualReturn', 'volatility', 'sharpe', 'maxDrawdown'] as const;

const sideSchema = z
  .object({
    finalEquity: z.number(),
    figures: z
      .record(z.string(), z.number().nullable())
      .describe('After costs; docs/backtests.md has the formulas.'),
  })
  .openapi('SizedResult');

const comparisonSchema = z
  .object({
    model: z.string(),
    instrument: z.string(),
    from: z.string().describe('Open time of the first bar that was advised on in time.'),
    to: z.string(),
    bars: z.int(),
    given: z.int().describe('Bars that were advised on in time.'),
    late: z.int().describe('Advice that came too late for its bar; it counts as none.'),
    meanSize: z.number(),
    fixed: sideSchema.describe('Every position whole.'),
    sameMean: sideSchema.describe('Every position at the mean advised size.'),
    advised: sideSchema,
    notes: z.array(z.string()),
  })
  .openapi('AdviceComparison');

const side = ({ finalEquity, metrics }: BacktestFigures): z.infer<typeof sideSchema> => ({
  finalEquity,
  figures: Object.fromEntries(FIGURES.map((name) => [name, metrics[name] ?? null])),
});

/** What was advised, against a fixed size, on the bars that followed. */
export function adviceComparisonRoutes(app: App, parts: ApiParts): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/advice/comparison',
    tags: ['predict'],
    summary: 'Advised sizes against a fixed one',
    description:
      'The side of each signal that advice was asked on, held until the next one, through the backtest: whole, at the advised ' +
      'sizes, and at their mean. Advice that came too late to trade on counts as none.',
    request: {
      query: z.object({
        model: modelName,
        instrument: instrumentId
          .optional()
          .describe('May be left out where the model answers for one instrument.'),
        short: z.enum(['true', 'false']).default('false').describe('Sell short, too.'),
      }),
    },
    responses: { [HTTP.ok]: jsonAnswer(comparisonSchema, 'The comparison') },
  });
  const problems = ['conflict', 'not-found', 'unprocessable'] as const;
  app.openapi(secured(parts.auth, route, { problems }), async (c) => {
    const { model, instrument, short } = c.req.valid('query');
    requireModel(c.var.caller, model);
    const { bars, calendar } = await templateBars(parts, { model, instrument, last: BARS_MAX });
    const range = { from: bars.openTime[0] ?? 0, to: bars.openTime.at(-1) ?? 0 };
    const history = await givenAdvice(parts.db, { model, instrument: bars.instrument }, range);
    const rules = backtestRules({ allowShort: short === 'true' });
    const found = compareHistory(bars, calendarFor(calendar), history, rules);
    const { advised, fixed, sameMean, given, late, meanSize } = found;
    const [told] = advised.instruments;
    return c.json(
      {
        ...{ model, instrument: bars.instrument, given, late, meanSize },
        from: new Date(told!.from).toISOString(),
        to: new Date(told!.to).toISOString(),
        bars: told!.bars,
        ...{ fixed: side(fixed), sameMean: side(sameMean), advised: side(advised) },
        notes: advised.notes,
      },
      HTTP.ok,
    );
  });
}
