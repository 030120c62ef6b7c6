import type { Log } from '../../activities/deps.ts';
import { armOf } from '../../core/trials/routing.ts';
import type { ConfidenceMode } from '../../core/predict/index.ts';
import { ApiError, toApiError } from '../errors.ts';
import type { ApiMetrics } from '../metrics.ts';
import type { Basis, Computed, Forecaster } from './forecaster.ts';
import type { Active, ModelHost } from './model-host.ts';
import type { Slot } from './package-slots.ts';
import type { Answered, Failure, PredictionLog } from './prediction-log.ts';
import type { PredictInput, PredictRequest } from './serving.ts';
import type { ShadowQueue } from './shadow-queue.ts';
import type { OpenTrial, TrialHost } from './trial-host.ts';

/** A challenger that has not answered by then is given up: the champion still answers in time. */
const CANARY_MS = 2_000;

/** How a prediction takes part in a running trial. */
export interface Route {
  readonly trial: OpenTrial;
  readonly active: Active;
  readonly arm: 'champion' | 'challenger';
}

/** What was asked and what was answered. */
export type Pair = Omit<Answered, 'trialId'>;

export type Tried =
  | { readonly slot: Slot; readonly computed: Computed; readonly failure?: never }
  | { readonly failure: Failure; readonly slot?: never; readonly computed?: never };

export interface TrialRoutingParts {
  readonly trials: TrialHost;
  readonly champions: Pick<ModelHost, 'reopen'>;
  readonly forecaster: Forecaster;
  readonly queue: ShadowQueue;
  readonly predictions: PredictionLog;
  readonly metrics: Pick<ApiMetrics, 'trialPredictions'>;
  readonly log: Log;
  /** Default: 2 s. */
  readonly canaryMs?: number;
}

/**
 * Who answers while a trial runs, and who is scored beside. Nothing of it may cost the caller an answer:
 * a challenger's failure is recorded, and the champion answers.
 */
export class TrialRouting {
  readonly #parts: TrialRoutingParts;
  #reported = '';

  constructor(parts: TrialRoutingParts) {
    this.#parts = parts;
    parts.trials.listen({
      onEnded: (trialId) => parts.queue.drop(trialId),
      onUnloaded: (trial, error) => parts.predictions.unloaded(trial, error),
    });
  }

  /**
   * undefined: no trial runs for this champion, or the input is the caller's own (bars and windows are not
   * settled, so they say nothing about either version).
   */
  routeOf(active: Active, input: PredictInput, request: PredictRequest): Route | undefined {
    if (input.kind !== 'instrument') return undefined;
    const trial = this.#parts.trials.of(active);
    if (!trial) return undefined;
    if (trial.kind === 'shadow') return { trial, active, arm: 'champion' };
    const key = request.routingKey ?? `${request.keyId} ${input.instrument}`;
    return { trial, active, arm: armOf(trial.trialId, key, trial.share) };
  }

  /** The challenger's answer to a request of its share, or why it has none. Never throws. */
  async tryCanary(
    { trial }: Route,
    input: PredictInput,
    confidence: ConfidenceMode,
  ): Promise<Tried> {
    const startedMs = performance.now();
    try {
      if (!trial.open) throw notLoaded(trial);
      const work = trial.open().then((slot) =>
        slot.use(async (open) => {
          const computed = await this.#parts.forecaster.forecast(open, input, confidence, 'canary');
          return { slot, computed };
        }),
      );
      const tried = await within(this.#parts.canaryMs ?? CANARY_MS, work);
      this.#parts.metrics.trialPredictions.inc({ role: 'canary', outcome: 'done' });
      return tried;
    } catch (error) {
      return { failure: this.#failureOf(trial, 'canary', error, startedMs) };
    }
  }

  /** Has the arm that did not answer score the same bars, later. What the caller keeps off the record is not scored. */
  scoreBeside(route: Route, pair: Pair, basis: Basis | undefined): void {
    if (!pair.answer.recorded || !basis) return;
    const { trialId } = route.trial;
    const run = (): Promise<void> => this.#score(route, { ...pair, trialId }, basis);
    this.#parts.queue.push({ trialId, run });
  }

  /** Keeps that the challenger could not answer what the champion then did. */
  recordFailure({ trial: { trialId } }: Route, pair: Pair, failure: Failure): void {
    if (pair.answer.recorded) this.#parts.predictions.failed({ ...pair, trialId }, failure);
  }

  async #score({ trial, active }: Route, answered: Answered, basis: Basis): Promise<void> {
    const { trials, forecaster, predictions, metrics } = this.#parts;
    const startedMs = performance.now();
    if (!trials.compares(active, trial)) return dropped(metrics);
    let slot: Slot | undefined;
    try {
      slot = await this.#otherArm(trial, active, answered);
      const { confidence } = answered.request;
      const computed = await slot.use((open) => forecaster.beside(open, basis, confidence));
      if (!trials.compares(active, trial)) return dropped(metrics);
      predictions.beside(answered, slot, computed, performance.now() - startedMs);
    } catch (error) {
      if (!trials.compares(active, trial)) return dropped(metrics);
      const failure = this.#failureOf(slot?.version ?? trial, 'shadow', error, startedMs);
      predictions.failed(answered, failure);
    }
  }

  /** The open package of the arm that did not answer. */
  async #otherArm(trial: OpenTrial, { served }: Active, { answer }: Answered): Promise<Slot> {
    if (answer.trial !== null) return this.#parts.champions.reopen(served);
    if (!trial.open) throw notLoaded(trial);
    return trial.open();
  }

  #failureOf(
    of: { readonly model: string; readonly version: number } & (
      | { readonly packageDigest: string }
      | { readonly challenger: { readonly packageDigest: string } | undefined }
    ),
    role: Failure['role'],
    error: unknown,
    startedMs: number,
  ): Failure {
    const { model, version } = of;
    this.#parts.metrics.trialPredictions.inc({ role, outcome: 'failed' });
    const { problem } = toApiError(error);
    const words = `${problem.code}: ${problem.message}`;
    // It may fail on every request: the log hears of each reason once.
    if (words !== this.#reported) {
      this.#reported = words;
      this.#parts.log.error({ err: error, model, version, role }, 'a version of a trial failed');
    }
    return {
      role,
      version,
      packageDigest:
        'packageDigest' in of ? of.packageDigest : (of.challenger?.packageDigest ?? ''),
      error: words,
      durationMs: performance.now() - startedMs,
    };
  }
}

const dropped = (metrics: Pick<ApiMetrics, 'trialPredictions'>): void =>
  metrics.trialPredictions.inc({ role: 'shadow', outcome: 'dropped' });

const notLoaded = ({ model, version, error }: OpenTrial): ApiError =>
  new ApiError(
    'unavailable',
    'trial.not-loaded',
    `${model} ${version} does not load on this replica: ${error ?? 'no reason is known'}`,
  );

/** The value of `work`, unless it takes longer than `ms`. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooLate(ms)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const tooLate = (ms: number): ApiError =>
  new ApiError('unavailable', 'trial.too-late', `It did not answer within ${ms} ms.`);
