import { marketFacts, MARKET_WARMUP_BARS, type AdviceFacts } from '../../core/advice/index.ts';
import { barCount, sliceBars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { twoSidedScore } from '../../core/signals/index.ts';
import { ApiError } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import type { PredictRequest } from '../serving/serving.ts';
import { barsOf } from '../signal-bars.ts';
import { signalOf, type SignalSource } from '../signal.ts';

/** What a model's signal and its market are at one bar. */
export interface AskedBar {
  readonly signal: AdviceFacts['signal'];
  readonly market: AdviceFacts['market'];
  readonly version: number | null;
  readonly instrument: string;
  /** ISO, open time of the bar. */
  readonly asOf: string;
  readonly predictionId: string | null;
}

/**
 * The facts of a model's bar: its signal (a rule of thumb where no model answers) and the market up to that bar.
 * Throws what `signalOf` throws, and `advice.too-few-bars`.
 */
export async function askedBar(parts: ApiParts, request: PredictRequest): Promise<AskedBar> {
  const found = await signalOf(parts, request);
  const { prediction } = found;
  const { instrument, asOf } = found.source === 'model' ? found.prediction : found;
  const version = prediction?.version ?? null;
  const { bars, calendar } = await barsOf(
    parts,
    { ...request, ...(version !== null && { version }) },
    prediction,
  );
  const score = twoSidedScore(horizonsOf(found)[0]);
  // A bar may have closed since the signal was given: both speak of the same one.
  const market = marketFacts(
    sliceBars(bars, 0, endOf(bars.openTime, asOf)),
    calendarFor(calendar),
    score,
  );
  if (market === undefined) {
    throw new ApiError(
      'unprocessable',
      'advice.too-few-bars',
      `The state of the market needs ${MARKET_WARMUP_BARS + 1} bars with prices; there are ${barCount(bars)}.`,
    );
  }
  const predictionId = prediction !== null && prediction.recorded ? prediction.id : null;
  return { signal: signalFacts(found), market, version, instrument, asOf, predictionId };
}

function endOf(openTime: Float64Array, asOf: string): number {
  const last = Date.parse(asOf);
  let end = openTime.length;
  while (end > 0 && openTime[end - 1]! > last) end--;
  return end;
}

/** What the model itself recommends, where it answered. */
const horizonsOf = (found: SignalSource) => ('horizons' in found ? found.horizons : []);

/** The first horizon speaks for the signal, as in `POST signals`; of a strategy its target does. */
function signalFacts(found: SignalSource): AdviceFacts['signal'] {
  const { prediction } = found;
  const [first] = horizonsOf(found);
  const strength = strengthOf(found);
  if (prediction === null || first === undefined) {
    return {
      // A strategy knows none.
      ...{
        ...strength,
        probability: found.source === 'heuristic' ? found.heuristic.probability : 0.5,
      },
      ...{ confidence: null, expectedChange: null, horizonBars: null },
      ...{ beatsNaive: false, abstain: false },
    };
  }
  const answer = prediction.horizons.find(({ horizon }) => horizon === first.horizon);
  return {
    ...{ ...strength, probability: first.probability, confidence: answer?.confidence ?? null },
    ...{ expectedChange: answer?.change ?? null, horizonBars: first.horizon },
    ...{ beatsNaive: prediction.beatsNaive, abstain: prediction.abstain },
  };
}

type Strength = Pick<AdviceFacts['signal'], 'source' | 'score' | 'strongScore'>;

function strengthOf(found: SignalSource): Strength {
  const { source } = found;
  if (source === 'strategy') {
    const { position, cuts } = found.strategy;
    return { source, score: position, strongScore: cuts.strongBuy };
  }
  const { score, cuts } = source === 'model' ? found.horizons[0]! : found.heuristic;
  return { source, score, strongScore: cuts.strongBuy };
}
