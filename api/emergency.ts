import { barsBetween, barsFromRows } from '../core/bars/index.ts';
import { calendarFor } from '../core/calendar/index.ts';
import type { PredictionAnswer } from '../core/predict/index.ts';
import { emergencyScore, type EmergencyScore, type Recommended } from '../core/signals/index.ts';
import type { ApiParts } from './parts.ts';
import type { PredictRequest } from './serving/serving.ts';

/**
 * How urgent it is to leave a long position, by the bars that an answer was made on and what it recommends of its
 * first horizon (absent: it says nothing of a fall). null of a window, whose bars nobody knows, and with too few bars.
 */
export async function emergencyOf(
  { serving }: Pick<ApiParts, 'serving'>,
  input: PredictRequest['input'],
  { model, version, instrument, asOf }: PredictionAnswer,
  recommended: Recommended | undefined,
): Promise<EmergencyScore | null> {
  if (input.kind === 'window') return null;
  const { pkg } = await serving.describe(model, version);
  const { calendar, timeframe } = pkg.preprocessing;
  const bars =
    input.kind === 'bars'
      ? barsFromRows(instrument, timeframe, input.rows)
      : await serving.bars(model, version, instrument, 'asOf' in input ? input.asOf : undefined);
  // A bar that came since the model answered is no part of its answer.
  const answered = barsBetween(bars, -Infinity, Date.parse(asOf) + 1);
  return emergencyScore(answered, calendarFor(calendar), recommended) ?? null;
}
