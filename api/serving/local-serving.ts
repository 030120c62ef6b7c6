import type { NamedDataset } from '../../activities/deps.ts';
import type { Bars } from '../../core/bars/bars.ts';
import { windowShape, type PredictionAnswer } from '../../core/predict/index.ts';
import { servableVersion } from '../../registry/champions.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { getModel } from '../../registry/models.ts';
import { pastAnswers, type PastAnswers, type PastQuestion } from '../../registry/past-answers.ts';
import { servedSourcesOf } from '../../registry/served-bars.ts';
import { unknownModel } from '../auth.ts';
import { ApiError, isDatabaseAway, notFound } from '../errors.ts';
import { onlyInstrumentOrThrow } from '../prediction-input.ts';
import type { Explainer } from './explainer.ts';
import { explainPrediction, type Explanation } from './explanations.ts';
import type { Forecaster } from './forecaster.ts';
import type { GraphPool } from './graph-pool.ts';
import type { Active, ModelHost } from './model-host.ts';
import type { Slot } from './package-slots.ts';
import type { PredictionLog, Written } from './prediction-log.ts';
import type { Replica } from './replica.ts';
import type {
  PredictInput,
  PredictRequest,
  Readiness,
  ServedBatch,
  ServedDescription,
  Serving,
} from './serving.ts';
import type { Route, TrialRouting } from './trial-routing.ts';

export interface ServingParts {
  readonly db: Db;
  readonly datasets: ReadonlyMap<string, NamedDataset>;
  readonly host: ModelHost;
  readonly forecaster: Forecaster;
  readonly replica: Replica;
  readonly predictions: PredictionLog;
  readonly trials: TrialRouting;
  readonly explainer: Explainer;
  readonly graphs: Pick<GraphPool, 'openWindows'>;
  readonly hasKeys: () => boolean;
}

/** The package that answers one request, fixed for its whole duration. */
interface Chosen {
  readonly slot: Slot;
  readonly generation: number;
  /** Absent: the caller named the version. */
  readonly active?: Active;
}

/** Serving from this process's memory. */
export class LocalServing implements Serving {
  readonly #parts: ServingParts;

  constructor(parts: ServingParts) {
    this.#parts = parts;
  }

