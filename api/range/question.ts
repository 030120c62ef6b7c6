import { z } from '@hono/zod-openapi';
import { calendarFor } from '../../core/calendar/index.ts';
import { labelClasses, labelKindOrThrow } from '../../core/labels/index.ts';
import { publicationsOf } from '../../core/predict/index.ts';
import { publicationDelay } from '../../core/sources/publication.ts';
import { servableVersion } from '../../registry/champions.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { ApiError } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import type { instrumentId, versionNumber } from '../schemas.ts';
import { instant } from '../schemas.ts';
import { MAX_INSTRUMENTS, type RangePlace, parseCursor } from './cursor.ts';

export const rangeSchema = z
  .strictObject({
    from: instant.describe('Answers from the bars that open at this time or later.'),
    to: instant.optional().describe('The last bar that is answered from; default: the newest.'),
  })
  .refine(({ from, to }) => to === undefined || Date.parse(from) <= Date.parse(to), {
    path: ['to'],
    message: 'not before `from`',
  })
  .openapi('PredictRange');

/** What a range is asked of. */
export interface RangeBody {
  readonly range: z.infer<typeof rangeSchema>;
  readonly instruments?: readonly z.infer<typeof instrumentId>[] | undefined;
  readonly version?: z.infer<typeof versionNumber> | 'then' | undefined;
  readonly cursor?: string | undefined;
}

/** A question of many instants, understood: who is asked, of what, and from where on. */
export interface RangeQuestion {
  readonly model: string;
  readonly version: number | 'then';
  readonly instruments: readonly string[];
  /** ms UTC, ascending: when the bar of each session is known. */
  readonly asOf: Float64Array;
  /** The last row that the caller has; undefined: none. */
  readonly after: RangePlace | undefined;
  /** Of the version that is asked, of `then` the champion of now: columns of what is not text. */
  readonly shape: RangeShape;
}

export interface RangeShape {
  readonly horizons: readonly number[];
  /** In output order; empty of a quantity. */
  readonly classes: readonly string[];
}

/**
 * Instants come from the calendar, not from the bars there are: where a session left none, or it came late, the answer is the
 * one that could be given then, from an older bar. Throws `champion.none`, `version.unknown`, `cursor.invalid`, `range.empty`.
 */
export async function rangeQuestion(
  parts: ApiParts,
  model: string,
  { range, instruments, version, cursor }: RangeBody,
): Promise<RangeQuestion> {
  const { instruments: all } = await getModelOrThrow(parts.db, model);
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const asked = after?.version ?? version;
  const served = await parts.serving.describe(model, asked === 'then' ? undefined : asked);
  const { preprocessing, manifest } = served.pkg;
  const { timeframe, label } = preprocessing;
  const calendar = calendarFor(preprocessing.calendar);
  const servable = await servableVersion(parts.db, model, served.version);
  const delayMs = publicationDelay(parts.datasets, servable?.sources ?? []);
  const from = Date.parse(range.from);
  const to = range.to === undefined ? Infinity : Date.parse(range.to);
  const { known: asOf } = publicationsOf(
    calendar,
    timeframe,
    { from, to, now: parts.clock() },
    delayMs,
  );
  if (asOf.length === 0) {
    const message = `${calendar.name} has no ${timeframe} bar in this range that is known by now.`;
    throw new ApiError('unprocessable', 'range.empty', message);
  }
  const kind = labelKindOrThrow(label.kind);
  return {
    model,
    version: asked === 'then' ? 'then' : served.version,
    instruments: chosen(model, instruments, asked === 'then' ? all : manifest.instruments),
    asOf,
    after,
    shape: {
      horizons: label.horizons,
      classes: kind.task === 'classification' && labelClasses(kind) > 0 ? kind.classes : [],
    },
  };
}

function chosen(
  model: string,
  asked: readonly string[] | undefined,
  known: readonly string[],
): readonly string[] {
  const unknown = asked?.find((instrument) => !known.includes(instrument));
  if (unknown !== undefined) {
    const message = `${model} answers for ${known.join(', ')}, not for ${unknown}`;
    throw new ApiError('unprocessable', 'predict.unknown-instrument', message);
  }
  return (asked ?? known).slice(0, MAX_INSTRUMENTS);
}
