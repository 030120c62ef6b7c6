import { createRoute, z } from '@hono/zod-openapi';
import { MIN_INDEPENDENT } from '../../core/metrics/comparison.ts';
import { isTradable } from '../../core/outcomes/trading-cost.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import {
  leftOutOfPerformance,
  performance,
  type PerformanceRow,
} from '../../registry/performance.ts';
import { settledAsOf } from '../../registry/lifecycle-state.ts';
import { HTTP } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import {
  instant,
  instrumentId,
  iso,
  jsonAnswer,
  modelParam,
  predictionRole,
  versionNumber,
} from '../schemas.ts';
import { secured, type App } from '../secure.ts';

const share = z.number().nullable();
const performanceSchema = z
  .object({
    version: z.int(),
    instrument: z.string(),
    horizon: z.int().describe('Bars.'),
    n: z.int().describe('Settled decisions; of several answers to one the first counts.'),
    independent: z.number().describe('n / horizon: neighbouring outcomes overlap.'),
    from: z.string().describe('First decision.'),
    to: z.string().describe('Last decision.'),
    mse: z.number().describe('Label units squared.'),
    rmse: z.number(),
    naiveMse: z.number().describe('Of the naive baseline, "nothing changes", on the same rows.'),
    skillVsNaive: share.describe('1 - mse / naiveMse; null where nothing moved.'),
    scaledLoss: share.describe('Mean of error^2 / variance of the training labels.'),
    directionAccuracy3: z.number().describe('Up, down and neutral (within +-0.5 %).'),
    moved: z.int().describe('Decisions after which the price moved more than 0.5 %.'),
    directionAccuracy2: share.describe('Share of them whose sign was forecast.'),
    alwaysUp: share.describe('Share of them that rose.'),
    intervals: z.int().describe('Answers with an 80 % interval.'),
    coverage80: share.describe('Share of them that held what happened; 0.8 is right.'),
    positions: z.int().describe('Decisions that were not neutral: 1 long or 1 short each.'),
    costBpsPerSide: share.describe('Fee and slippage of entry and exit each, basis points.'),
    hypothetical: z.boolean().describe('The instrument itself cannot be traded.'),
    meanSignalReturn: z
      .number()
      .describe('After costs, from the last close to the close of the target bar, per decision.'),
    totalSignalReturn: z
      .number()
      .describe('Their sum / horizon, as if a share of 1 / horizon were put on each decision.'),
    revised: z.int().describe('Outcomes that a revised bar changed.'),
    note: z.string().nullable().describe('How far the figures can be trusted.'),
  })
  .openapi('Performance');

const leftOutSchema = z
  .object({
    version: z.int(),
    inSample: z.int().describe('Decisions on bars that the version had learnt from.'),
    callersBars: z.int().describe('Computed from bars that the caller brought.'),
    fallback: z.int().describe('Answered by the declared fallback.'),
    repeated: z.int().describe('Answered again by the version from the same last bar.'),
    unknown: z.int().describe('Horizons whose bar was waited for in vain.'),
  })
  .openapi('LeftOutOfPerformance');

const view = ({ costOfSide, ...row }: PerformanceRow): z.infer<typeof performanceSchema> => ({
  ...row,
  from: row.from.toISOString(),
  to: row.to.toISOString(),
  // Averages of one constant: what is beyond the sixth digit is rounding.
  costBpsPerSide: costOfSide === null ? null : Number((costOfSide * 10_000).toFixed(6)),
  hypothetical: !isTradable(row.instrument),
  note:
    row.independent >= MIN_INDEPENDENT
      ? null
      : `${row.independent.toFixed(1)} independent outcomes, fewer than ${MIN_INDEPENDENT}: this says nothing yet`,
});

/** What settled predictions were worth: error against naive, direction, intervals, return of the signal. */
export function performanceRoutes(app: App, parts: ApiParts): void {
  const read = createRoute({
    method: 'get',
    path: '/api/v1/ml-models/{name}/performance',
    tags: ['models'],
    summary: 'What its predictions were worth, once the bars they were for had come',
    description:
      'By version (newest first), instrument and horizon. Only decisions later than everything the version learnt ' +
      'from, answered by the version itself from stored bars; what that leaves out is counted in `leftOut`.',
    request: {
      params: modelParam,
      query: z.object({
        version: z.coerce.number().pipe(versionNumber).optional(),
        instrument: instrumentId.optional(),
        role: predictionRole.optional().describe('Default: all, shadows too.'),
        from: instant.optional().describe('Decisions from this market time on.'),
        to: instant.optional().describe('Decisions before this market time.'),
      }),
    },
    responses: {
      [HTTP.ok]: jsonAnswer(
        z.object({
          model: z.string(),
          settledAsOf: z.string().nullable().describe('Market time up to which it is settled.'),
          items: z.array(performanceSchema),
          leftOut: z.array(leftOutSchema).describe('Settled horizons without a part in `items`.'),
        }),
        'The figures',
      ),
    },
  });
  app.openapi(secured(parts.auth, read), async (c) => {
    const { name } = c.req.valid('param');
    await getModelOrThrow(parts.db, name);
    const { from, to, ...rest } = c.req.valid('query');
    const query = {
      ...rest,
      model: name,
      from: from === undefined ? undefined : Date.parse(from),
      to: to === undefined ? undefined : Date.parse(to),
    };
    const [rows, leftOut, asOf] = await Promise.all([
      performance(parts.db, query),
      leftOutOfPerformance(parts.db, query),
      settledAsOf(parts.db, name),
    ]);
    return c.json({ model: name, settledAsOf: iso(asOf), items: rows.map(view), leftOut }, HTTP.ok);
  });
}
