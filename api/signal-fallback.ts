import { calendarFor } from '../core/calendar/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import {
  emergencyScore,
  HEURISTIC_WARMUP_BARS,
  heuristicSignal,
  type EmergencyScore,
  type HeuristicSignal,
} from '../core/signals/index.ts';
import {
  memoryBarsOf,
  needsModel,
  strategySignal,
  type StrategySignal,
  type StrategySpec,
} from '../core/strategies/index.ts';
import { ApiError } from './errors.ts';
import type { ApiParts } from './parts.ts';
import type { PredictRequest } from './serving/serving.ts';
import {
  barsOf,
  barsOfTemplate,
  readTemplate,
  type BarsInput,
  type CalendarBars,
  type Template,
} from './signal-bars.ts';

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
  const { model, input } = request;
  const template = await readTemplate(parts, model);
  const declared = template?.spec.serving.strategy;
  if (template && declared && !needsModel(declared) && input.kind !== 'window') {
    const found = await byStrategy(parts, template, declared, { model, input });
    if (found) return { ...found, prediction };
  }
  return { ...byRule(await barsOf(parts, request, prediction, template)), prediction };
}

async function byStrategy(
  parts: ApiParts,
  template: Template,
  spec: StrategySpec,
  asked: { readonly model: string; readonly input: BarsInput },
) {
  const found = await barsOfTemplate(parts, template, asked, memoryBarsOf(spec));
  const { bars } = found;
  const strategy = strategySignal(spec, { bars, calendar: calendarFor(found.calendar) });
  return strategy && { source: 'strategy' as const, strategy, ...factsOf(found) };
}

function byRule(found: CalendarBars) {
  const heuristic = heuristicSignal(found.bars, calendarFor(found.calendar));
  if (heuristic === undefined) {
    throw new ApiError(
      'unprocessable',
      'signal.too-few-bars',
      `No model can answer, and the rule of thumb needs ${HEURISTIC_WARMUP_BARS + 1} bars whose prices move; there are ${found.bars.openTime.length}.`,
    );
  }
  return { source: 'heuristic' as const, heuristic, ...factsOf(found) };
}

function factsOf({ bars, calendar }: CalendarBars) {
  const last = bars.openTime.length - 1;
  return {
    // What speaks in a model's place knows no probability of a fall.
    emergency: emergencyScore(bars, calendarFor(calendar)) ?? null,
    instrument: bars.instrument,
    asOf: new Date(bars.openTime[last]!).toISOString(),
    lastClose: bars.close[last]!,
  };
}
