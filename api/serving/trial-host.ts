import type { Log } from '../../activities/deps.ts';
import type { ServedTrial } from '../../registry/served-trials.ts';
import { notFound, toApiError } from '../errors.ts';
import type { ApiMetrics } from '../metrics.ts';
import type { Active, ModelHost } from './model-host.ts';
import type { Slot } from './package-slots.ts';

/** A challenger that does not load is tried again after this long: its package may lie on a store that is away. */
const RETRY_MS = 5_000;
/** That it does not load is recorded this often also where nobody asks for predictions. */
const TELL_MS = 60_000;

/** A trial as this replica has it: its challenger was proven here, or it is known why it does not load. */
export type OpenTrial = ServedTrial &
  (
    | { readonly open: () => Promise<Slot>; readonly error?: never }
    | { readonly error: string; readonly open?: never }
  );

interface Held {
  trial: ServedTrial;
  /** Opens its challenger again where that was closed for others. */
  open?: () => Promise<Slot>;
  error?: string;
  opening: boolean;
  /** Monotonic ms: when it is tried again, and when its failure was last recorded. */
  retryAt: number;
  toldAt: number | undefined;
}

/**
 * Which challengers are open on this replica. It follows the registry's running trials; with the database
 * away it goes on with those it knows, and a start without the database has none.
 */
export class TrialHost {
  readonly #host: ModelHost;
  readonly #metrics: Pick<ApiMetrics, 'trialShare' | 'challengerLoaded'>;
  readonly #log: Log;
  readonly #now: () => number;
  /** One trial of a model runs at a time. */
  readonly #held = new Map<string, Held>();
  #onEnded: (trialId: string) => void = () => undefined;
  #onUnloaded: (trial: ServedTrial, error: string) => void = () => undefined;

  constructor(parts: {
    readonly host: ModelHost;
    readonly metrics: Pick<ApiMetrics, 'trialShare' | 'challengerLoaded'>;
    readonly log: Log;
    /** Monotonic ms. */
    readonly now: () => number;
  }) {
    this.#host = parts.host;
    this.#metrics = parts.metrics;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  /** Who hears of ends, and, about once a minute, of challengers that do not load. */
  listen(to: {
    readonly onEnded: (trialId: string) => void;
    readonly onUnloaded: (trial: ServedTrial, error: string) => void;
  }): void {
    this.#onEnded = to.onEnded;
    this.#onUnloaded = to.onUnloaded;
  }

  /**
   * The trial that a prediction by this champion takes part in. None while the challenger is being opened,
   * and none when the model has moved on to another generation: a trial compares with one champion.
   */
  of({ served }: Active): OpenTrial | undefined {
    const held = this.#held.get(served.model);
    if (held?.trial.generation !== served.generation) return undefined;
    const { trial, open, error } = held;
    if (open) return { ...trial, open };
    return error === undefined ? undefined : { ...trial, error };
  }

  /** Does the trial still run, and does this champion still serve? Else what they scored is no pair. */
  compares({ served }: Active, { model, trialId }: ServedTrial): boolean {
    const generation = this.#host.active(model)?.served.generation;
    return this.#isRunning(model, trialId) && generation === served.generation;
  }

  #isRunning(model: string, trialId: string): boolean {
    return this.#held.get(model)?.trial.trialId === trialId;
  }

  /** Follows the registry: ends at once what ended, and opens new challengers without being waited for. */
  reconcile(running: readonly ServedTrial[]): void {
    const ids = new Set(running.map(({ trialId }) => trialId));
    for (const [model, { trial }] of this.#held) {
      if (!ids.has(trial.trialId)) this.#end(model, trial);
    }
    const digests = running.flatMap(({ challenger }) => challenger?.packageDigest ?? []);
    this.#host.keep(new Set(digests));
    for (const trial of running) this.#follow(trial);
  }

  #end(model: string, { trialId, version }: ServedTrial): void {
    this.#held.delete(model);
    this.#metrics.trialShare.remove({ model });
    this.#metrics.challengerLoaded.remove({ model });
    this.#log.info({ model, version, trial: trialId }, 'a trial ended');
    this.#onEnded(trialId);
  }

  #follow(trial: ServedTrial): void {
    const { model } = trial;
    const now = this.#now();
    const held = this.#held.get(model) ?? {
      trial,
      opening: false,
      retryAt: now,
      toldAt: undefined,
    };
    held.trial = trial;
    this.#held.set(model, held);
    this.#metrics.trialShare.set({ model }, trial.share);
    this.#metrics.challengerLoaded.set({ model }, held.open ? 1 : 0);
    if (!held.open && !held.opening && now >= held.retryAt) void this.#open(held);
    if (held.error !== undefined) this.#tell(held, held.error);
  }

  #tell(held: Held, error: string): void {
    const now = this.#now();
    if (held.toldAt !== undefined && now - held.toldAt < TELL_MS) return;
    held.toldAt = now;
    this.#onUnloaded(held.trial, error);
  }

  async #open(held: Held): Promise<void> {
    const { model, version, trialId, challenger } = held.trial;
    held.opening = true;
    try {
      if (!challenger) throw notFound('version.unknown', 'it is not registered, or has no package');
      await this.#host.prepare(challenger);
      held.open = () => this.#host.reopen(challenger);
      delete held.error;
      if (!this.#isRunning(model, trialId)) return;
      this.#metrics.challengerLoaded.set({ model }, 1);
      this.#log.info({ model, version, trial: trialId }, 'the challenger of a trial is open');
    } catch (error) {
      const reason = toApiError(error).problem.message;
      held.retryAt = this.#now() + RETRY_MS;
      if (held.error !== reason) {
        this.#log.error(
          { err: error, model, version, trial: trialId },
          'a challenger does not load',
        );
      }
      held.error = reason;
      if (this.#isRunning(model, trialId)) this.#tell(held, reason);
    } finally {
      held.opening = false;
    }
  }
}
