import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { monotonicFactory } from 'ulid';
import type { Log } from '../activities/deps.ts';
import type { Db } from '../registry/in-transaction.ts';
import {
  announceResult,
  findResult,
  forgetExpiredResults,
  loseFormerResults,
  storeResult,
  type PendingResult,
  type ResultOutcome,
} from '../registry/results.ts';
import {
  checkOwner,
  failureOf,
  lostProblem,
  resultOf,
  unknownResult,
  type AsyncResult,
  type TextAnswer,
} from './async-outcome.ts';
import type { Caller } from './auth.ts';
import { ApiError, isDatabaseAway, problemBody, toApiError } from './errors.ts';

/** Computations that this replica holds, waiting or running; beyond, callers are told to come again. */
const MAX_PENDING = 64;
/** The same of one key: one caller must not take the whole queue. */
const MAX_PENDING_OF_KEY = 16;
/** Of requests that wait and of answers that the database has not taken yet. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
/** Computed at once: those who wait for their answer come first. */
const MAX_RUNNING = 2;
/** A batch of 1,000 predictions has some 2 MB. */
const MAX_RESULT_BYTES = 8 * 1024 * 1024;
/** From the end of the computation on. */
const KEPT_MS = 3_600_000;
/** A computation that is not done by then never will be: the queue above takes minutes. */
const PENDING_MS = 24 * KEPT_MS;
/** Longest wait for the database before a request is accepted without it. */
const ANNOUNCE_MS = 1_000;
const FLUSH_MS = 2_000;
const FORGET_MS = 60_000;
/** What a stop waits for computations that run. */
const STOP_MS = 5_000;

export interface AsyncWork {
  readonly model: string;
  readonly caller: Caller;
  readonly requestId: string;
  /** Of the request, which is held until it is computed. */
  readonly bytes: number;
  readonly compute: (signal: AbortSignal) => Promise<TextAnswer>;
}

export interface AcceptedResult {
  readonly id: string;
  /** It stands in the database, where every replica finds it; else this replica alone has it for now. */
  readonly durable: boolean;
}

interface Entry {
  row: PendingResult;
  readonly work: AsyncWork;
  announced: boolean;
  bytes: number;
  outcome?: ResultOutcome;
}

/**
 * Answers that are computed after their request was accepted. They stand in PostgreSQL, so that any replica gives them
 * out; while it is away this process keeps them, and brings them there once it is back. What a process that dies had not
 * computed is lost, and its result says so: whoever asked can ask again, for a prediction changes nothing.
 */
export class AsyncResults {
  readonly #db: Db;
  readonly #log: Log;
  readonly #replicaId: string;
  readonly #now: () => number;
  readonly #incarnation = randomUUID();
  readonly #newId = monotonicFactory();
  readonly #stopping = new AbortController();
  /** What is not in the database as it is here. */
  readonly #entries = new Map<string, Entry>();
  readonly #queue: Entry[] = [];
  readonly #running = new Set<Promise<void>>();
  #timers: NodeJS.Timeout[] = [];
  #formerAreLost = false;
  #flushing: Promise<void> | undefined;

  constructor(parts: {
    readonly db: Db;
    readonly log: Log;
    readonly replicaId: string;
    /** Wall ms. */
    readonly now: () => number;
  }) {
    this.#db = parts.db;
    this.#log = parts.log;
    this.#replicaId = parts.replicaId;
    this.#now = parts.now;
  }

  start(): void {
    this.#timers = [
      setInterval(() => void this.flush(), FLUSH_MS),
      setInterval(() => void this.forget(), FORGET_MS),
    ];
    for (const timer of this.#timers) timer.unref();
    void this.flush();
  }

