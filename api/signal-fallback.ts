import { calendarFor } from '../core/calendar/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import {
  emergencyScore,
  HEURISTIC_WARMUP_BARS,
  heuristicSignal,
  type EmergencyScore,
  type HeuristicSignal,
} from '../core/signals/index.ts';
import { memoryBarsOf, strategySignal, type StrategySignal } from '../core/strategies/index.ts';
import { getModelOrThrow } from '../registry/models.ts';
import { ApiError } from './errors.ts';
import { templateOf } from './model-template.ts';
import type { ApiParts } from './parts.ts';
import type { PredictRequest } from './serving/serving.ts';
import { barsOf, barsOfTemplate, type CalendarBars } from './signal-bars.ts';

/** What answers in a model's place: the strategy that its template declares, else a rule of thumb. */
export type StandIn = (
  | { readonly source: 'strategy'; readonly strategy: StrategySignal }
  | { readonly source: 'heuristic'; readonly heuristic: HeuristicSignal }
) & {
  readonly prediction: PredictionAnswer | null;
  readonly emergency: EmergencyScore | null;
  readonly instrument: string;
  /** ISO, open time of the newest bar. */
  readonly asOf: string;
  readonly lastClose: number;
};

/**
 * Throws `signal.window`, `signal.no-bars`, and `signal.too-few-bars` where not even the rule of thumb has bars enough: of
 * a strategy that is still warming up the rule speaks.
 */
export async function standIn(
  parts: ApiParts,
  request: PredictRequest,
  prediction: PredictionAnswer | null,
): Promise<StandIn> {
  return (
    (await byStrategy(parts, request, prediction)) ?? (await byRule(parts, request, prediction))
  );
}

async function byStrategy(
  parts: ApiParts,
  { model, input }: PredictRequest,
  prediction: PredictionAnswer | null,
): Promise<StandIn | undefined> {
  if (input.kind === 'window') return undefined;
  const template = await templateOf(parts, await getModelOrThrow(parts.db, model));
  const spec = template?.serving.strategy;
  if (spec === undefined) return undefined;
  const found = await barsOfTemplate(parts, { model, input }, memoryBarsOf(spec));
  const { bars } = found;
  const strategy = strategySignal(spec, { bars, calendar: calendarFor(found.calendar) });
  return strategy && { source: 'strategy', strategy, ...facts(found, prediction) };
}

async function byRule(
  parts: ApiParts,
  request: PredictRequest,
  prediction: PredictionAnswer | null,
): Promise<StandIn> {
  const found = await barsOf(parts, request, prediction);
  const heuristic = heuristicSignal(found.bars, calendarFor(found.calendar));
  if (heuristic === undefined) {
    throw new ApiError(
      'unprocessable',
      'signal.too-few-bars',
      `No model can answer, and the rule of thumb needs ${HEURISTIC_WARMUP_BARS + 1} bars whose prices move; there are ${found.bars.openTime.length}.`,
    );
  }
  return { source: 'heuristic', heuristic, ...facts(found, prediction) };
}

function facts({ bars, calendar }: CalendarBars, prediction: PredictionAnswer | null) {
  const last = bars.openTime.length - 1;
  return {
    prediction,
    // What speaks in a model's place knows no probability of a fall.
    emergency: emergencyScore(bars, calendarFor(calendar)) ?? null,
    instrument: bars.instrument,
    asOf: new Date(bars.openTime[last]!).toISOString(),
    lastClose: bars.close[last]!,
  };
}
