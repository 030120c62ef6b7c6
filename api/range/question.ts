import { z } from '@hono/zod-openapi';
import { calendarFor } from '../../core/calendar/index.ts';
import { labelClasses, labelKindOrThrow } from '../../core/labels/index.ts';
import type { PublicationRange } from '../../core/predict/index.ts';
import {
  instantsOf,
  questionDigest,
  type RangeFacts,
  type RangePlace,
} from '../../core/ranges/index.ts';
import { publicationDelay } from '../../core/sources/publication.ts';
import { servableVersion } from '../../registry/champions.ts';
import { getModelOrThrow } from '../../registry/models.ts';
import { ApiError } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import type { instrumentId, versionNumber } from '../schemas.ts';
import { instant } from '../schemas.ts';
import { otherQuestion, parseCursor } from './cursor.ts';
import { checkSize } from './limits.ts';

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
  readonly facts: RangeFacts;
  /** ms UTC, ascending: when the bar of each session is known. */
  readonly asOf: Float64Array;
  /** The last row that the caller has; undefined: none. */
  readonly after: RangePlace | undefined;
}

/**
 * Instants come from the calendar, not from the bars there are: where a session left none, or it came late, the answer is the
 * one that could be given then, from an older bar. Throws `champion.none`, `version.unknown`, `cursor.invalid`,
 * `cursor.other-question`, `range.too-large`, `range.empty`.
 */
export async function rangeQuestion(
  parts: ApiParts,
  model: string,
  { range, instruments: asked, version: wanted, cursor }: RangeBody,
): Promise<RangeQuestion> {
  const { instruments: all } = await getModelOrThrow(parts.db, model);
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  if (after && wanted !== undefined && wanted !== after.version) throw otherQuestion('version');
  const version = after?.version ?? wanted;
  const isThen = version === 'then';
  const served = await parts.serving.describe(model, isThen ? undefined : version);
  const { preprocessing, manifest } = served.pkg;
  const { timeframe, label, calendar: name } = preprocessing;
  const calendar = calendarFor(name);
  const instruments = chosen(model, asked, isThen ? all : manifest.instruments);
  const times = timesOf(range, after, parts.clock());
  checkSize(calendar, timeframe, times, instruments.length);
  const servable = await servableVersion(parts.db, model, served.version);
  const delayMs = publicationDelay(parts.datasets, servable?.sources ?? []);
  const sessions = [times.from, range.to === undefined ? null : times.to, name, timeframe];
  const question = questionDigest([model, instruments, ...sessions, delayMs]);
  if (after && question !== after.question) {
    throw otherQuestion('model, range or instruments');
  }
  const kind = labelKindOrThrow(label.kind);
  const classes = kind.task === 'classification' && labelClasses(kind) > 0 ? kind.classes : [];
  const facts: RangeFacts = {
    ...{ model, instruments, question, calendar: name, timeframe, delayMs, from: times.from },
    version: isThen ? 'then' : served.version,
    knownBy: times.now,
    to: range.to === undefined ? null : times.to,
    shape: { horizons: label.horizons, classes },
  };
  const asOf = instantsOf(facts);
  if (asOf.length === 0) {
    const message = `${calendar.name} has no ${timeframe} bar in this range that is known by now.`;
    throw new ApiError('unprocessable', 'range.empty', message);
  }
  return { facts, asOf, after };
}

/** Rows of the whole range, whatever of them the caller has. */
export const rowsOf = ({ facts, asOf }: RangeQuestion): number =>
  facts.instruments.length * asOf.length;

/** Clocks of replicas differ by less. */
const CLOCKS_DIFFER_MS = 60_000;

/** A range that goes on ends where its first request saw it end. */
function timesOf(
  { from, to }: RangeBody['range'],
  after: RangePlace | undefined,
  clock: number,
): PublicationRange {
  // Beyond the difference of clocks somebody asks for what nobody can know.
  if (after && after.knownBy > clock + CLOCKS_DIFFER_MS)
    throw otherQuestion('it has yet to be asked');
  return {
    from: Date.parse(from),
    to: to === undefined ? Infinity : Date.parse(to),
    now: after?.knownBy ?? clock,
  };
}

function chosen(
  model: string,
  asked: readonly string[] | undefined,
  known: readonly string[],
): readonly string[] {
  const all = new Set(known);
  const unknown = asked?.find((instrument) => !all.has(instrument));
  if (unknown !== undefined) {
    const message = `${model} answers for ${known.join(', ')}, not for ${unknown}`;
    throw new ApiError('unprocessable', 'predict.unknown-instrument', message);
  }
  return asked ?? known;
}