  /** Takes a computation on. Throws 429 or 503 where too many wait. */
  async accept(work: AsyncWork): Promise<AcceptedResult> {
    this.#checkRoom(work);
    const now = this.#now();
    const row: PendingResult = {
      ...{ id: this.#newId(now), keyId: work.caller.keyId, model: work.model },
      ...{ replicaId: this.#replicaId, incarnation: this.#incarnation },
      ...{ createdAt: new Date(now), expiresAt: new Date(now + PENDING_MS) },
    };
    const entry: Entry = { row, work, announced: false, bytes: work.bytes };
    this.#entries.set(row.id, entry);
    this.#queue.push(entry);
    // Its id goes out only now, so that whoever has it finds it on every replica.
    await Promise.race([this.#announce(entry), pause(ANNOUNCE_MS, undefined, { ref: false })]);
    this.#next();
    return { id: row.id, durable: entry.announced };
  }

  /** The result of `id` for who asked for it (or an admin); for others, and once it has expired, 404. */
  async find(caller: Caller, id: string): Promise<AsyncResult> {
    const held = this.#entries.get(id);
    if (held) {
      checkOwner(caller, held.row);
      if (held.row.expiresAt.getTime() <= this.#now()) throw unknownResult();
      const { outcome, announced } = held;
      return outcome ? resultOf(outcome) : { status: 'pending', durable: announced };
    }
    const row = await findResult(this.#db, id, new Date(this.#now()));
    if (!row) throw unknownResult();
    checkOwner(caller, { keyId: row.key_id, model: row.model });
    if (row.status !== 'pending') {
      const { status, content_type: contentType, body } = row;
      return resultOf({ status, contentType: contentType!, body: body! });
    }
    const isOurs = row.replica_id === this.#replicaId;
    if (isOurs || !row.replica_is_live) return { status: 'failed', problem: lostProblem(id) };
    return { status: 'pending', durable: true };
  }

  get pending(): number {
    return [...this.#entries.values()].filter(({ outcome }) => !outcome).length;
  }

  #checkRoom({ caller, bytes }: AsyncWork): void {
    const waiting = [...this.#entries.values()].filter(({ outcome }) => !outcome);
    const ofKey = waiting.filter(({ row }) => row.keyId === caller.keyId).length;
    if (ofKey >= MAX_PENDING_OF_KEY) {
      throw new ApiError(
        'too-many-requests',
        'result.too-many',
        `${ofKey} requests of this key wait for their answers already.`,
        { retryAfterS: 5 },
      );
    }
    const held = [...this.#entries.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    const isFull = waiting.length >= MAX_PENDING || held + bytes > MAX_HELD_BYTES;
    if (isFull || this.#stopping.signal.aborted) {
      throw new ApiError('unavailable', 'result.overloaded', 'Too many requests wait already.', {
        retryAfterS: 5,
      });
    }
  }

  #next(): void {
    while (this.#running.size < MAX_RUNNING) {
      const entry = this.#queue.shift();
      if (!entry) return;
      const run: Promise<void> = this.#run(entry).finally(() => {
        this.#running.delete(run);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  async #run(entry: Entry): Promise<void> {
    const outcome = await this.#outcomeOf(entry.work);
    this.#end(entry, outcome);
    await this.#store(entry);
  }

  #end(entry: Entry, outcome: ResultOutcome): void {
    entry.outcome = outcome;
    entry.bytes = Buffer.byteLength(outcome.body);
    entry.row = { ...entry.row, expiresAt: new Date(this.#now() + KEPT_MS) };
  }

  async #outcomeOf({ compute, requestId, model }: AsyncWork): Promise<ResultOutcome> {
    try {
      const { contentType, text } = await compute(this.#stopping.signal);
      if (Buffer.byteLength(text) <= MAX_RESULT_BYTES) {
        return { status: 'done', contentType, body: text };
      }
      throw new ApiError('unprocessable', 'result.too-large', 'The answer has over 8 MiB.');
    } catch (error) {
      if (this.#stopping.signal.aborted) return failureOf(lostProblem(requestId));
      const { problem, unexpected } = toApiError(error);
      if (unexpected) this.#log.error({ err: error, requestId, model }, 'an async request failed');
      return failureOf(problemBody(problem, requestId));
    }
  }

  async #announce(entry: Entry): Promise<void> {
    try {
      await announceResult(this.#db, entry.row);
      entry.announced = true;
    } catch (error) {
      this.#report(error, entry);
    }
  }

  /** Brings an outcome to the database; then every replica has it, and this one need not keep it. */
  async #store(entry: Entry): Promise<void> {
    const { outcome, row } = entry;
    if (!outcome) return;
    try {
      await storeResult(this.#db, row, outcome);
      this.#entries.delete(row.id);
    } catch (error) {
      this.#report(error, entry);
    }
  }

  /** An outage is no news: the next flush tries again. */
  #report(error: unknown, { row }: Entry): void {
    const level = isDatabaseAway(error) ? 'debug' : 'error';
    this.#log[level]({ err: error, result: row.id }, 'a result waits for the database');
  }

  /** Brings to the database what it has not taken yet. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  async #flushAll(): Promise<void> {
    if (!this.#formerAreLost) {
      const replica = { id: this.#replicaId, incarnation: this.#incarnation };
      const body = JSON.stringify(lostProblem(''));
      await loseFormerResults(this.#db, replica, body).then(
        () => (this.#formerAreLost = true),
        () => undefined,
      );
      if (!this.#formerAreLost) return;
    }
    for (const entry of this.#entries.values()) {
      if (entry.outcome) await this.#store(entry);
      else if (!entry.announced) await this.#announce(entry);
    }
  }

  /** Drops what has expired, here and in the database. */
  async forget(): Promise<void> {
    const now = this.#now();
    for (const [id, { row, outcome }] of this.#entries) {
      if (outcome && row.expiresAt.getTime() <= now) this.#entries.delete(id);
    }
    await forgetExpiredResults(this.#db, new Date(now)).catch(() => undefined);
  }

  /** No more are accepted; what runs gets a moment, what is left is lost and its result says so. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const limit = pause(STOP_MS, undefined, { ref: false });
    const left = this.#queue.splice(0);
    this.#stopping.abort();
    await Promise.race([Promise.allSettled(this.#running), limit]);
    for (const entry of [...left, ...this.#entries.values()]) {
      if (!entry.outcome) this.#end(entry, failureOf(lostProblem(entry.work.requestId)));
    }
    await this.flush();
  }
}
