import type { NamedDataset } from '../activities/deps.ts';
import { barsFromRows, sliceBars, type Bars } from '../core/bars/index.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { ANCHOR_BARS } from '../core/indicators/index.ts';
import type { ExperimentSpec } from '../core/spec/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import { HEURISTIC_BARS } from '../core/signals/index.ts';
import { getModelOrThrow } from '../registry/models.ts';
import { ApiError } from './errors.ts';
import { templateOf } from './model-template.ts';
import type { ApiParts } from './parts.ts';
import { onlyInstrumentOrThrow } from './prediction-input.ts';
import { registryBars } from './serving/registry-bars.ts';
import type { PredictRequest } from './serving/serving.ts';

export interface CalendarBars {
  readonly bars: Bars;
  readonly calendar: string;
}

/**
 * The bars that the request is about: the caller's, those that the model reads, or those its template names (`template`,
 * where it was read before).
 */
export async function barsOf(
  parts: ApiParts,
  { model, version, input }: PredictRequest,
  prediction: PredictionAnswer | null,
  template?: Template,
): Promise<CalendarBars> {
  if (input.kind === 'window') {
    throw new ApiError(
      'conflict',
      'signal.window',
      'No model can answer, and what answers in its place reads bars, not features. Send bars, or an instrument.',
    );
  }
  const asOf = asOfOf(input);
  if (prediction !== null && input.kind === 'instrument') {
    const { pkg } = await parts.serving.describe(model, version);
    const bars = await parts.serving.bars(model, version, prediction.instrument, asOf);
    return {
      bars: closedBars(bars, pkg.preprocessing.calendar, asOf ?? parts.clock()),
      calendar: pkg.preprocessing.calendar,
    };
  }
  const named = template ?? (await templateOrThrow(parts, model));
  const instrument = prediction?.instrument ?? input.instrument;
  return barsOfTemplate(parts, named, { model, input: { ...input, instrument } }, HEURISTIC_BARS);
}

/**
 * The caller's bars, or the newest that the model's template names: those that move what is computed with a memory of
 * `memoryBars`. Throws `predict.instrument` where none is named and there are several.
 */
export async function barsOfTemplate(
  parts: ApiParts,
  template: Template,
  { model, input }: { readonly model: string; readonly input: BarsInput },
  memoryBars: number,
): Promise<CalendarBars> {
  const { spec, calendar } = template;
  if (input.kind === 'bars') {
    const instrument = input.instrument ?? onlyOf(template, model);
    return { bars: barsFromRows(instrument, spec.data.timeframe, input.rows), calendar };
  }
  const last = memoryBars + 2 * ANCHOR_BARS;
  const question = { model, instrument: input.instrument, last, asOf: asOfOf(input) };
  return newestBars(parts, template, question);
}

/** A window has features and no bars. */
export type BarsInput = Exclude<PredictRequest['input'], { kind: 'window' }>;

const asOfOf = (input: BarsInput): number | undefined => ('asOf' in input ? input.asOf : undefined);

/** A spec that says which bars a model reads, and the calendar of their dataset. */
export interface Template {
  readonly spec: ExperimentSpec;
  readonly calendar: string;
}

/** undefined: the model has none, or the operator took its dataset away. */
export async function readTemplate(parts: ApiParts, model: string): Promise<Template | undefined> {
  const spec = await templateOf(parts, await getModelOrThrow(parts.db, model));
  const dataset = spec && primaryOf(parts.datasets, spec.data.sources);
  return spec && dataset && { spec, calendar: dataset.calendar };
}

async function templateOrThrow(parts: ApiParts, model: string): Promise<Template> {
  const template = await readTemplate(parts, model);
  if (template) return template;
  throw new ApiError(
    'conflict',
    'signal.no-bars',
    `${model} has neither a champion nor a template that says which bars it reads. Run an experiment (\`ratchet run\`), or set a template.`,
  );
}

/**
 * The newest `last` closed bars that a model's template names, as of now or of `asOf` (ms UTC). Throws `signal.no-bars` and
 * `predict.instrument` where none is named and there are several.
 */
export async function templateBars(parts: ApiParts, question: NewestBars): Promise<CalendarBars> {
  return newestBars(parts, await templateOrThrow(parts, question.model), question);
}

interface NewestBars {
  readonly model: string;
  readonly instrument: string | undefined;
  readonly last: number;
  readonly asOf?: number | undefined;
}

const onlyOf = ({ spec }: Pick<Template, 'spec'>, model: string): string =>
  onlyInstrumentOrThrow(
    model,
    spec.data.instruments.map(({ id }) => id),
  );

async function newestBars(
  parts: ApiParts,
  { spec, calendar }: Template,
  question: NewestBars,
): Promise<CalendarBars> {
  const { model, last, asOf } = question;
  const { timeframe, sources } = spec.data;
  const series = {
    instrument: question.instrument ?? onlyOf({ spec }, model),
    timeframe,
    sources: sources.map(({ dataset: name, role }) => ({ dataset: name, role })),
  };
  const reader = registryBars(parts.db, parts.datasets);
  const range = { last, ...(asOf === undefined ? {} : { before: asOf }) };
  const { bars } = await reader.read(series, range);
  return { bars: closedBars(bars, calendar, asOf ?? parts.clock()), calendar };
}

const primaryOf = (
  datasets: ReadonlyMap<string, NamedDataset>,
  sources: readonly { readonly dataset: string; readonly role: string }[],
): NamedDataset | undefined =>
  sources.flatMap(({ dataset, role }) =>
    role === 'primary' ? (datasets.get(dataset) ?? []) : [],
  )[0];

/** Bars that had closed by `at` (ms UTC): a forming one would change the rule's answer by the minute. */
function closedBars(bars: Bars, calendarName: string, at: number): Bars {
  const calendar = calendarFor(calendarName);
  let end = bars.openTime.length;
  while (end > 0 && calendar.closeTime(bars.openTime[end - 1]!, bars.timeframe) > at) end--;
  return sliceBars(bars, 0, end);
}
