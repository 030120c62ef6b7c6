import { barsFromRows } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../core/features/index.ts';
import { labelKindOrThrow } from '../../core/labels/index.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import {
  forecastFrom,
  naiveForecast,
  PredictError,
  summariseSamples,
  windowFromBars,
  windowFromValues,
  type ConfidenceMode,
  type Forecast,
  type PredictionWindow,
} from '../../core/predict/index.ts';
import type { Log } from '../../activities/deps.ts';
import { ApiError } from '../errors.ts';
import type { BarsStore, Series, ServedBars } from './bars-store.ts';
import { BoundedMap } from './bounded-map.ts';
import type { Slot } from './package-slots.ts';
import type { PredictInput } from './serving.ts';

/** A forecast and what became of it on the way. */
export interface Computed {
  readonly forecast: Forecast;
  readonly fallback: null | 'naive';
  readonly outcome: 'computed' | 'cached' | 'fallback';
}

interface Remembered {
  readonly computed: Computed;
  /** Wall ms until which it holds: then the calendar has one more closed bar. */
  readonly until: number;
}

const MAX_FORECASTS = 10_000;
/** A window of the full index model has 73 kB. */
const MAX_WINDOWS = 64;
/** Bars kept beyond those a window needs: where holes stay, a window reaches up to one anchor (256) further. */
const SLACK_BARS = 320;
/** Longest history read for a point in the past; the anchor lies at most some 700 bars back. */
const PAST_BARS = 2_048;

/**
 * Forecasts of open packages: windows from bars, batches, Monte-Carlo samples, the declared fallback.
 * The same version, bars and confidence are computed once.
 */
export class Forecaster {
  readonly #bars: BarsStore;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #forecasts = new BoundedMap<string, Remembered>(MAX_FORECASTS);
  readonly #windows = new BoundedMap<string, PredictionWindow>(MAX_WINDOWS);
  readonly #running = new Map<string, Promise<Computed>>();

  constructor(parts: { readonly bars: BarsStore; readonly log: Log; readonly now: () => number }) {
    this.#bars = parts.bars;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  async forecast(slot: Slot, input: PredictInput, mode: ConfidenceMode): Promise<Computed> {
    const pkg = slot.opened.verified;
    const now = this.#now();
    if (input.kind === 'window') {
      return this.#compute(slot, windowFromValues(pkg, { ...input, asOf: now }), mode);
    }
    if (input.kind === 'bars') {
      const { timeframe } = pkg.preprocessing;
      const bars = barsFromRows(input.instrument, timeframe, input.rows);
      return this.#compute(slot, windowFromBars(pkg, bars, { asOf: now }), mode);
    }
    checkScope(pkg, input.instrument);
    if (input.asOf !== undefined) return this.#past(slot, input.instrument, input.asOf, mode);
    return this.#live(slot, input.instrument, mode);
  }

  /** Brings the bars of every instrument of a package into memory and onto the disk, before they are asked for. */
  async warm(slot: Slot): Promise<void> {
    const pkg = slot.opened.verified;
    for (const instrument of pkg.manifest.instruments) {
      await this.#bars.get(seriesOf(slot, instrument), wantedBars(pkg, this.#now()));
    }
  }

