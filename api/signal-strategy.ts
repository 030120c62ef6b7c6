import { emptyAnswers, writeAnswer } from '../core/backtest/index.ts';
import { barCount, barsBetween, type Bars } from '../core/bars/index.ts';
import { calendarFor } from '../core/calendar/index.ts';
import { ANCHOR_BARS } from '../core/indicators/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import { emergencyScore, type EmergencyScore, type Recommended } from '../core/signals/index.ts';
import { publicationDelay } from '../core/sources/publication.ts';
import {
  answerBarsOf,
  memoryBarsOf,
  strategySignal,
  type ModelColumns,
  type StrategySignal,
  type StrategySpec,
} from '../core/strategies/index.ts';
import type { VerifiedPackage } from '../core/packages/verify.ts';
import { emergencyOf } from './emergency.ts';
import { readingOf } from './earlier-answers.ts';
import { ApiError } from './errors.ts';
import type { ApiParts } from './parts.ts';
import type { PredictRequest } from './serving/serving.ts';
import { barsOf, barsOfTemplate, readTemplate, type CalendarBars } from './signal-bars.ts';

/** What a declared strategy makes of a model's answer. */
export interface StrategySaid {
  readonly source: 'strategy';
  readonly strategy: StrategySignal;
  /** null: no version answered. */
  readonly prediction: PredictionAnswer | null;
  /** What the model itself recommends, by horizon. */
  readonly horizons: readonly (Recommended & { readonly horizon: number })[];
  readonly emergency: EmergencyScore | null;
  readonly instrument: string;
  /** ISO, open time of the bar that is decided on. */
  readonly asOf: string;
  readonly lastClose: number;
}

/** The answer that a signal begins with. */
export interface ModelSaid {
  /** null: no version answered. */
  readonly prediction: PredictionAnswer | null;
  readonly horizons: StrategySaid['horizons'];
}

/** A strategy that asks the model, and where its bars come from. */
export interface AskedStrategy {
  readonly spec: StrategySpec;
  readonly datasets: readonly string[];
}

/**
 * The strategy's target at the newest bar, by the answers of the version that answered: to the bit what a backtest on that
 * version has at that bar (core/strategies is the same object, and both ask `core/predict` without confidence). Where the
 * model gave no answer, the strategy's own fallback decides, or it is flat. undefined: it has no opinion (it warms up, or
 * reads what the model does not say). Throws what `barsOf` throws, and `signal.answers`.
 */
export async function strategySays(
  parts: ApiParts,
  request: PredictRequest,
  asked: AskedStrategy,
  said: ModelSaid,
): Promise<StrategySaid | undefined> {
  const plain = await plainAnswer(parts, request, said.prediction);
  const found = await barsFor(parts, request, asked.spec, plain);
  const { bars } = found;
  const last = barCount(bars) - 1;
  if (last < 0) return undefined;
  const model = await columnsOf(parts, request, asked, { ...found, plain });
  const calendar = calendarFor(found.calendar);
  const strategy = strategySignal(asked.spec, { bars, calendar, model });
  const { prediction, horizons } = said;
  return (
    strategy && {
      source: 'strategy',
      ...{ strategy, prediction, horizons, instrument: bars.instrument },
      emergency:
        plain === undefined
          ? (emergencyScore(bars, calendar) ?? null)
          : await emergencyOf(parts, request.input, plain, horizons[0]),
      asOf: new Date(bars.openTime[last]!).toISOString(),
      lastClose: bars.close[last]!,
    }
  );
}

/**
 * The answer as a backtest has it, without confidence, of the version that answered already; undefined: it failed.
 * A probability that samples gave, and an abstention by it, exist in no backtest.
 */
async function plainAnswer(
  { serving }: ApiParts,
  request: PredictRequest,
  prediction: PredictionAnswer | null,
): Promise<PredictionAnswer | undefined> {
  if (prediction === null || prediction.fallback !== null) return undefined;
  if (request.confidence === 'none') return prediction;
  const { version } = prediction;
  try {
    const plain = await serving.predict({
      ...{ ...request, version, confidence: 'none', record: false },
    });
    return plain.fallback === null ? plain : undefined;
  } catch (error) {
    if (error instanceof ApiError && error.code.startsWith('predict.')) return undefined;
    throw error;
  }
}