  async predict(request: PredictRequest): Promise<PredictionAnswer> {
    return (await this.#predict(request)).answer;
  }

  async predictText(request: PredictRequest): Promise<string> {
    return (await this.#predict(request)).text;
  }

  async #predict(request: PredictRequest): Promise<Written> {
    const startedMs = performance.now();
    const chosen = await this.#choose(request.model, request.version);
    const input = withInstrument(chosen.slot, request.input);
    const { trials } = this.#parts;
    const route = chosen.active && trials.routeOf(chosen.active, input, request);
    if (route?.arm === 'challenger') return this.#canary(request, chosen, input, route);
    return this.#champion(request, chosen, input, { route, startedMs });
  }

  async withBatch<T>(
    request: Omit<PredictRequest, 'input'>,
    work: (batch: ServedBatch) => Promise<T>,
  ): Promise<T> {
    const { slot, generation, active } = await this.#choose(request.model, request.version);
    const chosen = { slot, generation, ...(active ? { active } : {}) };
    const batchId = this.#parts.predictions.newBatchId();
    return slot.use((open) =>
      work({
        ...{ batchId, generation, version: open.version.version },
        packageDigest: open.opened.verified.packageDigest,
        predict: async (item) => {
          const startedMs = performance.now();
          const input = withInstrument(open, item);
          const facts = { route: undefined, startedMs };
          const asked = { ...request, input, batchId };
          return (await this.#champion(asked, chosen, input, facts)).answer;
        },
      }),
    );
  }

  /** The champion's answer, or that of the version that was asked for. */
  async #champion(
    request: PredictRequest,
    { slot, generation, active }: Chosen,
    input: PredictInput,
    { route, startedMs }: { readonly route: Route | undefined; readonly startedMs: number },
  ): Promise<Written> {
    const { predictions, trials, forecaster } = this.#parts;
    const computed = await slot.use((open) => forecaster.forecast(open, input, request.confidence));
    const role = active ? 'champion' : 'pinned';
    const trialId = route?.trial.trialId ?? null;
    const arm = { slot, generation, role, trialId } as const;
    const written = await predictions.answered(request, arm, computed, startedMs);
    const { answer } = written;
    if (route?.arm === 'champion') trials.scoreBeside(route, { request, answer }, computed.basis);
    return written;
  }

  /** The challenger's answer; where it has none, the champion's. */
  async #canary(
    request: PredictRequest,
    chosen: Chosen,
    input: PredictInput,
    route: Route,
  ): Promise<Written> {
    const { predictions, trials } = this.#parts;
    const startedMs = performance.now();
    const tried = await trials.tryCanary(route, input, request.confidence);
    if (tried.failure) {
      // Meanwhile its package may have been closed for others.
      const slot = await this.#parts.host.reopen(chosen.slot.version);
      const again = { route, startedMs: performance.now() };
      const written = await this.#champion(request, { ...chosen, slot }, input, again);
      const { answer } = written;
      trials.recordFailure(route, { request, answer }, tried.failure);
      return written;
    }
    const { slot, computed } = tried;
    const { generation } = chosen;
    const arm = { slot, generation, role: 'canary', trialId: route.trial.trialId } as const;
    const written = await predictions.answered(request, arm, computed, startedMs);
    trials.scoreBeside(route, { request, answer: written.answer }, computed.basis);
    return written;
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
      const width = rows[0]?.length ?? 0;
      const values = new Float64Array(rows.length * width);
      rows.forEach((row, i) => values.set(row, i * width));
      return { version: slot.version.version, values };
    });
  }

  async bars(
    model: string,
    version: number | undefined,
    instrument: string,
    asOf?: number,
  ): Promise<Bars> {
    const { slot } = await this.#choose(model, version);
    return (await this.#parts.forecaster.barsOf(slot, instrument, asOf)).bars;
  }

  async explain(
    model: string,
    version: number,
    input: PredictRequest['input'],
    asOf: number,
  ): Promise<Explanation> {
    const { slot } = await this.#choose(model, version);
    const { explainer, forecaster } = this.#parts;
    return slot.use(async (open) => {
      const window = await forecaster.windowOf(open, withInstrument(open, input), asOf);
      return explainPrediction(explainer, open.opened.verified, window);
    });
  }

  past(question: PastQuestion): AsyncGenerator<PastAnswers, void, undefined> {
    const { db, host, datasets, graphs } = this.#parts;
    return pastAnswers(
      {
        db,
        sourcesOf: ({ sources }, instrument, timeframe) =>
          servedSourcesOf(db, datasets, { instrument, timeframe, sources }),
        open: async (version, instants) => {
          const slot = await host.reopen(version);
          const [opened, release] = [slot.opened, slot.hold()];
          if (instants < WORTH_A_THREAD) return { opened, release };
          const elsewhere = graphs.openWindows(opened.verified.model, windowShape(opened.verified));
          const both = (): void => {
            elsewhere.release();
            release();
          };
          return { opened, elsewhere, release: both };
        },
      },
      question,
    );
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
    const served = host.active(model)?.served;
    if (served && (version === undefined || served.version === version)) {
      const opened = await host.open(model);
      // It may have moved on meanwhile, or another version stands in: only who named none takes that.
      if (opened && (version === undefined || opened.active.served.version === version)) {
        const { active, slot } = opened;
        const { generation } = active.served;
        return { slot, generation, ...(version === undefined ? { active } : {}) };
      }
    }
    if (version === undefined) throw await noChampion(this.#parts, model);
    const pinned = await servableVersion(db, model, version);
    if (!pinned) throw notFound('version.unknown', `${model} has no version ${version}.`);
    const slot = await host.prepare(pinned);
    return { slot, generation: served?.generation ?? 0 };
  }
}

/** Instants from which on opening the graph in a thread, some 5 ms, is little beside computing them. */
const WORTH_A_THREAD = 256;

/** What the network reads of a window is its values. */
const BARE_WINDOW = { instrument: '', lastClose: 1, asOf: 0, staleBars: 0, volatility: undefined };

function withInstrument(slot: Slot, input: PredictRequest['input']): PredictInput {
  if (input.instrument !== undefined) return input;
  const { instruments, model } = slot.opened.verified.manifest;
  return { ...input, instrument: onlyInstrumentOrThrow(model, instruments) };
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