  async #live(slot: Slot, instrument: string, mode: ConfidenceMode): Promise<Computed> {
    const pkg = slot.opened.verified;
    const held = this.#bars.get(seriesOf(slot, instrument), wantedBars(pkg, this.#now()));
    const served = held instanceof Promise ? await barsOrProblem(held) : held;
    const key = `${pkg.packageDigest}|${served.revision}|${mode}`;
    const remembered = this.#forecasts.get(key);
    if (remembered && this.#now() < remembered.until) {
      return { ...remembered.computed, outcome: 'cached' };
    }
    const running = this.#running.get(key);
    if (running) return running;
    const work = this.#computeLive(slot, served, mode, key).finally(() =>
      this.#running.delete(key),
    );
    this.#running.set(key, work);
    return work;
  }

  async #computeLive(
    slot: Slot,
    served: ServedBars,
    mode: ConfidenceMode,
    key: string,
  ): Promise<Computed> {
    const pkg = slot.opened.verified;
    const now = this.#now();
    const until = nextClose(pkg, now);
    const windowKey = `${pkg.packageDigest}|${served.revision}|${until}`;
    let window = this.#windows.get(windowKey);
    if (!window) {
      const { bars, fromFirstBar } = served;
      window = windowFromBars(pkg, bars, { asOf: now, fromFirstBar });
      this.#windows.set(windowKey, window);
    }
    const computed = await this.#compute(slot, window, mode);
    // A fallback is not remembered: the next request tries again.
    if (computed.fallback === null) this.#forecasts.set(key, { computed, until });
    return computed;
  }

  /** As of an instant of the past: bars as they were known then, which only the registry can tell. */
  async #past(
    slot: Slot,
    instrument: string,
    asOf: number,
    mode: ConfidenceMode,
  ): Promise<Computed> {
    if (asOf > this.#now()) {
      throw new ApiError('unprocessable', 'predict.as-of', 'asOf lies in the future.');
    }
    const pkg = slot.opened.verified;
    const past = this.#bars.readPast(seriesOf(slot, instrument), { last: PAST_BARS, before: asOf });
    const { bars, fromFirstBar } = await barsOrProblem(past);
    return this.#compute(slot, windowFromBars(pkg, bars, { asOf, fromFirstBar }), mode);
  }

  async #compute(slot: Slot, window: PredictionWindow, mode: ConfidenceMode): Promise<Computed> {
    const pkg = slot.opened.verified;
    try {
      const values = await slot.batcher.forecast(window);
      const summary = mode === 'mc' ? await sample(slot, window, values) : undefined;
      const forecast = forecastFrom(pkg, window, values, summary);
      return { forecast, fallback: null, outcome: 'computed' };
    } catch (error) {
      if (error instanceof ApiError || pkg.preprocessing.fallback !== 'naive') throw error;
      const { model, version } = pkg.manifest;
      this.#log.error({ err: error, model, version }, 'inference failed; the fallback answers');
      return { forecast: naiveForecast(pkg, window), fallback: 'naive', outcome: 'fallback' };
    }
  }
}

async function sample(slot: Slot, window: PredictionWindow, values: Float64Array) {
  const { verified, monteCarlo } = slot.opened;
  const { confidence, scalers, label } = verified.preprocessing;
  if (!monteCarlo || confidence.method === 'none') return undefined;
  const samples = await monteCarlo.sample({
    window: window.values,
    samples: confidence.samples,
    noiseKey: verified.packageDigest,
  });
  return summariseSamples(samples, values, labelKindOrThrow(label.kind), scalers.labels);
}

const seriesOf = (slot: Slot, instrument: string): Series => ({
  instrument,
  timeframe: slot.opened.verified.preprocessing.timeframe,
  sources: slot.version.sources,
});

function wantedBars(pkg: VerifiedPackage, now: number): number {
  const { featureSet, lookback, calendar, timeframe } = pkg.preprocessing;
  const set = featureSetOrThrow(featureSet);
  return set.barsNeeded(now, lookback, calendarFor(calendar), timeframe) + SLACK_BARS;
}

/** When the calendar's next bar closes after `now`: from then on an answer may differ. */
function nextClose(pkg: VerifiedPackage, now: number): number {
  const { calendar: name, timeframe } = pkg.preprocessing;
  const calendar = calendarFor(name);
  for (let index = calendar.indexOf(now, timeframe); ; index++) {
    const close = calendar.closeTime(calendar.openTimeAt(index, timeframe), timeframe);
    if (close > now) return close;
  }
}

function checkScope(pkg: VerifiedPackage, instrument: string): void {
  const { instruments, model } = pkg.manifest;
  if (instruments.includes(instrument)) return;
  throw new PredictError(
    'predict.unknown-instrument',
    `${model} answers for ${instruments.join(', ')}, not for ${instrument}`,
    { details: { instrument, instruments } },
  );
}

/** No bars in memory, none on disk, and no registry to ask: that is our trouble, not the caller's. */
async function barsOrProblem<T>(bars: Promise<T>): Promise<T> {
  try {
    return await bars;
  } catch (cause) {
    if (cause instanceof PredictError) throw cause;
    throw new ApiError(
      'unavailable',
      'bars.unavailable',
      'The bars for this answer are not on this replica and the database does not answer.',
      { retryAfterS: 5, cause },
    );
  }
}
