import { barCount, barsFromRows } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import {
  pastRange,
  wantedBars,
  PredictError,
  windowFromBars,
  windowFacts,
  windowFromValues,
  type ConfidenceMode,
  type PredictionWindow,
  type WindowFacts,
} from '../../core/predict/index.ts';
import type { Log } from '../../activities/deps.ts';
import { ApiError } from '../errors.ts';
import {
  seriesKey,
  type BarsStore,
  type LoadedBars,
  type Series,
  type ServedBars,
} from './bars-store.ts';
import { BoundedMap } from './bounded-map.ts';
import { computeForecast, type Purpose, type WindowForecast } from './compute-forecast.ts';
import type { Slot } from './package-slots.ts';
import type { PredictInput } from './serving.ts';
import { barsOrProblem, nextClose, seriesOf, windowKind } from './version-bars.ts';

/** The stored bars and the instant that a forecast was computed from. */
export interface Basis {
  readonly series: Series;
  /** With a revision: the newest ones, as served. */
  readonly bars: LoadedBars | ServedBars;
  /** Ms UTC. */
  readonly asOf: number;
}

/** A forecast and what became of it on the way. */
export type Computed = Omit<WindowForecast, 'outcome'> & {
  /** Absent: it was computed from what the caller brought. */
  readonly basis?: Basis;
  readonly outcome: WindowForecast['outcome'] | 'cached';
};

interface LiveWork {
  readonly basis: Basis;
  readonly mode: ConfidenceMode;
  readonly purpose: Purpose;
  readonly key: string;
}

interface HeldWindow {
  readonly window: PredictionWindow;
  /** By package that reads it. */
  readonly facts: Map<string, WindowFacts>;
}

interface Remembered {
  readonly computed: Computed;
  /** Wall ms between which it holds: then the calendar has one more closed bar. */
  readonly from: number;
  readonly until: number;
}

export const REMEMBERED_DEFAULT = 10_000;
/** Versions that share a window: champion, challenger, some pinned ones. */
const MAX_READERS = 16;
/** A window of the full index model has 73 kB. */
const MAX_WINDOWS = 64;

/**
 * Forecasts of open packages: windows from bars, batches, Monte-Carlo samples, the declared fallback.
 * The same version, bars and confidence are computed once, unless nothing is to be remembered.
 */
export class Forecaster {
  readonly #bars: BarsStore;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #remembers: boolean;
  readonly #forecasts: BoundedMap<string, Remembered>;
  readonly #windows = new BoundedMap<string, HeldWindow>(MAX_WINDOWS);
  readonly #pastWindows = new WeakMap<object, { kind: string; window: PredictionWindow }>();
  readonly #running = new Map<string, Promise<Computed>>();

  constructor(parts: {
    readonly bars: BarsStore;
    readonly log: Log;
    readonly now: () => number;
    /** Default: REMEMBERED_DEFAULT; 0: nothing, and requests share no computation either. */
    readonly rememberedAnswers?: number | undefined;
  }) {
    const { rememberedAnswers = REMEMBERED_DEFAULT } = parts;
    this.#remembers = rememberedAnswers > 0;
    this.#forecasts = new BoundedMap(Math.max(1, rememberedAnswers));
    this.#bars = parts.bars;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  async forecast(
    slot: Slot,
    input: PredictInput,
    mode: ConfidenceMode,
    purpose: Purpose = 'answer',
  ): Promise<Computed> {
    const pkg = slot.opened.verified;
    const now = this.#now();
    if (input.kind === 'window') {
      return this.#compute(slot, windowFromValues(pkg, { ...input, asOf: now }), mode, purpose);
    }
    if (input.kind === 'bars') {
      const { timeframe } = pkg.preprocessing;
      const bars = barsFromRows(input.instrument, timeframe, input.rows);
      return this.#compute(slot, windowFromBars(pkg, bars, { asOf: now }), mode, purpose);
    }
    checkScope(pkg, input.instrument);
    const series = seriesOf(slot, input.instrument);
    if (input.asOf !== undefined) return this.#past(slot, series, input.asOf, mode, purpose);
    return this.#fromBasis(slot, await this.#newest(slot, series, now), mode, purpose);
  }

  /**
   * The forecast of another version from the bars and at the instant of one that was answered: both arms
   * of a trial see the same. Where the version reads other series, or more bars than are there, its own
   * are read, up to the same instant. Fails as a trial's forecast does.
   */
  async beside(slot: Slot, basis: Basis, mode: ConfidenceMode): Promise<Computed> {
    const pkg = slot.opened.verified;
    const { asOf, bars } = basis;
    checkScope(pkg, basis.series.instrument);
    const series = seriesOf(slot, basis.series.instrument);
    const isSame = seriesKey(series) === seriesKey(basis.series);
    const suffices = bars.fromFirstBar || barCount(bars.bars) >= wantedBars(pkg, asOf);
    if (isSame && (suffices || !('revision' in bars))) {
      return this.#fromBasis(slot, { ...basis, series }, mode, 'shadow');
    }
    if (!('revision' in bars)) return this.#past(slot, series, asOf, mode, 'shadow');
    return this.#fromBasis(slot, await this.#newest(slot, series, asOf), mode, 'shadow');
  }