/** Bars up to the one that was answered about, as many as the strategy remembers where there are so many. */
async function barsFor(
  parts: ApiParts,
  request: PredictRequest,
  spec: StrategySpec,
  plain: PredictionAnswer | undefined,
): Promise<CalendarBars> {
  const { model, input } = request;
  const memory = memoryBarsOf(spec);
  const newest = plain === undefined ? Infinity : Date.parse(plain.asOf);
  const upTo = ({ bars, calendar }: CalendarBars): CalendarBars => ({
    bars: barsBetween(bars, -Infinity, newest + 1),
    calendar,
  });
  if (plain !== undefined) {
    const found = upTo(await barsOf(parts, { ...request, version: plain.version }, plain));
    if (input.kind === 'bars' || barCount(found.bars) > memory + ANCHOR_BARS) return found;
  }
  const template = input.kind === 'window' ? undefined : await readTemplate(parts, model);
  if (template === undefined || input.kind === 'window') return barsOf(parts, request, null);
  return upTo(await barsOfTemplate(parts, template, { model, input }, memory));
}

/** The model's answers by bar: that of the newest one, and of those before it the ones that the strategy remembers. */
async function columnsOf(
  parts: ApiParts,
  request: PredictRequest,
  { spec, datasets }: AskedStrategy,
  { bars, calendar, plain }: CalendarBars & { readonly plain: PredictionAnswer | undefined },
): Promise<ModelColumns> {
  const rows = barCount(bars);
  const columns = emptyAnswers(rows);
  const last = rows - 1;
  columns.session.set(bars.openTime);
  const described =
    plain === undefined ? undefined : await parts.serving.describe(plain.model, plain.version);
  if (plain === undefined || described === undefined) {
    columns.failed[last] = 1;
    return columns;
  }
  const { pkg } = described;
  const { fallback, fallbackReason } = plain;
  const answer = { asOf: 0, forecast: plain, fallback, fallbackReason };
  writeAnswer(columns, last, answer, readingOf(pkg));
  const count = Math.min(answerBarsOf(spec), last);
  if (count === 0) return columns;
  const earlier = await earlierOf(parts, request, { pkg, bars, calendar, datasets, count });
  for (let row = last - count; row < last; row++) {
    const one = earlier(row);
    if (one === undefined) continue;
    columns.score[row] = one.score;
    columns.probabilityUp[row] = one.probabilityUp;
    columns.change[row] = one.change;
    columns.abstained[row] = one.abstained ? 1 : 0;
    columns.failed[row] = one.failed ? 1 : 0;
  }
  return columns;
}

interface Earlier {
  readonly pkg: VerifiedPackage;
  readonly bars: Bars;
  readonly calendar: string;
  readonly datasets: readonly string[];
  /** Bars before the last one. */
  readonly count: number;
}

async function earlierOf(
  { earlierAnswers, datasets: named, clock }: ApiParts,
  request: PredictRequest,
  { pkg, bars, calendar, datasets, count }: Earlier,
) {
  const last = barCount(bars) - 1;
  const { input } = request;
  if (input.kind === 'bars') {
    const own = await earlierAnswers.ofOwnBars(pkg, request, input, count);
    return (row: number) => own[own.length - (last - row)];
  }
  const found = await earlierAnswers.ofSessions({
    ...{ pkg, instrument: bars.instrument, calendar: calendarFor(calendar) },
    ...{ from: bars.openTime[last - count]!, to: bars.openTime[last - 1]! },
    now: 'asOf' in input ? (input.asOf ?? clock()) : clock(),
    delayMs: publicationDelay(
      named,
      datasets.map((dataset) => ({ dataset })),
    ),
  });
  return (row: number) => found.get(bars.openTime[row]!);
}
