import type { NamedDataset } from '../activities/deps.ts';
import { barsFromRows, sliceBars, type Bars } from '../core/bars/index.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import {
  emergencyScore,
  HEURISTIC_BARS,
  HEURISTIC_WARMUP_BARS,
  heuristicSignal,
  recommend,
  type EmergencyScore,
  type HeuristicSignal,
  type Recommended,
} from '../core/signals/index.ts';
import { getModelOrThrow } from '../registry/models.ts';
import { ApiError } from './errors.ts';
import { emergencyOf } from './emergency.ts';
import { templateOf } from './model-template.ts';
import type { ApiParts } from './parts.ts';
import { onlyInstrumentOrThrow } from './prediction-input.ts';
import { registryBars } from './serving/registry-bars.ts';
import type { PredictRequest } from './serving/serving.ts';

/** Why the rule of thumb speaks in the model's place. */
export type HeuristicReason =
  /** Nothing serves the model. */
  | 'no-champion'
  /** The model could not answer; its declared fallback says nothing of the future. */
  | 'inference-failed'
  | 'not-finite'
  | 'implausible'
  /** It answers, and its answer has no probability: a quantity without confidence. */
  | 'no-probability';

/** How urgent it is to leave a long position; null where the request has no bars, or too few. */
interface Urgent {
  readonly emergency: EmergencyScore | null;
}

export type SignalSource =
  | (Urgent & {
      readonly source: 'model';
      readonly prediction: PredictionAnswer;
      /** By horizon, in the order of the prediction's. */
      readonly horizons: readonly (Recommended & { readonly horizon: number })[];
    })
  | (Urgent & {
      readonly source: 'heuristic';
      readonly reason: HeuristicReason;
      readonly prediction: PredictionAnswer | null;
      readonly heuristic: HeuristicSignal;
      readonly instrument: string;
      /** ISO, open time of the newest bar. */
      readonly asOf: string;
      readonly lastClose: number;
    });

/** Problems of a model that cannot answer, whoever asks: the caller's own mistakes are not among them. */
const UNUSABLE: Readonly<Record<string, HeuristicReason>> = {
  'champion.none': 'no-champion',
  'predict.inference-failed': 'inference-failed',
  'predict.non-finite': 'not-finite',
  'predict.implausible': 'implausible',
};

/**
 * A signal: the model's answer as a recommendation, or, where no model can give one, what a rule of thumb says of the same
 * bars, marked. Throws what `serving.predict` throws for a request that no model could answer, and `signal.too-few-bars`.
 */
export async function signalOf(parts: ApiParts, request: PredictRequest): Promise<SignalSource> {
  let prediction: PredictionAnswer | null = null;
  let reason: HeuristicReason;
  try {
    prediction = await parts.serving.predict(request);
    if (prediction.fallback === null) {
      const horizons = await recommendations(parts, prediction);
      const first = horizons[0];
      if (first) {
        const emergency = await emergencyOf(parts, request.input, prediction, first);
        return { source: 'model', prediction, horizons, emergency };
      }
    }
    reason = prediction.fallbackReason ?? 'no-probability';
  } catch (error) {
    const known = error instanceof ApiError ? UNUSABLE[error.code] : undefined;
    if (known === undefined) throw error;
    reason = known;
  }
  return { ...(await byRule(parts, request, prediction)), reason };
}

/** What an answer recommends, by horizon; of a horizon without a probability nothing. */
export async function recommendations(
  { serving }: ApiParts,
  { model, version, horizons }: PredictionAnswer,
): Promise<(Recommended & { readonly horizon: number })[]> {
  const { pkg } = await serving.describe(model, version);
  const { label, classes, recommendation } = pkg.preprocessing;
  const kind = labelKindOrThrow(label.kind);
  return horizons.flatMap((answer, k) => {
    const found = recommend(kind, answer, classes?.priors[k], recommendation);
    return found ? [{ ...found, horizon: answer.horizon }] : [];
  });
}

type ByRule = Omit<Extract<SignalSource, { source: 'heuristic' }>, 'reason'>;

async function byRule(
  parts: ApiParts,
  request: PredictRequest,
  prediction: PredictionAnswer | null,
): Promise<ByRule> {
  const found = await barsOf(parts, request, prediction);
  const { bars } = found;
  const calendar = calendarFor(found.calendar);
  const heuristic = heuristicSignal(bars, calendar);
  const last = bars.openTime.length - 1;
  if (heuristic === undefined) {
    throw new ApiError(
      'unprocessable',
      'signal.too-few-bars',
      `No model can answer, and the rule of thumb needs ${HEURISTIC_WARMUP_BARS + 1} bars whose prices move; there are ${last + 1}.`,
    );
  }
  return {
    source: 'heuristic',
    prediction,
    heuristic,
    // A rule of thumb knows no probability of a fall.
    emergency: emergencyScore(bars, calendar) ?? null,
    instrument: bars.instrument,
    asOf: new Date(bars.openTime[last]!).toISOString(),
    lastClose: bars.close[last]!,
  };
}

interface CalendarBars {
  readonly bars: Bars;
  readonly calendar: string;
}

/** The bars that the request is about: the caller's, those that the model reads, or those its template names. */
export async function barsOf(
  parts: ApiParts,
  { model, version, input }: PredictRequest,
  prediction: PredictionAnswer | null,
): Promise<CalendarBars> {
  if (input.kind === 'window') {
    throw new ApiError(
      'conflict',
      'signal.window',
      'No model can answer, and the rule of thumb reads bars, not features. Send bars, or an instrument.',
    );
  }
  const asOf = 'asOf' in input ? input.asOf : undefined;
  if (prediction !== null && input.kind === 'instrument') {
    const { pkg } = await parts.serving.describe(model, version);
    const bars = await parts.serving.bars(model, version, prediction.instrument, asOf);
    return {
      bars: closedBars(bars, pkg.preprocessing.calendar, asOf ?? parts.clock()),
      calendar: pkg.preprocessing.calendar,
    };
  }
  return barsOfTemplate(parts, model, input, asOf);
}

async function barsOfTemplate(
  parts: ApiParts,
  model: string,
  input: Exclude<PredictRequest['input'], { kind: 'window' }>,
  asOf: number | undefined,
): Promise<CalendarBars> {
  const { spec, calendar } = await templateOrThrow(parts, model);
  if (input.kind === 'bars') {
    return { bars: barsFromRows(input.instrument, spec.data.timeframe, input.rows), calendar };
  }
  const last = HEURISTIC_BARS + 2 * 256;
  return templateBars(parts, { model, instrument: input.instrument, last, asOf });
}

async function templateOrThrow(parts: ApiParts, model: string) {
  const spec = await templateOf(parts, await getModelOrThrow(parts.db, model));
  const dataset = spec && primaryOf(parts.datasets, spec.data.sources);
  if (spec && dataset) return { spec, calendar: dataset.calendar };
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
export async function templateBars(
  parts: ApiParts,
  question: {
    readonly model: string;
    readonly instrument: string | undefined;
    readonly last: number;
    readonly asOf?: number | undefined;
  },
): Promise<CalendarBars> {
  const { model, last, asOf } = question;
  const { spec, calendar } = await templateOrThrow(parts, model);
  const { timeframe, sources, instruments } = spec.data;
  const ids = instruments.map(({ id }) => id);
  const series = {
    instrument: question.instrument ?? onlyInstrumentOrThrow(model, ids),
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
