import { randomFillSync } from 'node:crypto';
import { monotonicFactory } from 'ulid';
import type { PredictionAnswer } from '../../core/predict/index.ts';
import type { PredictionRole, PredictionRow } from '../../registry/predictions.ts';
import type { ServedTrial } from '../../registry/served-trials.ts';
import { countPrediction, type ApiMetrics } from '../metrics.ts';
import type { Basis, Computed } from './forecaster.ts';
import type { ModelHost } from './model-host.ts';
import type { Slot } from './package-slots.ts';
import type { PredictRequest } from './serving.ts';
import type { Spool } from './spool.ts';

/** Longest text of a failure that is kept. */
const MAX_ERROR_CHARS = 500;
/** Of a challenger that failed without a request. */
const NOBODY = 'trial';
/** Kept of a prediction that nobody was given. */
const NOTHING = '{}';

/** Which package a prediction came from, and in what part. */
export interface Arm {
  readonly slot: Slot;
  readonly generation: number;
  readonly role: PredictionRole;
  /** The running trial that the prediction takes part in. */
  readonly trialId: string | null;
}

/** An answer, and the same as JSON. */
export interface Written {
  readonly answer: PredictionAnswer;
  readonly text: string;
}

/** A prediction that went to its caller, as the other arm of its trial needs to know it. */
export interface Answered {
  readonly request: PredictRequest;
  readonly answer: PredictionAnswer;
  readonly trialId: string;
}

/** A version that could not answer, and why. */
export interface Failure {
  readonly role: 'canary' | 'shadow';
  readonly version: number;
  readonly packageDigest: string;
  readonly error: string;
  readonly durationMs: number;
}

interface Facts {
  readonly role: PredictionRole;
  readonly trialId: string | null;
  readonly pairId: string | null;
  readonly durationMs: number;
  /** Absent: nothing was computed, or from what the caller brought. */
  readonly basis?: Basis | undefined;
}

export interface PredictionLogParts {
  readonly host: Pick<ModelHost, 'confirmedAgeS'>;
  readonly spool: Spool;
  readonly metrics: ApiMetrics;
  readonly replicaId: string;
  readonly codeVersion: string;
  /** Wall ms. */
  readonly now: () => number;
}

/** Makes answers of forecasts, and hands each prediction to the spool with the part that it had. */
export class PredictionLog {
  readonly #parts: PredictionLogParts;
  readonly #newId = monotonicFactory(pooledRandom());

  constructor(parts: PredictionLogParts) {
    this.#parts = parts;
  }

  newBatchId(): string {
    return this.#newId(this.#parts.now());
  }

