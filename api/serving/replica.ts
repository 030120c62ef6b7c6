import type { Log } from '../../activities/deps.ts';
import { servableVersion, servedModels } from '../../registry/champions.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { listen } from '../../registry/notifications.ts';
import {
  answerPromotion,
  forgetOpenAnswers,
  unansweredPromotions,
  type OpenPromotion,
} from '../../registry/promotion-answers.ts';
import { PROMOTION_CHANNEL } from '../../registry/promotions.ts';
import { runningTrials, TRIAL_CHANNEL } from '../../registry/served-trials.ts';
import { dropLease, renewLease } from '../../registry/replicas.ts';
import type { ModelHost } from './model-host.ts';
import type { TrialHost } from './trial-host.ts';

/** The truth is polled; NOTIFY only makes it sooner. */
const POLL_MS = 1_000;
/** Five renewals may fail before the lease (10 s) ends. */
const RENEW_MS = 2_000;

/**
 * One replica's part in promotions and trials: it holds a lease, answers intents once it has proven the
 * package, serves each new generation, and follows running trials. With the database away it serves on, and its lease ends.
 */
export class Replica {
  readonly id: string;
  readonly #db: Db;
  readonly #host: ModelHost;
  readonly #trials: TrialHost;
  readonly #log: Log;
  readonly #address: () => string;
  readonly #notificationsUrl: string | undefined;
  readonly #stopping = new AbortController();
  readonly #answering = new Set<string>();
  #polling: Promise<void> | undefined;
  #again = false;
  #timers: NodeJS.Timeout[] = [];
  #away = false;
  /** What a former process of this name answered is taken back. */
  #isAnew = false;
  #listening: Promise<void> = Promise.resolve();

  constructor(parts: {
    readonly id: string;
    readonly db: Db;
    readonly host: ModelHost;
    readonly trials: TrialHost;
    readonly log: Log;
    readonly address: () => string;
    /** Where NOTIFY is heard; absent: polling alone. */
    readonly notificationsUrl: string | undefined;
  }) {
    this.id = parts.id;
    this.#db = parts.db;
    this.#host = parts.host;
    this.#trials = parts.trials;
    this.#log = parts.log;
    this.#address = parts.address;
    this.#notificationsUrl = parts.notificationsUrl;
  }

  /** Begins to serve: first look at the registry, lease, poll, notifications. Never throws for its absence. */
  async start(): Promise<void> {
    await this.poll();
    await this.renew();
    this.#timers = [
      setInterval(() => void this.poll(), POLL_MS),
      setInterval(() => void this.renew(), RENEW_MS),
    ];
    const url = this.#notificationsUrl;
    if (url === undefined) return;
    this.#listening = listen(url, [PROMOTION_CHANNEL, TRIAL_CHANNEL], () => void this.poll(), {
      signal: this.#stopping.signal,
      onConnected: () => void this.poll(),
    });
  }

  /** One look at intents and generations; a call during a look makes it look once more. */
  poll(): Promise<void> {
    if (this.#polling) {
      this.#again = true;
      return this.#polling;
    }
    this.#polling = this.#look().finally(() => (this.#polling = undefined));
    return this.#polling;
  }

  async #look(): Promise<void> {
    do {
      this.#again = false;
      try {
        if (!this.#isAnew) await forgetOpenAnswers(this.#db, this.id);
        this.#isAnew = true;
        const [intents, served, trials] = await Promise.all([
          unansweredPromotions(this.#db, this.id),
          servedModels(this.#db),
          runningTrials(this.#db),
        ]);
        // Before a package that may be slow: a trial that ended gets no request more.
        this.#trials.reconcile(trials);
        // A slow package of one intent must not hold up the generations of other models.
        for (const intent of intents) void this.#answer(intent);
        await this.#host.reconcile(served);
        this.#back();
      } catch (error) {
        this.#lost(error);
      }
    } while (this.#again && !this.#stopping.signal.aborted);
  }

  async #answer(intent: OpenPromotion): Promise<void> {
    if (this.#answering.has(intent.id)) return;
    this.#answering.add(intent.id);
    try {
      const error = await this.#prove(intent);
      const answer = { promotionId: intent.id, replicaId: this.id, ok: error === null, error };
      await answerPromotion(this.#db, answer);
    } catch (error) {
      this.#log.warn({ err: error, promotion: intent.id }, 'an intent could not be answered yet');
    } finally {
      this.#answering.delete(intent.id);
    }
  }

  /** null when this replica can serve the version, else why not. */
  async #prove(intent: OpenPromotion): Promise<string | null> {
    const version = await servableVersion(this.#db, intent.model, intent.version);
    if (!version) return 'the version is not registered';
    try {
      await this.#host.prepare(version);
      return null;
    } catch (error) {
      this.#log.error({ err: error, ...intent }, 'an announced package cannot be served');
      return error instanceof Error ? error.message : String(error);
    }
  }

  async renew(): Promise<void> {
    try {
      const replica = { id: this.id, address: this.#address(), loaded: this.#host.loaded };
      await renewLease(this.#db, replica);
    } catch (error) {
      this.#log.debug({ err: error }, 'the lease could not be renewed');
    }
  }

  /** Is the registry out of reach as far as this replica knows? */
  get databaseAway(): boolean {
    return this.#away;
  }

  #lost(error: unknown): void {
    if (!this.#away)
      this.#log.warn({ err: error }, 'the registry does not answer; serving goes on');
    this.#away = true;
  }

  #back(): void {
    if (this.#away) this.#log.info({}, 'the registry answers again');
    this.#away = false;
  }

  /** Gives the lease back and stops; predictions may still be answered until the server is closed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#timers) clearInterval(timer);
    await this.#polling;
    await this.#listening;
    await dropLease(this.#db, this.id).catch((error: unknown) =>
      this.#log.debug({ err: error }, 'the lease could not be given back; it ends by itself'),
    );
  }
}
