import { monotonicFactory } from 'ulid';
import type { Log } from '../../activities/deps.ts';
import type { PredictionAnswer } from '../../core/predict/index.ts';
import { servableVersion } from '../../registry/champions.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { getModel } from '../../registry/models.ts';
import { unknownModel } from '../auth.ts';
import { ApiError, isDatabaseAway, notFound } from '../errors.ts';
import { countPrediction, type ApiMetrics } from '../metrics.ts';
import type { Computed, Forecaster } from './forecaster.ts';
import type { ModelHost } from './model-host.ts';
import type { Slot } from './package-slots.ts';
import type { Replica } from './replica.ts';
import type {
  PredictInput,
  PredictRequest,
  Readiness,
  ServedDescription,
  Serving,
} from './serving.ts';
import type { Spool } from './spool.ts';

export interface ServingParts {
  readonly db: Db;
  readonly host: ModelHost;
  readonly forecaster: Forecaster;
  readonly replica: Replica;
  readonly spool: Spool;
  readonly metrics: ApiMetrics;
  readonly log: Log;
  /** Wall ms. */
  readonly now: () => number;
  readonly hasKeys: () => boolean;
}

/** The package that answers one request, fixed for its whole duration. */
interface Chosen {
  readonly slot: Slot;
  readonly generation: number;
}

/** Serving from this process's memory. */
export class LocalServing implements Serving {
  readonly #parts: ServingParts;
  readonly #newId = monotonicFactory();

  constructor(parts: ServingParts) {
    this.#parts = parts;
  }

  async predict(request: PredictRequest): Promise<PredictionAnswer> {
    const startedMs = performance.now();
    const chosen = await this.#choose(request.model, request.version);
    const input = withInstrument(chosen.slot, request.input);
    const computed = await chosen.slot.use((slot) =>
      this.#parts.forecaster.forecast(slot, input, request.confidence),
    );
    return this.#finish(request, chosen, computed, startedMs);
  }

  async infer(
    model: string,
    version: number | undefined,
    windows: readonly Float64Array[],
  ): Promise<{ readonly version: number; readonly values: Float64Array }> {
    const { slot } = await this.#choose(model, version);
    return slot.use(async () => {
      const rows = await Promise.all(
        windows.map((values) => slot.batcher.forecast({ ...BARE_WINDOW, values })),
      );
      const width = slot.opened.verified.preprocessing.label.horizons.length;
      const values = new Float64Array(rows.length * width);
      rows.forEach((row, i) => values.set(row, i * width));
      return { version: slot.version.version, values };
    });
  }

  async describe(model: string, version?: number): Promise<ServedDescription> {
    const { slot, generation } = await this.#choose(model, version);
    return { model, version: slot.version.version, generation, pkg: slot.opened.verified };
  }

  readiness(): Readiness {
    return readinessOf(this.#parts);
  }

  async #choose(model: string, version: number | undefined): Promise<Chosen> {
    const { host, db } = this.#parts;
    const active = host.active(model);
    if (active && (version === undefined || active.served.version === version)) {
      return { slot: active.slot, generation: active.served.generation };
    }
    if (version === undefined) throw await noChampion(this.#parts, model);
    const pinned = await servableVersion(db, model, version);
    if (!pinned) throw notFound('version.unknown', `${model} has no version ${version}.`);
    const slot = await host.prepare(pinned);
    return { slot, generation: active?.served.generation ?? 0 };
  }

  #finish(
    request: PredictRequest,
    chosen: Chosen,
    computed: Computed,
    startedMs: number,
  ): PredictionAnswer {
    const at = this.#parts.now();
    const id = this.#newId(at);
    const answer: PredictionAnswer = {
      id,
      batchId: id,
      ...computed.forecast,
      generation: chosen.generation,
      generationAgeS: Math.round(this.#ageOf(chosen, at) * 1000) / 1000,
      fallback: computed.fallback,
      fallbackReason: computed.fallbackReason,
      recorded: request.record,
    };
    countPrediction(this.#parts.metrics, answer, computed.outcome);
    const kept = request.record && this.#record(request, answer, at, startedMs);
    return kept ? answer : { ...answer, recorded: false };
  }

  /** Where the registry was not reached yet, the generation is at most as old as its version. */
  #ageOf({ slot }: Chosen, at: number): number {
    const { confirmedAgeS } = this.#parts.host;
    return confirmedAgeS ?? Math.max(0, at - slot.version.createdAt.getTime()) / 1000;
  }

  #record(
    request: PredictRequest,
    answer: PredictionAnswer,
    at: number,
    startedMs: number,
  ): boolean {
    const recorded = this.#parts.spool.append({
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
      replica_id: this.#parts.replica.id,
      answer: JSON.stringify(answer),
      duration_ms: performance.now() - startedMs,
    });
    if (!recorded) this.#parts.metrics.notRecorded.inc();
    return recorded;
  }
}

/** What the network reads of a window is its values. */
const BARE_WINDOW = { instrument: '', lastClose: 1, asOf: 0, staleBars: 0, volatility: undefined };

function withInstrument(slot: Slot, input: PredictRequest['input']): PredictInput {
  if (input.instrument !== undefined) return input;
  const { instruments, model } = slot.opened.verified.manifest;
  const [only] = instruments;
  if (only !== undefined && instruments.length === 1)
    return { kind: 'instrument', instrument: only };
  throw new ApiError(
    'unprocessable',
    'predict.instrument',
    `${model} answers for several instruments; name one of ${instruments.join(', ')}.`,
    { issues: [{ path: '/instrument', message: 'is missing' }] },
  );
}

async function noChampion(parts: ServingParts, model: string): Promise<ApiError> {
  let known: boolean;
  try {
    known = (await getModel(parts.db, model)) !== undefined;
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    return new ApiError(
      'unavailable',
      'model.unavailable',
      `${model} is not served by this replica and the database does not answer.`,
      { retryAfterS: 5, cause: error },
    );
  }
  if (!known) return unknownModel(model);
  return new ApiError(
    'conflict',
    'champion.none',
    `${model} has no champion yet. Run an experiment (\`ratchet run\`) or promote a version (\`ratchet promote ${model} --version N\`).`,
  );
}

function readinessOf(parts: ServingParts): Readiness {
  const { host, replica } = parts;
  const reasons = [...host.late];
  const missing = replica.databaseAway ? ['database'] : [];
  if (replica.databaseAway && host.confirmedAgeS === undefined && host.models.length === 0) {
    reasons.push('the registry was never reached and nothing is cached here');
  }
  if (!parts.hasKeys()) reasons.push('no API keys are known yet');
  return { ready: reasons.length === 0, reasons, missing };
}