  /** The bars that a forecast would be computed from: the newest, or those known at `asOf` (ms UTC). */
  async barsOf(slot: Slot, instrument: string, asOf: number | undefined): Promise<LoadedBars> {
    const pkg = slot.opened.verified;
    checkScope(pkg, instrument);
    const series = seriesOf(slot, instrument);
    if (asOf === undefined) return (await this.#newest(slot, series, this.#now())).bars;
    return barsOrProblem(this.#bars.readPast(series, pastRange(pkg, asOf)));
  }

  /** The window of `input` whose last bar opens at `asOf` (ms UTC), as a forecast was made from it. */
  async windowOf(slot: Slot, input: PredictInput, asOf: number): Promise<PredictionWindow> {
    const pkg = slot.opened.verified;
    if (input.kind === 'window') return windowFromValues(pkg, { ...input, asOf: this.#now() });
    const { timeframe, calendar } = pkg.preprocessing;
    const closed = calendarFor(calendar).closeTime(asOf, timeframe);
    if (input.kind === 'bars') {
      const bars = barsFromRows(input.instrument, timeframe, input.rows);
      return windowFromBars(pkg, bars, { asOf: closed });
    }
    const { bars, fromFirstBar } = await this.barsOf(slot, input.instrument, input.asOf);
    return windowFromBars(pkg, bars, { asOf: closed, fromFirstBar });
  }

  /** Brings the bars of every instrument of a package into memory and onto the disk, before they are asked for. */
  async warm(slot: Slot): Promise<void> {
    const pkg = slot.opened.verified;
    for (const instrument of pkg.manifest.instruments) {
      await this.#bars.get(seriesOf(slot, instrument), wantedBars(pkg, this.#now()));
    }
  }

  /** The bars that are served now, asked for at the instant `asOf`. */
  async #newest(slot: Slot, series: Series, asOf: number): Promise<Basis> {
    const held = this.#bars.get(series, wantedBars(slot.opened.verified, asOf));
    return { series, asOf, bars: held instanceof Promise ? await barsOrProblem(held) : held };
  }

  async #fromBasis(
    slot: Slot,
    basis: Basis,
    mode: ConfidenceMode,
    purpose: Purpose,
  ): Promise<Computed> {
    const pkg = slot.opened.verified;
    const { bars, asOf } = basis;
    if (!('revision' in bars)) {
      const window = this.#pastWindow(pkg, basis);
      return { ...(await this.#compute(slot, window, mode, purpose)), basis };
    }
    const key = `${pkg.packageDigest}|${bars.revision}|${mode}`;
    const remembered = this.#forecasts.get(key);
    if (remembered && asOf >= remembered.from && asOf < remembered.until) {
      return { ...remembered.computed, outcome: 'cached', basis };
    }
    const work = { basis, mode, purpose, key };
    if (!this.#remembers) return this.#computeLive(slot, bars, work);
    const shared = `${key}|${purpose}`;
    const running = this.#running.get(shared);
    if (running) return running;
    const computing = this.#computeLive(slot, bars, work).finally(() =>
      this.#running.delete(shared),
    );
    this.#running.set(shared, computing);
    return computing;
  }

  async #computeLive(
    slot: Slot,
    { bars, fromFirstBar, revision }: ServedBars,
    { basis, mode, purpose, key }: LiveWork,
  ): Promise<Computed> {
    const pkg = slot.opened.verified;
    const until = nextClose(pkg, basis.asOf);
    const windowKey = `${windowKind(pkg)}|${revision}|${until}`;
    let held = this.#windows.get(windowKey);
    if (!held) {
      const window = windowFromBars(pkg, bars, { asOf: basis.asOf, fromFirstBar });
      held = { window, facts: new Map() };
      this.#windows.set(windowKey, held);
    }
    const facts = (): WindowFacts => factsOf(held, pkg);
    const computed = await this.#compute(slot, held.window, mode, purpose, facts);
    // What failed is not remembered: the next request tries again. Nor are the bars, which it would hold.
    const failed = computed.fallback !== null || computed.forecast.confidenceFailed;
    if (!failed && this.#remembers) this.#forecasts.set(key, { computed, from: basis.asOf, until });
    return { ...computed, basis };
  }

  /** Both arms of a trial read one window where their versions agree on it. */
  #pastWindow(pkg: VerifiedPackage, { bars, asOf }: Basis): PredictionWindow {
    const kind = windowKind(pkg);
    const made = this.#pastWindows.get(bars);
    if (made?.kind === kind) return made.window;
    const window = windowFromBars(pkg, bars.bars, { asOf, fromFirstBar: bars.fromFirstBar });
    this.#pastWindows.set(bars, { kind, window });
    return window;
  }

  /** As of an instant of the past: bars as they were known then, which only the registry can tell. */
  async #past(
    slot: Slot,
    series: Series,
    asOf: number,
    mode: ConfidenceMode,
    purpose: Purpose,
  ): Promise<Computed> {
    if (asOf > this.#now()) {
      throw new ApiError('unprocessable', 'predict.as-of', 'asOf lies in the future.');
    }
    const past = this.#bars.readPast(series, pastRange(slot.opened.verified, asOf));
    const basis = { series, asOf, bars: await barsOrProblem(past) };
    return this.#fromBasis(slot, basis, mode, purpose);
  }

  async #compute(
    slot: Slot,
    window: PredictionWindow,
    mode: ConfidenceMode,
    purpose: Purpose,
    facts?: () => WindowFacts,
  ): Promise<Computed> {
    return computeForecast(slot, window, { mode, purpose, log: this.#log, facts });
  }
}

/** Each version that shares a window was fitted on rows of its own. */
function factsOf({ window, facts }: HeldWindow, pkg: VerifiedPackage): WindowFacts {
  const known = facts.get(pkg.packageDigest) ?? windowFacts(pkg, window);
  if (facts.size >= MAX_READERS) facts.clear();
  facts.set(pkg.packageDigest, known);
  return known;
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