  /** The answer that goes to the caller; `recorded` says whether it was kept. */
  async answered(
    request: PredictRequest,
    arm: Arm,
    computed: Computed,
    startedMs: number,
  ): Promise<Written> {
    const { metrics } = this.#parts;
    const at = this.#parts.now();
    const written = this.#compose(arm, computed, at, request);
    const { answer } = written;
    countPrediction(metrics, answer, computed.outcome);
    const durationMs = performance.now() - startedMs;
    metrics.predictionSeconds.observe({ role: arm.role }, durationMs / 1000);
    if (!request.record) return written;
    const { role, trialId } = arm;
    const facts = { role, trialId, pairId: null, durationMs, basis: computed.basis };
    // What was remembered comes one by one as requests are read; what was computed comes with the
    // others of its run.
    const together = computed.outcome === 'cached' ? 'turn' : 'run';
    const row = this.#row(request, written, facts, at);
    if (await this.#parts.spool.keep(row, together)) return written;
    metrics.notRecorded.inc();
    return write(computed.fields, { ...answer, recorded: false });
  }

  /** Keeps what the other arm computed beside an answer; nobody is given it. */
  beside(answered: Answered, slot: Slot, computed: Computed, durationMs: number): void {
    const { request, answer, trialId } = answered;
    const { metrics, now, spool } = this.#parts;
    const at = now();
    const arm = { slot, generation: answer.generation, role: 'shadow' as const, trialId };
    const scored = this.#compose(arm, computed, at, { batchId: answer.batchId, record: true });
    metrics.predictionSeconds.observe({ role: 'shadow' }, durationMs / 1000);
    const { basis } = computed;
    const facts = { role: arm.role, trialId, pairId: answer.id, durationMs, basis };
    const kept = spool.append(this.#row(request, scored, facts, at), 'beside');
    metrics.trialPredictions.inc({ role: 'shadow', outcome: kept ? 'done' : 'dropped' });
  }

  /** Keeps that a version could not answer what the other arm did answer. */
  failed({ request, answer, trialId }: Answered, failure: Failure): void {
    const at = this.#parts.now();
    const { role, durationMs } = failure;
    const none = { answer, text: NOTHING };
    const row = this.#row(request, none, { role, trialId, pairId: answer.id, durationMs }, at);
    this.#keepFailure({ ...row, generation: answer.generation }, failure);
  }

  /** Keeps that a challenger does not load here, where nobody asked. */
  unloaded({ model, trialId, version, generation, challenger }: ServedTrial, error: string): void {
    const at = new Date(this.#parts.now()).toISOString();
    const packageDigest = challenger?.packageDigest ?? '';
    const id = this.#newId(this.#parts.now());
    const row: PredictionRow = {
      ...{ id, at, batch_id: id, model, version, generation, package_digest: packageDigest },
      instrument: challenger?.instruments[0] ?? '',
      as_of: at,
      ...{ request_id: NOBODY, key_id: NOBODY, replica_id: this.#parts.replicaId },
      ...{ answer: NOTHING, duration_ms: 0, trial_id: trialId },
    };
    this.#keepFailure(row, { role: 'shadow', version, packageDigest, error, durationMs: 0 });
    this.#parts.metrics.trialPredictions.inc({ role: 'shadow', outcome: 'failed' });
  }

  #keepFailure(row: PredictionRow, failure: Failure): void {
    const { role, version, packageDigest, error } = failure;
    const failed: PredictionRow = {
      ...row,
      ...{ id: this.#newId(this.#parts.now()), role, version, package_digest: packageDigest },
      ...{ answer: NOTHING, error: error.slice(0, MAX_ERROR_CHARS) },
    };
    this.#parts.spool.append(failed, 'beside');
  }

  #compose(
    arm: Arm,
    computed: Computed,
    at: number,
    { batchId, record }: Pick<PredictRequest, 'batchId' | 'record'>,
  ): Written {
    const id = this.#newId(at);
    const { role, trialId } = arm;
    return write(computed.fields, {
      id,
      batchId: batchId ?? id,
      ...computed.forecast,
      generation: arm.generation,
      generationAgeS: Math.round(this.#ageOf(arm, at) * 1000) / 1000,
      fallback: computed.fallback,
      fallbackReason: computed.fallbackReason,
      trial: role === 'canary' && trialId !== null ? { role, trialId } : null,
      recorded: record,
    });
  }

  /** Where the registry was not reached yet, the generation is at most as old as its version. */
  #ageOf({ slot }: Arm, at: number): number {
    const { confirmedAgeS } = this.#parts.host;
    return confirmedAgeS ?? Math.max(0, at - slot.version.createdAt.getTime()) / 1000;
  }

  #row(
    request: PredictRequest,
    { answer, text }: Written,
    facts: Facts,
    at: number,
  ): PredictionRow {
    return {
      id: answer.id,
      at: new Date(at).toISOString(),
      batch_id: answer.batchId,
      model: answer.model,
      version: answer.version,
      generation: answer.generation,
      package_digest: answer.packageDigest,
      instrument: answer.instrument,
      as_of: answer.asOf,
      request_id: request.requestId,
      key_id: request.keyId,
      replica_id: this.#parts.replicaId,
      answer: text,
      duration_ms: facts.durationMs,
      role: facts.role,
      input: request.input.kind,
      pair_id: facts.pairId,
      trial_id: facts.trialId,
      asked_as_of: facts.basis ? new Date(facts.basis.asOf).toISOString() : null,
      code_version: this.#parts.codeVersion,
    };
  }
}

const POOL_BYTES = 4_096;

/** Numbers from 0 below 1 for ids, of random bytes that are drawn many at a time. */
function pooledRandom(): () => number {
  const pool = Buffer.alloc(POOL_BYTES);
  let next = pool.length;
  return () => {
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    return pool[next++]! / 256;
  };
}

/**
 * The answer as `JSON.stringify` writes it. `fields`: those of its forecast, which are most of it and the same in every answer
 * from one window.
 */
function write(fields: string, answer: PredictionAnswer): Written {
  const { id, batchId, generation, generationAgeS, fallback, fallbackReason, trial } = answer;
  const text =
    `{"id":"${id}","batchId":"${batchId}",${fields},"generation":${generation},` +
    `"generationAgeS":${generationAgeS},"fallback":${JSON.stringify(fallback)},` +
    `"fallbackReason":${JSON.stringify(fallbackReason)},"trial":${JSON.stringify(trial)},` +
    `"recorded":${answer.recorded}}`;
  return { answer, text };
}
